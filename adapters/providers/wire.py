"""What a wire format has to know, and what all of them share: the growing answer and the header that carries a credential."""

import base64
from typing import Protocol

import httpx

from adapters.providers import json_fields
from adapters.providers.error_body import RefusedInBody, read_error, read_refusal
from core.auth.profiles import CredentialKind
from core.chat.completion import Completed, CompletionRequest, Usage
from core.errors import Failure, FailureReason, ProviderError
from core.sessions.history import Image

LONGEST_ANSWER = 4 * 1024 * 1024


class StreamReader(Protocol):
    """Reads the events of one streamed answer, in their order."""

    @property
    def has_finished(self) -> bool:
        """The model has said why it stopped: nothing of the answer is missing any more."""
        ...

    @property
    def is_closed(self) -> bool:
        """The format's own end of stream was seen."""
        ...

    def feed(self, event: str, data: str) -> str:
        """The text that this event adds. Raises RefusedInBody for an error event, ProviderError for what is not JSON."""
        ...

    def completed(self) -> Completed:
        """The whole answer. Raises ProviderError (network) if the stream ended before the model had finished."""
        ...


class WireFormat(Protocol):
    """One API kind. Stateless; a reader is made for each stream."""

    def url(self, base_url: str) -> httpx.URL: ...

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


class Transcript:
    """The text of an answer as it grows, bounded."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self.usage = Usage()
        self.stop_reason = ""

    def add(self, piece: str) -> str:
        """Keep and return the piece. Raises ProviderError when the answer outgrows any sense."""
        self._length += len(piece)
        if self._length > LONGEST_ANSWER:
            raise broken(f"The answer is longer than {LONGEST_ANSWER} characters.")
        self._pieces.append(piece)
        return piece

    def completed(self) -> Completed:
        if not self.stop_reason:
            raise broken("The stream ended before the answer was complete.")
        return Completed("".join(self._pieces), self.usage, self.stop_reason)


def event_object(event: str, data: str) -> dict[str, object]:
    """The JSON object of an event. Raises RefusedInBody if it is an error, ProviderError if it is no object."""
    payload = json_fields.parse(data)
    if not isinstance(payload, dict):
        raise broken("The stream holds something that is not JSON.")
    if event == "error":
        raise RefusedInBody(read_refusal(data.encode("utf-8", "replace")))
    return checked(payload)


def checked(payload: dict[str, object]) -> dict[str, object]:
    """The payload itself. Raises RefusedInBody if it says that the call failed."""
    error = read_error(payload)
    if error is not None:
        raise RefusedInBody(error)
    return payload


def broken(detail: str) -> ProviderError:
    """Something was lost on the way: worth another try with the same credential."""
    return ProviderError(Failure(reason=FailureReason.NETWORK, detail=detail))
