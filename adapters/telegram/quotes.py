"""What a message of Telegram replies to, as far as it has words."""

from collections.abc import Mapping
from typing import Any

from adapters.telegram.shapes import mapping, number, words
from adapters.telegram.spelling import Spelling, addressed_text
from core.messages import Quoted


def quoted(message: Mapping[str, Any], names: Spelling) -> Quoted | None:
    """The part that the person marked, else the whole text or caption of the message replied to, without the name by which it
    called us; None without words.

    Every message of a topic replies to the notice that opened the topic: that is no quote.
    """
    answered = mapping(message.get("reply_to_message"))
    elsewhere = mapping(message.get("external_reply"))
    if "forum_topic_created" in answered:
        return None
    text = (words(mapping(message.get("quote")).get("text")) or _whole(answered, names)).strip()
    if not text:
        return None
    if not answered:
        return Quoted(_origin(mapping(elsewhere.get("origin"))), text)
    return Quoted(_author(answered), text, own=number(mapping(answered.get("from")).get("id")) == names.id)


def _whole(answered: Mapping[str, Any], names: Spelling) -> str:
    """All of a message's words."""
    key = "text" if words(answered.get("text")) else "caption"
    text, entities = words(answered.get(key)), answered.get("entities" if key == "text" else "caption_entities")
    said = addressed_text(text, entities if isinstance(entities, list) else [], names)
    return text if said is None else said.text


def person_name(user: Mapping[str, Any]) -> str:
    """First and last name as one."""
    return " ".join(name for key in ("first_name", "last_name") if (name := words(user.get(key))))


def _author(message: Mapping[str, Any]) -> str:
    """Who wrote it: a person, or the chat in whose name it was written."""
    title = words(mapping(message.get("sender_chat")).get("title"))
    return title or person_name(mapping(message.get("from")))


def _origin(origin: Mapping[str, Any]) -> str:
    """Who wrote a message of another chat, as far as Telegram tells."""
    chat = mapping(origin.get("sender_chat")) or mapping(origin.get("chat"))
    return (
        person_name(mapping(origin.get("sender_user")))
        or words(origin.get("sender_user_name"))
        or words(chat.get("title"))
    )
