"""Stored updates as Telegram sends them, and what they mean."""

from typing import Any

from adapters.telegram.inbound import IDENTITY, read_update
from adapters.telegram.places import Scope
from core.messages import Inbound

SCOPE = Scope(agent="main", account="default", dm_scope="per-account-channel-peer")
US = {"id": 777, "username": "Our_Bot"}
ADA: dict[str, Any] = {"id": 1001, "is_bot": False, "first_name": "Ada", "last_name": "L."}
PRIVATE = {"id": 1001, "type": "private", "first_name": "Ada"}
GROUP = {"id": -100200, "type": "supergroup", "title": "G"}


def message(text: Any = "hello", chat: Any = GROUP, **fields: Any) -> dict[str, Any]:
    """A stored update with a message."""
    return {
        "update_id": 1,
        IDENTITY: US,
        "message": {"message_id": 5, "date": 1, "chat": chat, "from": ADA, "text": text, **fields},
    }


def edited(text: Any = "hello", chat: Any = GROUP, **fields: Any) -> dict[str, Any]:
    """A stored update with a message that was written anew."""
    body = message(text, chat, **{"edit_date": 2, **fields})
    return {"update_id": 3, IDENTITY: US, "edited_message": body["message"]}


def entity(kind: str, text: str, part: str, **fields: Any) -> dict[str, Any]:
    """The entity over `part`, placed in UTF-16 code units."""
    offset = len(text[: text.index(part)].encode("utf-16-le")) // 2
    return {"type": kind, "offset": offset, "length": len(part.encode("utf-16-le")) // 2, **fields}


def press(data: Any, chat: Any = GROUP, **fields: Any) -> dict[str, Any]:
    """A stored update with a press on a message of the bot."""
    shown = {"message_id": 9, "date": 1, "chat": chat, "from": {"id": 777, "is_bot": True, "first_name": "B"}, **fields}
    query = {"id": "q1", "from": ADA, "message": shown, "chat_instance": "1", "data": data}
    return {"update_id": 2, IDENTITY: US, "callback_query": query}


def read(payload: dict[str, Any]) -> Inbound:
    inbound = read_update(payload, SCOPE)
    assert inbound is not None
    return inbound


SIZE = {"file_id": "x", "width": 90, "height": 90}
