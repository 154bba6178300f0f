"""THE resolver, for any snapshot: pure, and what it calls next is the head of what a turn tries."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import event, given, settings
from hypothesis import strategies as st

from core.auth.eligibility import Eligibility, judge
from core.auth.health import Lane, ProfileHealth, Window
from core.auth.profiles import AuthProfile, CredentialKind, PinMode, ProfileSet
from core.auth.provider_names import credential_provider
from core.auth.secret import Secret, SecretRef
from core.errors import FailureReason
from core.models.ref import ModelRef
from core.resolution.resolver import NextReason, PinSource, resolve
from core.resolution.rules import AgentRules
from core.resolution.snapshot import Snapshot, health_by_credential
from core.sessions.key import SessionKey
from core.sessions.session import AutoPin, Choice, Pin, Session
from tests.fakes.clock import START
from tests.world import rules

STORED = ("acme:a", "acme:b", "odd id", "zeta:x", "zeta:y")
AROUND = ("env:ACME_API_KEYS#1", "env:ACME_API_KEYS#2", "config:acme", "none:zeta")
IDS = (*STORED, *AROUND)
MODELS = (
    ModelRef("acme", "small"),
    ModelRef("acme", "large"),
    ModelRef("zeta", "opus-1"),
    ModelRef("zeta", "sonnet-1"),
)
CHAT = SessionKey.parse("agent:main:telegram:default:group:-100")

moments = st.integers(-7200, 7200).map(lambda seconds: START + timedelta(seconds=seconds))
orders = st.none() | st.lists(st.sampled_from([*IDS, "acme:gone"]), max_size=5)


@st.composite
def profiles(draw: st.DrawFn) -> AuthProfile:
    name = draw(st.sampled_from(IDS))
    kinds = {"env": CredentialKind.ENV, "config": CredentialKind.CONFIG, "none": CredentialKind.NONE}
    kind = kinds.get(name.partition(":")[0]) or draw(
        st.sampled_from([CredentialKind.API_KEY, CredentialKind.TOKEN, CredentialKind.OAUTH])
    )
    provider = "zeta" if "zeta" in name else draw(st.sampled_from(["acme", "acme", "zeta"]))
    resolved = draw(st.booleans())
    return AuthProfile(
        id=name,
        provider=provider,
        kind=kind,
        secret=Secret(f"sk-{name}") if resolved else None,
        ref=draw(st.sampled_from([None, SecretRef("env", "default", "GONE")])),
        expires=draw(st.sampled_from([None, None, 1, "soon", START.timestamp() * 1000 + 60_000])),
        fingerprint=draw(st.sampled_from([None, "f00d"])),
        account=draw(st.sampled_from([None, None, "org"])),
        config_mode=draw(st.sampled_from([None, None, "api_key", "oauth"])),
        config_provider=draw(st.sampled_from([None, None, "acme"])),
    )


@st.composite
def healths(draw: st.DrawFn) -> ProfileHealth:
    lanes = draw(st.lists(st.sampled_from(list(Lane)), max_size=2, unique=True))
    windows = tuple(
        Window(
            lane=lane,
            reason=FailureReason.RATE_LIMIT if lane is Lane.COOLDOWN else FailureReason.BILLING,
            model=draw(st.sampled_from(["", *map(str, MODELS)])),
            since=START - timedelta(hours=3),
            until=draw(st.none() | moments),
            step=0,
        )
        for lane in lanes
    )
    return ProfileHealth(
        profile=draw(st.sampled_from(IDS)),
        fingerprint=draw(st.sampled_from(["", "f00d"])),
        last_used=draw(st.none() | moments),
        windows=windows,
    )


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    pin = Pin(
        profile=draw(st.sampled_from([*IDS, "acme:gone"])),
        mode=draw(st.sampled_from(list(PinMode))),
        set_by="telegram:1",
        set_at=START,
        order_fingerprint="implicit",
    )
    return Choice(
        model=draw(st.sampled_from([None, *MODELS, ModelRef("nobody", "small")])),
        pin=draw(st.sampled_from([None, pin])),
        set_by="telegram:1",
        set_at=START,
        expires_at=draw(st.none() | moments),
        turns_left=draw(st.sampled_from([None, None, 0, 1])),
    )


def sessions(key: SessionKey) -> st.SearchStrategy[Session]:
    auto = st.builds(
        AutoPin,
        profile=st.sampled_from(IDS),
        provider=st.sampled_from(["acme", "zeta"]),
        set_at=moments,
        used_at=moments,
        order_fingerprint=st.just("implicit"),
    )
    return st.builds(
        Session,
        key=st.just(key),
        choices=st.lists(choices(), max_size=2).map(tuple),
        autos=st.lists(auto, max_size=1).map(tuple),
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    main = AgentRules(
        id="main",
        default=MODELS[0],
        fallbacks=tuple(draw(st.lists(st.sampled_from(MODELS), max_size=2, unique=True))),
        allow=draw(st.sampled_from([(), ("acme/*",)])),
    )
    ours = draw(orders)
    theirs = draw(orders)
    found = replace(
        rules(),
        agents={"main": main},
        order={"acme": tuple(theirs)} if theirs is not None else {},
        configured_profiles=draw(st.sampled_from([{}, {}, {"acme": ("acme:b",)}, {"acme": ("acme:gone",)}])),
    )
    known = draw(st.lists(profiles(), max_size=7, unique_by=lambda profile: profile.id))
    key = draw(st.sampled_from([CHAT, CHAT.in_thread("7")]))
    return Snapshot(
        now=START,
        rules=found,
        session=draw(sessions(key)),
        parent=draw(sessions(CHAT)) if key.parent is not None else None,
        credentials=ProfileSet(
            profiles={profile.id: profile for profile in known},
            order={"acme": tuple(dict.fromkeys(ours))} if ours else {},
        ),
        health=health_by_credential(tuple(draw(st.lists(healths(), max_size=6)))),
    )


def pairs(found: Sequence[object]) -> list[tuple[str, str]]:
    return [(str(c.model), c.profile.id) for c in found]  # type: ignore[attr-defined]


@settings(max_examples=100, deadline=None)
@given(snapshots())
def test_the_same_snapshot_gives_the_same_answer_and_stays_as_it_is(snapshot: Snapshot) -> None:
    before = repr(snapshot)
    assert resolve(snapshot) == resolve(snapshot)
    assert repr(snapshot) == before


@settings(max_examples=100, deadline=None)
@given(snapshots())
def test_next_is_the_head_of_the_candidates_and_says_why(snapshot: Snapshot) -> None:
    found = resolve(snapshot)
    event(found.next.reason)
    if found.candidates:
        assert (str(found.next.model), found.next.profile) == pairs(found.candidates)[0]
        assert found.next.reason in (
            NextReason.PINNED, NextReason.STICKY, NextReason.ORDER, NextReason.PINNED_UNAVAILABLE,
        )  # fmt: skip
    else:
        assert found.next.profile is None
        assert found.next.reason in (
            NextReason.PINNED_UNAVAILABLE, NextReason.NO_CREDENTIALS, NextReason.ALL_UNAVAILABLE,
        )  # fmt: skip
    user = found.pinned is not None and found.pinned.source is not PinSource.AUTO
    assert (found.next.reason in (NextReason.PINNED, NextReason.PINNED_UNAVAILABLE)) is user
    if found.next.reason is NextReason.STICKY:
        assert found.pinned is not None
        assert found.pinned.profile == found.next.profile


@settings(max_examples=100, deadline=None)
@given(snapshots())
def test_every_candidate_may_serve_now_and_none_is_tried_twice(snapshot: Snapshot) -> None:
    found = resolve(snapshot)
    assert len(set(pairs(found.candidates))) == len(found.candidates)
    pinned = found.pinned.profile if found.pinned and found.pinned.pin else None
    for candidate in found.candidates:
        profile, model = candidate.profile, candidate.model
        assert snapshot.credentials.profiles[profile.id] is profile
        assert credential_provider(profile.provider) == credential_provider(model.provider)
        assert judge(profile, model.provider, snapshot.now) is Eligibility.OK
        assert snapshot.block(profile, model) is None
        placed = next(p for p in snapshot.placed(model) if p.id == profile.id)
        assert placed.position is not None or profile.id == pinned, "outside the order only a pin serves"


@settings(max_examples=100, deadline=None)
@given(snapshots())
def test_a_strict_pin_means_that_credential_or_none(snapshot: Snapshot) -> None:
    found = resolve(snapshot)
    pinned = found.pinned
    if pinned is None or pinned.pin is None:
        return
    event(pinned.mode)
    tried = [profile for _, profile in pairs(found.candidates)]
    assert {model for model, _ in pairs(found.candidates)} <= {str(found.selected.ref)}, "a choice is no default"
    if pinned.mode is PinMode.STRICT:
        assert tried in ([], [pinned.profile])
    elif pinned.profile in tried:
        assert tried[0] == pinned.profile


@settings(max_examples=100, deadline=None)
@given(snapshots())
def test_every_credential_of_the_provider_has_exactly_one_place_with_its_reason(snapshot: Snapshot) -> None:
    found = resolve(snapshot)
    names = [placed.id for placed in found.placed]
    assert len(names) == len(set(names))
    wanted = credential_provider(found.selected.ref.provider)
    own = {n for n, p in snapshot.credentials.profiles.items() if credential_provider(p.provider) == wanted}
    assert own <= set(names)
    positions = [placed.position for placed in found.placed if placed.position is not None]
    assert positions == list(range(1, len(positions) + 1))
    assert [placed.position for placed in found.placed[: len(positions)]] == positions
    for placed in found.placed:
        assert (placed.position is not None) is (placed.reason is Eligibility.OK)
        assert snapshot.stands(found.selected.ref, placed.id) == replace(placed, position=None)
    assert [p.id for p in snapshot.usable(found.selected.ref)] == [p.id for p in found.placed if p.usable]
    waiting = [placed.block is not None for placed in found.placed[: len(positions)]]
    assert waiting == sorted(waiting), "whoever is out comes last"


@settings(max_examples=100, deadline=None)
@given(snapshots())
def test_no_key_of_the_environment_slips_in_where_there_is_a_profile(snapshot: Snapshot) -> None:
    found = resolve(snapshot)
    provider = found.selected.ref.provider
    stored = [
        p for p in snapshot.credentials.profiles.values() if not p.from_environment and p.provider == provider
    ]  # also one that cannot be used: its owner is told, and nobody else is billed
    explicit = snapshot.order(provider) or snapshot.rules.configured_profiles.get(provider) or ()
    if not stored:
        return
    pinned = found.pinned.profile if found.pinned and found.pinned.pin else None
    for candidate in found.candidates:
        if candidate.model.provider == provider and candidate.profile.from_environment:
            assert candidate.profile.id in (*explicit, pinned)
