"""Which provider: one that is known, or a server of one's own by its address."""

from typing import TYPE_CHECKING

from bot import onboard_wiring as wiring
from bot.cli import prompts
from bot.cli.models_auth import provider_named
from bot.config.edit import TreeChange, no_change
from bot.config.edit_models import together
from bot.config.edit_value import set_value
from bot.onboard.draft import Draft
from bot.onboard.wish import APIS, Wish
from core.auth.cli_login import PROVIDER as CLAUDE_CLI
from core.errors import BotError, ConfigError, UserError

if TYPE_CHECKING:
    from bot.config.settings import Settings

_OTHER = "another"
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
        name = wish.provider
    elif wish.asks:
        name = _asked(draft, known)
    else:
        raise UserError("usage", "--provider is missing: whose models shall answer?", f"Known: {', '.join(known)}.")
    base_url, api = wish.base_url, wish.api
    if name not in known and base_url is None:
        if not wish.asks:
            raise UserError("usage", f"No provider {name} is known.", "Add --base-url, the address of its API.")
        base_url = prompts.ask_line(
            f"Address of the API of {name}:", "https://", lambda text: _no_url(draft, name, text)
        )
    if name not in known and api is None:
        api = prompts.choose("How does it speak?", [(a, _APIS[a]) for a in APIS]) if wish.asks else APIS[0]
    place = ("models", "providers", name)
    values = {"base_url": base_url, "api": api, "auth": "none" if wish.auth == "none" else None}
    changes = [set_value((*place, key), value) for key, value in values.items() if value is not None]
    draft.plan("provider", (lambda _: together(changes)) if changes else None)
    return name


def keyless(draft: Draft, provider: str) -> None:
    """The config says that the provider needs no key."""
    before = draft.plans.get("provider", _nothing)
    more = set_value(("models", "providers", provider, "auth"), "none")
    draft.plan("provider", lambda settings: together([before(settings), more]))


def _nothing(_: "Settings") -> TreeChange:
    return no_change


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
    return provider_named(prompts.ask_line("A name for it:", check=_no_name))


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
    """What the rules of the config say of an address."""
    change = set_value(("models", "providers", name, "base_url"), text.strip())
    before = dict(draft.plans)
    draft.plan("provider", lambda _: together([change, set_value(("models", "providers", name, "api"), APIS[0])]))
    try:
        _ = draft.settings
    except ConfigError as error:
        return str(error)
    except BotError:
        return None
    finally:
        draft.plans = before
    return None
