"""What a scenario needs of a platform: people who write and press there, and what each of them sees."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Sight:
    """A message of the bot as one person sees it now. `version` counts what it has shown; `labels` are buttons and options, in
    their order; `answers` is the id of the message that it replies to. `private`: nobody else in the chat sees it. `raw` is the
    platform's own object."""

    id: Any
    version: int
    text: str
    labels: tuple[str, ...]
    answers: Any
    private: bool
    raw: Any


@dataclass(frozen=True)
class Gesture:
    """A press, a command or a form that somebody has used. `took` is after how many seconds the bot acknowledged it, None while it
    has not; `whisper` is what only this person was told in answer to it, empty if nothing (yet)."""

    took: Callable[[], float | None]
    whisper: Callable[[], str]
    raw: Any = None


@dataclass(frozen=True)
class Held:
    """Changes of messages that get no answer. `reached`: whether one is waiting; `ends` lets go."""

    reached: Callable[[], bool]
    ends: Callable[[], None]


@dataclass(frozen=True)
class Member:
    """Somebody with an account. `key` is how access lists name them."""

    key: str
    name: str
    raw: Any


@dataclass(frozen=True)
class Place:
    """A chat: private, shared, or a topic or thread inside one."""

    shared: bool
    raw: Any


class Driver(Protocol):
    """One platform's server with the people on it. Everything but `until` returns at once."""

    name: str
    patience: float
    """After how many seconds without a sign of the bot a press is shown as failed."""
    longest: int
    """The most that one message may hold, as the platform counts (see `sizes`)."""

    def settings(self) -> Sequence[str]:
        """The lines of config that lead a gateway here."""
        ...

    def menu(self) -> set[str]:
        """The commands that people are offered."""
        ...

    def connections(self) -> int:
        """How often a gateway has connected so far."""
        ...

    async def until(self, predicate: Callable[[], Any], within: float = 10) -> Any:
        """What the predicate says, once that is true. Raises TimeoutError with what was asked of the server."""
        ...

    def member(self, name: str) -> Member: ...

    def private(self, member: Member) -> Place: ...

    def group(self) -> Place: ...

    def thread(self, place: Place) -> Place:
        """A topic or thread in a shared chat."""
        ...

    def says(self, member: Member, place: Place, text: str, *, to_bot: bool, answers: Any = None) -> Any:
        """Write a message, which names the bot if `to_bot` and others read it; `answers` is what it replies to."""
        ...

    def sends(self, member: Member, place: Place, text: str, name: str, data: bytes, media_type: str) -> Any:
        """The same with a file."""
        ...

    def commands(self, member: Member, place: Place, name: str, argument: str) -> Gesture | None:
        """Use a command in the platform's native way."""
        ...

    def presses(self, member: Member, sight: Sight, label: str) -> Gesture:
        """Press a button, or choose an option, with exactly this label, now."""
        ...

    def question(self, member: Member, place: Place, gesture: Gesture) -> Any:
        """What a press has asked this person to type, once it is there; else None."""
        ...

    def types(self, member: Member, place: Place, question: Any, text: str) -> Gesture | None:
        """Answer such a question."""
        ...

    def edits(self, member: Member, message: Any, text: str) -> None: ...

    def deletes(self, member: Member, message: Any) -> None: ...

    def sights(self, member: Member, place: Place) -> list[Sight]:
        """The bot's messages that this person sees there, oldest first."""
        ...

    def drafts(self, place: Place) -> list[str]:
        """All that the bot has shown there of answers it was still writing, where that is no message yet."""
        ...

    def sizes(self, place: Place) -> list[int]:
        """The length of everything that any message of the bot there has ever shown."""
        ...

    def is_gone(self, message: Any) -> bool:
        """Whether a person's message was removed."""
        ...

    def is_typing(self, place: Place) -> bool:
        """Whether the bot has shown there that it is writing."""
        ...

    def expels(self, member: Member, place: Place) -> None:
        """Somebody throws the bot out of a shared chat."""
        ...

    def floods(self, seconds: float, times: int) -> None:
        """Flood control: the next changes of messages are refused for so long."""
        ...

    def flooded(self) -> int:
        """How many changes were refused so."""
        ...

    def loses_answers(self, times: int) -> None:
        """The next changes of messages are made, and the connection breaks before that is told."""
        ...

    def loses_messages(self, *, arrived: bool) -> None:
        """The connection breaks under the next message that the bot sends: when it has `arrived`, or before."""
        ...

    def holds_files(self) -> Held:
        """What people send along can not be had from now on."""
        ...

    def holds_changes(self) -> Held:
        """Changes of messages get no answer from now on."""
        ...
