"""What an update of Telegram means. Pure: the same stored update reads the same after a restart.

A stored payload is Telegram's JSON with one key of ours, IDENTITY: who the bot was when the update came, since a command
`/model@name` and a mention can be judged by that only. Anything of a wrong shape is nothing for us.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.telegram.albums import parts
from adapters.telegram.attached import offers
from adapters.telegram.spelling import Said, Spelling, addressed_text
from core.messages import Inbound, Ingress, Place, Sender
from core.sessions.key import SessionKey, chat_key, direct_key

PLATFORM = "telegram"
IDENTITY = "received_by"
_CALLBACK = re.compile(r"([^\s:]{1,60}):([1-9][0-9]{0,3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which agent and account the bot serves, and how wide a private session is (`session.dm_scope`)."""

    agent: str
    account: str
    dm_scope: str

    def session(self, message: Mapping[str, Any], person: str) -> SessionKey | None:
        """The session of the chat or forum topic that a message lies in; None for chats that are not ours to serve."""
        chat = _mapping(message.get("chat"))
        number = _number(chat.get("id"))
        if number is None:
            return None
        if chat.get("type") == "private":
            key = direct_key(self.agent, PLATFORM, self.account, person, self.dm_scope)
        elif chat.get("type") in ("group", "supergroup"):
            key = chat_key(self.agent, PLATFORM, self.account, "group", str(number))
        else:
            return None
        thread = topic(message)
        return key if thread is None else key.in_thread(str(thread))


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the answer goes: chat, topic, the message to reply to in a group, and for a press what was pressed.

    `onlookers`: whether others than the sender read the chat.
    """

    chat: int
    thread: int | None = None
    reply_to: int | None = None
    query: str | None = None
    pressed: int | None = None
    onlookers: bool = False


def read_update(payload: Mapping[str, Any], scope: Scope) -> Inbound | None:
    """The update as an Inbound: a person's text, files with or without words, or a press on a button. Everything else is None.

    What came along is not in it: see `offers`, which takes the same payload.
    """
    press = _mapping(payload.get("callback_query"))
    if press:
        return _read_press(press, scope)
    return _read_message(payload, spelling(payload), scope)


def lane(payload: Mapping[str, Any], scope: Scope) -> str:
    """The line in which the update waits for its turn: its session, or one for all that belongs to none."""
    press = _mapping(payload.get("callback_query"))
    message = _mapping(press.get("message") if press else payload.get("message"))
    person = _number(_mapping(press.get("from") if press else message.get("from")).get("id"))
    key = scope.session(message, str(person or 0))
    return f"{PLATFORM}:{scope.account}:elsewhere" if key is None else str(key)


def address(payload: Mapping[str, Any]) -> Address | None:
    """Where an answer to this update goes, or None if it names no chat."""
    press = _mapping(payload.get("callback_query"))
    message = _mapping(press.get("message") if press else payload.get("message"))
    chat = _mapping(message.get("chat"))
    number, here = _number(chat.get("id")), _number(message.get("message_id"))
    if number is None:
        return None
    query = press.get("id")
    return Address(
        chat=number,
        thread=topic(message),
        reply_to=here if not press and chat.get("type") != "private" else None,
        query=query if isinstance(query, str) and query else None,
        pressed=here if press else None,
        onlookers=chat.get("type") != "private",
    )


def spelling(payload: Mapping[str, Any]) -> Spelling:
    """How the bot was called when the update came."""
    identity = _mapping(payload.get(IDENTITY))
    name = identity.get("username")
    return Spelling(_number(identity.get("id")) or 0, name.casefold() if isinstance(name, str) else "")


def topic(message: Mapping[str, Any]) -> int | None:
    """The forum topic of a message. A reply thread and a forum's General topic are none."""
    return _number(message.get("message_thread_id")) if message.get("is_topic_message") is True else None


def _read_message(payload: Mapping[str, Any], names: Spelling, scope: Scope) -> Inbound | None:
    message = _mapping(payload.get("message"))
    sender = _person(message.get("from"))
    # A message in the name of a chat (channel, anonymous admin) has a stand-in as its sender: there is nobody to authorise.
    if sender is None or message.get("sender_chat") is not None:
        return None
    session = scope.session(message, sender.id)
    said = _said(payload, names)
    if session is None or said is None or not (said.text or offers(payload)):
        return None
    place = _place(message)
    answered = _mapping(message.get("reply_to_message"))
    to_us = _number(_mapping(answered.get("from")).get("id")) == names.id and "forum_topic_created" not in answered
    mentioned = place.direct or said.named or to_us
    return Inbound(
        ingress=Ingress.MESSAGE, sender=sender, session=session, place=place, text=said.text, mentioned=mentioned
    )


def _said(payload: Mapping[str, Any], names: Spelling) -> Said | None:
    """The text of a message, or its caption; of an album the captions of all parts. None if it is meant for another bot."""
    texts: list[str] = []
    named = False
    for message in parts(payload):
        key = "text" if isinstance(message.get("text"), str) else "caption"
        text, entities = message.get(key), message.get("entities" if key == "text" else "caption_entities")
        if not isinstance(text, str):
            continue
        said = addressed_text(text, entities if isinstance(entities, list) else [], names)
        if said is None:
            return None
        named = named or said.named
        texts += [said.text] if said.text else []
    return Said("\n".join(texts), named)


def _read_press(press: Mapping[str, Any], scope: Scope) -> Inbound | None:
    sender = _person(press.get("from"))
    message = _mapping(press.get("message"))
    session = None if sender is None else scope.session(message, sender.id)
    if sender is None or session is None:
        return None
    data = press.get("data")
    # Data of another bot's or an older keyboard names no list: token "" is known to nobody, so it is answered as stale.
    match = _CALLBACK.fullmatch(data) if isinstance(data, str) else None
    return Inbound(
        ingress=Ingress.BUTTON,
        sender=sender,
        session=session,
        place=_place(message),
        mentioned=True,
        token=match[1] if match else "",
        number=int(match[2]) if match else 0,
    )


def _place(message: Mapping[str, Any]) -> Place:
    chat = _mapping(message.get("chat"))
    return Place(direct=chat.get("type") == "private", ids=(f"{PLATFORM}:{chat.get('id')}",))


def _person(raw: object) -> Sender | None:
    user = _mapping(raw)
    number = _number(user.get("id"))
    if number is None or user.get("is_bot", False) is not False:
        return None
    names = [name for key in ("first_name", "last_name") if isinstance(name := user.get(key), str) and name]
    return Sender(PLATFORM, str(number), " ".join(names))


def _mapping(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _number(raw: object) -> int | None:
    return raw if isinstance(raw, int) and not isinstance(raw, bool) else None
