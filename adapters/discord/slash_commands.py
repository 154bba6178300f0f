"""The slash commands: how they are registered, and which of their answers are for the sender alone."""

import logging
import re
from collections.abc import Sequence
from typing import Any

log = logging.getLogger(__name__)

_ARGUMENTS = {
    "model": ("model", "alias, provider/model, @profile, status, list, auto, default, undo, why"),
    "models": ("provider", "a provider, and a page: anthropic 2"),
    "usage": ("show", "off, tokens or full"),
}
"""Commands that take an argument, with the option's name and its description."""

AUTOCOMPLETED = "model"
_LOOKING = frozenset({"help", "whoami", "status", "models", "usage"})
_LOOKING_AT_MODEL = frozenset({"", "list", "status", "why"})
_NAME = re.compile(r"[-_\w]{1,32}")
_STRING = 3
_MOST = 100


def registration(commands: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """The body of the command sync: usable in guilds and in private chats with the bot. A name Discord refuses is left out."""
    entries = []
    for name, summary in commands:
        if not _NAME.fullmatch(name) or name != name.lower():
            log.warning(
                "Discord cannot offer /%s: command names are lower case, without blanks, up to 32 characters.", name
            )
            continue
        entries.append(_entry(name, summary))
    return entries[:_MOST]


def _entry(name: str, summary: str) -> dict[str, Any]:
    options = []
    if name in _ARGUMENTS:
        option, description = _ARGUMENTS[name]
        options.append(
            {
                "type": _STRING,
                "name": option,
                "description": description,
                "required": False,
                "autocomplete": name == AUTOCOMPLETED,
            }
        )
    return {
        "type": 1,
        "name": name,
        "description": (summary or name)[:100],
        "options": options,
        "contexts": [0, 1],
        "integration_types": [0],
    }


def only_looks(text: str) -> bool:
    """Whether a command changes nothing that others would want to see: its answer is for the sender alone.

    It has to be known before the command runs: an acknowledgement decides once who sees the answer.
    """
    name, _, argument = text.removeprefix("/").partition(" ")
    words = argument.lower().split()
    if name == "model":
        return (words[0] if words else "") in _LOOKING_AT_MODEL
    return name in _LOOKING
