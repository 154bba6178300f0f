"""What a probe asks and what it need not: credentials.md 2.2, 2.3 and vectors of 13 I, as data."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.auth.eligibility import Eligibility
from core.auth.health import Lane, ProfileHealth, Window
from core.auth.profiles import AuthProfile, CredentialKind, ProfileSet
from core.auth.secret import Secret, SecretRef
from core.errors import BotError, Failure, FailureReason
from core.models.ref import ModelRef
from core.resolution.origin import ProbeSource, mode_of, source_of
from core.resolution.probe import (
    Planned,
    ProbePlan,
    ProbeStatus,
    ProbeWish,
    Target,
    plan_probe,
    probe_models,
    status_of,
)
from core.resolution.rules import AgentRules, Rules
from core.resolution.snapshot import Snapshot, health_by_credential
from core.resolution.view import standing
from core.sessions.key import SessionKey
from core.sessions.session import Session
from tests.core.test_resolver import AROUND, STORED, snapshots
from tests.fakes.clock import START
from tests.world import profile, provider, rules

ENV, CONFIG, TOKEN = CredentialKind.ENV, CredentialKind.CONFIG, CredentialKind.TOKEN
EVERYTHING = ProbeWish()


def taken(
    *profiles: AuthProfile,
    order: Mapping[str, Sequence[str]] | None = None,
    found: Rules | None = None,
    health: Sequence[ProfileHealth] = (),
) -> Snapshot:
    return Snapshot(
        now=START,
        rules=replace(found or rules(), order={p: tuple(ids) for p, ids in (order or {}).items()}),
        session=Session(key=SessionKey("main", "main")),
        parent=None,
        credentials=ProfileSet(profiles={p.id: p for p in profiles}),
        health=health_by_credential(tuple(health)),
    )


def env(name: str, of: str = "acme", kind: CredentialKind = ENV, **changes: object) -> AuthProfile:
    return profile(name, kind, provider=of, **changes)


def planned(plan: ProbePlan) -> dict[str, str]:
    return {one.id: one.code for one in plan.planned}


def asked(plan: ProbePlan) -> list[str]:
    return [f"{target.model}@{target.profile.id}" for target in plan.targets]


GONE = SecretRef("env", "default", "GONE")
REASONS = [
    pytest.param(profile("acme:a", TOKEN, expires=0), "invalid_expires", id="C196"),
    pytest.param(profile("acme:a", TOKEN, expires=1), "expired", id="expired"),
    pytest.param(profile("acme:a", secret=None), "missing_credential", id="nothing"),
    pytest.param(profile("acme:a", secret=None, ref=GONE, ref_error="not set"), "unresolved_ref", id="reference"),
    pytest.param(profile("acme:a", config_mode="token"), "ineligible_profile", id="other mode"),
    pytest.param(profile("acme:a", config_provider="zeta"), "ineligible_profile", id="other provider"),
]


@pytest.mark.parametrize("order", [None, {"acme": ["acme:a"]}], ids=["no order", "in the order"])
@pytest.mark.parametrize(("broken", "code"), REASONS)
def test_what_cannot_be_used_is_a_line_with_its_reason_and_no_target(
    broken: AuthProfile, code: str, order: Mapping[str, Sequence[str]] | None
) -> None:
    plan = plan_probe(taken(broken, order=order), EVERYTHING)
    assert planned(plan) == {"acme:a": code}
    assert plan.targets == ()
    assert plan.planned[0].status is ProbeStatus.UNKNOWN
    assert str(plan.planned[0].model) == "acme/small"


def test_what_an_explicit_order_omits_is_told_before_what_else_is_wrong_with_it() -> None:
    late = profile("acme:late", TOKEN, expires=1)
    plan = plan_probe(
        taken(profile("acme:work"), profile("acme:default"), late, order={"acme": ["acme:work"]}), EVERYTHING
    )
    assert planned(plan) == {"acme:default": "excluded_by_auth_order", "acme:late": "excluded_by_auth_order"}  # C197
    assert all(one.by_order for one in plan.planned)
    assert asked(plan) == ["acme/small@acme:work"]


def test_profiles_that_the_config_does_not_name_are_left_out_and_not_by_an_order() -> None:
    found = rules(configured_profiles={"acme": ("acme:work",)})
    plan = plan_probe(taken(profile("acme:work"), profile("acme:new"), found=found), EVERYTHING)
    assert [(one.id, one.code, one.by_order) for one in plan.planned] == [("acme:new", "excluded_by_auth_order", False)]


def test_an_id_that_only_an_order_names_is_ineligible() -> None:
    plan = plan_probe(taken(profile("acme:a"), order={"acme": ["acme:ghost", "acme:a"]}), EVERYTHING)
    assert planned(plan) == {"acme:ghost": "ineligible_profile"}


def test_a_provider_that_nobody_can_reach_has_no_model() -> None:
    plan = plan_probe(taken(profile("nowhere:me")), EVERYTHING)
    assert planned(plan) == {"nowhere:me": "no_model"}
    assert (plan.planned[0].status, plan.planned[0].model) == (ProbeStatus.NO_MODEL, None)


def test_what_cannot_be_used_says_so_also_where_there_is_no_model() -> None:
    assert planned(plan_probe(taken(profile("nowhere:me", secret=None)), EVERYTHING)) == {
        "nowhere:me": "missing_credential"
    }


def test_a_cooling_credential_is_asked_nevertheless() -> None:
    window = Window(lane=Lane.DISABLED, reason=FailureReason.BILLING, model="", since=START, until=None, step=0)
    health = ProfileHealth(profile="acme:work", fingerprint="work", windows=(window,))
    assert asked(plan_probe(taken(profile("acme:work"), health=[health]), EVERYTHING)) == ["acme/small@acme:work"]


KEY, MINE, WORK = env("env:ACME_API_KEY"), env("config:acme", kind=CONFIG), profile("acme:work")
TWO = [env("env:ACME_API_KEYS#1"), env("env:ACME_API_KEYS#2")]
FREE = env("none:acme", kind=CredentialKind.NONE)
LATE = profile("acme:late", TOKEN, expires=1)
LATE_REF = profile("acme:ref", secret=None, ref=GONE, ref_error="not set")
OMITTED = "excluded_by_auth_order"
SURROUNDINGS = [
    pytest.param(TWO, None, ["env:ACME_API_KEYS#1", "env:ACME_API_KEYS#2"], {}, id="a list of keys"),
    pytest.param([WORK, KEY], None, ["acme:work"], {}, id="stored ones come first"),
    pytest.param([LATE, KEY], None, [], {"acme:late": "expired"}, id="a broken one too"),
    pytest.param([KEY, MINE], None, ["env:ACME_API_KEY"], {}, id="environment before config"),
    pytest.param([MINE], None, ["config:acme"], {}, id="config"),
    pytest.param([FREE], None, ["none:acme"], {}, id="no key needed"),
    pytest.param([WORK, KEY], [KEY.id], [KEY.id], {"acme:work": OMITTED}, id="an order names it"),
    pytest.param(
        [KEY], ["acme:work"], [], {"acme:work": "ineligible_profile", KEY.id: OMITTED}, id="an order omits it"
    ),
    pytest.param([WORK, KEY], ["acme:work"], ["acme:work"], {}, id="beside what is stored it has no part"),
]


@pytest.mark.parametrize(("profiles", "order", "live", "lines"), SURROUNDINGS)
def test_keys_of_the_surroundings_are_asked_where_the_resolver_would_use_them(
    profiles: list[AuthProfile], order: list[str] | None, live: list[str], lines: dict[str, str]
) -> None:
    plan = plan_probe(taken(*profiles, order={"acme": order} if order is not None else None), EVERYTHING)
    assert [target.profile.id for target in plan.targets] == live
    assert planned(plan) == lines


def test_a_store_that_cannot_be_read_lets_no_key_of_the_surroundings_stand_in() -> None:
    snapshot = taken(env("env:ACME_API_KEY"))
    blind = replace(snapshot, credentials=replace(snapshot.credentials, unreadable=True))
    assert plan_probe(blind, EVERYTHING) == ProbePlan((), (), ("acme", "zeta"))


def test_a_provider_with_an_entry_that_cannot_be_read_is_told_beside_its_other_credentials() -> None:
    snapshot = taken(profile("acme:work"), profile("zeta:me"))
    damaged = replace(snapshot, credentials=replace(snapshot.credentials, damaged=frozenset({"Acme"})))
    plan = plan_probe(damaged, EVERYTHING)
    assert (asked(plan), plan.blind) == (["acme/small@acme:work", "zeta/opus-1@zeta:me"], ("acme",))


@pytest.mark.parametrize("name", ["env:ACME_API_KEY", "config:acme"])
def test_a_key_of_the_surroundings_whose_reference_gives_nothing_is_a_line(name: str) -> None:
    kind = ENV if name.startswith("env") else CONFIG
    broken = env(name, kind=kind, secret=None, ref=GONE, ref_error="not set")
    assert planned(plan_probe(taken(broken), EVERYTHING)) == {name: "unresolved_ref"}


def test_a_probe_gives_the_reasons_that_status_gives() -> None:
    late = profile("acme:late", TOKEN, expires=1)
    snapshot = taken(WORK, late, profile("acme:b"), LATE_REF, order={"acme": ["acme:work", "acme:ref", "acme:ghost"]})
    shown = {placed.id: standing(placed)[:2] for placed in snapshot.placed(ModelRef("acme", "small"))}
    assert shown["acme:late"] == ("ineligible", "excluded_by_auth_order")
    lines = {one.id: one.reason.value for one in plan_probe(snapshot, EVERYTHING).planned}
    assert lines == {name: reason for name, (state, reason) in shown.items() if state == "ineligible"}


@pytest.mark.parametrize(
    ("given", "source", "mode"),
    [
        (profile("acme:a", TOKEN), ProbeSource.PROFILE, "token"),
        (None, ProbeSource.PROFILE, None),
        (env("env:ACME_API_KEY", variable="ACME_API_KEY"), ProbeSource.ENV, "api_key"),
        (env("env:ACME_OAUTH_TOKEN:acme", variable="ACME_OAUTH_TOKEN"), ProbeSource.ENV, "oauth"),
        (env("env:A:OAUTH_TOKENS", "OAUTH_TOKENS", variable="A"), ProbeSource.ENV, "api_key"),
        (env("config:acme", kind=CONFIG), ProbeSource.CONFIG, "api_key"),
        (env("config:acme", kind=CONFIG, source="models.json of mine"), ProbeSource.CONFIG, "api_key"),
        (profile("models.json:acme", TOKEN, provider="acme"), ProbeSource.PROFILE, "token"),
        pytest.param(env("models.json:acme", kind=CONFIG), ProbeSource.MODELS_JSON, "api_key", id="C200"),
        (env("none:acme", kind=CredentialKind.NONE), ProbeSource.CONFIG, "none"),
    ],
)  # fmt: skip
def test_where_a_credential_comes_from_and_how_it_is_meant(
    given: AuthProfile | None, source: ProbeSource, mode: str | None
) -> None:
    assert (source_of(given), mode_of(given)) == (source, mode)


def test_without_any_credential_there_is_nothing_to_ask() -> None:
    assert plan_probe(taken(), EVERYTHING) == ProbePlan((), ())  # C199: a marker makes no credential


@pytest.mark.parametrize("wanted", ["zai", "z.ai", " Z-AI "])
def test_every_name_of_a_provider_means_it(wanted: str) -> None:
    found = rules(provider("acme", "small"), provider("zai", "glm"))
    snapshot = taken(
        profile("z.ai:b", provider="z.ai"), profile("z-ai:a", provider="z-ai"), profile("acme:x"), found=found
    )
    plan = plan_probe(snapshot, ProbeWish(provider=wanted))
    assert asked(plan) == ["zai/glm@z-ai:a", "zai/glm@z.ai:b"]  # C194: a dash sorts before a dot
    assert {target.provider for target in plan.targets} == {"zai"}


def test_lines_and_targets_come_by_provider_then_by_profile() -> None:
    names = ["zeta:b", "zeta:a", "acme:c", "acme:b"]
    plan = plan_probe(
        taken(*map(profile, names), profile("acme:a", secret=None), profile("zeta:z", secret=None)), EVERYTHING
    )
    assert [target.profile.id for target in plan.targets] == sorted(names)
    assert [one.id for one in plan.planned] == ["acme:a", "zeta:z"]


class TestWishes:
    def test_a_named_profile_is_asked_alone(self) -> None:
        snapshot = taken(profile("acme:a"), profile("acme:b"), profile("zeta:c"), env("env:ZETA_API_KEY", "zeta"))
        assert asked(plan_probe(snapshot, ProbeWish(profiles=("acme:b",)))) == ["acme/small@acme:b"]

    def test_with_a_named_profile_no_key_of_the_surroundings_is_tried_in_its_place(self) -> None:
        snapshot = taken(profile("acme:a", secret=None), env("env:ACME_API_KEY"), env("env:ZETA_API_KEY", "zeta"))
        plan = plan_probe(snapshot, ProbeWish(profiles=("acme:a",)))
        assert (asked(plan), planned(plan)) == ([], {"acme:a": "missing_credential"})

    def test_a_key_of_the_environment_may_be_named_itself(self) -> None:
        snapshot = taken(profile("acme:a"), env("env:ACME_API_KEY"))
        assert asked(plan_probe(snapshot, ProbeWish(profiles=("env:ACME_API_KEY",)))) == ["acme/small@env:ACME_API_KEY"]
        ordered = taken(profile("acme:a"), env("env:ACME_API_KEY"), order={"acme": ["acme:a"]})
        assert planned(plan_probe(ordered, ProbeWish(profiles=("env:ACME_API_KEY",)))) == {
            "env:ACME_API_KEY": "excluded_by_auth_order"
        }

    def test_an_unknown_profile_is_told_with_those_that_there_are(self) -> None:
        snapshot = taken(profile("acme:a"), profile("zeta:b"), order={"acme": ["acme:ghost", "acme:a"]})
        with pytest.raises(BotError, match=r"no auth profile 'acme:x'\. There are: acme:a, zeta:b\."):
            plan_probe(snapshot, ProbeWish(profiles=("acme:a", "acme:x")))
        with pytest.raises(BotError, match=r"no auth profile 'zeta:b' of acme\. There are: acme:a\."):
            plan_probe(snapshot, ProbeWish(provider="acme", profiles=("zeta:b",)))

    def test_an_unknown_provider_is_told_with_those_that_there_are(self) -> None:
        with pytest.raises(BotError, match=r"no provider 'nobody'\. There are: acme, zeta\."):
            plan_probe(taken(profile("acme:a")), ProbeWish(provider="nobody"))

    def test_a_known_provider_without_a_credential_is_no_mistake(self) -> None:
        assert plan_probe(taken(profile("acme:a")), ProbeWish(provider="zeta")) == ProbePlan((), ())

    def test_every_model_is_asked_with_every_usable_credential(self) -> None:
        found = rules(provider("acme", "small", "large"), provider("zeta", "opus"), default="acme/large")
        snapshot = taken(
            profile("acme:a"), profile("acme:b"), profile("acme:c", secret=None), profile("zeta:z"), found=found
        )
        assert asked(plan_probe(snapshot, ProbeWish(every_model=True))) == [
            "acme/large@acme:a", "acme/small@acme:a", "acme/large@acme:b", "acme/small@acme:b", "zeta/opus@zeta:z",
        ]  # fmt: skip


MODELS = [
    pytest.param({"default": ModelRef("acme", "large")}, "acme", ["large", "small"], id="default"),
    pytest.param({"fallbacks": (ModelRef("zeta", "opus"),)}, "zeta", ["opus"], id="fallback"),
    pytest.param({"image_model": ModelRef("zeta", "eye")}, "zeta", ["eye"], id="image model"),
    pytest.param({"image_fallbacks": (ModelRef("zeta", "eye"),)}, "zeta", ["eye"], id="image fallback"),
    pytest.param({"allow": ("zeta/*", "zeta/opus-2")}, "zeta", ["opus-2"], id="what the policy names"),
    pytest.param({}, "zeta", ["first"], id="the first of a provider that lists none itself"),
    pytest.param({}, "nobody", [], id="none"),
]


@pytest.mark.parametrize(("changes", "of", "names"), MODELS)
def test_the_models_of_a_provider_are_those_that_are_configured(
    changes: dict[str, object], of: str, names: list[str]
) -> None:
    agent = AgentRules(**{"id": "main", "default": ModelRef("acme", "small"), **changes})  # type: ignore[arg-type]
    found = rules(
        provider("acme", "small", "large"), provider("zeta", "first", "second", is_open=True), agents={"main": agent}
    )
    assert [ref.name for ref in probe_models(taken(found=found), of)] == names


def test_a_model_that_the_config_gives_an_alias_is_configured() -> None:
    builtin = provider("zeta", "first", "second", aliases={"second": "two"}, is_open=True)
    found = rules(provider("acme", "small"), builtin)
    aliases = {**found.catalog.aliases, "mine": ModelRef("zeta", "third")}
    found = replace(found, catalog=replace(found.catalog, aliases=aliases))
    assert [ref.name for ref in probe_models(taken(found=found), "zeta")] == ["third"]


STATUSES = {
    "auth": ProbeStatus.AUTH,
    "auth_permanent": ProbeStatus.AUTH,
    "rate_limit": ProbeStatus.RATE_LIMIT,
    "overloaded": ProbeStatus.RATE_LIMIT,
    "billing": ProbeStatus.BILLING,
    "timeout": ProbeStatus.TIMEOUT,
    "format": ProbeStatus.FORMAT,
}


@pytest.mark.parametrize("reason", FailureReason)
def test_every_failure_has_its_status(reason: FailureReason) -> None:
    assert status_of(Failure(reason=reason)) is STATUSES.get(reason.value, ProbeStatus.UNKNOWN)


@settings(deadline=None)
@given(snapshots(), st.booleans())
def test_the_plan_is_the_resolvers_order_and_loses_no_stored_profile(snapshot: Snapshot, every: bool) -> None:
    plan = plan_probe(snapshot, ProbeWish(every_model=every))
    for name in ("acme", "zeta"):
        model = next(iter(probe_models(snapshot, name)))
        placed = snapshot.placed(model)
        in_order = {one.id for one in placed if one.position is not None}
        assert {target.profile.id for target in plan.targets if target.provider == name} == in_order
        lines: list[Planned | Target] = [one for one in (*plan.planned, *plan.targets) if one.provider == name]
        told = {one.id if isinstance(one, Planned) else one.profile.id for one in lines}
        assert {one.id for one in placed if one.id in STORED} <= told
        unused = {one.id for one in placed if one.id in AROUND and one.left_out}
        assert not unused & told or snapshot.order(name) is not None
    assert not {one.id for one in plan.planned if one.reason is Eligibility.OK}


def test_no_secret_shows_in_a_plan() -> None:
    assert "CANARY" not in repr(plan_probe(taken(profile("acme:a", secret=Secret("CANARY"))), EVERYTHING))
