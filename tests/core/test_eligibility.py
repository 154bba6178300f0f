"""Eligibility: credentials.md 2.1 and vectors C1-C23, as data."""

from datetime import UTC, datetime

import pytest

from core.auth.eligibility import Eligibility, expiry_moment, judge
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.secret import Secret, SecretRef

NOW_MS = 1_700_000_000_000
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
REF = SecretRef("env", "default", "ANTHROPIC_API_KEY")
KEY, TOKEN, OAUTH = CredentialKind.API_KEY, CredentialKind.TOKEN, CredentialKind.OAUTH


def profile(kind: CredentialKind = TOKEN, **changes: object) -> AuthProfile:
    """A usable profile, but for what is said."""
    given = {"id": "p:x", "provider": "p", "secret": Secret("s"), **changes}
    return AuthProfile(kind=kind, **given)  # type: ignore[arg-type]


CASES = [
    pytest.param(profile(expires=None), Eligibility.OK, id="C1 no expiry"),
    pytest.param(profile(expires=0), Eligibility.INVALID_EXPIRES, id="C2, C25"),
    pytest.param(profile(expires=-1), Eligibility.INVALID_EXPIRES, id="negative"),
    pytest.param(profile(expires=float("nan")), Eligibility.INVALID_EXPIRES, id="C4, C25 not a number"),
    pytest.param(profile(expires=float("inf")), Eligibility.INVALID_EXPIRES, id="C5"),
    pytest.param(profile(expires="soon"), Eligibility.INVALID_EXPIRES, id="text"),
    pytest.param(profile(expires=True), Eligibility.INVALID_EXPIRES, id="boolean"),
    pytest.param(profile(expires=8_640_000_000_000_001), Eligibility.INVALID_EXPIRES, id="past the last moment"),
    pytest.param(profile(expires=8_640_000_000_000_000), Eligibility.OK, id="the last moment"),
    pytest.param(profile(expires=NOW_MS - 1), Eligibility.EXPIRED, id="C7"),
    pytest.param(profile(expires=NOW_MS), Eligibility.EXPIRED, id="C8"),
    pytest.param(profile(expires=NOW_MS + 1), Eligibility.OK, id="a moment left"),
    pytest.param(profile(KEY, ref=REF), Eligibility.OK, id="C10 key by reference"),
    pytest.param(profile(TOKEN, ref=REF), Eligibility.OK, id="C11 token by reference"),
    pytest.param(profile(TOKEN, ref=REF, expires=0), Eligibility.INVALID_EXPIRES, id="C13 a reference does not rescue"),
    pytest.param(profile(TOKEN, secret=Secret("   ")), Eligibility.MISSING_CREDENTIAL, id="C14 blank"),
    pytest.param(profile(KEY, secret=None), Eligibility.MISSING_CREDENTIAL, id="no key"),
    pytest.param(profile(OAUTH, secret=None), Eligibility.MISSING_CREDENTIAL, id="C17 a login without any token"),
    pytest.param(profile(KEY, secret=None, ref=REF, ref_error="not set"), Eligibility.UNRESOLVED_REF, id="unresolved"),
    pytest.param(profile(KEY, expires=0), Eligibility.OK, id="a key does not expire"),
    pytest.param(profile(TOKEN, config_mode="api_key"), Eligibility.MODE_MISMATCH, id="C19"),
    pytest.param(profile(KEY, config_provider="q"), Eligibility.PROVIDER_MISMATCH, id="C20"),
    pytest.param(profile(TOKEN, config_mode="oauth"), Eligibility.OK, id="C22"),
    pytest.param(profile(OAUTH, config_mode="token"), Eligibility.MODE_MISMATCH, id="C23"),
    pytest.param(profile(KEY, provider="q"), Eligibility.PROVIDER_MISMATCH, id="another provider"),
    pytest.param(None, Eligibility.PROFILE_MISSING, id="none"),
]


@pytest.mark.parametrize(("given", "verdict"), CASES)
def test_a_profile_is_judged_by_the_first_thing_that_is_wrong(given: AuthProfile | None, verdict: Eligibility) -> None:
    assert judge(given, "p", NOW) is verdict


def test_providers_are_compared_by_their_one_name() -> None:
    assert judge(profile(provider="z.ai"), "zai", NOW) is Eligibility.OK
    assert judge(profile(provider="volcengine"), "volcengine-plan", NOW) is Eligibility.OK


def test_a_moment_that_no_calendar_has_is_still_a_moment() -> None:
    assert expiry_moment(8_640_000_000_000_000) is not None
    assert expiry_moment(float("inf")) is None
