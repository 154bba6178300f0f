"""Which provider: one that is known, or a server of one's own by its address."""

from bot import onboard_wiring as wiring
from bot.cli import prompts
from bot.cli.models_auth import provider_named
from bot.config.edit_models import together
from bot.config.edit_value import set_value
from bot.onboard.draft import Draft
from bot.onboard.questions import Back, ask_line
from bot.onboard.wish import APIS, Wish
from core.auth.cli_login import PROVIDER as CLAUDE_CLI
from core.errors import ConfigError, UserError

_OTHER = ""
_APIS = {
    "openai-completions": "as OpenAI's chat completions: most servers speak this",
    "openai-responses": "as OpenAI's responses",
    "anthropic-messages": "as Anthropic's messages",
    "google-generative-ai": "as Google's Gemini API",
}


def choose_provider(draft: Draft, wish: Wish) -> str:
    """The provider, put into the draft where it is new. Raises BotError for one that nobody knows the address of."""
    if wish.provider is None and wish.auth == "claude-cli":
        return CLAUDE_CLI
    known = list(draft.catalog.providers)
    if wish.provider is not None:
        return _put(draft, wish, wish.provider, known)
    if not wish.asks:
        raise UserError("usage", "--provider is missing: whose models shall answer?", f"Known: {', '.join(known)}.")
    while True:
        try:
            return _put(draft, wish, _asked(draft, known), known)
        except Back:
            continue


def _put(draft: Draft, wish: Wish, name: str, known: list[str]) -> str:
    """Raises Back where somebody does not know its address."""
    base_url, api = wish.base_url, wish.api
    if name not in known and base_url is None:
        if not wish.asks:
            raise UserError("usage", f"No provider {name} is known.", "Add --base-url, the address of its API.")
        about = f"Address of the API of {name}"
        base_url = ask_line(about, check=lambda text: _no_url(draft, name, text), begun="https://")
    elif base_url is not None:
        _refuse_url(draft, name, base_url)
    if name not in known and api is None:
        api = prompts.choose("How does it speak?", [(a, _APIS[a]) for a in APIS]) if wish.asks else APIS[0]
    place = ("models", "providers", name)
    changes = [set_value((*place, key), value) for key, value in (("base_url", base_url), ("api", api)) if value]
    draft.plan("provider", (lambda _: together(changes)) if changes else None)
    return name


def ask_address(draft: Draft, provider: str) -> str:
    """Another address for a provider that there is. Raises Back."""
    entry = draft.catalog.providers[provider]
    return ask_line(f"Address of the API of {provider}", entry.base_url, lambda text: _no_url(draft, provider, text))


def say_keyless(draft: Draft, provider: str) -> None:
    """The config says that the provider needs no key."""
    draft.plan("keyless", lambda _: set_value(("models", "providers", provider, "auth"), "none"))


def _asked(draft: Draft, known: list[str]) -> str:
    configured = list(draft.desk.settings.models.providers)
    usual = [name for name in known if name not in configured]
    served = {profile.provider for profile in draft.credentials().values()}
    names = [*configured, *sorted(usual, key=lambda name: (name not in served, name != "anthropic"))]
    words = {name: " (Claude of this host's command line)" if name == CLAUDE_CLI else "" for name in names}
    choices = [(name, f"{name}{words[name]}") for name in names if name != CLAUDE_CLI or name in served or configured]
    found = prompts.choose("Whose models shall answer?", [*choices, (_OTHER, "another one, by the address of its API")])
    if found != _OTHER:
        return found
    return provider_named(ask_line("A name for it", check=_no_name))


def first_model(draft: Draft, provider: str) -> str | None:
    """The name of a model to begin with: the first that the config lists, else the built-in one."""
    configured = draft.desk.settings.models.providers.get(provider)
    if configured is not None and configured.models:
        return configured.models[0].id
    return wiring.default_models().get(provider)


def _no_name(text: str) -> str | None:
    try:
        provider_named(text)
    except UserError as error:
        return str(error).replace("--provider", "It", 1)
    return None


def _no_url(draft: Draft, name: str, text: str) -> str | None:
    try:
        _refuse_url(draft, name, text.strip())
    except ConfigError as error:
        return str(error)
    return None


def _refuse_url(draft: Draft, name: str, url: str) -> None:
    """What the rules of the config say of an address. Raises ConfigError."""
    place, before = ("models", "providers", name), dict(draft.plans)
    changes = [set_value((*place, "base_url"), url), set_value((*place, "api"), APIS[0])]
    draft.plan("provider", lambda _: together(changes))
    try:
        _ = draft.settings
    finally:
        draft.plans = before
