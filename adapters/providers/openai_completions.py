"""API kind `openai-completions`: POST <base>/chat/completions, spoken by OpenAI and by most others.

Source: platform.openai.com/docs/api-reference/chat. What the others do differently and is taken as it comes: no usage, or usage
inside a choice; no `[DONE]`; comments between events; an error inside the stream; a prelude without choices; content as an array
of parts or null; a whole message in place of a delta; the model's reasoning beside its answer, which is never shown.
"""

import httpx

from adapters.providers import json_fields
from adapters.providers.endpoint import call_url
from adapters.providers.error_body import broken
from adapters.providers.transcript import Transcript
from adapters.providers.wire import StreamReader, checked, data_url
from core.auth.profiles import CredentialKind
from core.chat.completion import Completed, CompletionRequest, Usage
from core.sessions.history import Message


class OpenAICompletions:
    """The wire format; see `wire.WireFormat`."""

    def url(self, request: CompletionRequest) -> httpx.URL:
        return call_url(request.endpoint.base_url, "/chat/completions")

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
        answer = checked(payload)
        choice = _first_choice(answer)
        message = choice.get("message")
        if not isinstance(message, dict):
            raise broken("The answer holds no message.")
        transcript = Transcript()
        transcript.add(_said(message, transcript))
        transcript.usage = _usage(answer, choice) or Usage()
        transcript.stop(json_fields.text(choice.get("finish_reason")))
        transcript.close()
        return transcript.completed()

    def stream_reader(self) -> "ChunkReader":
        return ChunkReader()


class ChunkReader(StreamReader):
    """Reads `chat.completion.chunk` events."""

    def read(self, payload: dict[str, object]) -> str:
        choice = _first_choice(payload)
        self.transcript.usage = _usage(payload, choice) or self.transcript.usage
        self.transcript.stop(json_fields.text(choice.get("finish_reason")))
        message = choice.get("delta")
        if not isinstance(message, dict) and self.transcript.is_empty:
            message = choice.get("message")  # a whole answer as one event; some send it again at the end
        return _said(json_fields.mapping(message), self.transcript)


def _content(message: Message) -> str | list[dict[str, object]]:
    """Plain text where there is nothing else: not every compatible server knows parts."""
    if not message.images:
        return message.text
    words: list[dict[str, object]] = [{"type": "text", "text": message.text}] if message.text else []
    pictures: list[dict[str, object]] = [
        {"type": "image_url", "image_url": {"url": data_url(image)}} for image in message.images
    ]
    return words + pictures


def _first_choice(payload: dict[str, object]) -> dict[str, object]:
    """Only one answer was asked for; whatever comes as a second one would be mixed into the first."""
    choices = (json_fields.mapping(choice) for choice in json_fields.items(payload.get("choices")))
    return next((choice for choice in choices if choice.get("index") in (0, None)), {})


def _said(message: dict[str, object], transcript: Transcript) -> str:
    refusal = json_fields.text(message.get("refusal"))
    transcript.refused = transcript.refused or bool(refusal)
    return json_fields.prose(message.get("content")) or refusal


def _usage(payload: dict[str, object], choice: dict[str, object]) -> Usage | None:
    usage = json_fields.mapping(payload.get("usage")) or json_fields.mapping(choice.get("usage"))
    details = json_fields.mapping(usage.get("prompt_tokens_details"))
    cached = json_fields.count(details.get("cached_tokens")) or json_fields.count(usage.get("prompt_cache_hit_tokens"))
    asked, answered = json_fields.count(usage.get("prompt_tokens")), json_fields.count(usage.get("completion_tokens"))
    return Usage(asked, answered, cache_read_tokens=cached) if usage else None
