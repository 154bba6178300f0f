"""The answers so far, and what the config would be with them. Nothing is written before all of it is right."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from bot import onboard_wiring as wiring
from bot.cli.models_auth import Desk, agent_named
from bot.config.edit import Plan, edited, settings_of
from bot.config.problems import InvalidConfig
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.secret import Secret
from core.auth.variables import Origin
from core.sessions.key import DEFAULT_AGENT

if TYPE_CHECKING:
    from bot.app import StoreAccess
    from bot.config.settings import Settings
    from bot.environment import Environment
    from core.models.catalog import Catalog
    from core.models.ref import ModelRef

_STEPS = ("provider", "keyless", "credential", "model", "telegram", "discord", "owners")
"""What changes the config, in the order in which one needs the other."""


class Verdict(StrEnum):
    """What a live check came to. `UNKNOWN`: nobody was asked, or the answer says nothing."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was checked, or was not: `what` is `credential`, `model`, `telegram` or `discord`, `name` which one."""

    what: str
    name: str
    verdict: Verdict
    detail: str


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
    def unasked(self) -> str | None:
        """Why its provider is not asked about it by a request; None: it can be. The Claude command line is a program and no
        server, and a login that is there already may have to be refreshed first, which is for who serves."""
        if self.profile is None or self.profile.kind is CredentialKind.CLI:
            return "the Claude CLI asks with its login itself"
        if self.profile.kind is CredentialKind.OAUTH and not self.is_login:
            return "a stored login is refreshed by whoever serves"
        return None


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the answers had come."""

    plans: Mapping[str, Plan]
    notes: int
    checks: int


class Draft:
    """An installation with the answers in it. `desk` is what is there; `plans` change its config, by step. `is_agent_named`: the
    agent of the desk was asked for, and is not only the usual one."""

    def __init__(self, desk: Desk, content: bytes, *, is_agent_named: bool) -> None:
        self.desk = desk
        self.is_agent_named = is_agent_named
        self._content = content
        self.plans: dict[str, Plan] = {}
        self.variables: dict[str, Secret] = {}
        """What `.env` of the state directory is to hold besides."""
        self.credential: Credential | None = None
        self.model: str | None = None
        """The default that there will be."""
        self.served: ModelRef | None = None
        """The model of the credential's provider that it is to serve."""
        self.bots: dict[str, str] = {}
        """The names that the platforms gave for their tokens."""
        self.invitation: str | None = None
        """Where Discord's bot is added to a server."""
        self.owners: tuple[str, ...] = ()
        self.wants_service: bool | None = None
        self.notes: list[str] = []
        self.checks: list[Check] = []

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
        """The models that the agent would have."""
        from bot.models_catalog import configured_models

        return configured_models(self.settings, self.desk.paths, self.desk.agent)

    def stores(self) -> "StoreAccess":
        """The stores as they are, with the surroundings as they would be."""
        return wiring.open_stores(self.settings, self.desk.paths, self.environment)

    def credentials(self) -> Mapping[str, AuthProfile]:
        """What could be used, without what is only about to be stored."""
        return self.stores().source.load(self.desk.agent).profiles

    def plan(self, step: str, plan: Plan | None) -> None:
        """How a step changes the config; None: not at all."""
        if plan is None:
            self.plans.pop(step, None)
        else:
            self.plans[step] = plan

    def mark(self) -> Mark:
        """Where `back_to` comes back to."""
        return Mark(dict(self.plans), len(self.notes), len(self.checks))

    def back_to(self, mark: Mark) -> None:
        """Forget what was answered about provider, credential and model since."""
        self.plans = dict(mark.plans)
        del self.notes[mark.notes :], self.checks[mark.checks :]
        self.credential = self.model = self.served = None

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

    def refuse_mistakes(self) -> None:
        """See that the whole is right as it is now. Raises ConfigError."""
        self.checked(self._content)

    @property
    def _name(self) -> str:
        return str(self.desk.paths.config)


def open_draft(agent: str | None) -> Draft:
    """The installation of this environment, without making anything. Raises BotError for one whose config is wrong, or that has
    no such agent."""
    import os

    from bot.environment import read_environment
    from bot.paths import Paths
    from bot.settings_wiring import open_settings

    paths = Paths.of(os.environ)
    settings, environ = open_settings(paths, read_environment(), required=False)
    agents = tuple(sorted({DEFAULT_AGENT, *settings.agents.list}))
    stores = wiring.open_stores(settings, paths, environ)
    content = paths.config.read_bytes() if paths.config.exists() else b""
    desk = Desk(paths, settings, stores, agent_named(agent, agents), agents)
    return Draft(desk, content, is_agent_named=agent is not None)
