"""Provider, credential and model together: what is asked, checked, and put into the draft."""

from dataclasses import replace

from bot.cli import prompts
from bot.onboard.asking import Answer, ask_about, ask_for_completion
from bot.onboard.credential import asking_anew, choose_credential
from bot.onboard.draft import Credential, Draft
from bot.onboard.model_choice import choose_model, refuse_model
from bot.onboard.provider import ask_address, choose_provider
from bot.onboard.questions import Back
from bot.onboard.wish import Wish
from core.auth.secret import Secret
from core.errors import BotError

_KEEP, _CREDENTIAL, _ADDRESS, _PROVIDER = "keep", "credential", "address", "provider"


def choose_models(draft: Draft, wish: Wish) -> None:
    """Ask until a credential serves a model, or somebody says that it shall be kept all the same. Raises BotError."""
    begin = draft.mark()
    while True:
        draft.back_to(begin)
        try:
            provider = choose_provider(draft, wish)
            again = _serve(draft, wish, provider)
        except Back:
            wish = replace(asking_anew(wish), provider=None, base_url=None, api=None, model=None, profile=None)
            continue
        if again is None:
            return
        wish = again


def _serve(draft: Draft, wish: Wish, provider: str) -> Wish | None:
    """Credential and model of a provider. A wish: to be tried anew by that. Raises BotError, and Back for another provider."""
    begin = draft.mark()
    while True:
        draft.back_to(begin)
        try:
            credential = choose_credential(draft, wish, provider)
        except BotError as error:
            if not wish.asks:
                raise
            prompts.tell(str(error))
            wish = asking_anew(wish)
            continue
        try:
            answer = _asked(draft, wish, provider, credential)
            what = _KEEP if answer.trouble is None else _what_now(wish, provider, answer.trouble)
            if what == _ADDRESS:
                return _elsewhere(draft, wish, provider, credential)
            if what == _KEEP and draft.model is None:
                choose_model(draft, wish, provider, answer.models)
        except Back:
            what = _CREDENTIAL
        if what == _PROVIDER:
            raise Back
        if what == _KEEP:
            if answer.check is not None:
                draft.checks.insert(begin.checks, answer.check)
            return None
        wish = asking_anew(wish)


def _asked(draft: Draft, wish: Wish, provider: str, credential: Credential) -> Answer:
    """What the provider says of a credential; the model is chosen on the way where only a completion can tell."""
    if not wish.asks:
        refuse_model(draft, wish, provider)
    answer = ask_about(draft, credential, provider, asks=wish.checks)
    if answer.check is not None or credential.profile is None:
        return answer
    model = choose_model(draft, wish, provider, ())
    return ask_for_completion(draft, credential.profile, model)


def _what_now(wish: Wish, provider: str, trouble: str) -> str:
    if not wish.asks:
        raise BotError("check", trouble, "Nothing was changed. --skip-checks stores it without asking the provider.")
    prompts.tell(trouble)
    choices = (
        (_CREDENTIAL, "give another credential"),
        (_ADDRESS, f"correct the address of {provider}, or ask there again"),
        (_PROVIDER, "take another provider"),
        (_KEEP, "keep it all the same"),
    )
    return prompts.choose("What now?", choices)


def _elsewhere(draft: Draft, wish: Wish, provider: str, credential: Credential) -> Wish:
    """The same at another address: what was pasted is not asked for again. Raises Back."""
    known, address = draft.desk.settings.models.providers, ask_address(draft, provider)
    api = draft.catalog.providers[provider].api if provider not in known else None
    wish = replace(asking_anew(wish), provider=provider, base_url=address, api=api)
    entry = credential.entry if credential.entry is not None and not credential.is_login else {}
    for field, auth in (("key", "api-key"), ("token", "token")):
        if field in entry:
            return replace(wish, auth=auth, secret=Secret(entry[field]))
    return wish
