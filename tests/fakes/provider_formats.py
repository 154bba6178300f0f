"""The wire formats that the demo does not speak, as their vendors do: OpenAI's Responses and Google's generateContent.

Shapes: platform.openai.com/docs/api-reference/responses-streaming and ai.google.dev/api/generate-content. See
`bot.demo.vendor_formats.VendorFormat`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_Json = Mapping[str, Any]


class ResponsesFormat:
    """`response` objects and typed events. A model that thinks first: an item of reasoning comes before the message."""

    def answer(self, model: str, text: str, tokens: tuple[int, int]) -> _Json:
        part = {"type": "output_text", "text": text, "annotations": []}
        thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "thinking aloud"}]}
        message = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part]}
        return {
            "id": "resp_1",
            "object": "response",
            "status": "completed",
            "error": None,
            "incomplete_details": None,
            "model": model,
            "output": [thought, message],
            "usage": {
                "input_tokens": tokens[0],
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": tokens[1],
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": sum(tokens),
            },
        }

    def events(self, model: str, pieces: Sequence[str], tokens: tuple[int, int]) -> Iterator[bytes]:
        whole = self.answer(model, "".join(pieces), tokens)
        place = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
        yield typed({"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}})
        yield typed({"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "thinking aloud"})
        for piece in pieces:
            yield typed({"type": "response.output_text.delta", **place, "delta": piece})
        yield typed({"type": "response.output_text.done", **place, "text": "".join(pieces)})
        yield typed({"type": "response.completed", "response": whole})

    def error(self, status: int, message: str) -> _Json:
        kind, code = {
            401: ("invalid_request_error", "invalid_api_key"),
            404: ("invalid_request_error", "model_not_found"),
            429: ("requests", "rate_limit_exceeded"),
        }.get(status, ("invalid_request_error", None))
        return {"error": {"message": message, "type": kind, "param": None, "code": code}}


class GoogleFormat:
    """`GenerateContentResponse` objects. The stream ends with the connection: there is no event for it."""

    def answer(self, model: str, text: str, tokens: tuple[int, int]) -> _Json:
        return self._chunk(model, [{"text": "thinking aloud", "thought": True}, {"text": text}], tokens, "STOP")

    def events(self, model: str, pieces: Sequence[str], tokens: tuple[int, int]) -> Iterator[bytes]:
        for piece in pieces:
            yield plain(self._chunk(model, [{"text": piece}], (tokens[0], 0), None))
        yield plain(self._chunk(model, [{"text": ""}], tokens, "STOP"))

    def _chunk(self, model: str, parts: list[_Json], tokens: tuple[int, int], finish: str | None) -> _Json:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
        usage = {"promptTokenCount": tokens[0], "candidatesTokenCount": tokens[1], "totalTokenCount": sum(tokens)}
        if finish is not None:
            candidate["finishReason"] = finish
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": "r1"}

    def error(self, status: int, message: str) -> _Json:
        names = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
        name = {**names, 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}.get(status, "INTERNAL")
        return {"error": {"code": status, "message": message, "status": name, "details": []}}


def plain(payload: object) -> bytes:
    """An event without a name."""
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def typed(payload: _Json) -> bytes:
    """An event that is named after its type."""
    return f"event: {payload['type']}\n".encode() + plain(payload)
