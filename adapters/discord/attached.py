"""What came with a Discord message: its attachments as they lie in the stored row, offered to be fetched.

An attachment's URL is signed and expires after a day or so; its id within its message does not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import discord

from core.attachments import Offer


def stored_attachments(attachments: Sequence[discord.Attachment]) -> list[dict[str, Any]]:
    """Attachments as a row keeps them."""
    return [
        {
            "id": str(attachment.id),
            "name": attachment.filename,
            "media_type": attachment.content_type or "",
            "size": attachment.size,
            "url": attachment.url,
        }
        for attachment in attachments
    ]


def offers(payload: Mapping[str, Any]) -> tuple[Offer, ...]:
    """What a stored message offers. Its `source` is the attachment's id.

    Rows of earlier versions have the bare names: their ids and URLs are found, by the name, when the message is asked for anew.
    """
    return tuple(
        Offer(name=entry, source=entry)
        if isinstance(entry, str)
        else Offer(name=entry["name"], media_type=entry["media_type"], size=entry["size"], source=entry["id"])
        for entry in payload.get("attachments", ())
    )


def stored_urls(payload: Mapping[str, Any]) -> dict[str, str]:
    """The URLs of a row, by the `source` of their offers."""
    return {entry["id"]: entry["url"] for entry in payload.get("attachments", ()) if not isinstance(entry, str)}


def told_urls(message: Mapping[str, Any]) -> dict[str, str]:
    """The URLs in a message as the API tells it: by attachment id, and by name for rows that have only that."""
    found: dict[str, str] = {}
    for entry in message.get("attachments") or ():
        found.setdefault(str(entry.get("filename")), str(entry.get("url")))
        found[str(entry.get("id"))] = str(entry.get("url"))
    return found
