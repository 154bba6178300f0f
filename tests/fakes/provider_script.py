"""What a ProviderServer does with one request. Every step works for both wire formats, streamed and plain."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ok:
    """A whole answer."""

    text: str
    tokens: tuple[int, int] = (7, 3)


@dataclass(frozen=True, slots=True)
class Status:
    """A refusal. `body` None: the vendor's own error body for that status."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection breaks after `text`."""

    text: str


@dataclass(frozen=True, slots=True)
class Truncated:
    """The answer ends properly as far as HTTP goes, but without its last part."""

    text: str


@dataclass(frozen=True, slots=True)
class Stall:
    """Silence after `text` until `release()`; then the rest."""

    text: str
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Drip:
    """Comments and nothing else after `text`, until `release()`; then the rest. A stall where nothing is streamed."""

    text: str
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Paced:
    """An answer piece by piece: each but the first waits for a `release()`. All at once where nothing is streamed."""

    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Malformed:
    """`text`, then something that is not JSON."""

    text: str


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """`text`, then an error inside the stream that began with 200; where nothing is streamed, a 200 that holds an error."""

    text: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Slow:
    """Not a byte until `release()`."""

    text: str


@dataclass(frozen=True, slots=True)
class Raw:
    """Exactly these bytes, with these headers. `hold` keeps the connection open after them until `release()`."""

    chunks: tuple[bytes, ...]
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})
    status: int = 200
    hold: bool = False


Step = Ok | Status | Drop | Truncated | Stall | Drip | Paced | Malformed | ErrorEvent | Slow | Raw


def ok(text: str, tokens: tuple[int, int] = (7, 3)) -> Ok:
    return Ok(text, tokens)


def status(code: int, headers: Mapping[str, str] | None = None, body: object = None) -> Status:
    return Status(code, headers or {}, body)


def drop(text: str = "") -> Drop:
    return Drop(text)


def truncated(text: str = "") -> Truncated:
    return Truncated(text)


def stall(text: str = "", rest: str = "") -> Stall:
    return Stall(text, rest)


def drip(text: str = "", rest: str = "") -> Drip:
    return Drip(text, rest)


def paced(*pieces: str) -> Paced:
    return Paced(pieces)


def malformed(text: str = "") -> Malformed:
    return Malformed(text)


def error_event(body: Mapping[str, object], text: str = "") -> ErrorEvent:
    return ErrorEvent(text, body)


def slow(text: str = "") -> Slow:
    return Slow(text)


def raw(*chunks: bytes, hold: bool = False, code: int = 200, headers: Mapping[str, str] | None = None) -> Raw:
    return Raw(chunks, headers or {"content-type": "text/event-stream"}, code, hold)
