"""The classification vectors C101 to C143, as data: what a status, a typed code and a sentence mean together.

Where the reference has no class the reason is `unknown`. C128 is about values that are no text; the type forbids them here.
"""

import json

import pytest

from core.auth.failure import classify
from core.errors import FailureReason as R

_OVERLOADED = '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
_QUOTA = '{"error":{"message":"You exceeded your quota","type":"insufficient_quota","code":"insufficient_quota"}}'
_LONG_402 = json.dumps({"error": {"code": 402, "message": "x" * 680}})


@pytest.mark.parametrize(
    ("status", "text", "reason"),
    [
        pytest.param(402, "Payment required", R.BILLING, id="C101"),
        pytest.param(402, "request reached organization usage limit, try again later", R.RATE_LIMIT, id="C101-usage"),
        pytest.param(402, "insufficient credits, please top up", R.BILLING, id="C101-credits"),
        pytest.param(402, "You exceeded your current quota. Please add more credits", R.BILLING, id="C101-quota"),
        pytest.param(410, "session not found", R.SESSION_EXPIRED, id="C103"),
        pytest.param(410, "HTTP 410: No body", R.TIMEOUT, id="C103-no-body"),
        pytest.param(410, "HTTP 410: conversation expired", R.SESSION_EXPIRED, id="C103-conversation"),
        pytest.param(410, "invalid_api_key", R.AUTH, id="C103-key"),
        pytest.param(410, "insufficient credits", R.BILLING, id="C103-credits"),
        pytest.param(503, "The model is overloaded. Please try again later", R.OVERLOADED, id="C104"),
        pytest.param(503, "Internal database error", R.TIMEOUT, id="C104-database"),
        pytest.param(503, "Bedrock is temporarily unable to process your request", R.TIMEOUT, id="C104-bedrock"),
        pytest.param(499, _OVERLOADED, R.OVERLOADED, id="C104-499"),
        pytest.param(400, _QUOTA, R.BILLING, id="C107"),
        pytest.param(
            400, "INVALID_ARGUMENT: input exceeds the maximum number of tokens", R.CONTEXT_OVERFLOW, id="C109"
        ),
        pytest.param(None, "prompt is too long: 150000 tokens > 128000 maximum", R.CONTEXT_OVERFLOW, id="C110"),
        pytest.param(422, "insufficient credits", R.BILLING, id="C112"),
        pytest.param(422, "Unprocessable Entity", R.FORMAT, id="C112-format"),
        pytest.param(None, "This model requires more credits to use", R.BILLING, id="C113"),
        pytest.param(402, "Monthly spend limit reached. Please visit your billing settings.", R.RATE_LIMIT, id="C115"),
        pytest.param(
            402,
            "402 Payment Required: Monthly spend limit reached. Please visit your billing settings.",
            R.RATE_LIMIT,
            id="C115-wrapped",
        ),
        pytest.param(402, "Workspace spend limit reached", R.RATE_LIMIT, id="C115-workspace"),
        pytest.param(
            402,
            "Your subscription quota limit is reached; it is freed by a rolling time window",
            R.RATE_LIMIT,
            id="C115-rolling",
        ),
        pytest.param(402, "You hit the maximum allowed monthly spending limit", R.BILLING, id="C115-maximum"),
        pytest.param(402, "x" * 520 + " insufficient credits. Monthly spend limit reached.", R.BILLING, id="C115-long"),
        pytest.param(402, "rate limit exceeded", R.RATE_LIMIT, id="C116"),
        pytest.param(402, "Daily limit reached, resets tomorrow.", R.RATE_LIMIT, id="C118"),
        pytest.param(402, "", R.BILLING, id="C119"),
        *(
            pytest.param(None, text, R.TIMEOUT, id=f"C121-{n}")
            for n, text in enumerate(
                [f"Unhandled stop reason: {word}" for word in ("abort", "error", "network_error", "MALFORMED_RESPONSE")]
                + ["reason: error"]
            )
        ),
        pytest.param(None, "Unhandled stop reason: MALFORMED_FUNCTION_CALL", R.UNKNOWN, id="C121-function-call"),
        *(
            pytest.param(None, text, R.TIMEOUT, id=f"C122-{n}")
            for n, text in enumerate(
                (
                    "Connection error.",
                    "fetch failed",
                    "Network error: ECONNREFUSED",
                    "getaddrinfo: no such host (ENOTFOUND)",
                    "temporary dns failure EAI_AGAIN",
                    "stream closed",
                    "the operation was aborted",
                )
            )
        ),
        pytest.param(402, "credit balance too low", R.BILLING, id="C124"),
        pytest.param(401, "Unauthorized", R.AUTH, id="C125"),
        pytest.param(401, "invalid_api_key", R.AUTH, id="C125-401-key"),
        pytest.param(403, "invalid_api_key", R.AUTH, id="C125-403-key"),
        pytest.param(403, "permission_error", R.AUTH, id="C125-permission"),
        pytest.param(403, "api key revoked", R.AUTH_PERMANENT, id="C125-revoked"),
        pytest.param(
            None,
            "HTTP 403 permission_error: OAuth authentication is currently not allowed for this organization.",
            R.AUTH_PERMANENT,
            id="C127",
        ),
        *(
            pytest.param(None, text, R.AUTH_PERMANENT, id=f"C130-yes-{n}")
            for n, text in enumerate(
                (
                    "api key revoked",
                    "API_KEY_REVOKED",
                    "api_key_deleted",
                    "key has been disabled",
                    "account has been deactivated",
                )
            )
        ),
        *(
            pytest.param(None, text, R.AUTH, id=f"C130-no-{n}")
            for n, text in enumerate(("invalid_api_key", "permission_error", "unauthorized", "token has expired"))
        ),
        *(
            pytest.param(None, text, R.UNKNOWN, id=f"C131-{n}")
            for n, text in enumerate(
                (
                    "Fixed issue CHE-402",
                    "ticket #402",
                    "Room 402",
                    "port 402",
                    "402 items found",
                    "Use a 402 stainless bolt",
                )
            )
        ),
        pytest.param(None, "We talked about credits and payment. " * 20, R.UNKNOWN, id="C133-prose"),
        pytest.param(None, "Insufficient credits, they said, and laughed. " * 20, R.UNKNOWN, id="C133-long-prose"),
        pytest.param(None, _LONG_402, R.BILLING, id="C133-json"),
        pytest.param(None, "evidence is insufficient to reconcile the final balance", R.UNKNOWN, id="C134"),
        pytest.param(None, "model_cooldown: All credentials for model gpt-5 are cooling down", R.RATE_LIMIT, id="C136"),
        pytest.param(None, "All credentials for model gpt-5 are cooling down", R.UNKNOWN, id="C136-without"),
        pytest.param(None, "You hit your ChatGPT usage limit (plus plan)", R.RATE_LIMIT, id="C137"),
        pytest.param(None, "Too many tokens per day", R.RATE_LIMIT, id="C137-tokens"),
        pytest.param(None, "402 You've used up your points! Visit the shop", R.BILLING, id="C139"),
        pytest.param(None, "521 <!DOCTYPE html><html></html>", R.TIMEOUT, id="C140"),
        pytest.param(None, "bad request", R.UNKNOWN, id="C142"),
        pytest.param(None, "string should match pattern", R.FORMAT, id="C142-format"),
        pytest.param(None, "image dimensions exceed max allowed size: 8000 pixels", R.UNKNOWN, id="C142-image"),
        pytest.param(None, "image exceeds 5 MB maximum", R.UNKNOWN, id="C142-image-size"),
        *(
            pytest.param(None, text, R.CONTEXT_OVERFLOW, id=f"C143-yes-{n}")
            for n, text in enumerate(
                (
                    "413 Request Entity Too Large",
                    "request_too_large",
                    "model_context_window_exceeded",
                    "Your request exceeded model token limit: 262144",
                )
            )
        ),
        *(
            pytest.param(None, text, R.UNKNOWN, id=f"C143-no-{n}")
            for n, text in enumerate(
                (
                    "Let's investigate the context overflow bug",
                    "request size exceeds upload limit",
                    "Reasoning is mandatory for this endpoint and cannot be disabled.",
                )
            )
        ),
    ],
)
def test_a_refusal_means_what_the_reference_says(status: int | None, text: str, reason: R) -> None:
    assert classify(status, (), text) is reason


