"""What an update of Telegram means. Pure: the same stored update reads the same after a restart.

A stored payload is Telegram's JSON with keys of ours beside it: IDENTITY, who the bot was when the update came, since a command
`/model@name` and a mention can be judged by that only; and HAS_SECRET, where a secret was blotted out before it was stored.
Anything of a wrong shape is nothing for us.
"""

import re
from collections.abc import Mapping
from typing import Any

from adapters.telegram.albums import parts
from adapters.telegram.attached import offers
from adapters.telegram.places import ANNOUNCEMENT, PLATFORM, Scope, chat_text, message_of
from adapters.telegram.quotes import person_name, quoted
from adapters.telegram.shapes import mapping, number
from adapters.telegram.spelling import Said, Spelling, addressed_text
from core.blotting import HAS_SECRET
from core.messages import Inbound, Ingress, Place, Sender

IDENTITY = "received_by"
ROWS = 8
"""Choices under one message: what a phone shows without scrolling."""
_CALLBACK = re.compile(r"([^\s:]{1,60}):([1-9][0-9]{0,3})")


def read_update(payload: Mapping[str, Any], scope: Scope) -> Inbound | None:
    """The update as an Inbound: a person's text, files with or without words, what they made of it later, or a press on a
    button; or an announcement of our own, which says nothing. Everything else is None.

    What came along is not in it: see `offers`, which takes the same payload.
    """
    if ANNOUNCEMENT in payload:
        return _read_announcement(payload, scope)
    press = mapping(payload.get("callback_query"))
    if press:
        return _read_press(press, scope)
    return _read_message(payload, spelling(payload), scope)


def lane(payload: Mapping[str, Any], scope: Scope) -> str:
    """The line in which the update waits for its turn: its session, or one for all that belongs to none."""
    press = mapping(payload.get("callback_query"))
    message = message_of(payload)
    person = number(mapping(press.get("from") if press else message.get("from")).get("id"))
    key = scope.session(message, str(person or 0))
    return f"{PLATFORM}:{scope.account}:elsewhere" if key is None else str(key)


def spelling(payload: Mapping[str, Any]) -> Spelling:
    """How the bot was called when the update came."""
    identity = mapping(payload.get(IDENTITY))
    name = identity.get("username")
    return Spelling(number(identity.get("id")) or 0, name.casefold() if isinstance(name, str) else "")


def _read_message(payload: Mapping[str, Any], names: Spelling, scope: Scope) -> Inbound | None:
    edited = "edited_message" in payload
    message = message_of(payload)
    sender = _person(message.get("from"))
    # A message in the name of a chat (channel, anonymous admin) has a stand-in as its sender: there is nobody to authorise.
    if sender is None or message.get("sender_chat") is not None:
        return None
    # What nobody wrote (a reaction, a place that moved) is told as an edit too, but without the time of one.
    if edited and number(message.get("edit_date")) is None:
        return None
    session = scope.session(message, sender.id)
    said = _said((message,) if edited else parts(payload), names)
    if session is None or said is None or not (said.text or (not edited and offers(payload))):
        return None
    place = _place(message)
    answered = mapping(message.get("reply_to_message"))
    to_us = number(mapping(answered.get("from")).get("id")) == names.id and "forum_topic_created" not in answered
    here = number(message.get("message_id"))
    return Inbound(
        ingress=Ingress.EDIT if edited else Ingress.MESSAGE,
        sender=sender,
        session=session,
        place=place,
        text=said.text,
        message="" if here is None else str(here),
        quoted=quoted(message, names),
        chat=chat_text(message),
        rows=ROWS,
        has_secret=bool(payload.get(HAS_SECRET)),
        mentioned=place.direct or said.named or to_us,
    )


def _said(messages: tuple[Mapping[str, Any], ...], names: Spelling) -> Said | None:
    """The text of a message, or its caption; of an album the captions of all parts. None if it is meant for another bot."""
    texts: list[str] = []
    named = False
    for message in messages:
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
    message = mapping(press.get("message"))
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
        chat=chat_text(message),
        rows=ROWS,
        mentioned=True,
        token=match[1] if match else "",
        number=int(match[2]) if match else 0,
    )


def _read_announcement(payload: Mapping[str, Any], scope: Scope) -> Inbound | None:
    """Nobody said anything: the sender is the person of a private chat, and nobody (id 0) in a group."""
    message = message_of(payload)
    sender = _person(message.get("from")) or Sender(PLATFORM, "0")
    session = scope.session(message, sender.id)
    if session is None:
        return None
    return Inbound(
        ingress=Ingress.MESSAGE,
        sender=sender,
        session=session,
        place=_place(message),
        chat=chat_text(message),
        rows=ROWS,
    )


def _place(message: Mapping[str, Any]) -> Place:
    chat = mapping(message.get("chat"))
    return Place(direct=chat.get("type") == "private", ids=(f"{PLATFORM}:{chat.get('id')}",))


def _person(raw: object) -> Sender | None:
    user = mapping(raw)
    identity = number(user.get("id"))
    if identity is None or user.get("is_bot", False) is not False:
        return None
    return Sender(PLATFORM, str(identity), person_name(user))
