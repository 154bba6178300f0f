"""`/new` (`/reset`): a new conversation, with another model and credential if they are named, and what to ask first."""

from dataclasses import replace

from core.auth.provider_names import provider_id
from core.commands.change import temporary
from core.commands.choose import Chosen, asked_for, choose
from core.commands.command import Asker, Change, CommandContext, Outcome
from core.commands.model_request import RESERVED, Form, parse_request
from core.commands.pin_lookup import visible_profiles
from core.errors import UserError, shown
from core.messages import Button, Reply, ReplyKind, Sender
from core.models.lookup import Lookup
from core.models.selector import Selector, eight_digit_profile, find_directive
from core.resolution import words
from core.resolution.resolver import resolve
from core.resolution.rules import OnReset
from core.resolution.snapshot import Snapshot
from core.sessions.session import Choice, Decision, Session

_SHORTEST_NEAR = 6
"""Letters from which on a single inexact word may be a model: shorter ones are how sentences begin."""


def split_new(snapshot: Snapshot, sender: Sender, argument: str) -> tuple[str, str]:
    """What follows `/new`, cut: the model or credential that its first words name (for the command), and the message after it.

    Words that name none are the message. Where nothing but options follows (`for 2h`, `once`), they belong to the command. Raises
    UserError where the words name a model that cannot be chosen, or several, or are a word of `/model` and nothing else.
    """
    reference, message = _split(snapshot, sender, argument.strip())
    if not reference and message.lower() in RESERVED:
        raise UserError(
            "usage",
            f"/new takes a model or a message, and {shown(message)} is a word of /model. Nothing was changed.",
            "Write /new alone, /new <model>, or /new and a message.",
        )
    return (f"{reference} {message}", "") if reference and _are_options(message) else (reference, message)


def _are_options(words: str) -> bool:
    """Whether this ends or shapes a choice, and is nothing that could be a message."""
    if not words:
        return False
    try:
        return parse_request(f"x@x {words}").selector is not None
    except UserError:
        return False


def _split(snapshot: Snapshot, sender: Sender, text: str) -> tuple[str, str]:
    directive = find_directive(f"/model {text}")
    if directive is None or directive.selector is None or directive.argument is None:
        return "", text
    first, rest = directive.argument, text[len(directive.argument) :]
    if not text.startswith(first) or (rest and not rest[0].isspace()):
        return "", text
    asker = Asker(snapshot=snapshot, sender=sender)
    if directive.selector.profile is not None or directive.selector.model.startswith("@"):
        return (first, rest.strip()) if _names_profile(asker, directive.selector) else ("", text)
    return _with_provider(asker, first, rest.strip()) or _alone(asker.snapshot.lookup, directive.selector, first, text)


def _names_profile(asker: Asker, selector: Selector) -> bool:
    """Whether `a@b` or `@b` is meant as a credential and is no address: the model is exact, or there is such a profile."""
    if selector.model and _is_exact(asker.snapshot.lookup, selector.model):
        return True
    name = (selector.profile or selector.model.removeprefix("@")).lower()
    return any(name in (known.lower(), known.lower().partition(":")[2]) for known in visible_profiles(asker))


def _with_provider(asker: Asker, first: str, rest: str) -> tuple[str, str] | None:
    """`minimax m2.1 hello`: a provider and then one of its models, exact or clearly meant."""
    provider = asker.snapshot.rules.catalog.providers.get(provider_id(first))
    following = find_directive(f"/model {rest}") if provider is not None and rest else None
    if provider is None or following is None or following.selector is None or following.argument is None:
        return None
    message = rest[len(following.argument) :]
    is_whole = rest.startswith(following.argument) and (not message or message[0].isspace())
    if following.selector.quoted or not is_whole:
        return None
    selector = Selector(f"{provider.id}/{following.selector.model}", following.selector.profile)
    is_meant = _names_profile(asker, selector) if selector.profile else _is_listed(asker.snapshot.lookup, selector)
    return (f"{provider.id}/{following.argument}", message.strip()) if is_meant else None


def _alone(lookup: Lookup, selector: Selector, first: str, text: str) -> tuple[str, str]:
    """One word: exact, or near to one model and long enough to be meant."""
    rest = text[len(first) :].strip()
    is_provider = provider_id(first) in lookup.catalog.providers
    if selector.quoted or _is_exact(lookup, selector.model) or _is_dated(lookup, selector):
        return first, rest
    if len(first) < _SHORTEST_NEAR and not is_provider:
        return "", text
    try:
        found = lookup.find(selector)
    except UserError as error:
        if error.code == "model_ambiguous" and is_provider and not rest:
            raise  # the name of a provider and nothing else is no message
        return "", text
    return (first, rest) if found.near else ("", text)


def _is_listed(lookup: Lookup, selector: Selector) -> bool:
    """Whether this is a known model, or clearly near to one. A provider that takes any id would take any word. What is written
    exactly and not allowed is meant too, and refused where it is chosen."""
    try:
        return lookup.find(selector).listed
    except UserError as error:
        return error.code == "model_not_allowed" and _is_exact(lookup, selector.model)


