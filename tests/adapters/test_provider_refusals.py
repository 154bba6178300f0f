"""What vendors, gateways and aggregators really answer when they refuse, over HTTP: the reason, the time, and the words shown."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from adapters.providers.registry import HttpProviderClient
from core.errors import FailureReason as R
from core.errors import ProviderError
from core.models.catalog import ProviderEntry
from tests.fakes.clock import FakeClock
from tests.fakes.provider_request import ALL, ANTHROPIC, GOOGLE, KEY, OPENAI, RESPONSES, failing, make_request
from tests.fakes.provider_script import raw, status
from tests.fakes.provider_server import ProviderServer

JSON = {"content-type": "application/json"}


@pytest.fixture
async def server() -> AsyncIterator[ProviderServer]:
    async with ProviderServer() as running:
        yield running


@pytest.fixture
async def client(clock: FakeClock) -> AsyncIterator[HttpProviderClient]:
    made = HttpProviderClient(clock)
    yield made
    await made.close()


def _google(code: int, name: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": name, "details": list(details)}}


def _info(reason: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}


def _openai(message: str, kind: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _behind(
    code: int, raw_said: object, name: str = "Acme", message: str = "Provider returned error"
) -> dict[str, Any]:
    """OpenRouter, of a vendor behind it."""
    said = raw_said if isinstance(raw_said, str) else json.dumps(raw_said)
    return {
        "error": {"message": message, "code": code, "metadata": {"raw": said, "provider_name": name}},
        "user_id": "u",
    }


DELAY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "33.5s"}
QUOTA = "You exceeded your current quota, please check your plan and billing details."
BUSY = "The model is overloaded. Please try again later."
WRONG_KEY = "API key not valid. Please pass a valid API key."
TOO_LONG = "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens."

REFUSALS = [
    pytest.param("openai", 429, _openai(QUOTA, "insufficient_quota", "insufficient_quota"), R.BILLING, QUOTA, id="openai-empty"),
    pytest.param("openai", 429, _openai("Rate limit reached. Please try again in 20s.", "tokens", "rate_limit_exceeded"),
                 R.RATE_LIMIT, "try again in 20s", id="openai-rate"),
    pytest.param("openai", 401, _openai("Incorrect API key provided", "invalid_request_error", "invalid_api_key"),
                 R.AUTH, "Incorrect API key", id="openai-key"),
    pytest.param("openai", 401, _openai("Your account has been deactivated.", "invalid_request_error", "account_deactivated"),
                 R.AUTH_PERMANENT, "deactivated", id="openai-deactivated"),
    pytest.param("openai", 403, _openai("Project `p` does not have access to model `m`", "invalid_request_error",
                 "model_not_found"), R.MODEL_NOT_FOUND, "access to model", id="openai-entitlement"),
    pytest.param("acme", 403, _openai("This model is not available on your current plan.", "forbidden"),
                 R.MODEL_NOT_FOUND, "current plan", id="entitlement-by-words"),
    pytest.param("openai", 400, _openai(TOO_LONG, "invalid_request_error", "context_length_exceeded"),
                 R.CONTEXT_OVERFLOW, "maximum context", id="openai-overflow"),
    pytest.param("azure", 400, {"error": {"message": "The response was filtered due to the prompt triggering the policy.",
                 "code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
                 R.FORMAT, "was filtered", id="azure-filter"),
    pytest.param("azure", 401, {"statusCode": 401, "message": "Access denied due to invalid subscription key."},
                 R.AUTH, "invalid subscription key", id="azure-gateway"),
    pytest.param("anthropic", 529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"},
                 "request_id": "r"}, R.OVERLOADED, "Overloaded", id="anthropic-overloaded"),
    pytest.param("anthropic", 400, {"type": "error", "error": {"type": "invalid_request_error",
                 "message": "Your credit balance is too low to access the Anthropic API."}}, R.BILLING, "credit",
                 id="anthropic-credit"),
    pytest.param("anthropic", 403, {"type": "error", "error": {"type": "permission_error",
                 "message": "OAuth authentication is currently not allowed for this organization."}},
                 R.AUTH_PERMANENT, "organization", id="anthropic-organization"),
    pytest.param("google", 400, _google(400, "INVALID_ARGUMENT", WRONG_KEY, _info("API_KEY_INVALID")), R.AUTH, WRONG_KEY,
                 id="google-key"),
    pytest.param("google", 400, _google(400, "INVALID_ARGUMENT", "Schlüssel ungültig.", _info("API_KEY_INVALID")), R.AUTH,
                 "ungültig", id="google-key-by-code-alone"),
    pytest.param("google", 400, [_google(400, "INVALID_ARGUMENT", "Wrong.", _info("API_KEY_INVALID"))], R.AUTH, "Wrong.",
                 id="google-in-a-list"),
    pytest.param("google", 429, [_google(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", DELAY)], R.RATE_LIMIT,
                 "Quota exceeded.", id="google-quota"),
    pytest.param("google", 503, _google(503, "UNAVAILABLE", BUSY), R.OVERLOADED, BUSY, id="google-busy"),
    pytest.param("google", 403, _google(403, "PERMISSION_DENIED", "Denied.", _info("SERVICE_DISABLED")), R.AUTH, "Denied.",
                 id="google-service"),
    pytest.param("google", 404, _google(404, "NOT_FOUND", "models/x is not found for API version v1beta"),
                 R.MODEL_NOT_FOUND, "models/x", id="google-model"),
    pytest.param("xai", 400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***"},
                 R.AUTH, "Incorrect API key", id="xai-key"),
    pytest.param("openrouter", 429, _behind(429, "acme/m is temporarily rate-limited upstream. Please retry shortly."),
                 R.OVERLOADED, "Provider returned error (Acme: acme/m is temporarily", id="openrouter-upstream-limit"),
    pytest.param("openrouter", 429, _behind(429, _openai(QUOTA, "insufficient_quota", "insufficient_quota")),
                 R.OVERLOADED, "Acme: You exceeded", id="openrouter-upstream-empty"),
    pytest.param("openrouter", 429, {"error": {"message": "Rate limit exceeded: free-models-per-day", "code": 429}},
                 R.RATE_LIMIT, "free-models-per-day", id="openrouter-own-limit"),
    pytest.param("openrouter", 400, _behind(400, _openai(TOO_LONG, "invalid_request_error", "context_length_exceeded")),
                 R.CONTEXT_OVERFLOW, "maximum context", id="openrouter-upstream-overflow"),
    pytest.param("openrouter", 400, _behind(400, {"type": "error", "error": {"type": "not_found_error", "message": "gone"}}),
                 R.MODEL_NOT_FOUND, "Acme: gone", id="openrouter-upstream-model"),
    pytest.param("openrouter", 401, _behind(401, _openai("Account deactivated", "x", "account_deactivated")), R.AUTH,
                 "Provider returned error", id="openrouter-upstream-key"),
    pytest.param("openrouter", 502, _behind(502, "<html>bad</html>", "Acme"), R.TIMEOUT, "(Acme)", id="openrouter-page"),
    pytest.param("openrouter", 402, {"error": {"code": 402, "message": "Insufficient credits. Add more."}}, R.BILLING,
                 "Insufficient credits", id="openrouter-credits"),
    pytest.param("zai", 429, {"error": {"code": "1113", "message": "余额不足"}}, R.RATE_LIMIT, "余额不足", id="zai-429"),
    pytest.param("zai", 400, {"error": {"code": "1311", "message": "no"}}, R.BILLING, "no", id="zai-code-as-text"),
    pytest.param("zai", 400, {"error": {"code": 1113, "message": "no"}}, R.AUTH, "no", id="zai-code-as-number"),
    pytest.param("other", 400, {"error": {"code": "1311", "message": "no"}}, R.FORMAT, "no", id="the-code-elsewhere"),
    pytest.param("vllm", 404, {"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError",
                 "code": 404}, R.MODEL_NOT_FOUND, "does not exist", id="vllm"),
    pytest.param("huggingface", 503, {"error": "Model is overloaded", "error_type": "overloaded"}, R.OVERLOADED,
                 "Model is overloaded", id="tgi"),
    pytest.param("acme", 400, {"error": "invalid_grant", "error_description": "Token has been revoked."}, R.AUTH_PERMANENT,
                 "Token has been revoked.", id="dead-login"),
    pytest.param("acme", 401, {"error": {"code": "token_revoked", "message": "no"}}, R.AUTH_PERMANENT, "no", id="dead-token"),
    pytest.param("acme", 422, {"detail": [{"loc": ["body"], "msg": "field required", "type": "missing"}]}, R.FORMAT,
                 "field required", id="fastapi"),
    pytest.param("acme", 429, {"detail": {"message": "slow down", "code": "insufficient_quota"}}, R.BILLING, "slow down",
                 id="detail-as-object"),
    pytest.param("cloudflare", 403, {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]},
                 R.AUTH, "Authentication error", id="cloudflare"),
    pytest.param("bedrock", 400, {"__type": "com.amazon#ThrottlingException", "message": "Too fast"}, R.RATE_LIMIT,
                 "Too fast", id="aws"),
    pytest.param("acme", 401, {"title": "Unauthorized", "status": 401}, R.AUTH, "Unauthorized", id="problem-details"),
    pytest.param("acme", 502, "<html><body>Bad gateway</body></html>", R.TIMEOUT, "answered with status 502", id="a-page"),
    pytest.param("acme", 500, "", R.TIMEOUT, "answered with status 500", id="nothing"),
    pytest.param("acme", 400, '"just words"', R.FORMAT, "just words", id="a-json-text"),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "code", "body", "reason", "words"), REFUSALS)
async def test_a_real_refusal_is_understood(
    provider: str, code: int, body: object, reason: R, words: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    server.script[KEY] = [status(code, body=body)]
    failure = await failing(client, make_request(server, provider=provider))
    assert (failure.reason, failure.status) == (reason, code)
    assert words in failure.detail


TIMES = [
    pytest.param({"retry-after": "7"}, _openai("no", "x"), 7, id="header"),
    pytest.param({"retry-after-ms": "1500"}, _openai("no", "x"), 1.5, id="milliseconds"),
    pytest.param({}, [_google(429, "RESOURCE_EXHAUSTED", "no", DELAY)], 33.5, id="google-in-a-list"),
    pytest.param({}, _openai("Please try again in 20s.", "tokens"), 20, id="sentence"),
    pytest.param({}, {"error": {"message": "Rate limit exceeded", "code": 429, "metadata": {"headers": {
        "X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1777896060000"}}}}, 60,
        id="headers-inside-the-body"),
    pytest.param({"retry-after": "soon"}, "no", None, id="none"),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "body", "seconds"), TIMES)
async def test_the_time_to_come_back_is_found(
    headers: dict[str, str],
    body: object,
    seconds: float | None,
    server: ProviderServer,
    client: HttpProviderClient,
    clock: FakeClock,
) -> None:
    server.script[KEY] = [status(429, headers, body)]
    at = (await failing(client, make_request(server, provider="openrouter"))).retry_at
    assert (None if at is None else (at - clock.now()).total_seconds()) == seconds


async def test_a_vendors_own_code_counts_for_its_list_of_models_too(
    server: ProviderServer, client: HttpProviderClient, clock: FakeClock
) -> None:
    asked = make_request(server)
    found = []
    for provider in ("zai", "acme"):
        server.script[KEY] = [status(400, body={"error": {"code": "1311", "message": "no"}})]
        entry = ProviderEntry(id=provider, base_url=asked.endpoint.base_url, api=OPENAI)
        with pytest.raises(ProviderError) as caught:
            await client.list_models(entry, asked.profile, clock.now() + timedelta(seconds=5))
        found.append(caught.value.failure.reason)
    assert found == [R.BILLING, R.FORMAT]


async def test_a_limit_of_the_whole_plan_is_told_apart_from_one_of_a_model(
    server: ProviderServer, client: HttpProviderClient
) -> None:
    plan = {"anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": "1777896060"}
    server.script[KEY] = [status(429, plan), status(429), status(401, plan)]
    request = make_request(server, ANTHROPIC)
    assert [(await failing(client, request)).whole_profile for _ in range(3)] == [True, False, False]


INSIDE = [
    pytest.param(OPENAI, "openai", b'data: {"error": {"message": "busy", "type": "server_error", "code": "server_error"}}',
                 R.TIMEOUT, id="openai"),
    pytest.param(OPENAI, "openrouter", b'data: {"id":"x","error":{"code":502,"message":"down"},"choices":[{"index":0,'
                 b'"delta":{"content":""},"finish_reason":"error"}]}', R.TIMEOUT, id="openrouter"),
    pytest.param(OPENAI, "acme", b'{"error": {"message": "slow", "code": "rate_limit_exceeded"}}',
                 R.RATE_LIMIT, id="no-data-field"),
    pytest.param(OPENAI, "acme", b'data: {"error": "Rate limit exceeded"}', R.RATE_LIMIT, id="a-text"),
    pytest.param(OPENAI, "acme", b"event: error\ndata: Rate limit exceeded", R.RATE_LIMIT, id="no-json"),
    pytest.param(OPENAI, "vllm", b'data: {"object":"error","message":"no","type":"BadRequestError","code":400}',
                 R.FORMAT, id="vllm"),
    pytest.param(OPENAI, "minimax", b'data: {"choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}',
                 R.BILLING, id="minimax"),
    pytest.param(RESPONSES, "openai", b'event: error\ndata: {"type":"error","code":"rate_limit_exceeded","message":"m"}',
                 R.RATE_LIMIT, id="responses-event"),
    pytest.param(RESPONSES, "openai", b'data: {"type":"error","error":{"type":"x","code":"server_error","message":"m"}}',
                 R.TIMEOUT, id="responses-without-a-name"),
    pytest.param(RESPONSES, "openai", b'data: {"type":"response.failed","response":{"status":"failed","error":'
                 b'{"code":"insufficient_quota","message":"m"}}}', R.BILLING, id="responses-failed"),
    pytest.param(RESPONSES, "openai", b'data: {"type":"response.failed","response":{"status":"failed","error":null}}',
                 R.TIMEOUT, id="responses-failed-silently"),
    pytest.param(RESPONSES, "openai", b'data: {"type":"response.cancelled","response":{"status":"cancelled"}}',
                 R.NETWORK, id="responses-cancelled"),
    pytest.param(ANTHROPIC, "anthropic", b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"m"}}',
                 R.OVERLOADED, id="anthropic"),
    pytest.param(ANTHROPIC, "anthropic", b'data: {"type":"error","error":{"type":"rate_limit_error","message":"m"}}',
                 R.RATE_LIMIT, id="anthropic-without-a-name"),
    pytest.param(GOOGLE, "google", b'data: {"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}', R.OVERLOADED, id="google"),
    pytest.param(GOOGLE, "google", b'data: {"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}',
                 R.RATE_LIMIT, id="google-limit"),
]  # fmt: skip


@pytest.mark.parametrize(("api", "provider", "event", "reason"), INSIDE)
async def test_an_error_inside_an_answer_is_understood(
    api: str, provider: str, event: bytes, reason: R, server: ProviderServer, client: HttpProviderClient
) -> None:
    server.script[KEY] = [raw(b": hi\n\n", event + b"\n\n")]
    failure = await failing(client, make_request(server, api, provider=provider))
    assert failure.reason is reason
    assert failure.detail


@pytest.mark.parametrize("api", ALL)
async def test_an_error_as_the_only_json_of_a_200_is_understood(
    api: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    body = json.dumps(
        [_google(429, "RESOURCE_EXHAUSTED", "m", DELAY)] if api == GOOGLE else _openai("m", "rate_limit_error")
    )
    server.script[KEY] = [raw(body.encode(), headers=JSON)] * 2
    for stream in (True, False):
        assert (await failing(client, make_request(server, api, stream=stream))).reason is R.RATE_LIMIT
