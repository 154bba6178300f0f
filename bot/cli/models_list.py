"""`models list`: the models that the config names, or with --all everything that the catalogue knows."""

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes
from bot.cli.models_edit import look
from bot.cli.models_opened import opened
from bot.cli.output import complain, say, say_json
from bot.config.catalogue import unknown_provider
from bot.config.checks import configured_aliases
from core.auth.eligibility import Eligibility, judge
from core.auth.provider_names import provider_id
from core.errors import BotError, shown
from core.models.catalog import Catalog
from core.models.ref import ModelRef

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from core.resolution.rules import AgentRules

_COLUMNS = ("Model", "Input", "Ctx", "Local", "Auth", "Tags")


@dataclass(frozen=True, slots=True)
class _View:
    """What the rows are made from. `agent`: None where no model is configured at all. `has_auth` tells whether a credential may
    be used for a model."""

    settings: "Settings"
    catalog: Catalog
    agent: "AgentRules | None"
    has_auth: Callable[[ModelRef], bool]
    notes: tuple[str, ...]


def run(args: argparse.Namespace) -> int:
    """0 done, 1 failed, also where a provider that was asked for its list did not give it. Raises BotError."""
    if not args.refresh:
        _show(args, {})
        return exit_codes.OK
    from bot.cli import models_list_refresh

    answers = models_list_refresh.refresh(args)
    _show(args, {"refreshed": models_list_refresh.view(answers)})
    models_list_refresh.tell(answers)
    return exit_codes.FAILED if models_list_refresh.has_failed(answers) else exit_codes.OK


def _show(args: argparse.Namespace, more: dict[str, Any]) -> None:
    view = _view(args)
    provider = _provider(args.provider, view.catalog) if args.provider is not None else None
    tags = _tags(view)
    refs = [*tags, *(ref for ref in view.catalog.refs() if ref not in tags)] if args.all else list(tags)
    rows = [_row(view, ref, tags.get(ref, [])) for ref in refs if provider in (None, ref.provider)]
    rows = [row for row in rows if row["local"] or not args.local]
    if args.json:
        say_json({"count": len(rows), "models": rows, **more})
    elif args.plain:
        for row in rows:
            say(row["key"])
    elif rows:
        from bot.cli.table import say_table

        say_table(_COLUMNS, [_cells(row) for row in rows])
    else:
        say("No models found.")
    for note in view.notes:
        complain(f"Note: {note}")


def _view(args: argparse.Namespace) -> _View:
    """Also where no model is configured yet: then the catalogue is all that there is."""
    from bot.cli.models_auth import agent_named
    from bot.paths import Paths
    from core.sessions.key import SessionKey

    try:
        settings, inspection, notes = opened(Paths.of(os.environ))
    except BotError as error:
        if error.code not in ("no_config", "no_provider"):
            raise
        return _bare(args, str(error))
    snapshot = inspection.snapshots.take(SessionKey(agent_named(args.agent, inspection.rules.agents), "main"))

    known: dict[str, bool] = {}

    def has_auth(ref: ModelRef) -> bool:
        # Which credentials may be used is the same for all models of a provider; only who is out is not.
        if ref.provider not in known:
            known[ref.provider] = any(placed.position is not None for placed in snapshot.placed(ref))
        return known[ref.provider]

    return _View(settings, snapshot.rules.catalog, snapshot.agent, has_auth, notes)


def _bare(args: argparse.Namespace, note: str) -> _View:
    desk, setup = look(args)
    profiles, now = desk.credentials().profiles.values(), desk.stores.clock.now()

    @cache
    def serves(provider: str) -> bool:
        return any(judge(profile, provider, now) is Eligibility.OK for profile in profiles)

    return _View(setup.settings, setup.catalog, None, lambda ref: serves(ref.provider), (note,))


def _provider(text: str, catalog: Catalog) -> str:
    name = provider_id(text)
    if name not in catalog.providers:
        raise BotError("unknown_provider", f"--provider {shown(text)} {unknown_provider(text, catalog)}")
    return name


def _tags(view: _View) -> dict[ModelRef, list[str]]:
    """Every model that is configured somehow, in the order of its importance, with what it is there for."""
    tags: dict[ModelRef, list[str]] = {}
    for ref, tag in (*_used(view.agent), *((ref, "configured") for ref in _named(view))):
        entry = view.catalog.entry(ref)
        known = tags.setdefault(entry.ref if entry is not None else ref, [])
        if tag not in known:
            known.append(tag)
    for alias, ref in view.catalog.aliases.items():
        if ref in tags:
            tags[ref].append(f"alias:{alias}")
    return tags


def _used(agent: "AgentRules | None") -> Iterator[tuple[ModelRef, str]]:
    if agent is None:
        return
    yield agent.default, "default"
    for n, ref in enumerate(agent.fallbacks, start=1):
        yield ref, f"fallback#{n}"
    if agent.image_model is not None:
        yield agent.image_model, "image"
    for n, ref in enumerate(agent.image_fallbacks, start=1):
        yield ref, f"img-fallback#{n}"


def _named(view: _View) -> Iterator[ModelRef]:
    """The models that the config names: with an alias, with notes, in the lists of providers, in the policy of the agent."""
    for _, ref, _ in configured_aliases(view.settings):
        yield ref
    yield from _parsed(view.settings.agents.defaults.models)
    for name, provider in view.settings.models.providers.items():
        yield from (ModelRef(name, model.id) for model in provider.models)
    yield from _parsed(text for text in (view.agent.allow if view.agent is not None else ()) if not text.endswith("*"))


def _parsed(texts: Iterable[str]) -> Iterator[ModelRef]:
    for text in texts:
        left, _, name = text.partition("/")
        yield ModelRef(provider_id(left), name.strip())


def _row(view: _View, ref: ModelRef, tags: list[str]) -> dict[str, Any]:
    provider, entry = view.catalog.providers.get(ref.provider), view.catalog.entry(ref)
    is_missing = entry is None and (provider is None or not provider.is_open)
    return {
        "key": str(ref),
        "name": (entry.name if entry is not None else None) or ref.name,
        "input": "+".join(entry.inputs) or None if entry is not None else None,
        "context_window": entry.context_window if entry is not None else None,
        "local": provider is not None and _is_local(provider.base_url),
        "available": not is_missing and view.has_auth(ref),
        "tags": [*tags, "missing"] if is_missing else tags,
        "missing": is_missing,
    }


def _is_local(base_url: str) -> bool:
    """Whether a provider is on this machine."""
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    host = (urlsplit(base_url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _cells(row: dict[str, Any]) -> list[str]:
    window = row["context_window"]
    size = "-" if window is None else str(window) if window < 1024 else f"{round(window / 1024)}k"
    yes_no = ["yes" if row[key] else "no" for key in ("local", "available")]
    return [row["key"], row["input"] or "-", size, *yes_no, ", ".join(row["tags"])]
