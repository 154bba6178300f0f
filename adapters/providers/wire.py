"""What a wire format has to know, and what all of them share: reading events, messages in turn, and pictures as text."""

import base64
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Protocol

import httpx

from adapters.providers import json_fields
from adapters.providers.error_body import RefusedInBody, broken, read_error, read_refusal
from adapters.providers.transcript import Transcript
from core.auth.profiles import CredentialKind
from core.chat.completion import Completed, CompletionRequest
from core.sessions.history import Image, Message

_DONE = "[DONE]"


class StreamReader(ABC):
    """Reads the events of one streamed answer, in their order. A format says with `read` what one of them means."""

    def __init__(self) -> None:
        self.transcript = Transcript()
        self.is_closed = False
        """The format's own end of stream was seen."""

    @property
    def has_finished(self) -> bool:
        """The model has said why it stopped: nothing of the answer is missing any more, as far as one can know."""
        return self.transcript.has_stopped

    def feed(self, event: str, data: str) -> str:
        """The text that this event adds. Raises RefusedInBody for an error event, ProviderError for what is not JSON."""
        data = data.strip()
        if not data:
            return ""
        if data == _DONE:
            self.close()
            return ""
        return self.transcript.add(self.read(event_object(event, data)))

    @abstractmethod
    def read(self, payload: dict[str, object]) -> str:
        """The text that this event adds; what else it says is noted in the transcript. Never called with an error."""

    def close(self) -> None:
        """The stream says that it is over."""
        self.is_closed = True
        self.transcript.close()

    def completed(self) -> Completed:
        """The whole answer. Raises ProviderError, see Transcript.completed."""
        return self.transcript.completed()


class WireFormat(Protocol):
    """One API kind. Stateless; a reader is made for each stream."""

    def url(self, request: CompletionRequest) -> httpx.URL: ...

    def headers(self) -> dict[str, str]: ...

    def credential(self, kind: CredentialKind, secret: str) -> dict[str, str]: ...

    def payload(self, request: CompletionRequest, url: httpx.URL) -> dict[str, object]: ...

    def read_answer(self, payload: object) -> Completed:
        """A whole answer. Raises RefusedInBody if it is an error after all, ProviderError if it is no answer."""
        ...

    def stream_reader(self) -> StreamReader: ...


def encoded(image: Image) -> str:
    """A picture as JSON carries it."""
    return base64.b64encode(image.data).decode()


def data_url(image: Image) -> str:
    """A picture inside a URL."""
    return f"data:{image.media_type};base64,{encoded(image)}"


def alternating(messages: Iterable[Message]) -> list[Message]:
    """Roles in turn: neighbours of one role become one message, and messages that say nothing are left out."""
    merged: list[Message] = []
    for message in messages:
        text = message.text if message.text.strip() else ""
        if not text and not message.images:
            continue
        if merged and merged[-1].role is message.role:
            before = merged.pop()
            text = "\n\n".join(filter(None, (before.text, text)))
            merged.append(Message(message.role, text, (*before.images, *message.images)))
        else:
            merged.append(Message(message.role, text, message.images))
    return merged


def event_object(event: str, data: str) -> dict[str, object]:
    """The JSON object of an event; its `type` is the event's name where it has none itself. Raises RefusedInBody if it is an
    error, ProviderError if it is no object."""
    if event == "error":
        raise RefusedInBody(read_refusal(data.encode("utf-8", "replace")))
    payload = json_fields.parse(data)
    if not isinstance(payload, dict):
        raise broken("The stream holds something that is not JSON.")
    return {"type": event, **checked(payload)} if event else checked(payload)


def checked(payload: object) -> dict[str, object]:
    """The payload's object. Raises RefusedInBody if it says that the call failed."""
    error = read_error(payload)
    if error is not None:
        raise RefusedInBody(error)
    return json_fields.mapping(payload)
