"""The lists of a terminal: where the session stands, then what it could choose, numbered; the models of one provider; a search."""

from collections.abc import Sequence
from typing import Any

from core.commands.command import CommandContext, Outcome
from core.commands.picker_choices import Choices
from core.errors import Suggestion, UserError, shown
from core.messages import Button, Reply, ReplyKind
from core.models.lookup import quote
from core.models.ref import ModelRef
from core.resolution import words
from core.resolution.resolver import Resolution, resolve
from core.resolution.snapshot import Snapshot
from core.resolution.view import model_view, pin_view, standing

CREDENTIALS = 15
"""Credentials under the models; the others are typed as @<profile> and listed by /model status."""
PAGE = 10
"""Models on one page: what fits a phone's screen and stays below every platform's limit of buttons."""


def show_picker(context: CommandContext, page: int = 1) -> Outcome:
    """`/model`, `/model list [page]`: the models that the session may choose, then the credentials of its model."""
    snapshot = context.snapshot
    resolution = resolve(snapshot)
    refs = _offered(snapshot, resolution)
    return Outcome((_reply(context, resolution, refs, page, "Models", "/model list", credentials=True),))


def show_provider(context: CommandContext, name: str, page: int) -> Outcome:
    """`/model list <provider> [page]`: everything that one provider of the catalogue lists."""
    provider = context.snapshot.rules.catalog.providers[name]
    lookup = context.snapshot.lookup
    refs = [m.ref for m in provider.models if lookup.allowed(m.ref)]
    title = f"Models of {provider.id}" + ("; others can be written as provider/model" if provider.is_open else "")
    return Outcome(
        (_reply(context, resolve(context.snapshot), refs, page, title, f"/model list {provider.id}", False),)
    )


def show_found(context: CommandContext, text: str, page: int) -> Outcome:
    """`/model list <text> [page]`: the models that fit a text. Raises model_unknown, with the nearest, where none does."""
    found, nearest = Choices(context).find(text)
    if not found:
        names = ", ".join(str(ref) for ref in nearest)
        raise UserError(
            "model_unknown",
            f"No provider and no model fits {shown(text)}. The nearest are {names}.",
            "See them all with /model list.",
            tuple(Suggestion(f"/model {quote(str(ref))}", str(ref)) for ref in nearest),
        )
    title = f"Models that fit {shown(text)}"
    return Outcome((_reply(context, resolve(context.snapshot), found, page, title, f"/model list {text}", False),))


def _offered(snapshot: Snapshot, resolution: Resolution) -> list[ModelRef]:
    """Aliased models first, in the order of the catalogue. A built-in provider without a credential is not offered."""
    refs = [*snapshot.lookup.refs(), snapshot.agent.default, *snapshot.agent.fallbacks, resolution.selected.ref]
    return list(dict.fromkeys(refs))


