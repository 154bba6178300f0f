"""What is known of a login without asking: whether it serves, when it wants a refresh, what a token server's answer means."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.auth.eligibility import Eligibility, judge
from core.auth.oauth import Account, Need, account_of, claims_of, login_command, need_of, read_tokens, refresh_refused
from core.auth.order import line
from core.auth.profiles import AuthProfile, CredentialKind, ProfileSet
from core.auth.secret import Secret
from core.errors import FailureReason
from core.resolution.labels import tone_of
from core.resolution.words import state
from tests.world import profile

NOW = datetime.fromtimestamp(1_700_000_000, UTC)
NOW_MS = 1_700_000_000_000
MINUTE = 60_000


def login(expires: object = None, **changes: object) -> AuthProfile:
    return profile("acme:me", CredentialKind.OAUTH, **{"refreshable": True, "expires": expires, **changes})


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        pytest.param(login(NOW_MS - 1, secret=None), Eligibility.OK, id="C16 only its refresh token, expired"),
        pytest.param(login(None, secret=None), Eligibility.OK, id="only its refresh token"),
        pytest.param(login(NOW_MS - 1), Eligibility.OK, id="expired and refreshable"),
        pytest.param(login(float("nan")), Eligibility.OK, id="an end that means nothing"),
        pytest.param(login(NOW_MS - 1, refreshable=False), Eligibility.EXPIRED, id="expired for good"),
        pytest.param(login(secret=None, refreshable=False), Eligibility.MISSING_CREDENTIAL, id="C17 both blank"),
    ],
)
def test_a_login_that_can_be_refreshed_serves(one: AuthProfile, verdict: Eligibility) -> None:
    assert judge(one, "acme", NOW) is verdict


@pytest.mark.parametrize(
    ("one", "words", "tone"),
    [
        pytest.param(login(NOW_MS - 1), "expired, refreshable", "waiting", id="expired"),
        pytest.param(login(secret=None), "expired, refreshable", "waiting", id="without an access token"),
        pytest.param(login(NOW_MS + 1), "ready", "good", id="good"),
        pytest.param(login(NOW_MS - 60_000, refreshable=False), "expired 1m ago", "bad", id="not refreshable"),
    ],
)
def test_its_state_says_that_a_refresh_comes_first(one: AuthProfile, words: str, tone: str) -> None:
    credentials = ProfileSet(profiles={one.id: one})
    (placed,) = line("acme", credentials, None, (), lambda _: None, lambda _: None, NOW).placed()
    assert (state(placed, NOW), tone_of(placed)) == (words, tone)


@pytest.mark.parametrize(
    ("one", "need"),
    [
        pytest.param(login(NOW_MS + 16 * MINUTE), Need.NONE, id="before both windows"),
        pytest.param(login(NOW_MS + 15 * MINUTE), Need.ADVISORY, id="advisory from 15 minutes"),
        pytest.param(login(NOW_MS + 5 * MINUTE + 1), Need.ADVISORY, id="advisory to 5 minutes"),
        pytest.param(login(NOW_MS + 5 * MINUTE), Need.MANDATORY, id="mandatory from 5 minutes"),
        pytest.param(login(NOW_MS - MINUTE), Need.MANDATORY, id="over"),
        pytest.param(login(secret=None), Need.MANDATORY, id="no access token"),
        pytest.param(login(None), Need.NONE, id="an end that nobody knows: by 401 only"),
        pytest.param(login(0), Need.NONE, id="an end that means nothing: by 401 only"),
        pytest.param(login(NOW_MS, refreshable=False), Need.NONE, id="nothing to refresh it with"),
        pytest.param(profile("acme:t", CredentialKind.TOKEN, expires=NOW_MS), Need.NONE, id="no login"),
        pytest.param(login(NOW_MS + 3 * MINUTE, obtained=NOW_MS - 2 * MINUTE), Need.NONE, id="a life of five minutes"),
        pytest.param(login(NOW_MS + 2 * MINUTE, obtained=NOW_MS - 3 * MINUTE), Need.ADVISORY, id="half of it is over"),
        pytest.param(login(NOW_MS + 50_000, obtained=NOW_MS - 250_000), Need.MANDATORY, id="a sixth of it is left"),
        pytest.param(
            login(NOW_MS + MINUTE, obtained=NOW_MS + 2 * MINUTE), Need.MANDATORY, id="a beginning after its end"
        ),
    ],
)
def test_the_windows_before_the_end(one: AuthProfile, need: Need) -> None:
    assert need_of(one, NOW) is need


@pytest.mark.parametrize(
    ("more", "expires"),
    [
        ({"expires_in": 3600}, NOW + timedelta(hours=1)),
        ({"expires_in": "3600"}, NOW + timedelta(hours=1)),
        ({"expires_in": 1.5}, NOW + timedelta(seconds=1.5)),
        ({}, None),
        *(({"expires_in": odd}, None) for odd in (0, -5, True, None, "soon", float("inf"), float("nan"), 10**18, [])),
    ],
)
def test_the_end_of_a_token_is_counted_from_the_question(more: dict[str, Any], expires: datetime | None) -> None:
    tokens = read_tokens({"access_token": " at-1\n", "token_type": "bearer", **more}, NOW)
    assert (tokens.access.reveal(), tokens.refresh, tokens.expires) == ("at-1", None, expires)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "gave no access token"),
        ({"access_token": "  "}, "gave no access token"),
        ({"access_token": 5}, "gave no access token"),
        ({"access_token": "a b"}, "holds a blank"),
        ({"access_token": "at-ü"}, "not ASCII"),
        ({"access_token": "at-1", "token_type": "DPoP"}, "no bearer token"),
    ],
)
def test_an_answer_without_a_usable_token_is_none(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words) as told:
        read_tokens(fields, NOW)
    assert "at-" not in str(told.value)


LOST, AUTH, LATER = FailureReason.AUTH_PERMANENT, FailureReason.AUTH, FailureReason.TIMEOUT


@pytest.mark.parametrize(
    ("status", "fields", "reason"),
    [
        (400, {"error": "invalid_grant"}, LOST),
        (401, {"error": {"code": "refresh_token_reused", "message": "used"}}, LOST),
        (401, {"error": {"type": "invalid_grant"}}, LOST),
        (400, {"code": "token_expired"}, LOST),
        (200, {"error": "bad_refresh_token", "error_description": "it is wrong"}, LOST),
        (200, {"error": "incorrect_client_credentials"}, AUTH),
        (200, {"error": "two words"}, FailureReason.NETWORK),
        (401, {"error": "invalid_client"}, AUTH),
        (400, {"error": "unsupported_grant_type"}, AUTH),
        (400, {}, FailureReason.NETWORK),
        (403, {"error": "<html>"}, FailureReason.NETWORK),
        (404, {"error": "invalid_grant"}, FailureReason.NETWORK),
        (429, {"error": "slow_down"}, FailureReason.OVERLOADED),
        (500, {"error": "invalid_grant"}, LATER),
        (503, {}, LATER),
    ],
)
def test_only_a_typed_refusal_is_held_against_a_login(status: int, fields: dict[str, object], reason: object) -> None:
    failure = refresh_refused(status, fields, "https://id.test")
    assert (failure.reason, failure.status) == (reason, status)
    assert "https://id.test" in failure.detail
    assert "<html>" not in failure.detail


def id_token(claims: object) -> Secret:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return Secret(f"head.{body}.signature")


@pytest.mark.parametrize("token", ["", "a.b", "a.!!!.c", "a.bm9uZQ.c", "a.W10.c"])
def test_an_id_token_that_is_none_is_told_without_it(token: str) -> None:
    with pytest.raises(ValueError, match="gave an id token"):
        claims_of(Secret(token))


@pytest.mark.parametrize(
    ("claims", "account"),
    [
        ({"sub": "1", "email": "Ada@Example.org"}, Account(id="1", email="ada@example.org")),
        ({"sub": "1", "email": "ada@example.org", "email_verified": False}, Account(id="1")),
        ({"sub": "1", "email": "no address"}, Account(id="1")),
        ({"sub": "two words", "email": "a@b\nc"}, Account()),
        ({"sub": 7, "email": 7}, Account()),
    ],
)
def test_whose_login_it_is(claims: dict[str, object], account: Account) -> None:
    assert account_of(claims_of(id_token(claims))) == account


def test_the_way_back_is_a_command_that_can_be_copied() -> None:
    one = profile("acme:two words;", CredentialKind.OAUTH, provider="acme")
    told = "remoteclaw models auth login --provider acme --profile-id 'acme:two words;'"
    assert (login_command(one), login_command(one, "writer")) == (told, f"{told} --agent writer")
