"""A change of model or credential: chosen, put into words, and handed to the gateway to be stored."""

from dataclasses import replace

from core.auth.order import Placed
from core.auth.profiles import PinMode
from core.commands.choose import Chosen, asked_for, choose
from core.commands.command import Change, CommandContext, Outcome
from core.commands.model_request import ModelRequest
from core.commands.visibility import sees
from core.messages import Button, Reply, ReplyKind
from core.resolution import words
from core.resolution.resolver import Resolution, pin_is_out, resolve
from core.resolution.snapshot import Snapshot
from core.resolution.view import session_view
from core.sessions.session import Choice, Decision


def change(context: CommandContext, request: ModelRequest) -> Outcome:
    """What a select, auto, default, undo or mode request leads to. Raises UserError; nothing is stored here."""
    chosen = choose(context, request)
    before, after = context.snapshot, replace(context.snapshot, session=chosen.session)
    default = before.agent.default
    was, is_now = resolve(before), resolve(after)
    decision = Decision(
        at=before.now,
        actor=context.sender.key,
        action=chosen.action,
        before=words.choice_name(was.selected.choice, default),
        after=words.choice_name(is_now.selected.choice, default),
        reason=f"/model {_asked(request, chosen)}".strip(),
    )
    lines = [*_account(request, chosen, was, after, is_now), *_notes(context, after, is_now)]
    data = session_view(after, is_now, context.readers_there.sees, context.readers_there.owner)
    buttons = _next_steps(context, chosen, is_now) if context.rows and not context.on_card else ()
    reply = Reply(kind=ReplyKind.NOTICE, text="\n".join(lines), data=data, buttons=buttons)
    return Outcome((reply,), Change(chosen.session, (decision,)))


def _next_steps(context: CommandContext, chosen: Chosen, is_now: Resolution) -> tuple[Button, ...]:
    """What is near at hand after a change. They have no numbers: those are still the picker's."""
    wanted = [("Undo", "/model undo")] if chosen.session.undo is not None else []
    pin = is_now.pinned.pin if is_now.pinned is not None else None
    profile = context.snapshot.credentials.profiles.get(pin.profile) if pin is not None else None
    if pin is not None and profile is not None and sees(context.sender, context.snapshot.rules.access)(profile):
        wanted.append(("Prefer", "/model prefer") if pin.mode is PinMode.STRICT else ("Strict", "/model strict"))
    return tuple(
        Button(n=n, label=label, command="", press=press, group="action")
        for n, (label, press) in enumerate(wanted, start=1)
    )


def _asked(request: ModelRequest, chosen: Chosen) -> str:
    if request.selector is None:
        return request.mode.value if request.mode else request.form.value
    return asked_for(request.selector, chosen)


def _account(request: ModelRequest, chosen: Chosen, was: Resolution, after: Snapshot, is_now: Resolution) -> list[str]:
    """What holds now, and what happened to what held before."""
    choice = is_now.selected.choice
    model = words.model_name(after, is_now.selected.ref)
    lines = []
    if chosen.near is not None:
        lines.append(f"{chosen.near!r} was read as {is_now.selected.ref}.")
    if chosen.action == "release":
        lines.append(f"Still {model}; the credential is chosen automatically.")
    elif choice is None or (choice.model is None and choice.pin is None):
        lines.append(f"Back to the default, {model}; the credential is chosen automatically.")
    elif choice.pin is None:
        lines.append(f"Now {model}; the credential is chosen automatically.")
    else:
        lines.append(f"Now {model} with {choice.pin.profile}, pinned {choice.pin.mode.value}.")
    if choice is not None and choice.is_temporary and after.session.current(after.now) is choice:
        lines.append(temporary(after))
    if chosen.unlisted:
        lines.append("This id is not in the list of known models; it is used as you wrote it.")
    if chosen.kept:
        lines.append("The pin is kept, since the provider is the same.")
    if chosen.released is not None:
        gone = chosen.released.profile not in after.credentials.profiles
        why = "there is no such profile any more" if gone else "it is a credential of another provider"
        lines.append(f"The pin on {chosen.released.profile} {_fate(choice)}: {why}.")
    released = was.pinned.pin if was.pinned else None
    ends = request.release or chosen.action in ("release", "default", "undo")
    if ends and chosen.released is None and released and (choice is None or choice.pin is None):
        lines.append(f"The pin on {released.profile} {_fate(choice)}.")
    return lines


def _fate(choice: Choice | None) -> str:
    """What becomes of a pin under a choice: one that ends by itself brings it back."""
    return "does not apply meanwhile" if choice is not None and choice.is_temporary else "is released"


def temporary(after: Snapshot) -> str:
    """When the choice ends and what returns then."""
    standing = after.session.standing(after.now)
    # As it will be then: what lies below, or the chat above, may have ended too.
    then = standing[-1].expires_at or after.now
    below = resolve(replace(after, now=then, session=replace(after.session, choices=standing[:-1])))
    back = words.choice_name(below.selected.choice, after.agent.default)
    choice = standing[-1]
    if choice.expires_at is not None:
        return f"Until {words.moment(choice.expires_at, after.now)}; then {back} again."
    return f"For the next turn only; then {back} again."


def _notes(context: CommandContext, after: Snapshot, is_now: Resolution) -> list[str]:
    """What the sender must know about the next turn."""
    lines = []
    pinned: Placed | None = is_now.pinned.placed if is_now.pinned and is_now.pinned.pin else None
    if is_now.pinned and pinned and pin_is_out(is_now.pinned):
        lines.append(f"{pinned.id} is {words.state(pinned, after.now)} now.")
    if not is_now.candidates or (is_now.pinned and pin_is_out(is_now.pinned)):
        lines.append(f"Next: {words.next_words(after, is_now)}.")
    if context.busy:
        lines.append("A message is being answered now; this holds from the next one.")
    return lines