def _is_exact(lookup: Lookup, model: str) -> bool:
    """Whether a model is written so; of a name that several have, too: which one is meant is then asked."""
    try:
        return lookup.exact(model) is not None
    except UserError:
        return True


def _is_dated(lookup: Lookup, selector: Selector) -> bool:
    """Whether eight digits after an exact model are a profile; what they are is decided where it is chosen."""
    other = eight_digit_profile(selector)
    return other is not None and _is_exact(lookup, other.model)


async def new(context: CommandContext, argument: str) -> Outcome:
    """A new conversation. The reply names what was released, with a way to keep it, or that it was kept; and what was chosen."""
    if argument.strip():
        return _chosen(context, argument.strip())
    snapshot = context.snapshot
    session, now = snapshot.session, snapshot.now
    held = session.current(now)
    keep = snapshot.rules.on_reset is OnReset.KEEP
    after = session.reset(keep, now)
    name = words.choice_name(held, snapshot.agent.default)
    buttons: tuple[Button, ...] = ()
    if held is None:
        text = f"New conversation. The history is gone. Model as before: {stands(snapshot, after)}."
    elif keep:
        text = f"New conversation. The history is gone; {name} is kept (session.on_reset)."
    else:
        text = f"New conversation. The history is gone, and {name} is released; now {stands(snapshot, after)}."
        buttons = (Button(n=1, label=f"Keep {name}", command=f"/restore {stamp(held)}", group="action"),)
        text += f"\n  1. Keep {name}\nAnswer with /model 1 to keep it."
    reply = Reply(kind=ReplyKind.NOTICE, text=text, buttons=buttons)
    return Outcome((reply,), changed(context, after, "reset", "/new"))


def _chosen(context: CommandContext, reference: str) -> Outcome:
    """A new conversation with what was named. Whatever keeps that from being chosen leaves the old one as it is."""
    snapshot = context.snapshot
    now, before = snapshot.now, snapshot.session
    request = parse_request(reference)
    if request.form is Form.NUMBER:
        request = replace(request, form=Form.SELECT)  # a model may be called so
    if request.selector is None:
        raise UserError("usage", "That is no model. Nothing was changed.", "Write /new <model>@<profile> <message>.")
    fresh = replace(snapshot, session=before.reset(snapshot.rules.on_reset is OnReset.KEEP, now))
    asker = Asker(snapshot=fresh, sender=context.sender, reader=context.reader)
    chosen = choose(asker, request)
    # What stood before the whole of it is what undo brings back.
    after = replace(chosen.session, undo=before.standing(now) or before.undo)
    lines = ["New conversation. The history is gone.", *_account(snapshot, after, chosen)]
    held = before.current(now)
    if held is not None:
        name = words.choice_name(held, snapshot.agent.default)
        fate = "The pin is kept; before it was" if chosen.kept else "Released:"
        lines.append(f"{fate} {name}. /model undo brings that back.")
    reply = Reply(kind=ReplyKind.NOTICE, text="\n".join(lines))
    return Outcome((reply,), changed(context, after, "reset", f"/new {asked_for(request.selector, chosen)}"))


def _account(snapshot: Snapshot, after: Session, chosen: Chosen) -> list[str]:
    """What holds in the new conversation."""
    stood = replace(snapshot, session=after)
    resolution = resolve(stood)
    ref, pinned = resolution.selected.ref, resolution.pinned
    lines = [f"{chosen.near!r} was read as {ref}."] if chosen.near is not None else []
    model = words.model_name(stood, ref)
    if pinned is not None and pinned.pin is not None:
        lines.append(f"Now {model} with {pinned.pin.profile}, pinned {pinned.pin.mode.value}.")
    else:
        lines.append(f"Now {model}; the credential is chosen automatically.")
    choice = after.current(snapshot.now)
    if choice is not None and choice.is_temporary:
        lines.append(temporary(stood))
    if chosen.unlisted:
        lines.append("This id is not in the list of known models; it is used as you wrote it.")
    if not resolution.candidates:
        lines.append(f"Next: {words.next_words(stood, resolution)}.")
    return lines


def stamp(choice: Choice) -> str:
    """Names a choice by when it was made."""
    return choice.set_at.isoformat()


def stands(snapshot: Snapshot, session: Session) -> str:
    """What serves then: its own choice, its chat's, or the default."""
    resolution = resolve(replace(snapshot, session=session))
    return words.choice_name(resolution.selected.choice, snapshot.agent.default)


def changed(context: CommandContext, after: Session, action: str, reason: str) -> Change:
    """The new session with the decision that led to it."""
    snapshot = context.snapshot
    decision = Decision(
        at=snapshot.now,
        actor=context.sender.key,
        action=action,
        before=stands(snapshot, snapshot.session),
        after=stands(snapshot, after),
        reason=reason,
    )
    return Change(after, (decision,))
