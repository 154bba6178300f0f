"""API kind `anthropic-messages`: POST <base>/v1/messages, spoken by Anthropic and by compatible providers.

Source: docs.anthropic.com/en/api/messages and /messages-streaming. Keys go into `x-api-key`; tokens of a login are bearers and
need the beta header. `max_tokens` is required, roles must alternate, and no message may be empty.
"""

from dataclasses import replace

import httpx

from adapters.providers import json_fields
from adapters.providers.endpoint import call_url
from adapters.providers.wire import Transcript, broken, checked, encoded, event_object
from core.auth.profiles import CredentialKind
from core.chat.completion import Completed, CompletionRequest, Usage
from core.sessions.history import Image, Message

VERSION = "2023-06-01"
DEFAULT_MAX_TOKENS = 8192
"""Where neither catalogue nor config says: what every current model of the vendor may write."""
_LOGIN_TOKEN = "sk-ant-oat"
_BEARERS = (CredentialKind.TOKEN, CredentialKind.OAUTH, CredentialKind.CLI)


class AnthropicMessages:
    """The wire format; see `wire.WireFormat`."""

    def url(self, base_url: str) -> httpx.URL:
        return call_url(base_url, "/v1/messages", not_doubled="/v1")

    def headers(self) -> dict[str, str]:
        return {"anthropic-version": VERSION}

    def credential(self, kind: CredentialKind, secret: str) -> dict[str, str]:
        """By kind; a token of the vendor's own login is known by its shape too, for the environment names no kind."""
        if secret.startswith(_LOGIN_TOKEN):
            return {"authorization": f"Bearer {secret}", "anthropic-beta": "oauth-2025-04-20"}
        return {"authorization": f"Bearer {secret}"} if kind in _BEARERS else {"x-api-key": secret}

    def payload(self, request: CompletionRequest, url: httpx.URL) -> dict[str, object]:
        return {
            "model": request.model,
            "max_tokens": request.max_tokens or DEFAULT_MAX_TOKENS,
            "messages": _alternating(request.messages),
            "stream": request.stream,
        }

    def read_answer(self, payload: object) -> Completed:
        answer = checked(json_fields.mapping(payload))
        if not isinstance(answer.get("content"), list):
            raise broken("The answer holds no content.")
        transcript = Transcript()
        transcript.add(json_fields.prose(answer["content"]))
        transcript.usage = _usage(json_fields.mapping(answer.get("usage")), Usage())
        transcript.stop_reason = json_fields.text(answer.get("stop_reason")) or "end_turn"
        return transcript.completed()

    def stream_reader(self) -> "EventReader":
        return EventReader()


class EventReader:
    """Reads typed events from message_start to message_stop; see `wire.StreamReader`."""

    def __init__(self) -> None:
        self._transcript = Transcript()
        self.is_closed = False

    @property
    def has_finished(self) -> bool:
        return bool(self._transcript.stop_reason)

    def feed(self, event: str, data: str) -> str:
        if not data.strip():
            return ""
        payload = event_object(event, data)
        said = ""
        match payload.get("type"):
            case "message_start":
                self._count(json_fields.mapping(payload.get("message")).get("usage"))
            case "content_block_start":
                block = json_fields.mapping(payload.get("content_block"))
                said = json_fields.prose([block]) if block.get("type") == "text" else ""
            case "content_block_delta":
                delta = json_fields.mapping(payload.get("delta"))
                said = json_fields.text(delta.get("text")) if delta.get("type") == "text_delta" else ""
            case "message_delta":
                stop = json_fields.mapping(payload.get("delta")).get("stop_reason")
                self._transcript.stop_reason = json_fields.text(stop) or self._transcript.stop_reason
                self._count(payload.get("usage"))
            case "message_stop":
                self.is_closed = True
                self._transcript.stop_reason = self._transcript.stop_reason or "end_turn"
        return self._transcript.add(said)

    def _count(self, usage: object) -> None:
        self._transcript.usage = _usage(json_fields.mapping(usage), self._transcript.usage)

    def completed(self) -> Completed:
        return self._transcript.completed()


def _alternating(messages: tuple[Message, ...]) -> list[dict[str, object]]:
    """Roles in turn: neighbours of one role become one message, empty ones are left out."""
    merged: list[tuple[str, list[str], list[Image]]] = []
    for message in messages:
        if not message.text.strip() and not message.images:
            continue
        if not merged or merged[-1][0] != message.role.value:
            merged.append((message.role.value, [], []))
        merged[-1][1].extend([message.text] if message.text.strip() else [])
        merged[-1][2].extend(message.images)
    return [{"role": role, "content": _content("\n\n".join(texts), images)} for role, texts, images in merged]


def _content(text: str, images: list[Image]) -> str | list[dict[str, object]]:
    """Pictures stand before the text that is about them, as the vendor advises."""
    if not images:
        return text
    parts: list[dict[str, object]] = [
        {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": encoded(image)}}
        for image in images
    ]
    return [*parts, {"type": "text", "text": text}] if text else parts


def _usage(usage: dict[str, object], before: Usage) -> Usage:
    """Counts are cumulative; cached input is input too, as the other wire format counts it."""
    new = json_fields.count(usage.get("input_tokens"))
    written = json_fields.count(usage.get("cache_creation_input_tokens"))
    read = json_fields.count(usage.get("cache_read_input_tokens"))
    answered = json_fields.count(usage.get("output_tokens")) or before.output_tokens
    if not new + written + read:
        return replace(before, output_tokens=answered)
    return Usage(new + written + read, answered, cache_read_tokens=read, cache_write_tokens=written)
