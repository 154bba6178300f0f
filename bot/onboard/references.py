"""A credential that is kept elsewhere: in a variable of the environment, or wherever a reference leads."""

from bot import onboard_wiring as wiring
from bot.cli import prompts
from bot.cli.models_auth_paste import learnt
from bot.onboard.draft import Credential, Draft
from bot.onboard.profile_id import free_id
from bot.onboard.questions import ask_line
from bot.onboard.wish import Wish
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.refs import UnresolvedRef, describe, read_ref, resolve_ref
from core.auth.secret import Secret, SecretRef, clean_secret, unsendable
from core.auth.variables import Origin
from core.errors import BotError, UserError

_WHERE = "Export it, or write it into {}."


def of_variable(draft: Draft, wish: Wish, provider: str) -> Credential:
    """A variable that the provider's keys are looked for in serves by itself, as long as no profile is stored and no id is asked
    for; any other one is stored as a reference. Raises Back."""
    own = [p for p in draft.credentials().values() if p.provider == provider and p.variable]
    names = [profile.variable for profile in own]
    variable = wish.variable or (_ask_variable(draft, provider, names) if wish.asks else next(iter(names), None))
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
    found = next((profile for profile in own if profile.variable == variable), None)
    if found is not None and wish.profile is None and not draft.desk.of_provider(provider):
        return Credential(provider=provider, profile=found, words=f"taken from {variable}")
    return _referring(draft, wish, provider, SecretRef("env", "default", variable))


def by_reference(draft: Draft, wish: Wish, provider: str) -> Credential:
    """What a reference gives, which must be something now. Raises Back."""
    if wish.ref is not None:
        return _referring(draft, wish, provider, wish.ref)
    while True:
        ref = _ask_reference(draft)
        try:
            return _referring(draft, wish, provider, ref)
        except UnresolvedRef as error:
            prompts.tell(str(error))


def keepers(draft: Draft) -> list[tuple[str, str]]:
    """Who keeps what references lead to, beside variables: source and name, as the config has them in `secrets.providers`."""
    providers = draft.settings.secrets.providers.items()
    return [(options.source, name) for name, options in providers if options.source != "env"]


def _ask_variable(draft: Draft, provider: str, own: list[str]) -> str:
    from core.auth.environment import base_name

    where = _WHERE.format(draft.desk.paths.dotenv)

    def problem(text: str) -> str | None:
        try:
            read_ref({"source": "env", "id": text.strip()})
        except ValueError as error:
            return f"{error}."
        return None if draft.environment.trusted.get(text.strip(), "").strip() else f"It is not set here. {where}"

    return ask_line("Name of the variable", own[0] if own else f"{base_name(provider)}_API_KEY", problem)


def _ask_reference(draft: Draft) -> SecretRef:
    known = {f"{source}:{name}": (source, name) for source, name in keepers(draft)}
    chosen = prompts.choose("Who keeps it?", [(text, text) for text in known]) if len(known) > 1 else next(iter(known))
    source, name = known[chosen]

    def problem(text: str) -> str | None:
        try:
            read_ref({"source": source, "provider": name, "id": text.strip()})
        except ValueError as error:
            return f"{error}."
        return None

    return SecretRef(source, name, ask_line(f"Its id at {chosen}", check=problem))


def _referring(draft: Draft, wish: Wish, provider: str, ref: SecretRef) -> Credential:
    """A profile that holds a reference. Raises UnresolvedRef where it gives no secret now."""
    name = free_id(draft, wish, provider)
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
