"""Telegram's side of the Bot API: people, chats, messages, and the rules by which it refuses what a bot sends."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.telegram_files import Attached, FileStore

BOT = {"id": 777000777, "is_bot": True, "first_name": "Our bot", "username": "Our_Bot"}
_COMMAND = re.compile(r"(?<![\w/])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?")
_MENTION = re.compile(r"(?<!\w)@[A-Za-z0-9_]{3,32}")
_ENTITY_TYPES = {"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "custom_emoji"}
_ENTITY_TYPES |= {"bold", "italic", "underline", "strikethrough", "spoiler", "code", "pre", "text_link", "text_mention"}
_ENTITY_TYPES |= {"blockquote", "expandable_blockquote"}


class ApiError(Exception):
    """A refusal, as the Bot API words it."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


def units(text: str) -> int:
    """UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@dataclass(frozen=True)
class Version:
    """What a message showed at one time."""

    text: str
    entities: tuple[tuple[tuple[str, Any], ...], ...] = ()
    keyboard: tuple[tuple[tuple[str, str], ...], ...] = ()

    @property
    def formats(self) -> list[tuple[str, str]]:
        """(type, the text it covers) of every entity."""
        raw = self.text.encode("utf-16-le")
        rows = [dict(entity) for entity in self.entities]
        return [
            (row["type"], raw[row["offset"] * 2 : (row["offset"] + row["length"]) * 2].decode("utf-16-le"))
            for row in rows
        ]


@dataclass(eq=False)
class ChatMessage:
    """A message with all that it ever showed; `history` ends with what it shows now."""

    id: int
    chat: "Chat"
    sender: dict[str, Any]
    history: list[Version]
    thread: int | None = None
    reply_to: "ChatMessage | None" = None
    deleted: bool = False
    attached: dict[str, Any] = field(default_factory=dict)
    """What it carries besides text, as updates tell it; then its text is a caption."""

    @property
    def text(self) -> str:
        return self.history[-1].text

    @property
    def labels(self) -> list[list[str]]:
        """The words on its buttons, row by row."""
        return [[label for label, _ in row] for row in self.history[-1].keyboard]

    @property
    def by_bot(self) -> bool:
        return bool(self.sender["is_bot"])

    def as_json(self) -> dict[str, Any]:
        now = self.history[-1]
        body: dict[str, Any] = {
            "message_id": self.id,
            "date": int(time.time()),
            "chat": self.chat.as_json(),
            "from": self.sender,
            **self.attached,
        }
        words, marks = ("caption", "caption_entities") if self.attached else ("text", "entities")
        if now.text or not self.attached:
            body[words] = now.text
        if now.entities:
            body[marks] = [dict(entity) for entity in now.entities]
        if now.keyboard:
            rows = [[{"text": label, "callback_data": data} for label, data in row] for row in now.keyboard]
            body["reply_markup"] = {"inline_keyboard": rows}
        if self.thread is not None:
            body |= {"message_thread_id": self.thread, "is_topic_message": True}
        if self.reply_to is not None:
            body["reply_to_message"] = self.reply_to.as_json()
        if len(self.history) > 1:
            body["edit_date"] = int(time.time())
        return body


@dataclass(eq=False)
class Chat:
    """A private chat or a group. `refusal` is the 403 that the bot gets there, if any."""

    world: "World"
    id: int
    type: str
    name: str
    forum: bool = False
    refusal: str | None = None
    topics: set[int] = field(default_factory=set)
    actions: list[tuple[str, int | None]] = field(default_factory=list)
    all_messages: list[ChatMessage] = field(default_factory=list)

    @property
    def messages(self) -> list[ChatMessage]:
        """What a person sees in the chat, oldest first."""
        return [message for message in self.all_messages if not message.deleted]

    @property
    def answers(self) -> list[ChatMessage]:
        """The bot's messages among them."""
        return [message for message in self.messages if message.by_bot]

    def topic(self) -> int:
        """Open a forum topic."""
        with self.world.lock:
            number = self.world.number()
            self.topics.add(number)
            return number

    def as_json(self) -> dict[str, Any]:
        named = {"first_name": self.name} if self.type == "private" else {"title": self.name}
        return {"id": self.id, "type": self.type, **named, **({"is_forum": True} if self.forum else {})}


@dataclass(eq=False)
class Press:
    """A button pressed. `answered` once the bot has answered the query; `alert` is the text that it showed."""

    id: str
    answered: bool = False
    alert: str | None = None