@pytest.mark.parametrize(
    ("provider", "text", "reason"),
    [
        pytest.param("openrouter", "Provider returned error", R.TIMEOUT, id="C106"),
        pytest.param("anthropic", "Provider returned error", R.UNKNOWN, id="C106-anthropic"),
        pytest.param("", "Provider returned error", R.UNKNOWN, id="C106-nobody"),
        pytest.param("openrouter", "Key limit exceeded (total limit)", R.BILLING, id="key-limit"),
        pytest.param("anthropic", "An unknown error occurred", R.TIMEOUT, id="unknown-error"),
        pytest.param("zai", "Weekly/monthly limit exhausted", R.RATE_LIMIT, id="periods"),
    ],
)
def test_some_wordings_are_one_vendors_own(provider: str, text: str, reason: R) -> None:
    assert classify(None, (), text, provider) is reason


@pytest.mark.parametrize(
    ("status", "codes", "text", "provider", "reason"),
    [
        pytest.param(429, ("insufficient_quota",), "", "", R.BILLING, id="a typed empty balance (product.md 6)"),
        pytest.param(429, (), "insufficient credits", "", R.RATE_LIMIT, id="a 429 is a rate limit (product.md 6)"),
        pytest.param(
            429, (), "x/y:free is temporarily rate-limited upstream", "openrouter", R.OVERLOADED, id="upstream"
        ),
        pytest.param(429, (), "rate-limited upstream", "acme", R.RATE_LIMIT, id="upstream of nobody we know"),
        pytest.param(
            403, (), "Your account is not entitled to use this model", "", R.MODEL_NOT_FOUND, id="entitlement"
        ),
        pytest.param(403, (), "You do not have access to the model o9", "", R.MODEL_NOT_FOUND, id="no access"),
        pytest.param(403, (), "This model is not included in your plan", "", R.MODEL_NOT_FOUND, id="plan"),
        pytest.param(403, (), "Your input was flagged by moderation", "", R.FORMAT, id="what was asked is refused"),
        pytest.param(401, ("token_invalidated",), "", "", R.AUTH_PERMANENT, id="a dead login"),
        pytest.param(400, ("invalid_grant",), "", "", R.AUTH_PERMANENT, id="a dead refresh token"),
        pytest.param(400, ("refresh_token_reused",), "", "", R.AUTH_PERMANENT, id="a reused refresh token"),
        pytest.param(401, ("invalid_token",), "", "", R.AUTH, id="a token that a refresh may replace"),
        pytest.param(
            400, (), "messages.429.content.0.text: must be non-empty", "", R.FORMAT, id="an index is no status"
        ),
        pytest.param(422, (), "messages.402.content: unknown tpm", "", R.FORMAT, id="nor is a name"),
        pytest.param(400, (), "Your upload has expired", "", R.FORMAT, id="a 400 is not about the credential"),
        pytest.param(400, (), "Invalid token at position 7", "", R.FORMAT, id="a token of another kind"),
        pytest.param(400, (), "API key not valid. Please pass a valid API key.", "", R.AUTH, id="google's 400"),
        pytest.param(None, ("1311",), "", "zai", R.BILLING, id="zai-1311"),
        pytest.param(None, ("1113",), "", "zai", R.AUTH, id="zai-1113"),
        pytest.param(None, ("1311",), "", "acme", R.UNKNOWN, id="1311-elsewhere"),
        pytest.param(None, (), "HTTP 429 slow down", "", R.RATE_LIMIT, id="a status in the text"),
    ],
)
def test_what_we_decide_beyond_the_reference(
    status: int | None, codes: tuple[str, ...], text: str, provider: str, reason: R
) -> None:
    assert classify(status, codes, text, provider) is reason
