"""`/model`: look, choose, pin, release, undo, and ask why."""

from dataclasses import replace

from core.commands.change import change
from core.commands.command import CommandContext, Outcome
from core.commands.model_request import Form, parse_request
from core.commands.picker_lists import show_list
from core.commands.status import show_status
from core.commands.why import show_why
from core.errors import UserError


async def model(context: CommandContext, argument: str) -> Outcome:
    """Every form of `/model`. A number is resolved by the gateway, which knows what was shown."""
    request = parse_request(argument)
    if request.form is Form.NUMBER:
        # Only an alias may be a number here; a choice by number was replaced by its command before.
        if str(request.number) not in context.snapshot.rules.catalog.aliases:
            raise no_picker(argument.strip())
        request = replace(request, form=Form.SELECT)
    match request.form:
        case Form.PICKER:
            return await show_list(context, ())
        case Form.LIST:
            return await show_list(context, request.words)
        case Form.STATUS:
            return show_status(context, request.words)
        case Form.WHY:
            return await show_why(context)
    return change(context, request)


async def models(context: CommandContext, argument: str) -> Outcome:
    """`/models …` is `/model list …`."""
    return await show_list(context, tuple(argument.split()))


def no_picker(number: str) -> UserError:
    """The error for a number that refers to nothing that was shown."""
    return UserError(
        "number_without_picker",
        f"{number[:9]} is not a choice that was shown to you here in the last ten minutes. Nothing was changed.",
        "Open the list with /model, then choose by number; or write /model <model>.",
    )
