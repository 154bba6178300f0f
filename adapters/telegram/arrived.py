"""An update as Telegram sent it, on its way into the inbox."""

import logging
from collections.abc import Mapping
from typing import Any

from adapters.telegram.inbound import IDENTITY, lane
from adapters.telegram.membership import membership
from adapters.telegram.places import PLATFORM, Scope
from core.ports import Update

_log = logging.getLogger(__name__)

WANTED = ("message", "edited_message", "callback_query", "my_chat_member")
"""The kinds of updates that Telegram is asked for."""


def number_of(raw: Any) -> int | None:
    """The number that Telegram gave the update; None for what is no update."""
    number = raw.get("update_id") if isinstance(raw, Mapping) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def is_only_told(raw: Mapping[str, Any]) -> bool:
    """Whether the update is only about where the bot is or may write: that is logged, and nobody is answered."""
    change = membership(raw)
    if change:
        _log.info("%s", change)
    return "my_chat_member" in raw


def update_of(raw: Mapping[str, Any], scope: Scope, identity: Mapping[str, Any] | None = None) -> Update:
    """The update to be stored. `identity` is who the bot is; None where the payload says it already."""
    return Update(
        platform=PLATFORM,
        account=scope.account,
        key=str(raw["update_id"]),
        lane=lane(raw, scope),
        payload=raw if identity is None else {**raw, IDENTITY: identity},
    )
