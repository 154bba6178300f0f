"""The table of commands, in the order of menus and help."""

from core.commands.clear import recheck
from core.commands.command import Command, CommandContext, Outcome
from core.commands.model import model, models
from core.commands.new import new
from core.commands.pairing import pairing
from core.commands.pick import pick
from core.commands.session import fresh, restore, stop, whoami
from core.commands.status import show_short
from core.commands.usage import usage
from core.commands.visibility import is_owner
from core.messages import Reply, ReplyKind


async def help_(context: CommandContext, argument: str) -> Outcome:
    """What can be typed, written from the table."""
    owner = is_owner(context.sender, context.snapshot.rules.access)
    known = [command for command in COMMANDS if not command.hidden or (owner and command.owners)]
    lines = [f"/{c.name} {c.argument}".strip() + f" – {c.summary}" for c in known]
    lines += [
        "",
        "/model opus@work pins a credential: only it is used, and if it is out you are asked.",
        "/model opus for 2h and /model opus once end by themselves. /model undo takes the last change back.",
    ]
    return Outcome((Reply(kind=ReplyKind.NOTICE, text="\n".join(lines), private=True),))


COMMANDS = (
    Command(
        name="model",
        summary="see and choose the model and the credential of this chat",
        handler=model,
        argument="[<model>][@<profile>] [for <2h>|once] [strict|prefer] | list | status | auto | default | undo | why",
    ),
    Command(name="models", summary="list models", handler=models, argument="[<provider> | <part of a name>] [<page>]"),
    Command(name="status", summary="what serves this chat now", handler=show_short),
    Command(
        name="new",
        summary="start a new conversation",
        handler=new,
        argument="[<model>[@<profile>]] [<message>]",
        aliases=("reset",),
    ),
    Command(
        name="compact",
        summary="turn the conversation into a summary, so that it takes less room",
        handler=None,
        argument="[<what to keep>]",
    ),
    Command(
        name="usage",
        summary="what this chat has used, and what stands under answers",
        handler=usage,
        argument="[off|tokens|full|all]",
    ),
    Command(name="stop", summary="end the answer that is being given", handler=stop),
    Command(name="whoami", summary="your id and rights", handler=whoami),
    Command(name="help", summary="what can be typed", handler=help_, aliases=("start",)),
    Command(name="pick", summary="a step of the picker", handler=pick, hidden=True, argument="<step> …"),
    Command(name="fresh", summary="a new conversation with the same model", handler=fresh, hidden=True),
    Command(name="restore", summary="what the Keep button does", handler=restore, hidden=True, argument="<moment>"),
    Command(
        name="pairing",
        summary="who asks to be let in, and who is",
        handler=pairing,
        argument="[approve|deny <code>] | [revoke <platform:id>]",
        hidden=True,
        owners=True,
    ),
    Command(name="recheck", summary="what the Check button does", handler=recheck, hidden=True, argument="<profile>"),
)
BY_NAME = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}
