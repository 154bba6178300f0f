"""Scenarios on Telegram's counterpart."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.fakes.telegram_files import document, photo
from tests.fakes.telegram_server import TelegramServer
from tests.fakes.telegram_world import Chat, ChatMessage, units
from tests.scenarios.driver import Gesture, Held, Member, Place, Sight

BOT = "@Our_Bot"


class TelegramDriver:
    """`tests.scenarios.driver.Driver`. Members are numbered as they come; a place is a chat with a topic or without."""

    name = "telegram"
    patience = 15.0
    longest = 4096

    def __init__(self, server: TelegramServer) -> None:
        self._server = server
        self._members = 0

    def settings(self) -> Sequence[str]:
        server = self._server
        return ("[channels.telegram]", f'token = "{server.token}"', f'api_base_url = "{server.url}"')

    def menu(self) -> set[str]:
        return {row["command"] for row in self._server.world.menu}

    def connections(self) -> int:
        return len(self._server.called("getMe"))

    async def until(self, predicate: Callable[[], Any], within: float = 10) -> Any:
        found: list[Any] = []

        def holds() -> bool:
            found[:] = [predicate()]
            return bool(found[0])

        await self._server.wait_for(holds, within)
        return found[0]

    def member(self, name: str) -> Member:
        self._members += 1
        person = self._server.person(1000 + self._members, name)
        return Member(f"telegram:{person.id}", name, person)

    def private(self, member: Member) -> Place:
        return Place(shared=False, raw=(self._server.private(member.raw), None))

    def group(self) -> Place:
        chat = self._server.group(forum=True)
        chat.may_delete = True
        return Place(shared=True, raw=(chat, None))

    def thread(self, place: Place) -> Place:
        chat: Chat = place.raw[0]
        return Place(shared=True, raw=(chat, chat.topic()))

    def says(self, member: Member, place: Place, text: str, *, to_bot: bool, answers: Any = None) -> Any:
        chat, topic = place.raw
        named = f"{BOT} {text}" if to_bot and place.shared else text
        return member.raw.says(chat, named, topic=topic, reply_to=answers)

    def sends(self, member: Member, place: Place, text: str, name: str, data: bytes, media_type: str) -> Any:
        chat, topic = place.raw
        named = f"{BOT} {text}" if place.shared else text
        sent = photo(data) if media_type.startswith("image/") else document(data, name, media_type)
        return member.raw.sends(chat, sent, named, topic=topic)

    def commands(self, member: Member, place: Place, name: str, argument: str) -> Gesture | None:
        self.says(member, place, f"/{name} {argument}".strip(), to_bot=False)
        return None

    def presses(self, member: Member, sight: Sight, label: str) -> Gesture:
        begun = time.monotonic()
        press = member.raw.presses(sight.raw, label)

        def took() -> float | None:
            calls = self._server.called("answerCallbackQuery")
            answer = [call.at for call in calls if call.params.get("callback_query_id") == press.id]
            return answer[0] - begun if press.answered and answer else None

        return Gesture(took, lambda: press.alert or "")

    def question(self, member: Member, place: Place, gesture: Gesture) -> Any:
        chat, topic = place.raw
        newest = next((m for m in reversed(chat.answers) if m.thread == topic), None)
        return newest if newest is not None and newest.prompt is not None else None

    def types(self, member: Member, place: Place, question: Any, text: str) -> Gesture | None:
        chat, topic = place.raw
        member.raw.says(chat, text, topic=topic, reply_to=question)
        return None

    def edits(self, member: Member, message: Any, text: str) -> None:
        member.raw.edits(message, text)

    def deletes(self, member: Member, message: Any) -> None:
        member.raw.deletes(message)

    def sights(self, member: Member, place: Place) -> list[Sight]:
        chat, topic = place.raw
        with self._server.world.lock:
            return [_sight(message) for message in chat.answers if message.thread == topic]

    def drafts(self, place: Place) -> list[str]:
        chat, topic = place.raw
        return [draft.text for draft in list(chat.drafts) if draft.thread == topic]

    def sizes(self, place: Place) -> list[int]:
        return [units(version.text) for m in place.raw[0].all_messages if m.by_bot for version in m.history]

    def is_gone(self, message: Any) -> bool:
        return bool(message.deleted)

    def is_typing(self, place: Place) -> bool:
        chat, topic = place.raw
        return ("typing", topic) in chat.actions

    def expels(self, member: Member, place: Place) -> None:
        member.raw.kicks(place.raw[0])

    def floods(self, seconds: float, times: int) -> None:
        self._server.flood("editMessageText", int(seconds), times=times)

    def flooded(self) -> int:
        return len([call for call in self._server.calls if call.status == 429])

    def loses_answers(self, times: int) -> None:
        self._server.drop("editMessageText", after=True, times=times)

    def loses_messages(self, *, arrived: bool) -> None:
        self._server.drop("sendMessage", after=arrived)

    def holds_files(self) -> Held:
        gate = self._server.hold("getFile")
        return Held(lambda: gate.waiting > 0, gate.open)

    def holds_changes(self) -> Held:
        gate = self._server.hold("editMessageText")
        return Held(lambda: gate.waiting > 0, gate.open)


def _sight(message: ChatMessage) -> Sight:
    labels = tuple(label for row in message.labels for label in row)
    answered = message.reply_to.id if message.reply_to is not None else None
    return Sight(message.id, len(message.history), message.text, labels, answered, False, message)
