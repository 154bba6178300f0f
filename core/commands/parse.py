"""Text -> an invocation of a command, an inline `/model` inside a sentence, or nothing: then it is for the model."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from core.commands.command import Command
from core.commands.registry import BY_NAME
from core.errors import UserError
from core.models.match import edit_distance
from core.models.selector import Directive, find_directive

_NAME = re.compile(r"/(?P<name>[A-Za-z_]{1,32})(?P<colon>\s*:)?(?=$|\s|:)")


@dataclass(frozen=True, slots=True)
class Invocation:
    """One use of a command."""

    name: str
    argument: str


def parse(text: str, aliases: Iterable[str] = (), owner: bool = False) -> Invocation | None:
    """The command that the whole message is, or None.

    `aliases` are commands of their own (`/opus`), if they are switched on. A typing error in a command's name is an error
    and not a message to the model: nobody wants to pay for `/modle`. Other words with a slash are text. `owner`: whether the
    commands of owners exist for whoever wrote it.
    """
    stripped = text.strip()
    found = _NAME.match(stripped)
    alias = _alias(stripped, aliases)
    if alias is not None:
        return alias
    if found is None:
        return None
    name = found["name"].lower()
    argument = stripped[found.end() :].strip()
    command = BY_NAME.get(name)
    if command is None or not _exists(command, owner):
        near = next(
            (known for known in _public(owner) if edit_distance(name, known, 1) <= 1 or _swapped(name, known)), None
        )
        if near is not None:
            raise UserError("usage", f"There is no command /{name}. Did you mean /{near}?", "See /help.")
        return None
    if argument and not command.argument:
        raise UserError(
            "usage", f"/{command.name} takes nothing after it, but {argument[:40]!r} follows.", "See /help."
        )
    return Invocation(command.name, argument)


def parse_inline(text: str, aliases: Iterable[str] = ()) -> Directive | None:
    """A `/model <ref>` inside a sentence, with words around it. What it means is for the gateway to decide."""
    directive = find_directive(text, aliases)
    if directive is None or directive.selector is None or not directive.rest or not directive.before.strip():
        return None
    return directive


def _alias(text: str, aliases: Iterable[str]) -> Invocation | None:
    directive = find_directive(text, aliases) if text.startswith("/") else None
    if directive is None or directive.before.strip() or not directive.argument:
        return None
    if not text[1:].lower().startswith(directive.argument.lower()):
        return None
    return Invocation("model", f"{directive.argument} {directive.rest}".strip())


def _exists(command: Command, owner: bool) -> bool:
    return not command.hidden or (owner and command.owners)


def _public(owner: bool) -> list[str]:
    return [name for name, command in BY_NAME.items() if _exists(command, owner)]


def _swapped(a: str, b: str) -> bool:
    return len(a) == len(b) and a != b and sorted(a) == sorted(b)
