"""`/pick …`, hidden: what the buttons of the picker do. A press is judged by what stands when it comes, never by what it was
made from; nothing is stored unless the choice still holds."""

from core.commands import picker_links as links
from core.commands import picker_steps as steps
from core.commands.change import change
from core.commands.command import CommandContext, Outcome
from core.commands.model_request import Form, ModelRequest
from core.commands.picker_choices import Choices
from core.errors import UserError
from core.models.selector import Selector


async def pick(context: CommandContext, argument: str) -> Outcome:
    """One step of the picker, or the choice at its end."""
    link = links.read(argument)
    match link.step:
        case "providers":
            return steps.providers(context, link.page(0))
        case "models":
            return await steps.models(context, link.word(0), link.page(1))
        case links.FIND:
            return await steps.found(context, link.word(1), link.page(0))
        case "credentials":
            page = link.page(1) if link.word(1) != "0" else 0
            return await steps.credentials(context, link.ref(), page, link.word(2))
        case "use":
            return await _use(context, link)
        case "cancel":
            return steps.cancelled(context)
    return await steps.home(context)


async def _use(context: CommandContext, link: links.Link) -> Outcome:
    """The choice itself; or the step before it once more, with what stands in its way."""
    choices, ref, end = Choices(context), link.ref(), link.word(1)
    if ref is None or not choices.has(ref):
        return await steps.home(context, *steps.vanished(ref))
    profile = end.removeprefix("@") if end.startswith("@") else None
    if profile is not None and not choices.may_pin(ref, profile):
        told = f"{profile} can no longer be pinned for {ref}. Nothing was changed."
        return await steps.credentials(context, ref, 0, "", told, "profile_not_found")
    request = ModelRequest(
        form=Form.SELECT,
        selector=Selector(str(ref), profile, quoted=True),
        ref=ref,
        release=end == links.AUTOMATIC,
    )
    try:
        return change(context, request)
    except UserError as error:
        return await steps.credentials(context, ref, 0, "", str(error), error.code)
