"""`/model list …` and `/models …`: which list is meant, and how it is shown: in steps where there are buttons, else as text."""

from core.auth.provider_names import provider_id
from core.commands import picker_steps as steps
from core.commands.command import CommandContext, Outcome
from core.commands.picker import PAGE, show_found, show_picker, show_provider
from core.commands.picker_choices import Choices
from core.errors import UserError, shown

_USAGE = "Write /model list [<provider> or a part of a name] [<page>]."


async def show_list(context: CommandContext, arguments: tuple[str, ...]) -> Outcome:
    """Nothing: the picker. A page; a provider, perhaps with a page; else a text to look for. An exact provider comes first."""
    if not arguments:
        return await steps.home(context) if context.rows else show_picker(context)
    page = int(arguments[-1][:9]) if _is_number(arguments[-1]) else 1
    if len(arguments) == 1 and _is_number(arguments[0]):
        return steps.providers(context, page) if context.rows else show_picker(context, page)
    if provider_id(arguments[0]) in context.snapshot.rules.catalog.providers:
        if len(arguments) > 2 or (len(arguments) == 2 and not _is_number(arguments[1])):
            raise UserError("usage", f"{shown(' '.join(arguments))} was not understood.", _USAGE)
        name = provider_id(arguments[0])
        return await steps.models(context, name, page) if context.rows else show_provider(context, name, page)
    text, page = _text_and_page(context, arguments)
    return await steps.found(context, text, page) if context.rows else show_found(context, text, page)


def _text_and_page(context: CommandContext, arguments: tuple[str, ...]) -> tuple[str, int]:
    """A number at the end is a page where there is one; else it belongs to the name, as in `gpt 5`."""
    if len(arguments) > 1 and _is_number(arguments[-1]):
        text, page = " ".join(arguments[:-1]), int(arguments[-1][:9])
        found, _ = Choices(context).find(text)
        if 1 <= page <= -(-len(found) // (context.rows or PAGE)):
            return text, page
    return " ".join(arguments), 1


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
