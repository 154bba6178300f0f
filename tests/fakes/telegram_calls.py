"""Calls of the Bot API as the counterpart sees them, and the trouble that is made for them."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Call:
    """One request of the bot: its method, its parameters as they were understood, and the status of the answer."""

    method: str
    params: dict[str, Any]
    status: int = 0
    at: float = field(default_factory=time.monotonic)


@dataclass
class Trouble:
    """What is done to the next `times` calls of a method instead of, or after, carrying them out."""

    method: str
    act: Callable[[], Any]
    times: int
    after: bool = False


class Gate:
    """Calls wait at it until it is opened. `waiting` counts those that came."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.waiting = 0
        self.is_open = False
        self._changed = changed

    def open(self) -> None:
        self.is_open = True
        self._changed()


async def body_of(request: web.Request) -> dict[str, Any]:
    """The parameters in a request's body: JSON or a form."""
    if request.content_type == "application/json":
        return dict(await request.json())
    return {key: value for key, value in (await request.post()).items() if isinstance(value, str)}


_COMPOUND = {"entities", "reply_markup", "reply_parameters", "link_preview_options", "allowed_updates", "commands"}
_COMPOUND |= {"scope"}


def parsed(params: dict[str, Any]) -> dict[str, Any]:
    """Compound parameters come as JSON inside a form; a JSON body has them as they are."""
    return {
        key: json.loads(value) if key in _COMPOUND and isinstance(value, str) else value
        for key, value in params.items()
    }
