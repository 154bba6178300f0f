"""How long credentials stay good: credentials.md 7.1 and the vectors C191 to C194, as data."""

from datetime import UTC, datetime, timedelta

import pytest

from core.auth.eligibility import Eligibility
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.secret import Secret, SecretRef
from core.resolution.credential_health import CredentialStatus, credential_health, providers_health

NOW_MS = 1_700_000_000_000
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
HOUR = 3_600_000
REF = SecretRef("env", "default", "GONE")
KEY, TOKEN, OAUTH = CredentialKind.API_KEY, CredentialKind.TOKEN, CredentialKind.OAUTH
OK, STATIC, EXPIRING, EXPIRED, MISSING = CredentialStatus


def profile(kind: CredentialKind = TOKEN, expires: object = None, **changes: object) -> AuthProfile:
    given = {"id": "p:x", "provider": "p", "secret": Secret("s"), "expires": expires, **changes}
    return AuthProfile(kind=kind, **given)  # type: ignore[arg-type]


def login(left: int | None, refreshable: bool = True, **changes: object) -> AuthProfile:
    return profile(OAUTH, None if left is None else NOW_MS + left, refreshable=refreshable, **changes)


CASES = [
    pytest.param(login(48 * HOUR), OK, None, "ok", id="C191 a login that is good"),
    pytest.param(login(HOUR), OK, None, "expiring, refreshable", id="C191 a login that ends soon and refreshes"),
    pytest.param(login(-HOUR), OK, None, "expired, refreshable", id="C191 a login that is over and refreshes"),
    pytest.param(login(HOUR, False), EXPIRING, None, "expiring", id="a login that ends soon for good"),
    pytest.param(login(-HOUR, False), EXPIRED, Eligibility.EXPIRED, "expired", id="a login that is over for good"),
    pytest.param(login(None), MISSING, None, "missing", id="a login without an end"),
    pytest.param(profile(OAUTH, "x"), MISSING, Eligibility.INVALID_EXPIRES, "missing", id="a login with an odd end"),
    pytest.param(
        login(HOUR, False, secret=None), MISSING, Eligibility.MISSING_CREDENTIAL, "missing", id="an empty login"
    ),
    pytest.param(login(-HOUR, secret=None), OK, None, "expired, refreshable", id="C16 only its refresh token"),
    pytest.param(profile(KEY), STATIC, None, "static", id="C191 a key"),
    pytest.param(profile(KEY, 1), STATIC, None, "static", id="a key has no end"),
    pytest.param(
        profile(KEY, secret=None), STATIC, Eligibility.MISSING_CREDENTIAL, "static", id="an empty key says why"
    ),
    pytest.param(profile(TOKEN), STATIC, None, "static", id="C1 a token without an end"),
    pytest.param(profile(TOKEN, 0), MISSING, Eligibility.INVALID_EXPIRES, "missing", id="C193"),
    pytest.param(profile(TOKEN, NOW_MS), EXPIRED, Eligibility.EXPIRED, "expired", id="C8 ends now"),
    pytest.param(profile(TOKEN, NOW_MS + 24 * HOUR), EXPIRING, None, "expiring", id="a day to the millisecond"),
    pytest.param(profile(TOKEN, NOW_MS + 24 * HOUR + 1), OK, None, "ok", id="a day and a millisecond"),
    pytest.param(profile(TOKEN, secret=None), MISSING, Eligibility.MISSING_CREDENTIAL, "missing", id="an empty token"),
    pytest.param(
        profile(TOKEN, secret=None, ref=REF, ref_error="not set"),
        MISSING, Eligibility.UNRESOLVED_REF, "missing", id="a reference that gives nothing",
    ),
    pytest.param(profile(TOKEN, config_mode="api_key"), STATIC, None, "static", id="what the config says is not asked"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "status", "reason", "reads"), CASES)
def test_a_credential_is_as_its_form_and_the_time_say(
    given: AuthProfile, status: CredentialStatus, reason: Eligibility | None, reads: str
) -> None:
    health = credential_health(given, NOW)
    assert (health.status, health.reason, health.reads) == (status, reason, reads)
    assert health.remaining is None or health.expires_at == NOW + health.remaining


PROVIDERS = [
    pytest.param([], MISSING, id="nothing"),
    pytest.param([profile(KEY), profile(KEY)], STATIC, id="C191 only keys"),
    pytest.param([profile(KEY), login(-HOUR)], OK, id="C191 logins that refresh"),
    pytest.param([profile(KEY), profile(TOKEN)], OK, id="a token without an end"),
    pytest.param([login(48 * HOUR), profile(TOKEN, NOW_MS + HOUR)], EXPIRING, id="one ends soon"),
    pytest.param([profile(TOKEN, NOW_MS + HOUR), profile(TOKEN, 0)], EXPIRED, id="missing counts before expiring"),
    pytest.param([login(48 * HOUR), profile(TOKEN, 1)], EXPIRED, id="expired counts before all"),
]


@pytest.mark.parametrize(("given", "status"), PROVIDERS)
def test_a_provider_is_as_its_worst_token_or_login(given: list[AuthProfile], status: CredentialStatus) -> None:
    (found,) = providers_health(given, NOW, ["p"])
    assert found.status is status
    assert len(found.profiles) == len(given)


def test_its_end_is_the_earliest() -> None:
    given = [profile(TOKEN, NOW_MS + 5 * HOUR), login(2 * HOUR), profile(TOKEN), profile(KEY, 1)]
    (found,) = providers_health(given, NOW)
    assert (found.expires_at, found.remaining) == (NOW + timedelta(hours=2), timedelta(hours=2))


def test_spellings_of_a_provider_are_one_and_ids_are_sorted() -> None:
    """C194: z.ai and z-ai are zai; a dash comes before a dot."""
    given = [profile(KEY, id="z.ai:d", provider="z.ai"), profile(KEY, id="z-ai:d", provider="z-ai"), profile(KEY)]
    (found,) = providers_health(given, NOW, ["zai"])
    assert (found.provider, found.status) == ("zai", STATIC)
    assert [one.profile.id for one in found.profiles] == ["z-ai:d", "z.ai:d"]
    assert [one.provider for one in providers_health(given, NOW)] == ["p", "zai"]


def test_keys_of_the_surroundings_are_not_stored() -> None:
    assert providers_health([profile(CredentialKind.ENV), profile(CredentialKind.CONFIG)], NOW) == ()
