"""The answers so far, and what the config would be with them. Nothing is written before all of it is right."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot import onboard_wiring as wiring
from bot.cli.models_auth import Desk
from bot.config.edit import Plan, edited, settings_of
from bot.config.problems import InvalidConfig
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.secret import Secret
from core.auth.variables import Origin
from core.sessions.key import DEFAULT_AGENT

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from bot.environment import Environment
    from core.models.catalog import Catalog

_STEPS = ("provider", "credential", "model", "telegram", "discord", "owners")
"""What changes the config, in the order in which one needs the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What serves a provider. `entry` is what the store is to hold under the id of `profile`; None: nothing is stored, for it is
    there already or needs no store. `is_login`: the entry is kept as a login. `words` say where it comes from."""

    provider: str
    profile: AuthProfile | None
    words: str
    entry: Mapping[str, Any] | None = field(default=None, repr=False)
    is_login: bool = False

    @property
    def name(self) -> str | None:
        """The profile id."""
        return self.profile.id if self.profile is not None else None

    @property
    def can_be_asked(self) -> bool:
        """Whether its provider can be asked about it by a request: the Claude command line is a program and no server, and a login
        that is there already may have to be refreshed first, which is for who serves."""
        if self.profile is None or self.profile.kind is CredentialKind.CLI:
            return False
        return self.is_login or self.profile.kind is not CredentialKind.OAUTH


class Draft:
    """An installation with the answers in it. `desk` is what is there; `plans` change its config, by step."""

    def __init__(self, desk: Desk, content: bytes) -> None:
        self.desk = desk
        self._content = content
        self.plans: dict[str, Plan] = {}
        self.variables: dict[str, Secret] = {}
        """What `.env` of the state directory is to hold besides."""
        self.credential: Credential | None = None
        self.model: str | None = None
        self.bots: dict[str, str] = {}
        """The names that the platforms gave for their tokens."""
        self.owners: tuple[str, ...] = ()
        self.wants_service: bool | None = None
        self.notes: list[str] = []

    @property
    def environment(self) -> "Environment":
        """The variables as they will be."""
        now = self.desk.stores.source.environment
        ours = {name: secret.reveal() for name, secret in self.variables.items()}
        return now.with_layer(Origin.STATE_DIR, {**now.layers.get(Origin.STATE_DIR, {}), **ours})

    @property
    def settings(self) -> "Settings":
        """What the config would mean. Raises ConfigError."""
        return settings_of(self.edited(self._content), self.environment, self._name)

    @property
    def catalog(self) -> "Catalog":
        """The models that there would be."""
        from bot.models_catalog import configured_models

        return configured_models(self.settings, self.desk.paths)

    def credentials(self) -> Mapping[str, AuthProfile]:
        """What could be used, without what is only about to be stored."""
        settings, environ = self.settings, self.environment
        return wiring.open_stores(settings, self.desk.paths, environ).source.load(DEFAULT_AGENT).profiles

    def plan(self, step: str, plan: Plan | None) -> None:
        """How a step changes the config; None: not at all."""
        if plan is None:
            self.plans.pop(step, None)
        else:
            self.plans[step] = plan

    def edited(self, content: bytes) -> bytes:
        """A content of the config with every answer in it. Raises ConfigError."""
        for step in _STEPS:
            if step in self.plans:
                settings = settings_of(content, self.environment, self._name)
                content = edited(content, self.plans[step](settings), self.environment, self._name)
        return content

    def checked(self, content: bytes) -> bytes:
        """The same, with every reference followed: what is wrong already may stay, what would be wrong now is refused. Raises
        ConfigError."""
        from bot.models_catalog import mistakes

        result = self.edited(content)
        if result != content:
            known = set(mistakes(settings_of(content, self.environment, self._name), self.desk.paths))
            after = settings_of(result, self.environment, self._name)
            if added := [problem for problem in mistakes(after, self.desk.paths) if problem not in known]:
                raise InvalidConfig(added, "Nothing was changed.")
        return result

    def check(self) -> None:
        """See that the whole is right as it is now. Raises ConfigError."""
        self.checked(self._content)

    @property
    def _name(self) -> str:
        return str(self.desk.paths.config)


def open_draft() -> Draft:
    """The installation of this environment, without making anything. Raises BotError for one whose config is wrong."""
    import os

    from bot.environment import read_environment
    from bot.paths import Paths
    from bot.settings_wiring import open_settings

    paths = Paths.of(os.environ)
    settings, environ = open_settings(paths, read_environment(), required=False)
    agents = tuple(sorted({DEFAULT_AGENT, *settings.agents.list}))
    stores = wiring.open_stores(settings, paths, environ)
    content = paths.config.read_bytes() if paths.config.exists() else b""
    return Draft(Desk(paths, settings, stores, DEFAULT_AGENT, agents), content)
