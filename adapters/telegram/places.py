"""Where something was said in Telegram: the session that it belongs to, and where the answer goes.

ANNOUNCEMENT is a payload of our own: nobody wrote anything, but something is to be said in a chat.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.telegram.albums import parts
from adapters.telegram.shapes import mapping, number
from core.errors import shown
from core.sessions.key import SessionKey, chat_key, direct_key

PLATFORM = "telegram"
ANNOUNCEMENT = "announcement"
"""The key of a stored payload that holds {"chat": -100123, "thread": 7 or null} and nothing of Telegram's."""
_CHAT = re.compile(r"(-?[0-9]{1,19})(?:/([0-9]{1,19}))?", re.ASCII)
_PERSON = re.compile(r"person:([0-9]{1,19})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which agent and account the bot serves, and how wide a private session is (`session.dm_scope`)."""

    agent: str
    account: str
    dm_scope: str

    def session(self, message: Mapping[str, Any], person: str) -> SessionKey | None:
        """The session of the chat or forum topic that a message lies in; None for chats that are not ours to serve."""
        chat = mapping(message.get("chat"))
        chat_number = number(chat.get("id"))
        if chat_number is None:
            return None
        if chat.get("type") == "private":
            key = direct_key(self.agent, PLATFORM, self.account, person, self.dm_scope)
        elif chat.get("type") in ("group", "supergroup"):
            key = chat_key(self.agent, PLATFORM, self.account, "group", str(chat_number))
        else:
            return None
        thread = topic(message)
        return key if thread is None else key.in_thread(str(thread))


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the answer goes: chat, topic, the message to reply to in a group, and for a press what was pressed.

    `written` are the person's own messages that are answered. `asked` is a message of the person's in this chat, for a question
    that is put to them alone. `onlookers`: whether others than the sender read the chat.
    """

    chat: int
    thread: int | None = None
    reply_to: int | None = None
    query: str | None = None
    pressed: int | None = None
    written: tuple[int, ...] = ()
    asked: int | None = None
    onlookers: bool = False


def message_of(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message that an update is about: written, edited, or carrying the pressed button; empty for other updates."""
    announced = mapping(payload.get(ANNOUNCEMENT))
    if announced:
        return _announced(announced)
    press = mapping(payload.get("callback_query"))
    return mapping(press.get("message") if press else payload.get("message", payload.get("edited_message")))


def address(payload: Mapping[str, Any]) -> Address | None:
    """Where an answer to this update goes, or None if it names no chat."""
    press = mapping(payload.get("callback_query"))
    message = message_of(payload)
    chat = mapping(message.get("chat"))
    chat_number, here = number(chat.get("id")), number(message.get("message_id"))
    if chat_number is None:
        return None
    query = press.get("id")
    group = chat.get("type") != "private"
    written = () if press else _numbers(parts(payload) or (message,))
    return Address(
        chat=chat_number,
        thread=topic(message),
        reply_to=here if group and not press else None,
        query=query if isinstance(query, str) and query else None,
        pressed=here if press else None,
        written=written,
        asked=_asked(press, message) if group else None,
        onlookers=group,
    )


def topic(message: Mapping[str, Any]) -> int | None:
    """The forum topic of a message. A reply thread and a forum's General topic are none."""
    return number(message.get("message_thread_id")) if message.get("is_topic_message") is True else None


def chat_text(message: Mapping[str, Any]) -> str:
    """The chat and topic of a message as a text that `announced_in` takes; empty if it names no chat."""
    chat, thread = number(mapping(message.get("chat")).get("id")), topic(message)
    if chat is None:
        return ""
    return str(chat) if thread is None else f"{chat}/{thread}"


def announced_in(chat: str) -> dict[str, Any]:
    """The payload of something that is said in a chat of its own accord.

    `chat` is what `chat_text` gave, or `person:<id>` for somebody's private chat. Raises ValueError for anything else.
    """
    person = _PERSON.fullmatch(chat)
    place = person or _CHAT.fullmatch(chat)
    if place is None or not int(place[1]):
        raise ValueError(
            f"{shown(chat)} is no chat of Telegram: chats are named like -1001234 or, with a topic, -1001234/7, and people "
            "like person:1234"
        )
    thread = None if person else place[2]
    return {ANNOUNCEMENT: {"chat": int(place[1]), "thread": None if thread is None else int(thread)}}


def _announced(announced: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message as it would have to be for an answer to it to be what is announced. A private chat has its person's id."""
    chat, thread = number(announced.get("chat")), number(announced.get("thread"))
    if chat is None:
        return {}
    body: dict[str, Any] = {"chat": {"id": chat, "type": "private" if chat > 0 else "supergroup"}}
    if chat > 0:
        body["from"] = {"id": chat, "is_bot": False}
    if thread is not None:
        body |= {"message_thread_id": thread, "is_topic_message": True}
    return body


def _asked(press: Mapping[str, Any], message: Mapping[str, Any]) -> int | None:
    """What a question to the sender alone replies to. Who pressed has to have written the message that the buttons answer."""
    if not press:
        return number(message.get("message_id"))
    answered = mapping(message.get("reply_to_message"))
    same = mapping(answered.get("from")).get("id") == mapping(press.get("from")).get("id")
    return number(answered.get("message_id")) if same else None


def _numbers(messages: tuple[Mapping[str, Any], ...]) -> tuple[int, ...]:
    return tuple(found for message in messages if (found := number(message.get("message_id"))) is not None)
