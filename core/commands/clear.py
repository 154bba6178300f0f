"""What the button *Check again* does: an owner has a provider asked whether it accepts a credential that is out, and if it does,
the credential is back for everybody. It waits for no turn, and no turn waits for it."""

from dataclasses import replace
from functools import partial

from core.auth.order import Placed
from core.commands.command import Change, CommandContext, Outcome
from core.commands.visibility import Sees, is_owner
from core.errors import Failure, UserError, shown
from core.messages import Button, Reply, ReplyKind
from core.models.ref import ModelRef
from core.resolution import words
from core.resolution.outage import HELD, check_choices, in_use, is_out
from core.resolution.resolver import resolve
from core.resolution.snapshot import Snapshot
from core.sessions.session import Decision


async def recheck(context: CommandContext, argument: str) -> Outcome:
    """`argument` is the id of a credential that was shown to be out. Raises UserError for who is no owner."""
    snapshot, name = context.snapshot, argument.strip()
    if not is_owner(context.sender, snapshot.rules.access):
        raise UserError("not_authorised", "Only an owner may have a credential checked.", "Ask one.")
    found = next((one for one in in_use(snapshot, resolve(snapshot)) if one[1].id == name), None)
    if found is None:
        raise UserError(
            "profile_not_found",
            f"{shown(name)} does not serve this chat now. Nothing was changed.",
            "See /model status.",
        )
    model, placed = found
    if not is_out(placed) or placed.profile is None:
        text = f"{name} is {words.state(placed, snapshot.now)}: there is nothing to clear."
        return Outcome((Reply(kind=ReplyKind.NOTICE, text=text),))
    if context.checks.is_under_way(placed.profile):
        raise UserError("check_under_way", f"{name} is being checked already.", "What comes of it is told there.")
    return Outcome((), later=partial(_asked, context, model, placed))


async def _asked(context: CommandContext, model: ModelRef, placed: Placed) -> Outcome:
    """What the provider said, and how the credential stands then."""
    before = context.snapshot
    if placed.profile is None or context.checks.is_under_way(placed.profile):
        raise UserError("check_under_way", f"{placed.id} is being checked already.", "What comes of it is told there.")
    failure = await context.checks.run(before, placed.profile, model)
    after = context.checks.again(before.session.key)
    stands = next((one for one in after.placed(model) if one.id == placed.id), replace(placed, block=None))
    if failure is not None:
        told = _still_out(stands, model, failure, after)
        return Outcome((told if context.on_card else with_checks(told, after, context.reader.sees),), goes_on=False)
    decision = Decision(
        at=after.now,
        actor=context.sender.key,
        action="clear",
        before=f"{placed.id} {words.state(placed, before.now)}",
        after=f"{placed.id} {words.state(stands, after.now)}",
        reason="the provider accepts it",
    )
    text = f"{placed.id} is back: the provider accepts it."
    if is_out(stands):
        text = f"The provider accepts {placed.id}, but another request has failed meanwhile: {_is_now(stands, after)}."
    reply = Reply(kind=ReplyKind.NOTICE, text=text, data={"profile": placed.id, "model": str(model)})
    told = reply if context.on_card else with_checks(reply, after, context.readers_there.sees)
    return Outcome((told,), Change(None, (decision,)), goes_on=not is_out(stands))


def _still_out(stands: Placed, model: ModelRef, failure: Failure, after: Snapshot) -> Reply:
    status = f" (HTTP {failure.status})" if failure.status else ""
    if failure.reason in HELD:
        text = f"{stands.id} is still out: the provider answered {failure.reason}{status} to {model}."
    else:
        text = f"{stands.id} could not be checked with {model}: {failure.reason}{status}. Nothing was changed."
    said = f"\nIt said: {failure.detail}" if failure.detail else ""
    data = {"profile": stands.id, "model": str(model), "reason": failure.reason.value, "status": failure.status}
    return Reply(kind=ReplyKind.NOTICE, text=f"{text}{said}\nNow: {_is_now(stands, after)}.", data=data)


def _is_now(stands: Placed, after: Snapshot) -> str:
    return f"{stands.id} is {words.state(stands, after.now)}"


def with_checks(reply: Reply, snapshot: Snapshot, may_see: Sees) -> Reply:
    """The reply with a button for each credential in use that is out and may be named. For owners."""
    used = (placed for _, placed in in_use(snapshot, resolve(snapshot)))
    choices = check_choices(placed for placed in used if placed.profile is not None and may_see(placed.profile))
    if not choices:
        return reply
    buttons = tuple(
        Button(n=n, label=label, command=command, group="action") for n, (label, command) in enumerate(choices, start=1)
    )
    apart = [""] if reply.kind is ReplyKind.STATUS else []  # its last lines are numbered too
    lines = [reply.text, *apart, *(f"{b.n:>3}. {b.label}" for b in buttons), "Answer with a button or /model <number>."]
    return replace(reply, text="\n".join(lines), buttons=buttons)
