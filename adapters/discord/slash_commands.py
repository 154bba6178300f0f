"""The slash commands: how they are registered, and which of their answers are for the sender alone."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

log = logging.getLogger(__name__)

_ARGUMENTS = {
    "model": ("model", "alias, provider/model, @profile, status, list, auto, default, undo, why"),
    "models": ("provider", "a provider, and a page: anthropic 2"),
    "new": ("model", "begin with this model: alias, provider/model, model@profile"),
    "usage": ("show", "what stands under every answer here; without it: what this chat has used"),
}
"""Commands whose argument has a name and a description of its own. The others are described by their usage."""
_WORDS = re.compile(r"\[(\w+(?:\|\w+)+)\]")
"""The usage of an argument that is one of a few words."""
COMPLETED = frozenset({"model", "new"})
"""Commands whose argument is completed while it is typed."""
_LOOKING = frozenset({"help", "whoami", "status", "models"})
_LOOKING_AT_MODEL = frozenset({"", "list", "status", "why"})
_NAME = re.compile(r"[-_\w]{1,32}")
_STRING = 3
_MOST = 100


def registration(
    commands: Sequence[tuple[str, str]], arguments: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """The body of the command sync: usable in guilds and in private chats with the bot. A name Discord refuses is left out.

    `arguments` has the usage of every command that takes an argument, as the help shows it.
    """
    entries = []
    for name, summary in commands:
        if not _NAME.fullmatch(name) or name != name.lower():
            log.warning(
                "Discord cannot offer /%s: command names are lower case, without blanks, up to 32 characters.", name
            )
            continue
        entries.append(_entry(name, summary, (arguments or {}).get(name, "")))
    return entries[:_MOST]


def _entry(name: str, summary: str, usage: str) -> dict[str, Any]:
    argument = _ARGUMENTS.get(name) or (("text", usage) if usage else None)
    return {
        "type": 1,
        "name": name,
        "description": (summary or name)[:100],
        "options": [] if argument is None else [_option(name, *argument, usage)],
        "contexts": [0, 1],
        "integration_types": [0],
    }


def _option(command: str, name: str, description: str, usage: str) -> dict[str, Any]:
    option: dict[str, Any] = {
        "type": _STRING,
        "name": name,
        "description": description[:100],
        "required": False,
        "autocomplete": command in COMPLETED,
    }
    if words := _WORDS.fullmatch(usage):
        option["choices"] = [{"name": word, "value": word} for word in words[1].split("|")[:25]]
    return option


def only_looks(text: str) -> bool:
    """Whether a command changes nothing that others would want to see: its answer is for the sender alone.

    It has to be known before the command runs: an acknowledgement decides once who sees the answer.
    """
    name, _, argument = text.removeprefix("/").partition(" ")
    words = argument.lower().split()
    first = words[0] if words else ""
    if name == "model":
        return first in _LOOKING_AT_MODEL
    if name == "usage":
        return first in ("", "all")
    return name in _LOOKING
