"""API kind `anthropic-messages`: POST <base>/v1/messages, spoken by Anthropic and by compatible providers.

Source: docs.anthropic.com/en/api/messages and /messages-streaming. Keys go into `x-api-key`; tokens of a login are bearers and
need the beta header. `max_tokens` is required, roles must alternate, and no message may be empty.
"""

from dataclasses import replace

import httpx

from adapters.providers import json_fields
from adapters.providers.endpoint import call_url
from adapters.providers.error_body import broken
from adapters.providers.transcript import Transcript
from adapters.providers.wire import StreamReader, alternating, checked, encoded
from core.auth.profiles import CredentialKind
from core.chat.completion import Completed, CompletionRequest, Usage
from core.sessions.history import Message

VERSION = "2023-06-01"
DEFAULT_MAX_TOKENS = 8192
"""Where neither catalogue nor config says: what every current model of the vendor may write."""
_LOGIN_TOKEN = "sk-ant-oat"
_BEARERS = (CredentialKind.TOKEN, CredentialKind.OAUTH)


class AnthropicMessages:
    """The wire format; see `wire.WireFormat`."""

    def url(self, request: CompletionRequest) -> httpx.URL:
        return call_url(request.endpoint.base_url, "/v1/messages", not_doubled="/v1")

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
            "messages": [{"role": m.role.value, "content": _content(m)} for m in alternating(request.messages)],
            "stream": request.stream,
        }

    def read_answer(self, payload: object) -> Completed:
        answer = checked(payload)
        if not isinstance(answer.get("content"), list):
            raise broken("The answer holds no content.")
        transcript = Transcript()
        transcript.add(json_fields.prose(answer["content"]))
        transcript.usage = _usage(json_fields.mapping(answer.get("usage")), Usage())
        transcript.stop(json_fields.text(answer.get("stop_reason")))
        transcript.close()
        return transcript.completed()

    def stream_reader(self) -> "EventReader":
        return EventReader()


class EventReader(StreamReader):
    """Reads typed events from message_start to message_stop. Of the blocks only those of text are the answer."""

    def read(self, payload: dict[str, object]) -> str:
        match payload.get("type"):
            case "message_start":
                self._count(json_fields.mapping(payload.get("message")).get("usage"))
            case "content_block_start":
                block = json_fields.mapping(payload.get("content_block"))
                return json_fields.prose([block]) if block.get("type") == "text" else ""
            case "content_block_delta":
                delta = json_fields.mapping(payload.get("delta"))
                return json_fields.text(delta.get("text")) if delta.get("type") == "text_delta" else ""
            case "message_delta":
                self.transcript.stop(json_fields.text(json_fields.mapping(payload.get("delta")).get("stop_reason")))
                self._count(payload.get("usage"))
            case "message_stop":
                self.close()
        return ""

    def _count(self, usage: object) -> None:
        self.transcript.usage = _usage(json_fields.mapping(usage), self.transcript.usage)


def _content(message: Message) -> str | list[dict[str, object]]:
    """Pictures stand before the text that is about them, as the vendor advises."""
    if not message.images:
        return message.text
    parts: list[dict[str, object]] = [
        {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": encoded(image)}}
        for image in message.images
    ]
    return [*parts, {"type": "text", "text": message.text}] if message.text else parts


def _usage(usage: dict[str, object], before: Usage) -> Usage:
    """Counts are cumulative; cached input is input too, as the other wire format counts it."""
    new = json_fields.count(usage.get("input_tokens"))
    written = json_fields.count(usage.get("cache_creation_input_tokens"))
    read = json_fields.count(usage.get("cache_read_input_tokens"))
    answered = json_fields.count(usage.get("output_tokens")) or before.output_tokens
    if not new + written + read:
        return replace(before, output_tokens=answered)
    return Usage(new + written + read, answered, cache_read_tokens=read, cache_write_tokens=written)
