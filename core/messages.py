"""All that crosses between core and a platform: Inbound in; Delta, Reply and TurnReport out.

Replies are data plus the words of a plain terminal. A platform may show them in its own way, but shows all of them.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from core.sessions.key import SessionKey


@dataclass(frozen=True, slots=True)
class Sender:
    """Who wrote. `id` is the platform's own numeric id (a user name only in the terminal); `name` is shown and gives no rights."""

    platform: str
    id: str
    name: str = ""
    roles: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """`platform:id`, as access lists and pins name a person."""
        return f"{self.platform}:{self.id}"


class Ingress(StrEnum):
    """The ways into the gateway. Access has a row for each; a new one without a row fails the build."""

    MESSAGE = "message"
    """Text in a chat, a typed command included."""
    COMMAND = "command"
    """A platform's native command: a slash command."""
    BUTTON = "button"
    """A press on a choice that was shown: button, inline keyboard, select menu."""
    SUGGEST = "suggest"
    """Autocomplete: what could be typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something was said. `ids` are the keys by which `access.groups` may name it: chat, channel, guild."""

    direct: bool
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """Something that was sent with a message. `media_type` is what the platform says or the name tells: `image/png`, ...;
    `problem` is a sentence where the platform could not hand it over (too large, gone), and then there is no data."""

    name: str
    media_type: str
    data: bytes = field(default=b"", repr=False)
    problem: str = ""


FileFetch = Callable[[], Awaitable[tuple[File, ...]]]
"""Fetches what was sent with a message. Asked for once, after the sender was let in. No file makes it raise: see `File.problem`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One thing that a person did, already free of the platform's own syntax (no bot name in the command, no mention)."""

    ingress: Ingress
    sender: Sender
    session: SessionKey
    place: Place
    text: str = ""
    mentioned: bool = False
    """The bot was named or replied to. Always true in a private chat."""
    token: str = ""
    """For a button: which shown choices, ..."""
    number: int = 0
    """... and which of them, from 1."""
    stream: bool = True
    """Whether the platform can show an answer while it grows."""
    files: FileFetch | None = field(default=None, repr=False, compare=False)
    """How to get what was sent with it; None where there is nothing."""


class ReplyKind(StrEnum):
    """What a reply is, as interfaces.md names it."""

    TEXT = "text"
    NOTICE = "notice"
    PICKER = "picker"
    STATUS = "status"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A choice under a reply: number n in the list that `Reply.token` names."""

    n: int
    label: str
    command: str
    group: str = "choice"
    """choice: what the reply offers (a select menu or a keyboard row each); action: a button beside them (page, cancel, card)."""
    selected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer. `text` of kind TEXT is the model's Markdown; of every other kind it is plain text, one fact a line.

    `data` is the JSON of interfaces.md. `private` asks the platform to show it to the sender alone, where it can.
    `replaces` is true for the answer to a press, which takes the place of the message that was pressed. `shared` is true for a
    stored change: everybody in the chat is to see it, also where the press or the command was private.
    """

    kind: ReplyKind
    text: str
    code: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    buttons: tuple[Button, ...] = ()
    token: str = ""
    private: bool = False
    replaces: bool = False
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of an answer that is being written. The Reply of kind TEXT that follows has the whole."""

    text: str


@dataclass(frozen=True, slots=True)
class Working:
    """A turn has begun: the platform may show that the bot is typing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnReport:
    """The machine's account of a model turn (the `turn` event of interfaces.md), after the turn's replies."""

    data: Mapping[str, Any]


Event = Delta | Working | Reply | TurnReport


def reply_to_json(reply: Reply) -> dict[str, Any]:
    """A reply as the inbox keeps it until it is delivered."""
    return asdict(reply)


def reply_from_json(stored: Mapping[str, Any]) -> Reply:
    """The reply that `reply_to_json` stored."""
    buttons = tuple(Button(**button) for button in stored["buttons"])
    return Reply(**{**stored, "kind": ReplyKind(stored["kind"]), "buttons": buttons})
