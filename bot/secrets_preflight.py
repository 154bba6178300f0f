"""Everything about a plan that can be known before anything is written: whether it fits the installation, whether every reference
that it brings gives a secret, and what each file is to hold afterwards.

Nothing is lost by carrying out what passes here. Every reference of the plan has given a usable text. A provider that the plan
changes still gives what it gave, also to the references that the plan replaces. A provider that goes, and a line of `.env` that
goes, is used by nothing that stays, and the line's value is what a reference of the plan gives.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.config.edit import TreeChange, edited
from bot.dotenv import parse_dotenv
from bot.secrets_audit import reasons_of
from bot.secrets_files import Unreadable, read_regular, text_of, toml_table
from bot.secrets_findings import Use
from bot.secrets_plan import InvalidPlan, Plan
from bot.secrets_state import State, Workplace, delete_in_config, planned, read_state, set_in_config
from bot.secrets_stores import encoded, plain_secrets
from core.auth.refs import SecretSource, describe, resolve_ref
from core.auth.secret import SecretRef, unsendable

if TYPE_CHECKING:
    from bot.config.settings import Settings

_DATABASE = ("database", "url")
_SHORTEST_NOTED = 8
"""Shorter secrets may stand somewhere by chance."""


@dataclass(frozen=True, slots=True, repr=False)
class Swap:
    """One file: what it holds, and what it is to hold. Both are confidential."""

    path: Path
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan that may be carried out, as changes of files in their order. `checked` references have given a secret, `skipped` ones
    were not asked for. `notes` are for the operator."""

    swaps: tuple[Swap, ...]
    checked: int
    skipped: int
    notes: tuple[str, ...]

    @property
    def changed(self) -> tuple[Path, ...]:
        """The files that differ afterwards, each once."""
        return tuple(dict.fromkeys(swap.path for swap in self.swaps))


def prepare(plan: Plan, place: Workplace) -> Prepared:
    """Judge a plan. Blocks while references are asked for. Raises BotError, mostly InvalidPlan; nothing was changed then but that
    the stores of the plan's agents have taken over what older files held for them (not in a dry run)."""
    before = read_state(plan, place)
    after = planned(plan, before, place)
    used = after.uses(place.paths)
    _refuse_orphans(plan, before, after, used)
    sources = place.tools.open_sources(after.settings, place.environ)
    passing = {use.ref for use in (*before.uses(place.paths), *used) if not use.variable}
    asked, skipped = _resolve(plan, place, before, after, passing, sources)
    swaps = [*_config_first(plan, before, place), *_stores(plan, before, after, place)]
    swaps += _config_last(plan, swaps, before, place)
    swaps += _dotenv(plan, place, used, {ref for ref in asked if ref in _brought(plan)}, skipped, sources)
    return Prepared(tuple(swaps), len(asked), len(skipped), tuple(_notes(plan, before, swaps, place)))


def _brought(plan: Plan) -> set[SecretRef]:
    return {target.ref for target in plan.targets}


def _refuse_orphans(plan: Plan, before: State, after: State, used: list[Use]) -> None:
    for use in used:
        if not use.variable and after.alias(use.ref) in plan.deletes:
            raise InvalidPlan(f"The provider {after.alias(use.ref)} cannot be deleted: {use.place} refers to it.")
    touched = {*_changed(plan, before, after), *plan.deletes}
    if touched and before.unknown:
        raise InvalidPlan(
            f"{next(iter(before.unknown.values()))}, so nobody knows whether it needs the providers that change."
        )


def _changed(plan: Plan, before: State, after: State) -> set[str]:
    """The providers that were there before and are others afterwards."""
    old, new = before.settings.secrets.providers, after.settings.secrets.providers
    return {alias for alias in plan.upserts if alias in old and old[alias] != new[alias]}


def _resolve(
    plan: Plan,
    place: Workplace,
    before: State,
    after: State,
    passing: Set[SecretRef],
    sources: Mapping[str, SecretSource],
) -> tuple[set[SecretRef], set[SecretRef]]:
    """Ask for what the plan brings, and for what goes through a provider that it changes. Gives what was asked and what was not."""
    brought, changed = _brought(plan), _changed(plan, before, after)
    wanted = brought | {ref for ref in passing if after.alias(ref) in changed}
    commands = {ref for ref in wanted if ref.source == "exec" and not place.allow_exec}
    if commands and not place.dry_run:
        named = describe(min(commands, key=str))
        raise InvalidPlan(f"{named} runs a command, which was not allowed.", "Add --allow-exec.")
    asked = wanted - commands
    reasons = reasons_of(asked, sources, place.learn)
    for target in plan.targets:
        if target.ref in reasons:
            raise InvalidPlan(f"{target}: {reasons[target.ref]}")
        problem = _misfit(target.ref, target.path, sources) if target.ref in asked else None
        if problem is not None:
            raise InvalidPlan(f"{target}: {problem}")
    broken = reasons.keys() - brought
    worked = broken - reasons_of(broken, place.tools.open_sources(before.settings, place.environ), place.learn).keys()
    if worked:
        lost = min(worked, key=str)
        hint = "Set up the new provider under another name."
        raise InvalidPlan(f"{describe(lost)} is used and would give nothing any more: {reasons[lost]}", hint)
    return asked, commands


