"""Every setting of config.toml, with its default. Unknown keys are refused; values are immutable."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from bot.config import fields
from bot.config.oauth_settings import OAuth
from bot.config.reading import Check, Limits
from bot.config.secret_settings import Secrets
from bot.config.section import Section
from bot.environment import Environment
from core.auth.variables import Origin


def _named(key: str) -> Check:
    """A string in the place of a table stands for its most important key."""

    def check(value: object) -> object:
        if isinstance(value, str):
            return {key: value}
        if not isinstance(value, Mapping):
            raise ValueError("must be a string or a table")
        return value

    return Check(check, "before")


class Webhook(Section):
    """Where Telegram delivers to: `url` leads there through a proxy, `listen` and `port` are where it ends. Without the secret
    anybody could pretend to be Telegram, so it must be there."""

    url: fields.Url
    listen: fields.Text = "127.0.0.1"
    port: Annotated[int, Limits(ge=0, le=65535)] = 8443
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
    """models. `mode`: whether models.json is the config and what else is known, or the config alone."""

    mode: Literal["merge", "replace"] = "merge"
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
    image_model: Annotated[ModelChoice, _named("primary")] | None = None
    models: Mapping[fields.Text, ModelNotes] = {}


class Agent(Section):
    """agents.list.<id>"""

    model: Annotated[ModelChoice, _named("primary")] | None = None
    image_model: Annotated[ModelChoice, _named("primary")] | None = None
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
    oauth: Annotated[Mapping[fields.ProviderId, OAuth], fields.ByProvider] = {}


class ClaudeCli(Section):
    """claude_cli. `enabled`: whether its login counts as a credential; `args` come before those of RemoteClaw, which win."""

    enabled: bool = True
    command: fields.Text = "claude"
    args: tuple[fields.Text, ...] = ()
    max_processes: Annotated[int, Limits(ge=1, le=64)] = 2


class Failover(Section):
    """failover. `deadline` is a turn's whole time, `silence` the longest pause of a provider."""

    deadline: fields.Duration = timedelta(minutes=2)
    silence: fields.Duration = timedelta(minutes=1)
    cross_billing: Literal["ask", "announce", "never"] = "ask"


class SessionRules(Section):
    """session. `locked` are session keys whose model only this file decides; `footer` stands under answers where a chat has not
    said otherwise (`/usage`)."""

    dm_scope: Literal["main", "per-peer", "per-channel-peer", "per-account-channel-peer"] = "per-account-channel-peer"
    sticky_idle: fields.Duration = timedelta(hours=1)
    on_reset: Literal["release", "keep"] = "release"
    locked: tuple[fields.Session, ...] = ()
    footer: Literal["off", "tokens", "full"] = "off"


class Commands(Section):
    """commands"""

    alias_commands: bool = False


class Access(Section):
    """access: people and groups by their numeric ids, `platform:id`; roles of Discord as `discord:role:<id>`. Closed where nothing
    is listed. `pairing`: whether a stranger is given a code that an owner can approve."""

    owners: tuple[fields.Person, ...] = ()
    allow: tuple[fields.Admitted, ...] = ()
    groups: tuple[fields.Group, ...] = ()
    pairing: bool = True


class Database(Section):
    """database. Without a URL: remoteclaw.db in the state directory. It is a secret, for it may hold a password."""

    url: fields.SecretValue | None = None


class Gateway(Section):
    """gateway. `listen` is host:port for health and metrics; None: not served."""

    listen: fields.Listen | None = None


class Log(Section):
    """log. Without a file: standard error. `format`: "json" is an object a line."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    file: fields.Text | None = None


class ShellEnv(Section):
    """env.shell_env: whether keys that nothing else sets are taken from the login shell, and how long it may take."""

    enabled: bool = False
    timeout: fields.Duration | None = None


class Env(Section):
    """env: variables for what the environment does not set, by name. Those of `vars` yield to those of the table itself."""

    vars: Mapping[fields.Variable, fields.SecretText] = {}
    shell_env: ShellEnv = ShellEnv()
    _others: Mapping[fields.Variable, fields.SecretText] = {}

    def variables(self) -> Mapping[str, str]:
        """All of them, with their values."""
        return {name: value.reveal() for name, value in {**self.vars, **self._others}.items()}


class Settings(Section):
    """The whole config."""

    channels: Channels = Channels()
    models: Models = Models()
    agents: Agents = Agents()
    model_policy: ModelPolicy = ModelPolicy()
    auth: Auth = Auth()
    claude_cli: ClaudeCli = ClaudeCli()
    secrets: Secrets = Secrets()
    failover: Failover = Failover()
    session: SessionRules = SessionRules()
    commands: Commands = Commands()
    access: Access = Access()
    database: Database = Database()
    gateway: Gateway = Gateway()
    log: Log = Log()
    env: Env = Env()

    def environment(self, environ: Mapping[str, str]) -> Environment:
        """The environment, with the `env` table for what is unset or blank there."""
        return Environment.of(environ).with_layer(Origin.CONFIG, self.env.variables())
