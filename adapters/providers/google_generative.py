"""API kind `google-generative-ai`: POST <base>/models/<id>:streamGenerateContent?alt=sse, and :generateContent without a stream.

Source: ai.google.dev/api/generate-content. A key travels in `x-goog-api-key`, never in the URL; tokens of a login are bearers.
Parts that are marked as thoughts are not the answer; a prompt that a filter blocks has no candidate at all.
"""

from urllib.parse import quote

import httpx

from adapters.providers import json_fields
from adapters.providers.endpoint import call_url
from adapters.providers.error_body import broken
from adapters.providers.wire import StreamReader, alternating, checked, encoded
from core.auth.profiles import CredentialKind
from core.chat.completion import Completed, CompletionRequest, StopReason, Usage
from core.sessions.history import Message, Role

_BEARERS = (CredentialKind.TOKEN, CredentialKind.OAUTH)
_LOGIN_TOKEN = "ya29."
_ROLES = {Role.USER: "user", Role.ASSISTANT: "model"}


class GoogleGenerative:
    """The wire format; see `wire.WireFormat`."""

    def url(self, request: CompletionRequest) -> httpx.URL:
        """The model's id is one segment of the path, whatever it holds."""
        method = "streamGenerateContent" if request.stream else "generateContent"
        name = quote(request.model.removeprefix("models/"), safe="")
        url = call_url(request.endpoint.base_url, f"/models/{name}:{method}")
        return url.copy_merge_params({"alt": "sse"}) if request.stream else url

    def headers(self) -> dict[str, str]:
        return {}

    def credential(self, kind: CredentialKind, secret: str) -> dict[str, str]:
        """By kind; a token of the vendor's own login is known by its shape too, for the environment names no kind."""
        if kind in _BEARERS or secret.startswith(_LOGIN_TOKEN):
            return {"authorization": f"Bearer {secret}"}
        return {"x-goog-api-key": secret}

    def payload(self, request: CompletionRequest, url: httpx.URL) -> dict[str, object]:
        payload: dict[str, object] = {
            "contents": [
                {"role": _ROLES[message.role], "parts": _parts(message)} for message in alternating(request.messages)
            ]
        }
        if request.max_tokens is not None:
            payload["generationConfig"] = {"maxOutputTokens": request.max_tokens}
        return payload

    def read_answer(self, payload: object) -> Completed:
        """Also the array of chunks that comes where `alt=sse` was not understood."""
        chunks = [checked(chunk) for chunk in (payload if isinstance(payload, list) else [payload])]
        if not any(isinstance(chunk.get("candidates"), list) or "promptFeedback" in chunk for chunk in chunks):
            raise broken("The answer holds no candidates.")
        reader = CandidateReader()
        for chunk in chunks:
            reader.transcript.add(reader.read(chunk))
        reader.close()
        return reader.completed()

    def stream_reader(self) -> "CandidateReader":
        return CandidateReader()


class CandidateReader(StreamReader):
    """Reads GenerateContentResponse objects. Some models give a reason for the end with each of them."""

    def read(self, payload: dict[str, object]) -> str:
        if usage := json_fields.mapping(payload.get("usageMetadata")):
            self.transcript.usage = _usage(usage)
        blocked = json_fields.mapping(payload.get("promptFeedback")).get("blockReason")
        self.transcript.stop(json_fields.text(blocked), StopReason.FILTER)
        candidates = map(json_fields.mapping, json_fields.items(payload.get("candidates")))
        first = next((candidate for candidate in candidates if candidate.get("index") in (0, None)), {})
        self.transcript.stop(json_fields.text(first.get("finishReason")))
        parts = json_fields.items(json_fields.mapping(first.get("content")).get("parts"))
        said = (part for part in map(json_fields.mapping, parts) if part.get("thought") is not True)
        return "".join(json_fields.text(part.get("text")) for part in said)


def _parts(message: Message) -> list[dict[str, object]]:
    """Pictures stand before the text that is about them, as the vendor advises."""
    pictures: list[dict[str, object]] = [
        {"inlineData": {"mimeType": image.media_type, "data": encoded(image)}} for image in message.images
    ]
    return [*pictures, {"text": message.text}] if message.text else pictures


def _usage(usage: dict[str, object]) -> Usage:
    """Thoughts are paid for like the answer; what was read from the cache is among the prompt."""

    def count(name: str) -> int:
        return json_fields.count(usage.get(name))

    return Usage(
        count("promptTokenCount") + count("toolUsePromptTokenCount"),
        count("candidatesTokenCount") + count("thoughtsTokenCount"),
        cache_read_tokens=count("cachedContentTokenCount"),
    )