@dataclass(eq=False)
class Person:
    """Somebody with an account."""

    world: "World"
    id: int
    name: str

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "is_bot": False, "first_name": self.name}

    def says(
        self, chat: Chat, text: str, *, topic: int | None = None, reply_to: ChatMessage | None = None
    ) -> ChatMessage:
        """Write a message; Telegram marks the commands and mentions in it."""
        with self.world.lock:
            message = self.world.put(chat, self.as_json(), _marked(text), topic, reply_to)
            self.world.queue("message", message.as_json())
        return message

    def sends(
        self,
        chat: Chat,
        attached: Attached,
        caption: str = "",
        *,
        album: str | None = None,
        topic: int | None = None,
        reply_to: ChatMessage | None = None,
    ) -> ChatMessage:
        """Send a file, a sticker, a place, ... Messages with the same `album` are shown as one."""
        with self.world.lock:
            message = self.world.put(chat, self.as_json(), _marked(caption), topic, reply_to)
            message.attached = attached.as_json(self.world.files)
            if album is not None:
                message.attached["media_group_id"] = album
            self.world.queue("message", message.as_json())
        return message

    def sends_album(self, chat: Chat, *attached: Attached, caption: str = "", **where: Any) -> list[ChatMessage]:
        """Send an album; each part is an update of its own, the caption is the first one's."""
        group = str(self.world.number())
        return [self.sends(chat, part, "" if at else caption, album=group, **where) for at, part in enumerate(attached)]

    def presses(self, message: ChatMessage, label: str) -> Press:
        """Press the button with these words. Raises KeyError, naming those that there are."""
        buttons = [button for row in message.history[-1].keyboard for button in row]
        data = dict(buttons)
        return self.presses_data(message, data[label]) if label in data else _no_button(label, list(data))

    def presses_data(self, message: ChatMessage, data: str) -> Press:
        """Press a button that carries this data, whether or not the message shows one."""
        with self.world.lock:
            press = Press(str(self.world.number()))
            self.world.presses[press.id] = press
            query = {
                "id": press.id,
                "from": self.as_json(),
                "message": message.as_json(),
                "chat_instance": "1",
                "data": data,
            }
            self.world.queue("callback_query", query)
        return press


def _marked(text: str) -> Version:
    found = [("bot_command", match) for match in _COMMAND.finditer(text)]
    found += [("mention", match) for match in _MENTION.finditer(text)]
    marks = tuple(
        (("type", kind), ("offset", units(text[: match.start()])), ("length", units(match[0]))) for kind, match in found
    )
    return Version(text, marks)


def _no_button(label: str, there: list[str]) -> Press:
    raise KeyError(f"no button {label!r}; there are {there}")


class World:
    """All of it, behind one lock. `changed` is called after every change."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.lock = threading.RLock()
        self.changed = changed
        self.chats: dict[int, Chat] = {}
        self.presses: dict[str, Press] = {}
        self.updates: list[dict[str, Any]] = []
        self.menu: list[dict[str, str]] = []
        self.files = FileStore()
        self._last = 1000

    def number(self) -> int:
        self._last += 1
        return self._last

    def person(self, number: int, name: str = "Ada") -> Person:
        return Person(self, number, name)

    def private(self, person: Person) -> Chat:
        """The private chat of a person with the bot."""
        with self.lock:
            return self.chats.setdefault(person.id, Chat(self, person.id, "private", person.name))

    def group(self, name: str = "Group", *, forum: bool = False) -> Chat:
        with self.lock:
            chat = Chat(self, -1_000_000_000_000 - self.number(), "supergroup", name, forum)
            return self.chats.setdefault(chat.id, chat)

    def queue(self, kind: str, body: dict[str, Any]) -> int:
        """Put an update of any kind before the bot; gives its update_id."""
        with self.lock:
            number = self.number()
            self.updates.append({"update_id": number, kind: body})
        self.changed()
        return number

    def put(
        self,
        chat: Chat,
        sender: dict[str, Any],
        version: Version,
        thread: int | None = None,
        reply_to: ChatMessage | None = None,
    ) -> ChatMessage:
        message = ChatMessage(self.number(), chat, sender, [version], thread, reply_to)
        chat.all_messages.append(message)
        return message


def checked_version(text: object, entities: object, markup: object) -> Version:
    """What Telegram would show of a text, or its refusal: bounds, limits, and its trimming of blanks."""
    if not isinstance(text, str) or not text.strip():
        raise ApiError(400, "Bad Request: message text is empty")
    rows = [_checked_entity(text, row) for row in entities] if isinstance(entities, list) else []
    first = min((row["offset"] for row in rows), default=units(text))
    left = min(len(text) - len(text.lstrip(" \n")), first)
    shown = text[left:].rstrip()
    if units(shown) > 4096:
        raise ApiError(400, "Bad Request: message is too long")
    kept = []
    for row in rows:
        start, end = row["offset"] - left, min(row["offset"] - left + row["length"], units(shown))
        if start < end:
            kept.append(tuple({**row, "offset": start, "length": end - start}.items()))
    return Version(shown, tuple(kept), checked_keyboard(markup))


def _checked_entity(text: str, row: Any) -> dict[str, Any]:
    raw = text.encode("utf-16-le")
    start, length = row.get("offset"), row.get("length")
    if row.get("type") not in _ENTITY_TYPES or not isinstance(start, int) or not isinstance(length, int):
        raise ApiError(400, "Bad Request: can't parse entities: unsupported entity")
    if start < 0 or length <= 0 or (start + length) * 2 > len(raw):
        raise ApiError(400, "Bad Request: can't parse entities: entity lies outside the text")
    for cut in (start, start + length):
        if 0xDC00 <= int.from_bytes(raw[cut * 2 : cut * 2 + 2], "little") <= 0xDFFF:
            raise ApiError(400, "Bad Request: can't parse entities: entity begins or ends inside a character")
    return dict(row)


def checked_keyboard(markup: object) -> tuple[tuple[tuple[str, str], ...], ...]:
    if not isinstance(markup, dict):
        return ()
    rows = []
    for row in markup.get("inline_keyboard", []):
        for button in row:
            if not button.get("text"):
                raise ApiError(400, "Bad Request: inline keyboard button text is empty")
            if not 1 <= len(str(button.get("callback_data", "")).encode()) <= 64:
                raise ApiError(400, "Bad Request: BUTTON_DATA_INVALID")
        rows.append(tuple((button["text"], button["callback_data"]) for button in row))
    return tuple(rows)
