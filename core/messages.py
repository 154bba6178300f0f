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
    EDIT = "edit"
    """A message that was written before reads differently now."""
    DELETION = "deletion"
    """A message that was written before was taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something was said. `ids` are the keys by which `access.groups` may name it: chat, channel, guild."""

    direct: bool
    ids: tuple[str, ...] = ()
    alone: bool = False
    """Whoever writes is the only one who reads the answers, whatever chat the session belongs to: a terminal."""


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


@dataclass(frozen=True, slots=True)
class Quoted:
    """What a message replies to. `own`: the bot wrote it."""

    author: str
    text: str
    own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One thing that a person did, already free of the platform's own syntax (no bot name in the command, no mention)."""

    ingress: Ingress
    sender: Sender
    session: SessionKey
    place: Place
    text: str = ""
    """What was written. For a button: what was typed into the question that it asks (`Button.asks`)."""
    message: str = ""
    """The platform's id of what was written; an edit or a deletion names the same."""
    quoted: Quoted | None = None
    chat: str = ""
    """Where later announcements for this chat go, in the platform's own words; empty: they cannot go anywhere."""
    account: str = ""
    """Which account of ours heard it; the intake fills it in."""
    rows: int = 0
    """How many choices the platform shows under one message; 0: a terminal, which shows lists and takes numbers."""
    has_secret: bool = False
    """Something in it looked like a credential and was blotted out before anything was stored."""
    mentioned: bool = False
    """The bot was named or replied to. Always true in a private chat."""
    token: str = ""
    """For a button: which shown choices, ..."""
    number: int = 0
    """... and which of them, from 1."""
    unseen: bool = False
    """The platform shows what answers this press or command to its sender alone, a stored change and a turn excepted."""
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


class Tone(StrEnum):
    """How a fact is to be taken; platforms may colour it."""

    PLAIN = "plain"
    GOOD = "good"
    WAITING = "waiting"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A choice under a reply: number n in the list that `Reply.token` names."""

    n: int
    label: str
    command: str
    """What the typed number does, and a press too unless `press` says otherwise."""
    group: str = "choice"
    """action: a button beside the choices (page, cancel, card). Every other name is one list of choices (a keyboard row each, or
    a select menu of that title)."""
    selected: bool = False
    press: str = ""
    """What a press does where it only leads on: the next step of a picker."""
    asks: str = ""
    """The question that a press puts before it counts; the answer comes as `Inbound.text`. A platform that cannot ask at once
    presses without, and the command answers with a `prompt`."""
    earlier: bool = False
    """A choice of a step before this one, for platforms with room to show both."""
    detail: str = ""
    """More about it than its label says, for platforms with room for a second line."""
    tone: Tone = Tone.PLAIN
    """The state of what it offers, for platforms that can show a colour beside the label."""


@dataclass(frozen=True, slots=True)
class Row:
    """A fact: what it is about, and what is said of it. `number` is its place in a list, 0 for none."""

    head: str
    text: str
    tone: Tone = Tone.PLAIN
    number: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Facts that belong together, under a title (may be empty)."""

    title: str
    rows: tuple[Row, ...]


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
    blocks: tuple[Block, ...] = ()
    """The same as `text` where a platform has more than lines of text to say it with; what `buttons` offer may be missing."""
    footer: str = ""
    """A small line under an answer: who gave it and what it has cost."""
    prompt: bool = False
    """The sender is asked for a line of text that replies to this message."""
    deletes: bool = False
    """The message that this answers is to be removed, where the platform lets us."""


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
    buttons = tuple(Button(**{**button, "tone": Tone(button.get("tone", "plain"))}) for button in stored["buttons"])
    blocks = tuple(
        Block(block["title"], tuple(Row(**{**row, "tone": Tone(row["tone"])}) for row in block["rows"]))
        for block in stored.get("blocks", ())
    )
    return Reply(**{**stored, "kind": ReplyKind(stored["kind"]), "buttons": buttons, "blocks": blocks})
