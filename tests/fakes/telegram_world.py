"""Telegram's side of the Bot API: people, chats, messages, and the rules by which it refuses what a bot sends."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.telegram_files import Attached, FileStore
from tests.fakes.telegram_limits import ApiError, Version, checked_keyboard, checked_version, units

__all__ = ["BOT", "ApiError", "Chat", "ChatMessage", "Draft", "Person", "Press", "Version", "World"]
__all__ += ["checked_keyboard", "checked_version", "units"]

BOT = {"id": 777000777, "is_bot": True, "first_name": "Our bot", "username": "Our_Bot"}
_COMMAND = re.compile(r"(?<![\w/])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?")
_MENTION = re.compile(r"(?<!\w)@[A-Za-z0-9_]{3,32}")
BLOCKED = "Forbidden: bot was blocked by the user"
KICKED = "Forbidden: bot was kicked from the supergroup chat"
NEVER_MET = "Forbidden: bot can't initiate conversation with a user"


@dataclass(frozen=True)
class Draft:
    """A message that the bot is still writing, as the person sees it for half a minute."""

    id: int
    shown: Version
    thread: int | None = None

    @property
    def text(self) -> str:
        return self.shown.text


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
    quote: dict[str, Any] = field(default_factory=dict)
    """The part of the message replied to that the person marked."""
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
    def prompt(self) -> dict[str, Any] | None:
        """The ForceReply that makes the client ask for an answer, if the message carries one."""
        return None if self.history[-1].prompt is None else dict(self.history[-1].prompt)

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
            # Telegram tells one step of a chain of replies, not the whole.
            body["reply_to_message"] = {k: v for k, v in self.reply_to.as_json().items() if k != "reply_to_message"}
        if self.quote:
            body["quote"] = self.quote
        if len(self.history) > 1:
            body["edit_date"] = int(time.time())
        return body


@dataclass(eq=False)
class Chat:
    """A private chat or a group. `refusal` is the 403 that the bot gets there, if any; `may_delete`: it is an admin there
    who may remove messages of others. `drafts` is everything that it streamed, `draft` what of that is shown now."""

    world: "World"
    id: int
    type: str
    name: str
    forum: bool = False
    refusal: str | None = None
    may_delete: bool = False
    drafts: list[Draft] = field(default_factory=list)
    draft: Draft | None = None
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
        self,
        chat: Chat,
        text: str,
        *,
        topic: int | None = None,
        reply_to: ChatMessage | None = None,
        quote: str = "",
    ) -> ChatMessage:
        """Write a message; Telegram marks the commands and mentions in it. `quote` is the part of `reply_to` that is meant."""
        with self.world.lock:
            message = self.world.put(chat, self.as_json(), _marked(text), topic, reply_to)
            if reply_to is not None and quote:
                place = units(reply_to.text[: reply_to.text.index(quote)])
                message.quote = {"text": quote, "position": place, "is_manual": True}
            self.world.queue("message", message.as_json())
        return message

    def edits(self, message: ChatMessage, text: str) -> None:
        """Write a message of one's own anew: its text, or the caption of what it carries."""
        with self.world.lock:
            message.history.append(_marked(text))
            self.world.queue("edited_message", message.as_json())

    def reacts(self, message: ChatMessage) -> None:
        """Put a sign under a message: bots are told of it as of an edit, but nobody wrote anything."""
        with self.world.lock:
            told = {key: value for key, value in message.as_json().items() if key != "edit_date"}
            self.world.queue("edited_message", told)

    def deletes(self, message: ChatMessage) -> None:
        """Take a message back. Telegram does not tell bots."""
        with self.world.lock:
            message.deleted = True
        self.world.changed()

    def blocks(self) -> None:
        """Block the bot: it can no longer write to this person."""
        self._membership(self.world.private(self), BLOCKED, "member", "kicked")

    def unblocks(self) -> None:
        """Start the bot again."""
        self._membership(self.world.private(self), None, "kicked", "member")

    def kicks(self, chat: Chat) -> None:
        """Remove the bot from a group."""
        self._membership(chat, KICKED, "member", "kicked")

    def adds(self, chat: Chat) -> None:
        """Add the bot to a group (again)."""
        self._membership(chat, None, "left", "member")

    def _membership(self, chat: Chat, refusal: str | None, before: str, after: str) -> None:
        with self.world.lock:
            chat.refusal = refusal
            change = {
                "chat": chat.as_json(),
                "from": self.as_json(),
                "date": int(time.time()),
                "old_chat_member": _member(before),
                "new_chat_member": _member(after),
            }
            self.world.queue("my_chat_member", change)

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
        """Press the button with these words, the signs before them left out or not. KeyError names those that there are."""
        buttons = [button for row in message.history[-1].keyboard for button in row]
        data = {shown.lstrip("✓🟡🔴 "): said for shown, said in buttons} | dict(buttons)
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


def _member(status: str) -> dict[str, Any]:
    return {"user": BOT, "status": status} | ({"until_date": 0} if status == "kicked" else {})


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
        self.people: dict[int, Person] = {}
        self.menus: dict[str, list[dict[str, str]]] = {}
        """The command menus that were set, by the type of their scope."""
        self.files = FileStore()
        self._last = 1000

    def number(self) -> int:
        self._last += 1
        return self._last

    @property
    def menu(self) -> list[dict[str, str]]:
        """The menu of everybody for whom there is no other."""
        return self.menus.get("default", [])

    def person(self, number: int, name: str = "Ada") -> Person:
        """Somebody whom Telegram knows. The bot knows them only once they have opened a chat with it."""
        with self.lock:
            return self.people.setdefault(number, Person(self, number, name))

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
