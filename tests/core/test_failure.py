"""What a refusal means, and when to come back."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.auth.failure import classify
from core.auth.reset_time import reset_time
from core.errors import FailureReason as R

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "codes", "text", "reason"),
    [
        pytest.param(401, ("invalid_api_key",), "Incorrect API key provided", R.AUTH, id="401"),
        pytest.param(401, ("authentication_error",), "invalid x-api-key", R.AUTH, id="401-anthropic"),
        pytest.param(401, (), "token has expired", R.AUTH, id="401-expired-token"),
        pytest.param(401, ("account_deactivated",), "", R.AUTH_PERMANENT, id="401-account-deactivated"),
        pytest.param(403, (), "", R.AUTH, id="403"),
        pytest.param(403, ("permission_error",), "Forbidden", R.AUTH, id="403-permission"),
        pytest.param(403, (), "api key revoked", R.AUTH_PERMANENT, id="403-revoked"),
        pytest.param(403, (), "API_KEY_REVOKED", R.AUTH_PERMANENT, id="403-revoked-as-code-in-text"),
        pytest.param(403, ("api_key_deleted",), "", R.AUTH_PERMANENT, id="403-deleted"),
        pytest.param(401, (), "This key has been disabled.", R.AUTH_PERMANENT, id="401-disabled"),
        pytest.param(401, (), "Your account has been deactivated", R.AUTH_PERMANENT, id="401-deactivated"),
        pytest.param(
            403,
            ("permission_error",),
            "OAuth authentication is currently not allowed for this organization.",
            R.AUTH_PERMANENT,
            id="403-organization",
        ),
        pytest.param(403, ("model_not_found",), "", R.MODEL_NOT_FOUND, id="403-model-of-another-project"),
        pytest.param(402, (), "", R.BILLING, id="402"),
        pytest.param(404, ("not_found_error",), "", R.MODEL_NOT_FOUND, id="404"),
        pytest.param(404, (), "Not Found", R.MODEL_NOT_FOUND, id="404-bare"),
        pytest.param(408, (), "", R.TIMEOUT, id="408"),
        pytest.param(413, ("request_too_large",), "", R.CONTEXT_OVERFLOW, id="413"),
        pytest.param(413, (), "Request Entity Too Large", R.CONTEXT_OVERFLOW, id="413-bare"),
        pytest.param(429, ("rate_limit_exceeded", "requests"), "", R.RATE_LIMIT, id="429"),
        pytest.param(429, ("insufficient_quota",), "", R.BILLING, id="429-empty"),
        pytest.param(429, ("billing_hard_limit_reached",), "", R.BILLING, id="429-hard-limit"),
        pytest.param(429, (), "You exceeded your current quota, check billing", R.RATE_LIMIT, id="429-text-is-no-code"),
        pytest.param(429, (), "insufficient credits", R.RATE_LIMIT, id="429-billing-words-are-no-code"),
        pytest.param(429, ("RESOURCE_EXHAUSTED",), "", R.RATE_LIMIT, id="429-google"),
        pytest.param(400, (), "bad request", R.FORMAT, id="400"),
        pytest.param(400, ("invalid_request_error",), "string should match pattern", R.FORMAT, id="400-format"),
        pytest.param(400, ("context_length_exceeded",), "", R.CONTEXT_OVERFLOW, id="400-context-code"),
        pytest.param(
            400,
            ("invalid_request_error",),
            "prompt is too long: 150000 tokens > 128000 maximum",
            R.CONTEXT_OVERFLOW,
            id="400-context-text",
        ),
        pytest.param(
            400,
            ("INVALID_ARGUMENT",),
            "The input exceeds the maximum number of tokens allowed",
            R.CONTEXT_OVERFLOW,
            id="400-context-google",
        ),
        pytest.param(
            400, (), "This model's maximum context length is 8192 tokens", R.CONTEXT_OVERFLOW, id="400-context-openai"
        ),
        pytest.param(400, (), "Let's investigate the context overflow bug", R.FORMAT, id="400-prose-about-context"),
        pytest.param(400, (), "request size exceeds upload limit", R.FORMAT, id="400-upload"),
        pytest.param(400, ("model_not_found",), "", R.MODEL_NOT_FOUND, id="400-model"),
        pytest.param(400, ("insufficient_quota",), "", R.BILLING, id="400-quota"),
        pytest.param(
            400,
            ("invalid_request_error",),
            "Your credit balance is too low to access the Anthropic API.",
            R.BILLING,
            id="400-balance-anthropic",
        ),
        pytest.param(400, ("API_KEY_INVALID",), "", R.AUTH, id="400-key-google"),
        pytest.param(422, (), "Unprocessable Entity", R.FORMAT, id="422"),
        pytest.param(422, (), "insufficient credits", R.BILLING, id="422-credits"),
        pytest.param(500, ("server_error",), "", R.TIMEOUT, id="500"),
        pytest.param(502, (), "", R.TIMEOUT, id="502"),
        pytest.param(504, (), "", R.TIMEOUT, id="504"),
        pytest.param(521, (), "<!DOCTYPE html>", R.TIMEOUT, id="521"),
        pytest.param(599, (), "", R.TIMEOUT, id="599"),
        pytest.param(500, ("overloaded_error",), "", R.OVERLOADED, id="500-overloaded"),
        pytest.param(500, ("insufficient_quota",), "", R.TIMEOUT, id="500-is-the-servers-trouble"),
        pytest.param(503, (), "", R.TIMEOUT, id="503"),
        pytest.param(529, ("overloaded_error",), "", R.OVERLOADED, id="529"),
        pytest.param(None, ("overloaded_error",), "Overloaded", R.OVERLOADED, id="in-stream-overloaded"),
        pytest.param(None, ("rate_limit_error",), "", R.RATE_LIMIT, id="in-stream-rate"),
        pytest.param(None, ("billing_error",), "", R.BILLING, id="in-stream-billing"),
        pytest.param(None, ("api_error",), "", R.TIMEOUT, id="in-stream-server"),
        pytest.param(None, (), "prompt is too long", R.CONTEXT_OVERFLOW, id="in-stream-text"),
        pytest.param(None, (), "evidence is insufficient to reconcile the final balance", R.UNKNOWN, id="prose"),
        pytest.param(None, (), "Room 402", R.UNKNOWN, id="a-number-in-prose"),
        pytest.param(418, (), "", R.UNKNOWN, id="unknown-status"),
    ],
)
def test_a_refusal_is_read_by_status_then_code_then_text(
    status: int | None, codes: tuple[str, ...], text: str, reason: R
) -> None:
    assert classify(status, codes, text) is reason


@given(st.none() | st.integers(), st.lists(st.text()), st.text())
def test_any_refusal_has_some_reason(status: int | None, codes: list[str], text: str) -> None:
    assert isinstance(classify(status, codes, text), R)


def _google(delay: object) -> object:
    kind = "type.googleapis.com/google.rpc.RetryInfo"
    return {"error": {"code": 429, "details": [{"@type": "other"}, {"@type": kind, "retryDelay": delay}]}}


@pytest.mark.parametrize(
    ("headers", "body", "text", "seconds"),
    [
        pytest.param({"retry-after": "7"}, None, "", 7, id="seconds"),
        pytest.param({"retry-after": " 1.5 "}, None, "", 1.5, id="fraction"),
        pytest.param({"retry-after": "Mon, 04 May 2026 12:01:00 GMT"}, None, "", 60, id="http-date"),
        pytest.param({"retry-after": "Mon, 04 May 2026 12:01:00 -0000"}, None, "", 60, id="http-date-without-zone"),
        pytest.param({"retry-after-ms": "250"}, None, "", 0.25, id="milliseconds"),
        pytest.param({"retry-after-ms": "250", "retry-after": "7"}, None, "", 0.25, id="milliseconds-are-more-exact"),
        pytest.param({"retry-after-ms": "soon", "retry-after": "7"}, None, "", 7, id="garbage-is-passed-over"),
        pytest.param({"retry-after": "7"}, _google("37s"), "", 7, id="header-before-body"),
        pytest.param({}, None, "You've hit your limit. It resets in 4hr 5min.", 14_700, id="text-resets-in"),
        pytest.param({}, None, "Please try again in 20s.", 20, id="text-try-again"),
        pytest.param({}, None, "The key is available again in 2 days", 172_800, id="text-available"),
        pytest.param({}, _google("37s"), "", 37, id="google"),
        pytest.param({}, _google("3.5s"), "", 3.5, id="google-fraction"),
        pytest.param({}, [_google("37s")], "", 37, id="google-in-a-list"),
        pytest.param({"x-ratelimit-reset-requests": "1m30s"}, None, "", 90, id="openai-duration"),
        pytest.param({"x-ratelimit-reset-tokens": "250ms"}, None, "", 0.25, id="openai-milliseconds"),
        pytest.param({"x-ratelimit-reset-requests": "2m59.56s"}, None, "", 179.56, id="groq"),
        pytest.param(
            {"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, None, "", 360, id="later"
        ),
        pytest.param(
            {
                "x-ratelimit-reset-requests": "20s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-tokens": "1000",
            },
            None,
            "",
            20,
            id="only-what-is-used-up",
        ),
        pytest.param({"x-ratelimit-reset": str(int(NOW.timestamp()) + 90)}, None, "", 90, id="epoch-seconds"),
        pytest.param({"x-ratelimit-reset": str((int(NOW.timestamp()) + 90) * 1000)}, None, "", 90, id="epoch-ms"),
        pytest.param(
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-05-04T12:00:45Z",
                "anthropic-ratelimit-tokens-remaining": "12",
                "anthropic-ratelimit-tokens-reset": "2026-05-04T13:00:00Z",
            },
            None,
            "",
            45,
            id="anthropic",
        ),
        pytest.param({"anthropic-ratelimit-tokens-reset": "2026-05-04T13:00:00Z"}, None, "", None, id="not-used-up"),
        pytest.param(
            {
                "anthropic-ratelimit-unified-5h-status": "rejected",
                "anthropic-ratelimit-unified-5h-reset": str(int(NOW.timestamp()) + 600),
            },
            None,
            "",
            600,
            id="anthropic-subscription",
        ),
        pytest.param({}, None, "Please try again in 6m0s. Visit us.", 360, id="sentence"),
        pytest.param({}, None, "Please try again in 20 seconds.", 20, id="sentence-in-words"),
        pytest.param({}, None, "Retry after 1 minute 5 seconds", 65, id="sentence-two-units"),
        pytest.param({}, None, "try again in 250ms", 0.25, id="sentence-milliseconds"),
        pytest.param({}, None, "try again in 2 months", None, id="sentence-that-means-something-else"),
        pytest.param({}, None, "", None, id="nothing-said"),
        pytest.param({"retry-after": "0"}, None, "", None, id="zero"),
        pytest.param({"retry-after": "-5"}, None, "", None, id="negative"),
        pytest.param({"retry-after": "NaN"}, None, "", None, id="nan"),
        pytest.param({"retry-after": "Mon, 04 May 2020 12:01:00 GMT"}, None, "", None, id="passed"),
        pytest.param({"retry-after": "9" * 100_000}, None, "", None, id="huge"),
        pytest.param({"retry-after": "１２"}, None, "", 12, id="wide-digits"),
        pytest.param({}, _google({"seconds": 3}), "", None, id="google-of-another-type"),
        pytest.param({}, {"error": {"details": [None, 3, {"retryDelay": None}]}}, "", None, id="google-garbage"),
    ],
)
def test_the_providers_own_word_on_when_to_return(
    headers: dict[str, str], body: object, text: str, seconds: float | None
) -> None:
    moment = reset_time(headers, body, NOW, text)
    if seconds is None:
        assert moment is None
    else:
        assert moment is not None
        assert math.isclose((moment - NOW).total_seconds(), seconds, abs_tol=1e-3)


@pytest.mark.parametrize("value", ["1e300", "99999999", "9999-12-31T23:59:59-12:00", "3000d"])
def test_a_time_beyond_belief_is_cut_to_seven_days(value: str) -> None:
    assert reset_time({"retry-after": value}, None, NOW) == NOW + timedelta(days=7)


_NAMES = st.sampled_from(
    [
        "retry-after",
        "retry-after-ms",
        "x-ratelimit-reset",
        "x-ratelimit-reset-requests",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-tokens",
        "anthropic-ratelimit-requests-reset",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-unified-status",
    ]
)
_VALUES = (
    st.text(max_size=80)
    | st.floats().map(str)
    | st.integers().map(str)
    | st.datetimes().map(lambda moment: moment.isoformat())
    | st.from_regex(r"(\d+(\.\d+)?(ms|s|m|h|d|w)){1,3}", fullmatch=True)
    | st.from_regex(r"Mon, \d\d? \w{3} \d{1,5} \d\d?:\d\d?:\d\d? [+-]?\d{0,5}", fullmatch=True)
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "details", "retryDelay", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(_NAMES, _VALUES), _JSON, st.text() | _VALUES.map(lambda value: f"try again in {value}"))
def test_no_header_or_body_can_break_it_or_promise_more_than_seven_days(
    headers: dict[str, str], body: object, text: str
) -> None:
    moment = reset_time(headers, body, NOW, text)
    assert moment is None or NOW < moment <= NOW + timedelta(days=7)
