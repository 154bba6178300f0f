"""`models set` and `models set-image`: the default model, and the one for pictures."""

import argparse
from dataclasses import dataclass

from bot.cli import exit_codes
from bot.cli.model_argument import model_meant, similar
from bot.cli.models_edit import Changed, Setup, change_models, tell_missing_credential
from bot.cli.output import complain, say, say_json
from bot.config.edit import TreeChange
from bot.config.edit_models import allow, note_model, place_of, set_model, together
from bot.config.problems import dotted
from core.models.policy import allows
from core.models.ref import ModelRef
from core.sessions.key import DEFAULT_AGENT

_KEYS = {"set": ("model", "default", "Default model"), "set-image": ("image_model", "image_model", "Image model")}


@dataclass(frozen=True, slots=True)
class _Set:
    """What was decided. `widened` is the policy that the model was added to, `setup` what was there before."""

    ref: ModelRef
    widened: str | None
    setup: Setup


def run(args: argparse.Namespace) -> int:
    """Fallbacks stay. Raises BotError for what is no model."""
    key, field, label = _KEYS[args.what]
    changed, done = change_models(args, lambda setup: planned(setup, key, args.model))
    if args.json:
        say_json(changed.told(**{field: str(done.ref)}, added_to=done.widened))
    else:
        changed.say_updated()
        say(f"{label}: {done.ref}")
        if done.widened is not None:
            say(f"Added {done.ref} to {done.widened}, which did not cover it.")
    _tell(changed, done, key)
    return exit_codes.OK


def planned(setup: Setup, key: str, text: str) -> tuple[TreeChange, _Set]:
    """The change that makes the model of `text` that of `key` (`model`, `image_model`). Raises BotError for what is no model."""
    ref = model_meant(text, setup.catalog, setup.default)
    changes = [set_model(place_of(setup.agent), key, ref)]
    place, patterns = _policy(setup)
    widened = None
    if not allows(patterns, ref):
        changes.append(allow(place, ref))
        widened = dotted((*place, "model_policy", "allow"))
    if setup.catalog.entry(ref) is None:  # else no list would show it
        changes.append(note_model(setup.settings, ref))
    return together(changes), _Set(ref, widened, setup)


def _policy(setup: Setup) -> tuple[tuple[str, ...], list[str]]:
    """The table whose policy holds, and the patterns of that, aliases as the models that they mean."""
    agent = setup.settings.agents.list.get(setup.agent) if setup.agent is not None else None
    own = agent.model_policy if agent is not None else None
    place: tuple[str, ...] = ("agents", "list", setup.agent) if own is not None and setup.agent is not None else ()
    patterns = (own or setup.settings.model_policy).allow
    aliases = setup.catalog.aliases
    return place, [str(aliases.get(text.lower(), text)) if "/" not in text else text for text in patterns]


def _tell(changed: Changed, done: _Set, key: str) -> None:
    """What whoever typed it may not have meant."""
    setup, ref = done.setup, done.ref
    near = similar(ref, setup.catalog) if setup.catalog.entry(ref) is None else None
    if near is not None:
        complain(f"Note: no model {ref} is known here; {ref.provider} takes any. {near} is.")
    if setup.agent is None and Setup(setup.settings, setup.catalog, DEFAULT_AGENT).own(key) is not None:
        path = dotted((*place_of(DEFAULT_AGENT), key))
        complain(
            f"Note: {path} is set, so the agent {DEFAULT_AGENT} goes on with its own. Change it with --agent main."
        )
    tell_missing_credential(changed.desk, setup.catalog, ref)
