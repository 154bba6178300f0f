"""What the parts of an answer mean in each wire format: tokens, the reason for its end, and what is no answer."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.providers.registry import HttpProviderClient
from core.chat.completion import Completed, Usage
from core.errors import FailureReason
from tests.fakes.clock import FakeClock
from tests.fakes.provider_events import end, piece, sent, thought, tool, whole
from tests.fakes.provider_request import ALL, ANTHROPIC, GOOGLE, KEY, OPENAI, RESPONSES, ask, failing, make_request
from tests.fakes.provider_script import raw
from tests.fakes.provider_server import ProviderServer

EVERY = pytest.mark.parametrize("api", ALL)
BOTH_WAYS = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "plain"])
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


COUNTED = [
    (OPENAI, {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 5}}, (9, 4, 5, 0)),
    (OPENAI, {"prompt_tokens": 9, "completion_tokens": 4, "prompt_cache_hit_tokens": 5}, (9, 4, 5, 0)),
    (OPENAI, {"prompt_tokens": 9}, (9, 0, 0, 0)),
    (OPENAI, {"prompt_tokens": "many", "completion_tokens": -1}, (0, 0, 0, 0)),
    (RESPONSES, {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 5}, "output_tokens": 4}, (9, 4, 5, 0)),
    (RESPONSES, None, (0, 0, 0, 0)),
    (ANTHROPIC, {"input_tokens": 2, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 3,
                 "output_tokens": 4}, (9, 4, 4, 3)),
    (ANTHROPIC, {"input_tokens": 9, "output_tokens": 4}, (9, 4, 0, 0)),
    (GOOGLE, {"promptTokenCount": 9, "candidatesTokenCount": 3, "thoughtsTokenCount": 1,
              "cachedContentTokenCount": 5}, (9, 4, 5, 0)),
    (GOOGLE, {"promptTokenCount": 7, "toolUsePromptTokenCount": 2, "candidatesTokenCount": 4}, (9, 4, 0, 0)),
    (GOOGLE, {}, (0, 0, 0, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("api", "usage", "counts"), COUNTED)
@BOTH_WAYS
async def test_tokens_are_counted_the_same_in_all_formats(
    api: str, stream: bool, usage: object, counts: tuple[int, ...], server: ProviderServer, client: HttpProviderClient
) -> None:
    field = "usageMetadata" if api == GOOGLE else "usage"
    plain, last = {**whole(api, "x"), field: usage}, end(api)
    last = {**last, "response": {**last["response"], field: usage}} if api == RESPONSES else {**last, field: usage}
    server.script[KEY] = [raw(*sent([piece(api, "x"), last])) if stream else raw(*_json(plain), headers=JSON)]
    asked, answered, read, written = counts
    assert (await ask(client, make_request(server, api, stream=stream)))[1].usage == Usage(
        asked, answered, cache_read_tokens=read, cache_write_tokens=written
    )


async def test_usage_inside_a_choice_and_after_it_counts(server: ProviderServer, client: HttpProviderClient) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 4}
    inside = {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop", "usage": usage}]}
    after = {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5}}
    server.script[KEY] = [raw(*sent([inside])), raw(*sent([inside, after]))]
    counted = [(await ask(client, make_request(server)))[1].usage for _ in range(2)]
    assert counted == [Usage(9, 4), Usage(10, 5)]


def _json(payload: object) -> list[bytes]:
    return [line.removeprefix(b"data: ") for line in sent([payload])]  # type: ignore[list-item]


LENGTHS = {OPENAI: "length", RESPONSES: "max_output_tokens", ANTHROPIC: "max_tokens", GOOGLE: "MAX_TOKENS"}
FILTERS = [
    pytest.param(OPENAI, "content_filter", "filter", id="openai"),
    pytest.param(OPENAI, "sensitive", "filter", id="openai-zai"),
    pytest.param(RESPONSES, "content_filter", "filter", id="responses"),
    pytest.param(ANTHROPIC, "refusal", "refusal", id="anthropic"),
    *(
        pytest.param(GOOGLE, word, "filter", id=f"google-{word}")
        for word in ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY")
    ),
]


async def _stopped(api: str, stream: bool, text: str, word: str, server: ProviderServer) -> None:
    before = [piece(api, text)] if text else []
    plain = raw(*_json(whole(api, text, word)), headers=JSON)
    server.script[KEY] = [raw(*sent([*before, end(api, word)])) if stream else plain]


@EVERY
@BOTH_WAYS
@pytest.mark.parametrize("text", ["half an", ""])
async def test_an_answer_that_is_cut_at_its_longest_says_so(
    api: str, stream: bool, text: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    await _stopped(api, stream, text, LENGTHS[api], server)
    done = (await ask(client, make_request(server, api, stream=stream)))[1]
    assert (done.text, done.stop_reason) == (text, "length")


@pytest.mark.parametrize(("api", "word", "reason"), FILTERS)
@BOTH_WAYS
async def test_an_answer_that_a_filter_cut_is_shown_and_says_so(
    api: str, stream: bool, word: str, reason: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    await _stopped(api, stream, "half an", word, server)
    done = (await ask(client, make_request(server, api, stream=stream)))[1]
    assert (done.text, done.stop_reason) == ("half an", reason)


@pytest.mark.parametrize(("api", "word", "reason"), FILTERS)
@BOTH_WAYS
async def test_an_answer_that_a_filter_left_nothing_of_is_an_error(
    api: str, stream: bool, word: str, reason: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    await _stopped(api, stream, "", word, server)
    failure = await failing(client, make_request(server, api, stream=stream))
    assert failure.reason is FailureReason.FORMAT, "no other credential would be told anything else"
    assert (f"({word})" in failure.detail) is (reason == "filter")
    assert ("refused to answer" in failure.detail) is (reason == "refusal")


@BOTH_WAYS
async def test_a_prompt_that_google_blocks_is_an_error(
    stream: bool, server: ProviderServer, client: HttpProviderClient
) -> None:
    blocked = {
        "promptFeedback": {"blockReason": "OTHER", "safetyRatings": []},
        "usageMetadata": {"promptTokenCount": 4},
    }
    server.script[KEY] = [raw(*sent([blocked])) if stream else raw(*_json(blocked), headers=JSON)]
    failure = await failing(client, make_request(server, GOOGLE, stream=stream))
    assert failure.reason is FailureReason.FORMAT
    assert failure.detail == "A content filter of the provider left nothing of the answer (OTHER)."


NO = "I can't help with that."


@pytest.mark.parametrize(
    ("api", "payload", "stream"),
    [
        (OPENAI, {"choices": [{"delta": {"refusal": NO}, "finish_reason": "stop"}]}, True),
        (OPENAI, {"choices": [{"message": {"content": None, "refusal": NO}, "finish_reason": "stop"}]}, False),
        (RESPONSES, {"type": "response.refusal.delta", "delta": NO}, True),
        (RESPONSES, {"status": "completed", "output": [
            {"type": "message", "content": [{"type": "refusal", "refusal": NO}]}]}, False),
    ],
)  # fmt: skip
async def test_a_refusal_is_shown_as_one(
    api: str, payload: dict[str, Any], stream: bool, server: ProviderServer, client: HttpProviderClient
) -> None:
    body = sent([payload, end(api)]) if stream else _json(payload)
    server.script[KEY] = [raw(*body) if stream else raw(*body, headers=JSON)]
    done = (await ask(client, make_request(server, api, stream=stream)))[1]
    assert (done.text, done.stop_reason) == (NO, "refusal")


@EVERY
async def test_thoughts_and_calls_of_tools_are_not_the_answer(
    api: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    said = [*thought(api, "secretly"), piece(api, "an "), *tool(api, "hammer"), piece(api, "answer"), end(api)]
    server.script[KEY] = [raw(*sent(said)), raw(*sent([*thought(api, "secretly"), *tool(api, "hammer"), end(api)]))]
    pieces, done = await ask(client, make_request(server, api))
    assert (pieces, done.text) == (["an ", "answer"], "an answer")
    assert await ask(client, make_request(server, api)) == ([], Completed("", Usage(), "stop"))


@pytest.mark.parametrize(
    ("word", "reason"),
    [("error", FailureReason.NETWORK), ("network_error", FailureReason.NETWORK),
     ("insufficient_system_resource", FailureReason.OVERLOADED)],
)  # fmt: skip
async def test_an_end_that_is_a_fault_is_a_failure(
    word: str, reason: FailureReason, server: ProviderServer, client: HttpProviderClient
) -> None:
    server.script[KEY] = [raw(*sent([piece(OPENAI, "half"), end(OPENAI, word)]))]
    failure = await failing(client, make_request(server))
    assert failure.reason is reason
    assert word in failure.detail


@pytest.mark.parametrize("word", ["tool_calls", "quite_new"])
async def test_an_end_in_other_words_is_an_end(word: str, server: ProviderServer, client: HttpProviderClient) -> None:
    server.script[KEY] = [raw(*sent([piece(OPENAI, "half"), end(OPENAI, word)]))]
    done = (await ask(client, make_request(server)))[1]
    assert (done.text, done.stop_reason) == ("half", "tool_calls" if word == "tool_calls" else "other")