def problem_of(ref: SecretRef, path: Sequence[str], settings: "Settings", place: Workplace) -> str | None:
    """Why a reference gives no usable secret for the place at `path`, under these settings; None: it gives one. Blocks."""
    sources = place.tools.open_sources(settings, place.environ)
    reasons = reasons_of([ref], sources, place.learn)
    if ref in reasons:
        return reasons[ref]
    return _misfit(ref, path, sources)


def _misfit(ref: SecretRef, path: Sequence[str], sources: Mapping[str, SecretSource]) -> str | None:
    """A header may have several words; the database's URL is part of no request."""
    text = resolve_ref(ref, sources).reveal()
    is_header = tuple(path[:2]) == ("models", "providers") and tuple(path[3:4]) == ("headers",)
    reason = None if tuple(path) == _DATABASE else unsendable(text.replace(" ", "") if is_header else text)
    return None if reason is None else f"{describe(ref)} gave a text that {reason}."


def scrubbable(plan: Plan, place: Workplace) -> tuple[str, ...]:
    """The lines of `.env` that a plan might take out besides: references of it give their values, and nothing refers to them."""
    state = planned(plan, read_state(plan, place), place)
    needed = {use.ref.id for use in state.uses(place.paths) if use.ref.source == "env"}
    refs = {ref for ref in _brought(plan) if ref.source != "env" and (ref.source != "exec" or place.allow_exec)}
    sources = place.tools.open_sources(state.settings, place.environ)
    reasons = reasons_of(refs, sources, place.learn)
    given = {resolve_ref(ref, sources).reveal() for ref in refs if ref not in reasons}
    values = parse_dotenv(text_of(read_regular(place.paths.dotenv) or b""))
    return tuple(name for name, value in values.items() if value.strip() in given and name not in needed)


def _config_first(plan: Plan, before: State, place: Workplace) -> Iterator[Swap]:
    content = before.contents[place.paths.config]
    yield from _config_swap(content, set_in_config(plan), place)


def _config_last(plan: Plan, swaps: list[Swap], before: State, place: Workplace) -> Iterator[Swap]:
    path = place.paths.config
    content = next((swap.after for swap in swaps if swap.path == path), before.contents[path])
    yield from _config_swap(content, delete_in_config(plan), place)


def _config_swap(content: bytes, change: TreeChange, place: Workplace) -> Iterator[Swap]:
    tree = toml_table(content)
    change(tree)
    if tree != toml_table(content):
        path = place.paths.config
        yield Swap(path, content, edited(content, change, place.environ.for_config, str(path)))


def _stores(plan: Plan, before: State, after: State, place: Workplace) -> Iterator[Swap]:
    for agent in plan.agents:
        if after.stores[agent] != before.stores[agent]:
            path = place.paths.auth_store(agent)
            yield Swap(path, before.contents[path], encoded(after.stores[agent]))


def _dotenv(
    plan: Plan,
    place: Workplace,
    used: list[Use],
    asked: Set[SecretRef],
    skipped: Set[SecretRef],
    sources: Mapping[str, SecretSource],
) -> Iterator[Swap]:
    """The state directory's `.env` without the lines that the plan names."""
    path = place.paths.dotenv
    try:
        content = read_regular(path) or b""
        text = text_of(content)
    except Unreadable as error:
        if plan.scrub_env:
            raise InvalidPlan(f"{path} {error}.") from None
        return
    values = parse_dotenv(text)
    given = {resolve_ref(ref, sources).reveal() for ref in asked}
    for name in plan.scrub_env:
        user = next((use for use in used if use.ref.source == "env" and use.ref.id == name), None)
        if user is not None:
            raise InvalidPlan(f"{name} cannot be taken out of {path}: {user.place} refers to it.")
        if name in values and values[name].strip() not in given and not skipped:
            raise InvalidPlan(
                f"{name} cannot be taken out of {path}: no reference of the plan gives its value, so it would be lost."
            )
    lines = [line for line in text.splitlines(keepends=True) if not parse_dotenv(line).keys() & set(plan.scrub_env)]
    left = "".join(lines).encode()
    if len(left) < len(text.encode()):
        yield Swap(path, content, left)


def _notes(plan: Plan, before: State, swaps: list[Swap], place: Workplace) -> Iterator[str]:
    """Where a secret that the plan moves still stands as it is, in a file of the plan."""
    moved = []
    for target in plan.targets:
        if target.agent is not None:
            moved += plain_secrets(before.stores[target.agent], [target])
        else:
            value: object = before.tree
            for part in target.path:
                value = value.get(part) if isinstance(value, Mapping) else None
            moved += [value] if isinstance(value, str) else []
    secrets = {text.encode() for text in moved if len(text) >= _SHORTEST_NOTED and "${" not in text}
    for path, content in {swap.path: swap.after for swap in swaps}.items():
        lines = [n for n, line in enumerate(content.splitlines(), start=1) if any(secret in line for secret in secrets)]
        if lines:
            yield f"{path} still holds a secret that was moved, in line {', '.join(map(str, lines))}: take it out by hand."
