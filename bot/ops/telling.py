"""`remoteclaw notify`, as the gateway answers it: a sentence of the host, stored for every owner before the answer is given."""

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.errors import UserError
from core.messages import Reply, ReplyKind

if TYPE_CHECKING:
    from bot.app import App

LONGEST = 2000
"""Characters: what fits into one message everywhere."""
_LONGEST_NAME = 100


async def tell_owners(app: "App", request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Tell `text` to every owner on a platform that is served, each once. With `once` a text of that name is told once in three
    days, whatever it says. Gives how many owners there are, are told now and were told already. Raises UserError, StorageError."""
    text, once = request.get("text"), request.get("once") or ""
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
        raise UserError("usage", f"What is told must have 1 to {LONGEST} characters.")
    if not isinstance(once, str) or len(once) > _LONGEST_NAME:
        raise UserError("usage", f"The name of what is told once must have at most {_LONGEST_NAME} characters.")
    reply = Reply(kind=ReplyKind.NOTICE, text=text.strip())
    key = f"host:{once}" if once else f"host:{secrets.token_hex(8)}"
    owners = sorted(app.rules.access.owners)
    told = [await app.announcer.news_for(owner, key, reply) for owner in owners]
    return {"owners": len(owners), "told": told.count(True), "told_already": told.count(False)}
