"""The two wire formats as their vendors speak them: answers, streams of events and error bodies."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol


class VendorFormat(Protocol):
    """One vendor's way of saying the same things."""

    def answer(self, model: str, text: str, tokens: tuple[int, int]) -> Mapping[str, Any]: ...

    def events(self, model: str, pieces: Sequence[str], tokens: tuple[int, int]) -> Iterator[bytes]:
        """Server-sent events: one at least for each piece, and those that end the stream."""
        ...

    def error(self, status: int, message: str) -> Mapping[str, Any]: ...


class OpenAIFormat:
    """`chat.completion` objects and chunks."""

    def answer(self, model: str, text: str, tokens: tuple[int, int]) -> Mapping[str, Any]:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return {"id": "demo", "object": "chat.completion", "model": model, "choices": [choice], "usage": _usage(tokens)}

    def events(self, model: str, pieces: Sequence[str], tokens: tuple[int, int]) -> Iterator[bytes]:
        envelope = {"id": "demo", "object": "chat.completion.chunk", "model": model}
        for piece in pieces:
            choice = {"index": 0, "delta": {"content": piece}, "finish_reason": None}
            yield _event({**envelope, "choices": [choice]})
        yield _event({**envelope, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        yield _event({**envelope, "choices": [], "usage": _usage(tokens)})
        yield b"data: [DONE]\n\n"

    def error(self, status: int, message: str) -> Mapping[str, Any]:
        kind, code = {
            401: ("invalid_request_error", "invalid_api_key"),
            404: ("invalid_request_error", "model_not_found"),
            429: ("requests", "rate_limit_exceeded"),
        }.get(status, ("invalid_request_error", None))
        return {"error": {"message": message, "type": kind, "param": None, "code": code}}


class AnthropicFormat:
    """`message` objects and typed events."""

    def answer(self, model: str, text: str, tokens: tuple[int, int]) -> Mapping[str, Any]:
        return {
            "id": "demo",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": tokens[0], "output_tokens": tokens[1]},
        }

    def events(self, model: str, pieces: Sequence[str], tokens: tuple[int, int]) -> Iterator[bytes]:
        opening = {**self.answer(model, "", (tokens[0], 0)), "content": [], "stop_reason": None}
        yield _typed({"type": "message_start", "message": opening})
        yield _typed({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
        for piece in pieces:
            delta = {"type": "text_delta", "text": piece}
            yield _typed({"type": "content_block_delta", "index": 0, "delta": delta})
        yield _typed({"type": "content_block_stop", "index": 0})
        ending = {"stop_reason": "end_turn", "stop_sequence": None}
        yield _typed({"type": "message_delta", "delta": ending, "usage": {"output_tokens": tokens[1]}})
        yield _typed({"type": "message_stop"})

    def error(self, status: int, message: str) -> Mapping[str, Any]:
        kinds = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
        return {"type": "error", "error": {"type": kinds.get(status, "invalid_request_error"), "message": message}}


def _usage(tokens: tuple[int, int]) -> Mapping[str, int]:
    return {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}


def _event(payload: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def _typed(payload: Mapping[str, Any]) -> bytes:
    return f"event: {payload['type']}\n".encode() + _event(payload)
