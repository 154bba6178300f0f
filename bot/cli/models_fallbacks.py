"""`models fallbacks` and `models image-fallbacks`: what serves while the default model, or the one for pictures, cannot."""

import argparse
from collections.abc import Iterable

from bot.cli import exit_codes
from bot.cli.model_argument import model_meant
from bot.cli.models_edit import Setup, change_models, look, tell_missing_credential
from bot.cli.output import say, say_json
from bot.config.edit import TreeChange
from bot.config.edit_models import add_fallback, clear_fallbacks, place_of, remove_fallbacks, together
from core.errors import BotError, shown
from core.models.ref import ModelRef

_KINDS = {
    "fallbacks": ("model", "Fallback", "default model", "set"),
    "image-fallbacks": ("image_model", "Image fallback", "image model", "set-image"),
}


def run(args: argparse.Namespace) -> int:
    """list, add, remove, clear. Raises BotError."""
    key, label, *_ = _KINDS[args.what]
    if args.verb == "list":
        _, setup = look(args)
        source = "agent" if setup.agent is not None and setup.own(key) is not None else "defaults"
        found = _fallbacks(setup, key)
        if args.json:
            say_json({"agent": setup.agent, "fallbacks": found, "source": source})
        elif args.plain:
            for text in found:
                say(text)
        else:
            _show(label, found)
        return exit_codes.OK
    plans = {"add": _add, "remove": _remove, "clear": _clear}
    changed, (setup, found, added) = change_models(args, lambda setup: plans[args.verb](setup, args))
    if args.json:
        say_json(changed.told(fallbacks=found))
    else:
        changed.say_updated()
        if args.verb == "clear":
            say(f"{label} list cleared.")
        else:
            _show(label, found)
    if added is not None:
        tell_missing_credential(changed.desk, setup.catalog, added)
    return exit_codes.OK


_Planned = tuple[TreeChange, tuple[Setup, list[str], ModelRef | None]]
"""The change; and the setup before it, the fallbacks after it, and the model that was added."""


def _add(setup: Setup, args: argparse.Namespace) -> _Planned:
    key, _, what, command = _KINDS[args.what]
    own = setup.own(key)
    if own is None:
        whose = f"Agent {setup.agent} has no {what} of its own" if setup.agent is not None else f"No {what} is set"
        agent = f" --agent {setup.agent}" if setup.agent is not None else ""
        raise BotError(
            "no_model",
            f"{whose}, so there is nothing to stand in for.",
            f"Run `remoteclaw models {command} <model>{agent}` first.",
        )
    ref = model_meant(args.model, setup.catalog, setup.default)
    if setup.ref(own.primary) == ref:
        raise BotError("usage", f"{ref} is the {what} itself, so it cannot stand in for it.", "Nothing was changed.")
    before = _fallbacks(setup, key)
    if str(ref) in before:
        return together(()), (setup, before, None)
    return add_fallback(place_of(setup.agent), key, ref), (setup, [*before, str(ref)], ref)


def _remove(setup: Setup, args: argparse.Namespace) -> _Planned:
    """What leads nowhere any more can be removed too, as it is written."""
    key, label, *_ = _KINDS[args.what]
    own = setup.own(key)
    text = args.model.strip()
    wanted = setup.ref(text)
    texts = own.fallbacks if own is not None else ()
    gone = [n for n, t in enumerate(texts) if t.lower() == text.lower() or (wanted and setup.ref(t) == wanted)]
    if not gone:
        inherited = setup.agent is not None and own is None and setup.choice(key) is not None
        hint = f"Agent {setup.agent} has no list of its own." if inherited else ""
        raise BotError("not_found", f"{label} not found: {shown(text) if wanted is None else wanted}", hint)
    left = [t for n, t in enumerate(texts) if n not in gone]
    return remove_fallbacks(place_of(setup.agent), key, gone), (setup, _named(setup, left), None)


def _clear(setup: Setup, args: argparse.Namespace) -> _Planned:
    key, _, what, command = _KINDS[args.what]
    if setup.agent is not None and setup.own(key) is None and _fallbacks(setup, key):
        raise BotError(
            "no_model",
            f"Agent {setup.agent} has no {what} of its own; its fallbacks are those of agents.defaults.",
            f"Run `remoteclaw models {command} <model> --agent {setup.agent}`, which comes without any.",
        )
    return clear_fallbacks(place_of(setup.agent), key), (setup, [], None)


def _fallbacks(setup: Setup, key: str) -> list[str]:
    choice = setup.choice(key)
    return _named(setup, choice.fallbacks if choice is not None else ())


def _named(setup: Setup, texts: Iterable[str]) -> list[str]:
    """Full names, each once; what leads nowhere as it is written."""
    return list(dict.fromkeys(str(setup.ref(text) or text) for text in texts))


def _show(label: str, fallbacks: list[str]) -> None:
    say(f"{label}s ({len(fallbacks)}):")
    for text in fallbacks or ["none"]:
        say(f"- {text}")
