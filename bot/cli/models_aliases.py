"""`models aliases`: short names of models. They stand in the config, at a model or in the notes on one, and hold for all agents."""

import argparse

from bot.cli import exit_codes
from bot.cli.model_argument import model_meant
from bot.cli.models_auth import Desk
from bot.cli.models_edit import Setup, change_models, look
from bot.cli.output import complain, say, say_json
from bot.config.checks import configured_aliases
from bot.config.edit import TreeChange
from bot.config.edit_models import note_model, noted, remove_alias, together
from core.commands.model_request import RESERVED
from core.commands.registry import BY_NAME
from core.errors import BotError, shown
from core.models.ref import ModelRef

_OPTIONS = ("for", "once")
"""Words that `/model` understands behind a model."""


def run(args: argparse.Namespace) -> int:
    """list, add, remove. Raises BotError."""
    if args.verb == "list":
        return _list(args)
    return _add(args) if args.verb == "add" else _remove(args)


def _list(args: argparse.Namespace) -> int:
    desk, setup = look(args)
    own = _configured(setup)
    aliases = {
        alias: ref for alias, ref in setup.catalog.aliases.items() if alias in own or _is_offered(desk, setup, ref)
    }
    if args.json:
        say_json({"aliases": {alias: str(ref) for alias, ref in aliases.items()}})
    elif args.plain:
        for alias, ref in aliases.items():
            say(f"{alias} {ref}")
    else:
        say(f"Aliases ({len(aliases)}):")
        for alias, ref in aliases.items():
            say(f"- {alias} -> {ref}{'' if alias in own else ' (built in)'}")
        if not aliases:
            say("- none")
    return exit_codes.OK


def _add(args: argparse.Namespace) -> int:
    alias = _alias(args.alias)

    def plan(setup: Setup) -> tuple[TreeChange, tuple[ModelRef, Setup]]:
        ref = model_meant(args.model, setup.catalog, setup.default)
        known = _configured(setup).get(alias)
        if known is not None and known != ref:
            raise BotError("alias_taken", f"Alias {alias} already points to {known}.", "Nothing was changed.")
        key = noted(setup.settings, ref)
        other = setup.settings.agents.defaults.models[key].alias if key is not None else None
        if known is None and other is not None:
            raise BotError(
                "alias_taken",
                f"{ref} is already called {other} in agents.defaults.models, which holds one alias for each model.",
                f"Run `remoteclaw models aliases remove {other}` first.",
            )
        change = note_model(setup.settings, ref, alias) if known is None else together(())
        return change, (ref, setup)

    changed, (ref, setup) = change_models(args, plan)
    if args.json:
        say_json(changed.told(alias=alias, model=str(ref)))
    else:
        changed.say_updated()
        say(f"Alias {alias} -> {ref}")
    others = (m.ref for m in setup.catalog.listing(alias) if m.ref != ref)
    hidden = [str(other) for other in others if _is_offered(changed.desk, setup, other)]
    if hidden and changed.is_updated:
        complain(f"Note: {alias} alone now means {ref}; for {', '.join(hidden)} the whole name must be written.")
    return exit_codes.OK


def _remove(args: argparse.Namespace) -> int:
    alias = args.alias.strip().lower()

    def plan(setup: Setup) -> tuple[TreeChange, bool]:
        known = _configured(setup)
        if alias not in known:
            if alias in setup.catalog.aliases:
                raise BotError(
                    "built_in",
                    f"Alias {alias} is built in and cannot be removed.",
                    f"`remoteclaw models aliases add {alias} <model>` gives it another meaning.",
                )
            raise BotError("not_found", f"Alias not found: {shown(alias)[1:-1]}")
        return remove_alias(setup.settings, alias), len(known) == 1

    changed, was_last = change_models(args, plan)
    if args.json:
        say_json(changed.told(removed=alias))
        return exit_codes.OK
    changed.say_updated()
    say(f"Removed alias: {alias}")
    if was_last:
        say("No aliases configured.")
    return exit_codes.OK


def _alias(text: str) -> str:
    """An alias as it may be added. Raises BotError."""
    from bot.config.fields import alias_of

    alias = text.strip()
    if alias.lower() in (*RESERVED, *_OPTIONS):
        raise _refused(alias, "/model keeps this word for itself")
    if alias.lower() in BY_NAME:
        raise _refused(alias, f"/{alias.lower()} is a command of the chat")
    try:
        return alias_of(alias)
    except ValueError as error:
        raise _refused(alias, f"it {error}") from None


def _refused(alias: str, why: str) -> BotError:
    return BotError("bad_alias", f"{shown(alias)} cannot be an alias: {why}.", "Nothing was changed.")


def _configured(setup: Setup) -> dict[str, ModelRef]:
    """The aliases of the config, with the models as the catalogue writes them."""
    found = {}
    for alias, ref, _ in configured_aliases(setup.settings):
        entry = setup.catalog.entry(ref)
        found[alias] = entry.ref if entry is not None else ref
    return found


def _is_offered(desk: Desk, setup: Setup, ref: ModelRef) -> bool:
    """Whether a model is one of a provider that is configured, in use, or has a credential."""
    provider = setup.catalog.providers[ref.provider]
    choice = setup.choice("model")
    used = (
        {found.provider for text in (choice.primary, *choice.fallbacks) if (found := setup.ref(text))} if choice else ()
    )
    served = {name for p in desk.credentials().profiles.values() for name in (p.provider, *p.lends_to)}
    return provider.is_configured or ref.provider in used or ref.provider in served
