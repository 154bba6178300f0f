"""What the checks look at: an installation as far as it can be read, taken once at the beginning of a round.

Nothing here raises for a damaged part: the part is missing then, and its error is kept for the check that tells of it.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import doctor_wiring as wiring
from bot.doctor.learning import learn_config, learn_variables
from bot.environment import Environment
from bot.paths import Paths
from core.auth.refs import SecretSource
from core.clock import Clock
from core.errors import BotError, StorageError
from core.sessions.key import DEFAULT_AGENT, SessionKey

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from bot.credentials import CredentialSource
    from bot.ops.running import Running
    from core.auth.profiles import ProfileSet
    from core.resolution.rules import Rules
    from core.resolution.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """An installation at one moment. `agents` are those to look at, `every_agent` all that there are.

    `settings` and `rules` are None where the config does not give them, and `config_error` or `rules_error` says why.
    `gateway` is the one that serves this directory, if any. `environment` are the variables with which everything is looked at:
    those of that gateway where they can be seen (`sees_gateway`), else those of this `shell`.
    """

    paths: Paths
    clock: Clock
    now: datetime
    online: bool
    environment: Environment
    shell: Environment
    sees_gateway: bool
    environment_error: BotError | None
    tree: Mapping[str, Any]
    settings: "Settings | None"
    config_error: BotError | None
    rules: "Rules | None"
    rules_error: BotError | None
    sources: Mapping[str, SecretSource]
    credentials: "CredentialSource"
    database: Path | None
    database_error: BotError | None
    agents: tuple[str, ...]
    every_agent: tuple[str, ...]
    gateway: "Running | None"
    documents: dict[Path, tuple[object, dict[str, Any]]] = field(default_factory=dict)
    """Stores that were read, each with what its file looked like then. See bot.doctor.documents."""
    _taken: dict[str, "Snapshot | None"] = field(default_factory=dict)

    @property
    def is_configured(self) -> bool:
        """Whether there is a config file, in whichever state."""
        return self.config_error is None or self.config_error.code != "no_config"

    def profiles(self, agent: str) -> "ProfileSet":
        """An agent's credentials."""
        return self.credentials.load(agent)

    def snapshot(self, agent: str) -> "Snapshot | None":
        """What a new session of the agent would find; None where the config gives no rules, or has no such agent."""
        if agent not in self._taken:
            self._taken[agent] = self._take(agent)
        return self._taken[agent]

    def _take(self, agent: str) -> "Snapshot | None":
        from core.resolution.source import SnapshotSource

        rules = self.rules
        if rules is None or agent not in rules.agents:
            return None
        key = SessionKey(agent, "main")
        if self.database is not None and self.database.is_file():  # another kind of file could hold a reader up
            with suppress(StorageError):  # which the checks of the database tell
                reader = wiring.state_reader(self.database)
                return SnapshotSource(lambda: rules, self.credentials, reader, self.clock).take(key)
        nothing = wiring.state_reader(self.paths.state / "no-database")
        return SnapshotSource(lambda: rules, self.credentials, nothing, self.clock).take(key)


def open_scene(agent: str | None, online: bool, clock: Clock) -> Scene:
    """Look at the installation that the environment names. Raises BotError for an `agent` that there is not."""
    from bot.config.settings import Settings
    from bot.doctor.surroundings import gateway_environment
    from bot.environment import process_environment
    from bot.ops.running import find_gateway

    process = process_environment()
    paths = Paths.of(process)
    shell, environment_error = _environment(process)
    gateway = find_gateway(paths.state)
    seen = gateway_environment(gateway.pid, paths) if gateway is not None and gateway.pid else None
    learn_variables(shell)
    tree, settings, environment, config_error = _config(paths, seen or shell)
    rules, rules_error = _rules(settings, paths)
    sources = _sources(settings or Settings(), environment, paths)
    database, database_error = _database(settings, paths, environment)
    agents = _agents(paths, tree)
    return Scene(
        paths=paths,
        clock=clock,
        now=clock.now(),
        online=online,
        environment=environment,
        shell=environment if seen is None else shell,
        sees_gateway=seen is not None,
        environment_error=environment_error,
        tree=tree,
        settings=settings,
        config_error=config_error,
        rules=rules,
        rules_error=rules_error,
        sources=sources,
        credentials=wiring.credentials_of(settings or Settings(), paths, environment, sources),
        database=database,
        database_error=database_error,
        agents=_chosen(agent, agents),
        every_agent=agents,
        gateway=gateway,
    )


def _environment(process: Mapping[str, str]) -> tuple[Environment, BotError | None]:
    from bot.environment import read_environment

    try:
        return read_environment(), None
    except BotError as error:
        return Environment.of(process), error


def _config(
    paths: Paths, environment: Environment
) -> tuple[Mapping[str, Any], "Settings | None", Environment, BotError | None]:
    from bot.config.load import read_toml
    from bot.settings_wiring import open_settings

    tree: Mapping[str, Any] = {}
    try:
        tree = read_toml(paths.config)
        learn_config(tree)
        settings, environment = open_settings(paths, environment)
    except BotError as error:
        return tree, None, environment, error
    return tree, settings, environment, None


def _rules(settings: "Settings | None", paths: Paths) -> tuple["Rules | None", BotError | None]:
    if settings is None:
        return None, None
    try:
        return wiring.rules_of(settings, paths), None
    except BotError as error:
        return None, error


def _sources(settings: "Settings", environment: Environment, paths: Paths) -> Mapping[str, SecretSource]:
    from bot.app import open_secrets

    return open_secrets(paths).open_sources(settings, environment)


def _database(
    settings: "Settings | None", paths: Paths, environment: Environment
) -> tuple[Path | None, BotError | None]:
    """Where the database is. A config that cannot be read may name another place than the usual one."""
    from bot.app import database_path

    if settings is None:
        return paths.database, None
    try:
        return database_path(settings, paths, environment), None
    except BotError as error:
        return None, error


def _agents(paths: Paths, tree: Mapping[str, Any]) -> tuple[str, ...]:
    from bot.secrets_audit import agents_of

    found = agents_of(paths, tree)
    return (DEFAULT_AGENT, *(name for name in found if name != DEFAULT_AGENT))


def _chosen(agent: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    if agent is None:
        return known
    name = agent.strip().lower()
    if name not in known:
        raise BotError("unknown_agent", f'Unknown agent id "{agent}".', f"Known agents: {', '.join(known)}.")
    return (name,)