def _reply(
    context: CommandContext,
    resolution: Resolution,
    refs: Sequence[ModelRef],
    page: int,
    title: str,
    command: str,
    credentials: bool,
) -> Reply:
    pages = max(1, -(-len(refs) // PAGE))
    if not 1 <= page <= pages:
        raise UserError("usage", f"There is no page {page}; pages go from 1 to {pages}.", f"Write {command} {pages}.")
    snapshot = context.snapshot
    shown = refs[(page - 1) * PAGE : page * PAGE]
    choices: list[dict[str, Any]] = [_model_choice(snapshot, ref, ref == resolution.selected.ref) for ref in shown]
    models = len(choices)
    if credentials:
        choices += _credential_choices(context, resolution)
    for n, choice in enumerate(choices, start=1):
        choice["n"] = n
    lines = [*_heading(snapshot, resolution), "", f"{title} (page {page} of {pages}):" if pages > 1 else f"{title}:"]
    lines += [_line(choice) for choice in choices[:models]]
    if choices[models:]:
        lines += ["", f"Credentials for {resolution.selected.ref}:", *(_line(choice) for choice in choices[models:])]
        if len(choices) - models == CREDENTIALS:
            lines.append("     others: /model @<profile>; see /model status")
    lines += ["", "Choose with /model <number> or /model <model>@<profile>. Details: /model status"]
    buttons = [
        Button(n=c["n"], label=c.pop("label"), command=c.pop("command"), selected=c.pop("selected")) for c in choices
    ]
    buttons += _actions(len(buttons), resolution, page, pages, command, credentials)
    data = {"current": _current(snapshot, resolution), "choices": choices, "page": page, "pages": pages}
    return Reply(kind=ReplyKind.PICKER, text="\n".join(lines), data=data, buttons=tuple(buttons), private=False)


def _heading(snapshot: Snapshot, resolution: Resolution) -> list[str]:
    selected = resolution.selected
    source = selected.source.value
    lines = [
        f"Model: {words.model_name(snapshot, selected.ref)} · {source}{words.ending(selected.choice, snapshot.now)}"
    ]
    if selected.dropped is not None:
        lines.append(f"{selected.dropped} was chosen here but can no longer be used; the default serves instead.")
    if resolution.pinned is not None:
        lines.append(f"Credential: {resolution.pinned.profile} · {words.pin_words(resolution.pinned, snapshot.now)}")
    return [*lines, f"Next: {words.next_words(snapshot, resolution)}"]


def _model_choice(snapshot: Snapshot, ref: ModelRef, current: bool) -> dict[str, Any]:
    placed = snapshot.placed(ref)
    state = next((standing(p)[0] for p in placed if p.position is not None), "ineligible")
    alias = next(iter(snapshot.rules.catalog.aliases_of(ref)), None)
    name = f"{alias} = {ref}" if alias else str(ref)
    label = f"{alias or ref} · {state}"
    words_ = f"{name} · {state}{' · now' if current else ''}"
    return {
        "n": 0, "ref": str(ref), "alias": alias, "profile": None, "state": state,
        "label": label, "line": words_, "command": f"/model {quote(str(ref))}", "selected": current,
    }  # fmt: skip


def _credential_choices(context: CommandContext, resolution: Resolution) -> list[dict[str, Any]]:
    snapshot, ref = context.snapshot, resolution.selected.ref
    may_see = context.reader.sees
    alias = next(iter(snapshot.rules.catalog.aliases_of(ref)), None)
    pinned = resolution.pinned.profile if resolution.pinned and resolution.pinned.pin else None
    choices = []
    visible = [p for p in resolution.placed if p.profile is not None and may_see(p.profile)]
    # In their order, and the pinned one and the next always among them.
    first = sorted(visible, key=lambda p: p.id not in (pinned, resolution.next.profile))[:CREDENTIALS]
    for placed in sorted(first, key=visible.index):
        assert placed.profile is not None
        state = words.state(placed, snapshot.now)
        mark = " · pinned" if placed.id == pinned else ""
        mark += " · next" if placed.id == resolution.next.profile else ""
        label = f" ({placed.profile.label})" if placed.profile.label else ""
        choices.append({
            "n": 0, "ref": str(ref), "alias": alias, "profile": placed.id, "state": standing(placed)[0],
            "label": f"{placed.id} · {state}", "line": f"{placed.id}{label} · {state}{mark}",
            "command": f"/model {quote(str(ref), placed.id)}", "selected": placed.id == pinned,
        })  # fmt: skip
    return choices


def _line(choice: dict[str, Any]) -> str:
    return f"{choice['n']:>3}. {choice.pop('line')}"


def _actions(
    shown: int, resolution: Resolution, page: int, pages: int, command: str, credentials: bool
) -> list[Button]:
    wanted = []
    if page > 1:
        wanted.append(("◀ Back", f"{command} {page - 1}"))
    if page < pages:
        wanted.append(("More ▶", f"{command} {page + 1}"))
    if credentials and resolution.pinned is not None and resolution.pinned.pin is not None:
        wanted.append(("Automatic credential", "/model auto"))
    if credentials and resolution.selected.choice is not None:
        wanted.append(("Default", "/model default"))
    wanted.append(("Status", "/model status"))
    return [Button(n=n, label=label, command=c, group="action") for n, (label, c) in enumerate(wanted, start=shown + 1)]


def _current(snapshot: Snapshot, resolution: Resolution) -> dict[str, Any]:
    return {
        **model_view(snapshot, resolution),
        "profile": resolution.next.profile,
        "reason": resolution.next.reason.value,
        "pin": pin_view(resolution.pinned),
    }
