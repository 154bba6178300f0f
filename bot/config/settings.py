"""Every setting of config.toml, with its default. Unknown keys are refused; values are immutable.

Loading this module loads pydantic, so it is imported where settings are read and nowhere else.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from bot.config import fields
from bot.config.secret_settings import Secrets
from bot.config.section import Section


def _named(key: str) -> BeforeValidator:
    """A string in the place of a table stands for its most important key."""

    def check(value: object) -> object:
        if isinstance(value, str):
            return {key: value}
        if not isinstance(value, Mapping):
            raise ValueError("must be a string or a table")
        return value

    return BeforeValidator(check)


class Webhook(Section):
    """Where Telegram delivers to. Without the secret anybody could pretend to be Telegram, so it must be there."""

    url: fields.Url
    listen: fields.Text = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8443
    secret_token: fields.SecretValue | None = None


class Telegram(Section):
    """channels.telegram"""

    enabled: bool = True
    token: fields.SecretValue | None = None
    api_base_url: fields.Url = "https://api.telegram.org"
    mode: Literal["polling", "webhook"] = "polling"
    webhook: Webhook | None = None


class Discord(Section):
    """channels.discord. `gateway_url` empty: asked from the API."""

    enabled: bool = True
    token: fields.SecretValue | None = None
    api_base_url: fields.Url = "https://discord.com/api/v10"
    gateway_url: fields.SocketUrl = ""


class Channels(Section):
    """The chat platforms. A table that is missing is a platform that is not used."""

    telegram: Telegram | None = None
    discord: Discord | None = None


class Model(Section):
    """One model of a provider's list. `context_window` and `max_tokens` are in tokens."""

    id: fields.Text
    alias: fields.Alias | None = None
    context_window: fields.Count | None = None
    max_tokens: fields.Count | None = None


class Provider(Section):
    """models.providers.<id>. A list of models closes the provider: no other model of it can be chosen."""

    base_url: fields.Url | None = None
    api: (
        Literal["openai-completions", "openai-responses", "anthropic-messages", "google-generative-ai", "claude-cli"]
        | None
    ) = None
    models: tuple[Annotated[Model, _named("id")], ...] = ()
    auth: Literal["key", "none"] = "key"
    api_key: fields.SecretValue | None = None
    headers: Mapping[fields.Header, fields.SecretValue] = {}


class Models(Section):
    """models"""

    providers: Annotated[Mapping[fields.ProviderId, Provider], fields.ByProvider] = {}


class ModelChoice(Section):
    """A model, and those that serve instead while it cannot. A bare string is the model alone."""

    primary: fields.Text
    fallbacks: tuple[fields.Text, ...] = ()


class ModelNotes(Section):
    """agents.defaults.models."provider/model": what is said about one model besides its provider's list."""

    alias: fields.Alias | None = None


class ModelPolicy(Section):
    """Which models a session may choose: exact, `provider/*`, `provider/namespace/*`. Empty: all."""

    allow: tuple[fields.Text, ...] = ()


class AgentDefaults(Section):
    """agents.defaults"""

    model: Annotated[ModelChoice, _named("primary")] | None = None
    models: Mapping[fields.Text, ModelNotes] = {}


class Agent(Section):
    """agents.list.<id>"""

    model: Annotated[ModelChoice, _named("primary")] | None = None
    model_policy: ModelPolicy | None = None


class Agents(Section):
    """agents. The agent `main` is there without being listed."""

    defaults: AgentDefaults = AgentDefaults()
    list: Mapping[fields.AgentId, Agent] = {}


class Profile(Section):
    """auth.profiles.<id>: what is known about a credential besides the secret, which stays in its store."""

    provider: fields.ProviderId
    mode: Literal["api_key", "token", "oauth"] | None = None
    email: fields.Text | None = None
    display_name: fields.Text | None = None
    label: fields.Text | None = None
    account: fields.Text | None = None
    billing: Literal["subscription", "metered", "free"] | None = None
    pin_mode: Literal["strict", "prefer"] = "strict"
    pin_allow: tuple[fields.Pinner, ...] | None = None


class Auth(Section):
    """auth"""

    order: Annotated[Mapping[fields.ProviderId, tuple[fields.Text, ...]], fields.ByProvider] = {}
    profiles: Mapping[fields.Text, Profile] = {}


class Failover(Section):
    """failover. `deadline` is a turn's whole time, `silence` the longest pause of a provider."""

    deadline: fields.Duration = timedelta(minutes=2)
    silence: fields.Duration = timedelta(minutes=1)
    cross_billing: Literal["ask", "announce", "never"] = "ask"


class SessionRules(Section):
    """session. `locked` are session keys whose model only this file decides."""

    dm_scope: Literal["main", "per-peer", "per-channel-peer", "per-account-channel-peer"] = "per-account-channel-peer"
    sticky_idle: fields.Duration = timedelta(hours=1)
    on_reset: Literal["release", "keep"] = "release"
    locked: tuple[fields.Session, ...] = ()


class Commands(Section):
    """commands"""

    alias_commands: bool = False


class Access(Section):
    """access: people and groups by their numeric ids, `platform:id`. Closed where nothing is listed."""

    owners: tuple[fields.Person, ...] = ()
    allow: tuple[fields.Person, ...] = ()
    groups: tuple[fields.Group, ...] = ()


class Database(Section):
    """database. Without a URL: remoteclaw.db in the state directory. It is a secret, for it may hold a password."""

    url: fields.SecretValue | None = None


class Gateway(Section):
    """gateway. `listen` is host:port for health and metrics; None: not served."""

    listen: fields.Listen | None = None


class Log(Section):
    """log. Without a file: standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    file: fields.Text | None = None


class Settings(Section):
    """The whole config."""

    channels: Channels = Channels()
    models: Models = Models()
    agents: Agents = Agents()
    model_policy: ModelPolicy = ModelPolicy()
    auth: Auth = Auth()
    secrets: Secrets = Secrets()
    failover: Failover = Failover()
    session: SessionRules = SessionRules()
    commands: Commands = Commands()
    access: Access = Access()
    database: Database = Database()
    gateway: Gateway = Gateway()
    log: Log = Log()
    env: Mapping[fields.Variable, fields.SecretText] = {}

    def environment(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """The process environment, with the `env` table for what is unset or blank there."""
        own = {name: value.reveal() for name, value in self.env.items()}
        return {**environ, **{name: value for name, value in own.items() if not environ.get(name, "").strip()}}
