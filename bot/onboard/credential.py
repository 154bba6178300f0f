"""The credential: pasted, of the environment, by reference, by a login, of the Claude command line, or none at all."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot import onboard_wiring as wiring
from bot.cli import prompts
from bot.cli.models_auth_paste import checked, learnt, naming
from bot.onboard.draft import Credential, Draft
from bot.onboard.profile_id import free_id
from bot.onboard.provider import say_keyless
from bot.onboard.questions import Back, ask_secret
from bot.onboard.references import by_reference, keepers, of_variable
from bot.onboard.standing import first_credential
from bot.onboard.wish import Wish
from core.auth.cli_login import LOGIN_ID, VENDOR
from core.auth.cli_login import PROVIDER as CLAUDE_CLI
from core.auth.eligibility import Eligibility, judge
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.secret import Secret
from core.errors import BotError, UserError

_KEEP, _BACK = "keep", "back"
_YEAR = timedelta(days=365)
"""As long as a setup-token is valid when it is made."""
_NOT_STORED = "--profile-id names a credential that is stored, and here none is"


def choose_credential(draft: Draft, wish: Wish, provider: str) -> Credential:
    """The credential, in the draft and not stored yet. Raises BotError, and Back where somebody wants another provider."""
    present = first_credential(draft, provider)
    while True:
        auth = wish.auth or (_asked(draft, provider, present) if wish.asks else _unasked(provider, present))
        try:
            found = _made(draft, wish, provider, auth, present)
            break
        except Back:
            wish = asking_anew(wish)
    if found.entry is not None and found.name is not None:
        draft.plan("credential", naming(draft.desk, found.name, provider, found.entry["type"]))
    elif wish.profile is not None and not wish.asks:
        raise UserError("usage", f"{_NOT_STORED}.", "Leave it out, or say where a new one comes from.")
    elif wish.profile is not None:
        draft.notes.append(f"{_NOT_STORED}, so {wish.profile} was not used.")
    draft.credential = found
    return found


def asking_anew(wish: Wish) -> Wish:
    """What the flags have said of a credential was tried: now it is asked for."""
    return replace(wish, auth=None, secret=None, variable=None, ref=None)


def _made(draft: Draft, wish: Wish, provider: str, auth: str, present: AuthProfile | None) -> Credential:
    makers: Mapping[str, Callable[[Draft, Wish, str], Credential]] = {
        "api-key": lambda d, w, p: _pasted(d, w, p, is_token=False),
        "token": lambda d, w, p: _pasted(d, w, p, is_token=True),
        "env": of_variable,
        "ref": by_reference,
        "login": _by_login,
        "claude-cli": _of_command_line,
        "none": _none,
    }
    if auth == _KEEP and present is not None:
        return Credential(provider=provider, profile=present, words="kept as it is")
    return makers[auth](draft, wish, provider)


def _unasked(provider: str, present: AuthProfile | None) -> str:
    if present is None:
        ways = "--auth with --api-key-stdin, --env NAME, --ref SOURCE:PROVIDER:ID, claude-cli or none"
        raise UserError("usage", f"There is no credential of {provider} yet.", f"Say where it comes from: {ways}.")
    return _KEEP


def _asked(draft: Draft, provider: str, present: AuthProfile | None) -> str:
    from bot.oauth_wiring import known_logins

    question = f"What proves to {provider} who you are?"
    choices = [(_KEEP, f"as it is: {present.id}")] if present is not None else []
    cli = ("claude-cli", "the login of the Claude CLI of this host")
    if provider == CLAUDE_CLI:
        choices.append(cli)
        question = "Which credential?"
    else:
        choices.append(("api-key", "an API key, pasted"))
        if provider == VENDOR:
            choices.append(("token", "a setup-token, as `claude setup-token` prints it"))
            choices += [cli] if LOGIN_ID in draft.credentials() else []
        choices.append(("env", "a variable of the environment"))
        if keepers(draft):
            choices.append(("ref", "a reference to a file or a command that keeps it"))
        if provider in known_logins(draft.settings):
            choices.append(("login", "a login, in a browser or with a code"))
        if provider not in wiring.default_models():
            choices.append(("none", "none: it needs no key"))
    chosen = prompts.choose(question, [*choices, (_BACK, "another provider")])
    if chosen == _BACK:
        raise Back
    return chosen


def _pasted(draft: Draft, wish: Wish, provider: str, *, is_token: bool) -> Credential:
    name = free_id(draft, wish, provider)
    if wish.secret is not None:
        secret = checked(wish.secret.reveal(), provider, is_token)
        learnt(secret)
    else:
        secret = _ask_secret(provider, is_token)
    kind = CredentialKind.TOKEN if is_token else CredentialKind.API_KEY
    entry: dict[str, Any] = {"type": kind.value, "provider": provider, "token" if is_token else "key": secret}
    if is_token and provider == VENDOR:
        entry["expires"] = int((draft.desk.stores.clock.now() + _YEAR).timestamp() * 1000)
    profile = AuthProfile(id=name, provider=provider, kind=kind, secret=Secret(secret))
    return Credential(provider=provider, profile=profile, words="stored", entry=entry)


def _ask_secret(provider: str, is_token: bool) -> str:
    def problem(text: str) -> str | None:
        try:
            checked(text, provider, is_token)
        except BotError as error:
            return str(error)
        return None

    text = ask_secret(f"{'Token' if is_token else 'API key'} of {provider}", problem)
    learnt(text)
    return checked(text, provider, is_token)


def _by_login(draft: Draft, wish: Wish, provider: str) -> Credential:
    from bot.cli.models_auth_login import log_in

    tools = wiring.open_logins(draft.settings, draft.desk.paths, draft.environment)
    done = log_in(draft.desk, tools, tools.provider(provider), wish.profile, None, False)
    if done is None:
        raise KeyboardInterrupt
    name, entry = done
    kind = CredentialKind(entry["type"])
    secret = Secret(entry["access"] if kind is CredentialKind.OAUTH else entry["token"])
    profile = AuthProfile(id=name, provider=provider, kind=kind, secret=secret, expires=entry.get("expires"))
    return Credential(provider=provider, profile=profile, words="logged in", entry=entry, is_login=True)


def _of_command_line(draft: Draft, _: Wish, provider: str) -> Credential:
    """Nothing is stored: the command line keeps its login itself."""
    if provider not in (CLAUDE_CLI, VENDOR):
        raise UserError("usage", f"The Claude CLI serves {VENDOR} and {CLAUDE_CLI}, not {provider}.")
    profile = draft.credentials().get(LOGIN_ID)
    verdict = judge(profile, CLAUDE_CLI, draft.desk.stores.clock.now())
    if verdict is not Eligibility.OK:
        why = "was not found here" if profile is None else f"cannot be used ({verdict})"
        raise BotError(
            "no_login",
            f"The login of the Claude CLI {why}.",
            "Install it, run `claude` on this host, and log in with /login.",
        )
    return Credential(provider=provider, profile=profile, words="the login of the Claude CLI, which keeps it itself")


def _none(draft: Draft, _: Wish, provider: str) -> Credential:
    say_keyless(draft, provider)
    profile = AuthProfile(id=f"none:{provider}", provider=provider, kind=CredentialKind.NONE)
    return Credential(provider=provider, profile=profile, words="none is needed")
