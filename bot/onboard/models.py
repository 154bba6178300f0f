"""Provider, credential and model together: what is asked, checked, and put into the draft."""

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.cli import prompts
from bot.cli.model_argument import NOWHERE, model_meant
from bot.cli.models_edit import Setup
from bot.cli.models_set import planned
from bot.config.edit import TreeChange
from bot.onboard.asking import listed_models, trouble_with
from bot.onboard.credential import choose_credential
from bot.onboard.draft import Credential, Draft
from bot.onboard.provider import choose_provider, first_model
from bot.onboard.wish import Wish
from core.errors import BotError, UserError
from core.models.ref import ModelRef

if TYPE_CHECKING:
    from bot.config.settings import Settings

_OTHER = ""
_MOST = 40
"""As many models as a person looks through; what is not among them can be typed."""


def choose_models(draft: Draft, wish: Wish) -> None:
    """Ask until a credential serves a model, or somebody says that it shall be kept all the same. Raises BotError."""
    provider = choose_provider(draft, wish)
    while True:
        told = len(draft.notes)
        try:
            credential = choose_credential(draft, wish, provider)
        except BotError as error:
            if not wish.asks:
                raise
            prompts.tell(str(error))
            wish = _asking_anew(wish)
            continue
        model = _choose_model(draft, wish, provider, credential)
        trouble = trouble_with(draft, credential, model) if wish.checks else None
        if trouble is None or _keeps(wish, trouble):
            draft.notes += [trouble] if trouble is not None else []
            return
        del draft.notes[told:]
        # What the flags have said was tried: now it is asked for.
        wish = _asking_anew(wish)


def _keeps(wish: Wish, trouble: str) -> bool:
    if not wish.asks:
        hint = "Nothing was changed. --skip-checks stores it without asking the provider."
        raise BotError("check", trouble, hint)
    prompts.tell(trouble)
    choices = (("again", "give another credential"), ("keep", "keep it all the same"))
    return prompts.choose("What now?", choices) == "keep"


def _asking_anew(wish: Wish) -> Wish:
    return replace(wish, auth=None, secret=None, variable=None, ref=None)


def _choose_model(draft: Draft, wish: Wish, provider: str, credential: Credential) -> ModelRef:
    """The model to ask the provider for. It becomes the default, in the draft, unless nobody said so and there is one."""
    current = Setup(draft.settings, draft.catalog, None).default
    usual = current.name if current.provider == provider else first_model(draft, provider)
    if wish.model is None and wish.asks:
        ref = _meant(draft, provider, _asked(draft, wish, provider, credential, usual))
    elif (text := wish.model or usual) is not None:
        ref = _meant(draft, provider, text)
    else:
        raise UserError("usage", f"No model of {provider} is known.", "Name one: --model MODEL.")
    stays = ref == current or (current != NOWHERE and wish.model is None and not wish.asks)
    draft.plan("model", None if stays else lambda settings: _change(draft, settings, ref))
    draft.model = str(current if stays else ref)
    return ref


def _change(draft: Draft, settings: "Settings", ref: ModelRef) -> TreeChange:
    from bot.models_catalog import configured_models

    setup = Setup(settings, configured_models(settings, draft.desk.paths), None)
    return planned(setup, "model", str(ref))[0]


def _meant(draft: Draft, provider: str, text: str) -> ModelRef:
    """The model of a text: an alias, or an id with its provider's name or without it. Raises BotError for what is no model, or
    one of another provider, which nothing here would have a credential for."""
    alias = draft.catalog.aliases.get(text.strip().lower())
    if alias is not None and alias.provider == provider:
        return alias
    name = text.strip().removeprefix(f"{provider}/")
    ref = model_meant(f"{provider}/{name}", draft.catalog)
    if ref.provider != provider:
        raise UserError("usage", f"{ref} is no model of {provider}.")
    return ref


def _asked(draft: Draft, wish: Wish, provider: str, credential: Credential, usual: str | None) -> str:
    entry = draft.catalog.providers[provider]
    known = [model.ref.name for model in entry.models]
    if entry.is_open and wish.checks and len(known) < 2:
        known += [name for name in listed_models(draft, credential, provider) if name not in known]
    ranked = sorted(known, key=lambda name: name != usual)[:_MOST]
    if ranked:
        choices = [(name, name) for name in ranked]
        chosen = prompts.choose(
            "Which model shall answer?", [*choices, *([(_OTHER, "another one")] if entry.is_open else [])]
        )
        if chosen != _OTHER:
            return chosen
    return prompts.ask_line("The model's id:", usual or "", lambda text: _no_model(draft, provider, text))


def _no_model(draft: Draft, provider: str, text: str) -> str | None:
    try:
        _meant(draft, provider, text)
    except BotError as error:
        return error.message
    return None
