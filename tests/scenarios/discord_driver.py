"""Scenarios on Discord's counterpart."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.fakes.discord_cdn import Upload
from tests.fakes.discord_server import DiscordServer, User
from tests.fakes.discord_world import Channel, Interaction, Message
from tests.scenarios.driver import Gesture, Held, Member, Place, Sight


class DiscordDriver:
    """`tests.scenarios.driver.Driver`. A place is a channel in a guild of its own, a thread, or a private chat."""

    name = "discord"
    patience = 3.0
    longest = 2000

    def __init__(self, server: DiscordServer) -> None:
        self._server = server
        # A guild tells its channels when the bot connects, so those that scenarios take are there before.
        self._rooms = [server.channel(server.guild(f"guild-{n}")) for n in range(3)]

    def settings(self) -> Sequence[str]:
        server = self._server
        return (
            "[channels.discord]",
            f'token = "{server.token}"',
            f'api_base_url = "{server.api_base_url}"',
            f'gateway_url = "{server.gateway_url}"',
        )

    def menu(self) -> set[str]:
        return {command["name"] for command in self._server.commands}

    def connections(self) -> int:
        return len(self._server.gateway.sessions) + self._server.gateway.resumed

    async def until(self, predicate: Callable[[], Any], within: float = 10) -> Any:
        return await self._server.wait_for(predicate, within)

    def member(self, name: str) -> Member:
        user = self._server.user(name)
        return Member(f"discord:{user.id}", name, user)

    def private(self, member: Member) -> Place:
        user: User = member.raw
        return Place(shared=False, raw=user.dm)

    def group(self) -> Place:
        channel = self._rooms.pop()
        return Place(shared=True, raw=channel)

    def thread(self, place: Place) -> Place:
        thread = self._server.thread(place.raw)
        return Place(shared=True, raw=thread)

    def says(self, member: Member, place: Place, text: str, *, to_bot: bool, answers: Any = None) -> Any:
        say = member.raw.asks if to_bot and place.shared else member.raw.says
        return say(place.raw, text, reply_to=answers)

    def sends(self, member: Member, place: Place, text: str, name: str, data: bytes, media_type: str) -> Any:
        say = member.raw.asks if place.shared else member.raw.says
        return say(place.raw, text, files=(Upload(name, data, media_type),))

    def commands(self, member: Member, place: Place, name: str, argument: str) -> Gesture | None:
        return _gesture(member.raw.slash(place.raw, name, argument or None))

    def presses(self, member: Member, sight: Sight, label: str) -> Gesture:
        message: Message = sight.raw
        is_option = any(label == option["label"] for part in message.parts for option in part.get("options", ()))
        use = member.raw.selects if is_option else member.raw.presses
        return _gesture(use(message, label))

    def question(self, member: Member, place: Place, gesture: Gesture) -> Any:
        return gesture.raw if gesture.raw.modal is not None else None

    def types(self, member: Member, place: Place, question: Any, text: str) -> Gesture | None:
        return _gesture(member.raw.types(question, text))

    def edits(self, member: Member, message: Any, text: str) -> None:
        member.raw.edits(message, text)

    def deletes(self, member: Member, message: Any) -> None:
        member.raw.deletes(message)

    def sights(self, member: Member, place: Place) -> list[Sight]:
        channel: Channel = place.raw
        bot = [message for message in list(channel.everything) if message.author is self._server.bot]
        return [_sight(message) for message in bot if _is_seen(message, member.raw)]

    def drafts(self, place: Place) -> list[str]:
        return []  # Discord knows none: what grows is a message

    def sizes(self, place: Place) -> list[int]:
        bot = [message for message in place.raw.everything if message.author is self._server.bot]
        return [len(content) for message in bot for content in message.history]

    def is_gone(self, message: Any) -> bool:
        return bool(message.deleted)

    def is_typing(self, place: Place) -> bool:
        return bool(place.raw.typing)

    def expels(self, member: Member, place: Place) -> None:
        self._server.kick(place.raw.guild)

    def floods(self, seconds: float, times: int) -> None:
        self._server.fail("PATCH", "/messages/", 429, retry_after=seconds, times=times)

    def flooded(self) -> int:
        return len([one for one in self._server.refused if one["status"] == 429])

    def loses_answers(self, times: int) -> None:
        self._server.lose("PATCH", "/messages/", times=times)

    def loses_messages(self, *, arrived: bool) -> None:
        if arrived:
            self._server.lose("POST", "/messages")
        else:
            self._server.fail("POST", "/messages", 502)

    def holds_files(self) -> Held:
        # As with changes: whoever fetches is told to wait.
        self._server.fail("GET", "/cdn/", 429, retry_after=20, times=1000)
        reached = lambda: any("/cdn/" in one["path"] for one in self._server.refused)  # noqa: E731
        return Held(reached, self._server.good_again)

    def holds_changes(self) -> Held:
        # Discord lets nobody wait: the client itself does, for as long as it is told.
        self._server.fail("PATCH", "/messages/", 429, retry_after=60, times=1000)
        before = self.flooded()
        return Held(lambda: self.flooded() > before, self._server.good_again)


def _is_seen(message: Message, person: User) -> bool:
    """Whether it is there, filled, and for this person's eyes."""
    if message.deleted or message.loading or message.content == "…":
        return False
    return not message.ephemeral or (message.interaction is not None and message.interaction.person is person)


def _sight(message: Message) -> Sight:
    labels: list[str] = []
    for part in message.parts:
        labels += [option["label"] for option in part["options"]] if "options" in part else [part.get("label", "")]
    return Sight(
        message.id, len(message.history), message.content, tuple(labels), message.reference, message.ephemeral, message
    )


def _gesture(used: Interaction) -> Gesture:
    def whisper() -> str:
        own = [m for m in used.sent if m.ephemeral and not m.deleted and not m.loading]
        return "\n".join(message.content for message in own)

    return Gesture(lambda: used.acknowledged_after, whisper, used)
