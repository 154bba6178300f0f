"""The order of credentials: credentials.md 4.1 and vectors C46-C68, as data."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.auth.eligibility import Eligibility
from core.auth.health import Lane, Window, from_usage_stats
from core.auth.order import explicit_order, line, order_fingerprint
from core.auth.profiles import AuthProfile, CredentialKind, ProfileSet
from core.auth.secret import Secret, SecretRef
from core.errors import FailureReason

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
KEY, TOKEN, OAUTH, ENV = CredentialKind.API_KEY, CredentialKind.TOKEN, CredentialKind.OAUTH, CredentialKind.ENV


def make(name: str, kind: CredentialKind = KEY, provider: str = "p", **changes: object) -> AuthProfile:
    given = {"secret": Secret("s"), **changes}
    return AuthProfile(id=name, provider=provider, kind=kind, **given)  # type: ignore[arg-type]


def window(seconds: float, lane: Lane = Lane.COOLDOWN) -> Window:
    until = NOW + timedelta(seconds=seconds)
    return Window(lane=lane, reason=FailureReason.RATE_LIMIT, model="", since=NOW, until=until, step=0)


def ids(
    *profiles: AuthProfile,
    provider: str = "p",
    explicit: tuple[str, ...] | None = None,
    configured: tuple[str, ...] = (),
    out: dict[str, Window] | None = None,
    used: dict[str, int] | None = None,
) -> list[str]:
    found = line(
        provider,
        ProfileSet(profiles={p.id: p for p in profiles}),
        explicit,
        configured,
        lambda profile: (out or {}).get(profile.id),
        lambda p: NOW + timedelta(seconds=(used or {})[p.id]) if p.id in (used or {}) else None,
        NOW,
    )
    placed = found.placed()
    assert [found.find(p.id) for p in placed] == [replace(p, position=None) for p in placed]
    assert [p.id for p in found.usable()] == [p.id for p in placed if p.usable]
    ordered = [p for p in placed if p.position is not None]
    assert [p.position for p in ordered] == list(range(1, len(ordered) + 1))
    assert {p.id for p in profiles if p.provider == provider} <= {p.id for p in placed}, "every profile is shown"
    return [p.id for p in ordered]


def test_c46_configured_profiles_are_the_order_if_there_is_no_other() -> None:
    assert ids(make("p:default"), make("p:work"), configured=("p:default", "p:work")) == ["p:default", "p:work"]


def test_c47_an_explicit_order_is_kept() -> None:
    assert ids(make("p:default"), make("p:work"), explicit=("p:work", "p:default")) == ["p:work", "p:default"]


@pytest.mark.parametrize("lane", list(Lane), ids=["C49 cooling", "C50 disabled"])
def test_what_is_out_goes_to_the_end_of_an_explicit_order(lane: Lane) -> None:
    out = {"p:default": window(60, lane)}
    assert ids(make("p:default"), make("p:work"), explicit=("p:default", "p:work"), out=out) == ["p:work", "p:default"]


def test_c52_kind_then_least_recently_used() -> None:
    assert ids(make("c"), make("b"), make("a", OAUTH), used={"a": 200, "b": 100, "c": 300}) == ["a", "b", "c"]


def test_tokens_come_between_oauth_and_keys() -> None:
    assert ids(make("key"), make("token", TOKEN), make("oauth", OAUTH)) == ["oauth", "token", "key"]


def test_c53_cooling_ones_come_last_soonest_first() -> None:
    profiles = make("ready"), make("cool1", OAUTH), make("cool2")
    assert ids(*profiles, out={"cool1": window(5), "cool2": window(1)}) == ["ready", "cool2", "cool1"]


def test_c55_ids_that_are_not_stored_are_left_out() -> None:
    assert ids(make("m:prod"), explicit=("m:default", "m:prod")) == ["m:prod"]


def test_c56_an_id_of_another_provider_is_left_out() -> None:
    assert ids(make("openai:default", provider="openai"), make("p:x"), explicit=("openai:default", "p:x")) == ["p:x"]


def test_c58_no_repair_while_a_configured_profile_exists() -> None:
    expired = make("p:default", TOKEN, expires=1)
    assert ids(expired, make("p:other", OAUTH), configured=("p:default",)) == []


def test_configured_ids_that_are_all_gone_are_replaced_by_what_is_stored() -> None:
    assert ids(make("p:me@example.com"), configured=("p:default",)) == ["p:me@example.com"]


@pytest.mark.parametrize(
    ("profiles", "expected"),
    [
        pytest.param([make("env:P_API_KEY", ENV)], ["env:P_API_KEY"], id="nothing stored"),
        pytest.param([make("env:P_API_KEY", ENV), make("p:own")], ["p:own"], id="something stored"),
        pytest.param([make("env:P_API_KEY", ENV), make("p:own", TOKEN, expires=1)], [], id="something stored, expired"),
        pytest.param([make("env:P_API_KEY", ENV), make("p:w", TOKEN, expires=1)], [], id="the one named, expired"),
    ],
)
@pytest.mark.parametrize("explicit", [None, ("p:w",)], ids=["", "and ordered"])
def test_what_the_config_names_for_another_agent_takes_no_key_of_the_surroundings_away(
    profiles: list[AuthProfile], expected: list[str], explicit: tuple[str, ...] | None
) -> None:
    assert ids(*profiles, configured=("p:w",), explicit=explicit) == expected


def test_nothing_stands_in_for_configured_profiles_where_nobody_knows_what_is_stored() -> None:
    known = ProfileSet(profiles={"env:P_API_KEY": make("env:P_API_KEY", ENV)}, unreadable=True)
    found = line("p", known, None, ("p:w",), lambda p: None, lambda p: None, NOW, surroundings=False)
    assert found.usable() == ()


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        pytest.param(make("p:default", TOKEN, secret=Secret("   ")), [], id="blank"),
        pytest.param(make("p:default", TOKEN, expires=1), [], id="expired"),
        pytest.param(make("p:default", TOKEN, expires=0), [], id="invalid expiry"),
        pytest.param(make("p:default", TOKEN, ref=SecretRef("env", "default", "X")), ["p:default"], id="reference"),
        pytest.param(make("p:default", TOKEN), ["p:default"], id="inline"),
    ],
)
def test_c59_only_eligible_profiles_are_in_the_order(profile: AuthProfile, expected: list[str]) -> None:
    assert ids(profile) == expected


@pytest.mark.parametrize(("name", "provider"), [("z.ai", "zai"), ("OpenAI", "openai")], ids=["C61", "C62"])
def test_an_order_is_found_under_any_name_of_its_provider(name: str, provider: str) -> None:
    assert explicit_order(provider, {name: ["b", "a"]}) == ("b", "a")


def test_the_first_order_wins_whole() -> None:
    assert explicit_order("p", {"p": ["a"]}, {"p": ["b", "c"]}) == ("a",)
    assert explicit_order("p", {"q": ["a"]}) is None


def test_c64_a_plan_is_served_by_its_vendors_credentials() -> None:
    assert ids(make("volcengine:default", provider="volcengine"), provider="volcengine-plan") == ["volcengine:default"]


@pytest.mark.parametrize(
    ("seconds", "order", "usable"),
    [
        pytest.param(-1, ["p:was out", "p:other"], True, id="C65, C68 over: as if it had never been, at any provider"),
        pytest.param(60, ["p:other", "p:was out"], False, id="C67 still cooling"),
    ],
)
def test_a_window_of_older_bookkeeping_counts_while_it_lasts(seconds: int, order: list[str], usable: bool) -> None:
    until = int((NOW + timedelta(seconds=seconds)).timestamp() * 1000)
    stats = {"p:was out": {"cooldownUntil": until, "errorCount": 4, "cooldownReason": "rate_limit"}}
    profiles = {name: make(name) for name in ("p:was out", "p:other")}

    def block(profile: AuthProfile) -> Window | None:
        return from_usage_stats(profile, stats.get(profile.id, {}), NOW).block("p/m", NOW)

    for provider, known in (("p", profiles), ("q", {n: make(n, provider="q") for n in profiles})):
        placed = line(provider, ProfileSet(profiles=known), None, (), block, lambda _: None, NOW).placed()
        assert [p.id for p in placed] == order
        assert next(p.usable for p in placed if p.id == "p:was out") is usable


def test_environment_keys_serve_only_where_there_is_no_profile() -> None:
    env = make("env:P_API_KEY", ENV)
    assert ids(env) == ["env:P_API_KEY"]
    assert ids(env, make("p:x")) == ["p:x"]
    assert ids(env, make("p:x", TOKEN, expires=1)) == [], "an expired profile lets no other key slip in"
    assert ids(env, make("p:x"), explicit=("env:P_API_KEY", "p:x")) == ["env:P_API_KEY", "p:x"]


def test_environment_before_config_before_none() -> None:
    env, config, none = make("e", ENV), make("c", CredentialKind.CONFIG), make("n", CredentialKind.NONE, secret=None)
    assert ids(none, config, env) == ["e"]
    assert ids(none, config) == ["c"]
    assert ids(none) == ["n"]


def test_an_empty_explicit_order_means_no_profile() -> None:
    assert ids(make("p:x"), explicit=()) == []


def test_what_is_left_out_says_why() -> None:
    known = ProfileSet(profiles={"p:x": make("p:x")})
    placed = line("p", known, ("p:gone",), (), lambda p: None, lambda p: None, NOW).placed()
    assert [(p.id, p.eligibility, p.reason) for p in placed] == [
        ("p:gone", Eligibility.PROFILE_MISSING, Eligibility.PROFILE_MISSING),
        ("p:x", Eligibility.OK, Eligibility.EXCLUDED_BY_AUTH_ORDER),
    ]


def test_what_is_stored_in_the_place_of_what_the_config_names_keeps_its_own_reason() -> None:
    known = ProfileSet(profiles={"p:new": make("p:new"), "p:late": make("p:late", TOKEN, expires=1)})
    placed = line("p", known, None, ("p:gone",), lambda p: None, lambda p: None, NOW).placed()
    assert [(p.id, p.reason) for p in placed] == [
        ("p:new", Eligibility.OK),
        ("p:late", Eligibility.EXPIRED),
        ("p:gone", Eligibility.PROFILE_MISSING),
    ]


def test_what_is_left_out_and_broken_besides_is_first_of_all_left_out() -> None:
    known = ProfileSet(profiles={"p:in": make("p:in"), "p:late": make("p:late", TOKEN, expires=1)})
    late = line("p", known, ("p:in",), (), lambda p: None, lambda p: None, NOW).find("p:late")
    assert late is not None
    assert (late.reason, late.eligibility) == (Eligibility.EXCLUDED_BY_AUTH_ORDER, Eligibility.EXPIRED)
    assert not late.usable


def test_the_fingerprint_of_an_order_changes_with_it() -> None:
    assert order_fingerprint(("a", "b")) != order_fingerprint(("b", "a"))
    assert order_fingerprint(None) == "implicit" != order_fingerprint(())
