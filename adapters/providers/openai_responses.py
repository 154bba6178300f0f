"""API kind `openai-responses`: POST <base>/responses, OpenAI's newer API, also xAI's.

Source: platform.openai.com/docs/api-reference/responses and /responses-streaming. The whole conversation is sent each time and
nothing is kept at the provider (`store: false`), so that any credential can go on with it. Of the output only messages are
read; the model's reasoning and its calls of tools are never shown.
"""

import httpx

from adapters.providers import json_fields
from adapters.providers.endpoint import call_url
from adapters.providers.error_body import ErrorBody, RefusedInBody, broken
from adapters.providers.transcript import Transcript
from adapters.providers.wire import StreamReader, checked, data_url
from core.auth.profiles import CredentialKind
from core.chat.completion import Completed, CompletionRequest, Usage
from core.sessions.history import Message, Role

SHORTEST_LIMIT = 16
"""The vendor refuses to be asked for fewer tokens."""


class OpenAIResponses:
    """The wire format; see `wire.WireFormat`."""

    def url(self, request: CompletionRequest) -> httpx.URL:
        return call_url(request.endpoint.base_url, "/responses")

    def headers(self) -> dict[str, str]:
        return {}

    def credential(self, kind: CredentialKind, secret: str) -> dict[str, str]:
        return {"authorization": f"Bearer {secret}"}

    def payload(self, request: CompletionRequest, url: httpx.URL) -> dict[str, object]:
        payload: dict[str, object] = {
            "model": request.model,
            "input": [_item(message) for message in request.messages if message.text or message.images],
            "stream": request.stream,
            "store": False,
        }
        if request.max_tokens is not None:
            payload["max_output_tokens"] = max(request.max_tokens, SHORTEST_LIMIT)
        return payload

    def read_answer(self, payload: object) -> Completed:
        response = checked(payload)
        if not isinstance(response.get("output"), list):
            raise broken("The answer holds no output.")
        transcript = Transcript()
        transcript.add(_finish(response, transcript))
        return transcript.completed()

    def stream_reader(self) -> "ResponseReader":
        return ResponseReader()


class ResponseReader(StreamReader):
    """Reads typed events from response.created to response.completed."""

    def __init__(self) -> None:
        super().__init__()
        self._item: object = None

    def read(self, payload: dict[str, object]) -> str:
        match payload.get("type"):
            case "response.output_text.delta":
                return self._piece(payload)
            case "response.refusal.delta":
                self.transcript.refused = True
                return self._piece(payload)
            case "response.output_text.done" if self.transcript.is_empty:
                return json_fields.text(payload.get("text"))
            case "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled":
                self.is_closed = True
                return _finish(checked(payload.get("response")), self.transcript)
        return ""

    def _piece(self, payload: dict[str, object]) -> str:
        """A second message of one answer begins a new paragraph."""
        piece = json_fields.text(payload.get("delta"))
        before, self._item = self._item, payload.get("output_index")
        is_next = not self.transcript.is_empty and before != self._item
        return f"\n\n{piece}" if is_next and piece else piece


def _finish(response: dict[str, object], transcript: Transcript) -> str:
    """Note how the response ended, and give its text where no delta brought it. Raises RefusedInBody where it failed."""
    status = json_fields.text(response.get("status")) or "completed"
    if status == "failed":
        raise RefusedInBody(ErrorBody(("server_error",), "The provider says that the answer failed, and not why."))
    if status in ("queued", "in_progress"):
        raise broken("The provider answered before it had an answer.")
    transcript.usage = _usage(json_fields.mapping(response.get("usage")))
    reason = json_fields.mapping(response.get("incomplete_details")).get("reason")
    transcript.stop(json_fields.text(reason) or ("other" if status == "incomplete" else status))
    return _written(response, transcript) if transcript.is_empty else ""


def _written(response: dict[str, object], transcript: Transcript) -> str:
    items = map(json_fields.mapping, json_fields.items(response.get("output")))
    said = [_message(item, transcript) for item in items if item.get("type", "message") == "message"]
    return "\n\n".join(filter(None, said))


def _message(item: dict[str, object], transcript: Transcript) -> str:
    content = json_fields.items(item.get("content"))
    refusals = [json_fields.text(part.get("refusal")) for part in map(json_fields.mapping, content)]
    transcript.refused = transcript.refused or any(refusals)
    return json_fields.prose(item.get("content")) or "".join(refusals)


def _item(message: Message) -> dict[str, object]:
    is_answer = message.role is Role.ASSISTANT
    parts: list[dict[str, object]] = []
    if message.text:
        parts.append({"type": "output_text" if is_answer else "input_text", "text": message.text})
    parts += [{"type": "input_image", "image_url": data_url(image)} for image in message.images]
    return {"type": "message", "role": message.role.value, "content": parts}


def _usage(usage: dict[str, object]) -> Usage:
    """Tokens of reasoning are among those of the output."""
    cached = json_fields.mapping(usage.get("input_tokens_details")).get("cached_tokens")
    return Usage(
        json_fields.count(usage.get("input_tokens")),
        json_fields.count(usage.get("output_tokens")),
        cache_read_tokens=json_fields.count(cached),
    )
