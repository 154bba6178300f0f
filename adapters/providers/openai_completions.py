"""API kind `openai-completions`: POST <base>/chat/completions, spoken by OpenAI and by most others.

Source: platform.openai.com/docs/api-reference/chat. What the others do differently and is taken as it comes: no usage, no
`[DONE]`, comments between events, an error inside the stream, content as an array of parts, JSON where a stream was asked for.
"""

import httpx

from adapters.providers import json_fields
from adapters.providers.endpoint import call_url
from adapters.providers.wire import Transcript, broken, checked, data_url, event_object
from core.auth.profiles import CredentialKind
from core.chat.completion import Completed, CompletionRequest, Usage
from core.sessions.history import Message


class OpenAICompletions:
    """The wire format; see `wire.WireFormat`."""

    def url(self, base_url: str) -> httpx.URL:
        return call_url(base_url, "/chat/completions")

    def headers(self) -> dict[str, str]:
        return {}

    def credential(self, kind: CredentialKind, secret: str) -> dict[str, str]:
        return {"authorization": f"Bearer {secret}"}

    def payload(self, request: CompletionRequest, url: httpx.URL) -> dict[str, object]:
        payload: dict[str, object] = {
            "model": request.model,
            "messages": [{"role": m.role.value, "content": _content(m)} for m in request.messages],
            "stream": request.stream,
        }
        if request.stream:
            payload["stream_options"] = {"include_usage": True}
        if request.max_tokens is not None:
            # OpenAI's newer models refuse `max_tokens`; compatible servers know nothing else.
            name = "max_completion_tokens" if url.host == "api.openai.com" else "max_tokens"
            payload[name] = request.max_tokens
        return payload

    def read_answer(self, payload: object) -> Completed:
        choice = _first_choice(checked(json_fields.mapping(payload)))
        message = choice.get("message")
        if not isinstance(message, dict):
            raise broken("The answer holds no message.")
        transcript = Transcript()
        transcript.add(_said(message))
        transcript.usage = _usage(json_fields.mapping(payload))
        transcript.stop_reason = json_fields.text(choice.get("finish_reason")) or "stop"
        return transcript.completed()

    def stream_reader(self) -> "ChunkReader":
        return ChunkReader()


class ChunkReader:
    """Reads `chat.completion.chunk` events; see `wire.StreamReader`."""

    def __init__(self) -> None:
        self._transcript = Transcript()
        self.is_closed = False

    @property
    def has_finished(self) -> bool:
        return bool(self._transcript.stop_reason)

    def feed(self, event: str, data: str) -> str:
        if data.strip() == "[DONE]":
            # The format's own end: an answer that is closed so is whole, whether or not a reason came with it.
            self.is_closed = True
            self._transcript.stop_reason = self._transcript.stop_reason or "stop"
            return ""
        if not data.strip():
            return ""
        chunk = event_object(event, data)
        if isinstance(chunk.get("usage"), dict):
            self._transcript.usage = _usage(chunk)
        choice = _first_choice(chunk)
        if stop := json_fields.text(choice.get("finish_reason")):
            self._transcript.stop_reason = stop
        return self._transcript.add(_said(json_fields.mapping(choice.get("delta"))))

    def completed(self) -> Completed:
        return self._transcript.completed()


def _content(message: Message) -> str | list[dict[str, object]]:
    """Plain text where there is nothing else: not every compatible server knows parts."""
    if not message.images:
        return message.text
    parts: list[dict[str, object]] = [{"type": "text", "text": message.text}] if message.text else []
    for image in message.images:
        parts.append({"type": "image_url", "image_url": {"url": data_url(image)}})
    return parts


def _first_choice(payload: dict[str, object]) -> dict[str, object]:
    """Only one answer was asked for; whatever comes as a second one would be mixed into the first."""
    choices = (json_fields.mapping(choice) for choice in json_fields.items(payload.get("choices")))
    return next((choice for choice in choices if choice.get("index", 0) == 0), {})


def _said(message: dict[str, object]) -> str:
    return json_fields.prose(message.get("content")) or json_fields.text(message.get("refusal"))


def _usage(payload: dict[str, object]) -> Usage:
    usage = json_fields.mapping(payload.get("usage"))
    cached = json_fields.mapping(usage.get("prompt_tokens_details")).get("cached_tokens")
    return Usage(
        json_fields.count(usage.get("prompt_tokens")),
        json_fields.count(usage.get("completion_tokens")),
        cache_read_tokens=json_fields.count(cached),
    )
