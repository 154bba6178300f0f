"""The credential: pasted, of the environment, by reference, by a login, of the Claude command line, or none at all."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bot import onboard_wiring as wiring
from bot.cli import prompts
from bot.cli.models_auth_add import ask_secret, free_name
from bot.cli.models_auth_paste import checked, learnt, naming, refuse_foreign
from bot.onboard.draft import Credential, Draft
from bot.onboard.provider import keyless
from bot.onboard.wish import Wish
from core.auth.cli_login import LOGIN_ID, VENDOR
from core.auth.cli_login import PROVIDER as CLAUDE_CLI
from core.auth.eligibility import Eligibility, judge
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.refs import UnresolvedRef, describe, read_ref, resolve_ref
from core.auth.secret import Secret, SecretRef, clean_secret, unsendable
from core.auth.variables import Origin
from core.errors import BotError, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEEP = "keep"
_WHERE = "Export it, or write it into {}."
_YEAR = timedelta(days=365)
"""As long as a setup-token is valid when it is made."""


def choose_credential(draft: Draft, wish: Wish, provider: str) -> Credential:
    """The credential, in the draft and not stored yet. Raises BotError."""
    present = usable(draft, provider)
    auth = wish.auth or (_asked(draft, provider, present) if wish.asks else _unasked(draft, provider, present))
    makers: Mapping[str, Callable[[Draft, Wish, str], Credential]] = {
        "api-key": lambda d, w, p: _pasted(d, w, p, is_token=False),
        "token": lambda d, w, p: _pasted(d, w, p, is_token=True),
        "env": _of_variable,
        "ref": _by_reference,
        "login": _by_login,
        "claude-cli": _of_command_line,
        "none": _none,
    }
    if auth == _KEEP and present is not None:
        found = Credential(provider=provider, profile=present, words="kept as it is")
    else:
        found = makers[auth](draft, wish, provider)
    if found.entry is not None and found.name is not None:
        draft.plan("credential", naming(draft.desk, found.name, provider, found.entry["type"]))
    else:
        draft.plan("credential", None)
    draft.credential = found
    return found


def usable(draft: Draft, provider: str) -> AuthProfile | None:
    """A credential that could serve the provider now."""
    now = draft.desk.stores.clock.now()
    profiles = draft.credentials().values()
    return next((p for p in profiles if judge(p, provider, now) is Eligibility.OK), None)


def _unasked(draft: Draft, provider: str, present: AuthProfile | None) -> str:
    if present is None:
        ways = "--auth with --api-key-stdin, --env NAME, --ref SOURCE:PROVIDER:ID, claude-cli or none"
        raise UserError("usage", f"There is no credential of {provider} yet.", f"Say where it comes from: {ways}.")
    return _KEEP


def _asked(draft: Draft, provider: str, present: AuthProfile | None) -> str:
    from bot.oauth_wiring import known_logins

    choices = [(_KEEP, f"as it is: {present.id}")] if present is not None else []
    if provider == CLAUDE_CLI:
        return prompts.choose(
            "Which credential?", [*choices, ("claude-cli", "the login of the Claude CLI of this host")]
        )
    choices.append(("api-key", "an API key, pasted"))
    if provider == VENDOR:
        choices.append(("token", "a setup-token, as `claude setup-token` prints it"))
        if LOGIN_ID in draft.credentials():
            choices.append(("claude-cli", "the login of the Claude CLI of this host"))
    choices.append(("env", "a variable of the environment"))
    choices.append(("ref", "a reference to a file or a command that keeps it"))
    if provider in known_logins(draft.settings):
        choices.append(("login", "a login, in a browser or with a code"))
    if provider not in wiring.default_models():
        choices.append(("none", "none: it needs no key"))
    return prompts.choose(f"What proves to {provider} who you are?", choices)


def _pasted(draft: Draft, wish: Wish, provider: str, *, is_token: bool) -> Credential:
    name = _free(draft, wish, provider)
    if wish.secret is not None:
        secret = checked(wish.secret.reveal(), provider, is_token)
        learnt(secret)
    else:
        secret = ask_secret(is_token, provider)
    kind = CredentialKind.TOKEN if is_token else CredentialKind.API_KEY
    entry: dict[str, Any] = {"type": kind.value, "provider": provider, "token" if is_token else "key": secret}
    if is_token and provider == VENDOR:
        entry["expires"] = int((draft.desk.stores.clock.now() + _YEAR).timestamp() * 1000)
    profile = AuthProfile(id=name, provider=provider, kind=kind, secret=Secret(secret))
    return Credential(provider=provider, profile=profile, words="stored", entry=entry)


def _of_variable(draft: Draft, wish: Wish, provider: str) -> Credential:
    """A variable that the provider's keys are looked for in serves by itself, as long as no profile is stored; any other one is
    stored as a reference."""
    own = [p.variable for p in draft.credentials().values() if p.provider == provider and p.variable]
    variable = wish.variable or (_ask_variable(draft, provider, own) if wish.asks else next(iter(own), None))
    if variable is None:
        raise UserError("usage", f"No variable of {provider} is set here.", "Name the one to use: --env NAME.")
    if not draft.environment.trusted.get(variable, "").strip():
        raise BotError(
            "no_variable", f"The variable {variable} is not set here.", _WHERE.format(draft.desk.paths.dotenv)
        )
    if draft.environment.trusted.origins[variable] is Origin.PROCESS:
        draft.notes.append(
            f"{variable} is set in this shell. A service does not see that: put it into {draft.desk.paths.dotenv} too."
        )
    found = next((p for p in draft.credentials().values() if p.variable == variable and p.provider == provider), None)
    if found is not None and not draft.desk.of_provider(provider):
        return Credential(provider=provider, profile=found, words=f"taken from {variable}")
    return _referring(draft, wish, provider, SecretRef("env", "default", variable))


def _ask_variable(draft: Draft, provider: str, own: list[str]) -> str:
    from core.auth.environment import base_name

    def problem(text: str) -> str | None:
        try:
            read_ref({"source": "env", "id": text.strip()})
        except ValueError as error:
            return f"{error}."
        return None if draft.environment.trusted.get(text.strip(), "").strip() else "That variable is not set here."

    usual = own[0] if own else f"{base_name(provider)}_API_KEY"
    return prompts.ask_line("Name of the variable:", usual, problem)


def _by_reference(draft: Draft, wish: Wish, provider: str) -> Credential:
    if wish.ref is not None:
        return _referring(draft, wish, provider, wish.ref)
    while True:
        text = prompts.ask_line("The reference, as source:provider:id (env, file or exec):", check=_no_reference)
        try:
            return _referring(draft, wish, provider, _reference(text))
        except UnresolvedRef as error:
            prompts.tell(str(error))


def _reference(text: str) -> SecretRef:
    source, _, rest = text.strip().partition(":")
    provider, _, name = rest.partition(":")
    return read_ref({"source": source, "provider": provider, "id": name})


def _no_reference(text: str) -> str | None:
    try:
        _reference(text)
    except ValueError as error:
        return f"{error}."
    return None


def _referring(draft: Draft, wish: Wish, provider: str, ref: SecretRef) -> Credential:
    """A profile that holds a reference. Raises UnresolvedRef where it gives no secret now."""
    name = _free(draft, wish, provider)
    sources = wiring.sources(draft.settings, draft.desk.paths, draft.environment)
    secret = Secret(clean_secret(resolve_ref(ref, sources).reveal()))
    learnt(secret.reveal())
    if (reason := unsendable(secret.reveal())) is not None:
        raise UnresolvedRef(f"{describe(ref)} gives no key: it {reason}.")
    profile = AuthProfile(id=name, provider=provider, kind=CredentialKind.API_KEY, secret=secret, ref=ref)
    entry = {
        "type": "api_key",
        "provider": provider,
        "keyRef": {"source": ref.source, "provider": ref.provider, "id": ref.id},
    }
    words = f"kept as a reference to {ref.source}:{ref.provider}:{ref.id}"
    return Credential(provider=provider, profile=profile, words=words, entry=entry)


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
    keyless(draft, provider)
    profile = AuthProfile(id=f"none:{provider}", provider=provider, kind=CredentialKind.NONE)
    return Credential(provider=provider, profile=profile, words="none is needed")


def _free(draft: Draft, wish: Wish, provider: str) -> str:
    """The id to store under. Where nobody can be asked, a stored one is replaced, as by `models auth paste-api-key`."""
    name, desk = wish.profile or f"{provider}:manual", draft.desk
    if wish.asks:
        return free_name(desk, provider, name)
    refuse_foreign(desk, name, desk.stores.writer(desk.agent).own_provider(name), provider)
    return name
