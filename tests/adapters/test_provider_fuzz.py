"""Hostile JSON never breaks a reader: it is understood, refused, or reported as broken."""

import json
from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.providers.anthropic_messages import AnthropicMessages
from adapters.providers.error_body import RefusedInBody, read_refusal
from adapters.providers.google_generative import GoogleGenerative
from adapters.providers.openai_completions import OpenAICompletions
from adapters.providers.openai_responses import OpenAIResponses
from core.errors import ProviderError

_ENVELOPE = ("choices", "delta", "message", "content", "content_block", "index", "type", "text", "finish_reason")
_REST = ("error", "code", "status", "detail", "stop_reason", "usage", "input_tokens", "prompt_tokens")
_GOOGLE = (
    "candidates",
    "parts",
    "finishReason",
    "promptFeedback",
    "blockReason",
    "usageMetadata",
    "thought",
    "details",
)
_RESPONSES = (
    "response",
    "output",
    "output_index",
    "refusal",
    "incomplete_details",
    "reason",
    "metadata",
    "raw",
    "base_resp",
)
_FIELDS = st.sampled_from(_ENVELOPE + _REST + _GOOGLE + _RESPONSES)
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_FIELDS, inner, max_size=4),
    max_leaves=20,
)
_TYPES = st.sampled_from([
    *("message_start", "content_block_start", "content_block_delta", "message_delta", "error"),
    *("response.output_text.delta", "response.output_text.done", "response.completed", "response.failed"),
])  # fmt: skip
_EVENTS = st.dictionaries(_FIELDS, _ANY, max_size=5) | st.tuples(_TYPES, st.dictionaries(_FIELDS, _ANY)).map(
    lambda pair: {**pair[1], "type": pair[0]}
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=150)
@given(st.lists(_EVENTS | _ANY, max_size=4), st.sampled_from(["", "error"]))
def test_no_json_whatever_its_shape_breaks_a_reader(events: list[object], name: str) -> None:
    for format_ in (OpenAICompletions(), OpenAIResponses(), AnthropicMessages(), GoogleGenerative()):
        reader = format_.stream_reader()
        for payload in events:
            with suppress(ProviderError, RefusedInBody):
                reader.feed(name, json.dumps(payload))
        with suppress(ProviderError):
            reader.completed()
        for payload in events:
            with suppress(ProviderError, RefusedInBody):
                format_.read_answer(payload)


@given(st.binary(max_size=200) | _ANY.map(lambda value: json.dumps(value).encode()))
def test_no_error_body_breaks_its_reader(body: bytes) -> None:
    refusal = read_refusal(body)
    assert all(isinstance(code, str) for code in refusal.codes)
    refusal.sentence.encode()
