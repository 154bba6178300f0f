"""One provider answer, in nobody's wire format."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from core.auth.profiles import AuthProfile
from core.sessions.history import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a provider is reached. A credential goes to this origin and to no other."""

    provider: str
    base_url: str
    api: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Of the config; they may hold a secret, so no rendering shows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a provider may take: to connect, to the first byte, and between two pieces of a stream."""

    connect: timedelta = timedelta(seconds=10)
    first_byte: timedelta = timedelta(seconds=60)
    silence: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """What is asked, of which model, with which credential."""

    endpoint: Endpoint
    model: str
    messages: tuple[Message, ...]
    profile: AuthProfile | None
    stream: bool = True
    max_tokens: int | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them. `input_tokens` are all that were sent; those of the provider's cache are among them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Counted:
    """What the provider has counted so far, of an answer that may yet break off: it is paid for all the same."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Renewed:
    """The request goes out with another token of the same profile than it was made with: the login was refreshed."""

    profile: AuthProfile


class StopReason(StrEnum):
    """Why the model wrote no more."""

    STOP = "stop"
    """It had said everything."""
    LENGTH = "length"
    """At the longest answer that was asked for, or that the model can give: something is missing."""
    FILTER = "filter"
    """The provider cut it off for what it says: something is missing."""
    REFUSAL = "refusal"
    """The model declined; the text says so."""
    TOOL_CALLS = "tool_calls"
    """It wanted to use a tool."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Completed:
    """The whole answer. The last thing that a provider client yields; a stream that ends without it has failed."""

    text: str
    usage: Usage = Usage()
    stop_reason: str = ""
    """A StopReason. An answer of which a filter or a refusal left nothing is no answer but a ProviderError."""
