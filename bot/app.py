"""The composition root: the only place that names concrete adapters.

`build_app` makes everything that answers people; `inspect_installation` only what looks, without a chat library, SQLAlchemy or
an HTTP client, for `models status` and `models explain`. Every import of an adapter is made where it is needed.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bot.config.rules import build_rules
from bot.credentials import CredentialSource
from bot.database_url import sqlite_path
from bot.installation import InForce, Installation
from bot.log import learn_secrets, redact
from bot.paths import Paths
from core.auth.refs import SOURCES, SecretSource, UnresolvedRef, resolve_ref
from core.auth.secret import Secret, SecretRef
from core.clock import Clock
from core.errors import ConfigError
from core.resolution.ports import StateReader
from core.resolution.rules import Rules
from core.resolution.source import SnapshotSource
from core.sessions.key import DEFAULT_AGENT

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.storage.profile_writer import ProfileWriter
    from adapters.storage.reader import SqliteStatusReader
    from bot.config.settings import Settings
    from bot.run import ServedPlatform
    from core.chat.ports import ProviderClient
    from core.gateway import Gateway
    from core.ports import Inbox


@dataclass(frozen=True, slots=True)
class App:
    """A running installation."""

    installation: Installation
    clock: Clock
    gateway: "Gateway"
    inbox: "Inbox"
    snapshots: SnapshotSource
    platforms: Sequence["ServedPlatform"]

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        return self.installation.rules


@dataclass(frozen=True, slots=True)
class Inspection:
    """An installation, looked at from the host."""

    rules: Rules
    clock: Clock
    snapshots: SnapshotSource
    state: "SqliteStatusReader"


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """The credential stores, for changing them. `edit_file` replaces another file by a change of its content, locked and whole;
    it tells whether anything differs."""

    source: CredentialSource
    state: StateReader
    clock: Clock
    providers: frozenset[str]
    writer: Callable[[str], "ProfileWriter"]
    edit_file: Callable[["Path", Callable[[bytes], bytes]], bool]


@asynccontextmanager
async def build_app(
    settings: "Settings",
    paths: Paths,
    *,
    environ: Mapping[str, str],
    extra_owner: str | None = None,
    clock: Clock | None = None,
    provider: "ProviderClient | None" = None,
    platforms: Sequence["ServedPlatform"] | None = None,
    reread: Callable[[], "Settings"] | None = None,
) -> AsyncIterator[App]:
    """Open the installation: migrate the database, wire everything, and close it in order at the end.

    `extra_owner` owns it besides `access.owners` (the person at the terminal). `reread` gives the settings for a reload; left
    out, those of the config file. The other arguments replace parts, for tests. Raises BotError for whatever cannot be opened.
    """
    import asyncio

    from adapters.providers.registry import HttpProviderClient
    from adapters.storage.engine import open_database
    from adapters.storage.health import SqlHealthStore
    from adapters.storage.inbox import SqlInbox
    from adapters.storage.migrate import ensure
    from adapters.storage.sessions import SqlSessionStore
    from adapters.storage.shown import SqlShownStore
    from adapters.storage.state import SqlStateReader
    from adapters.storage.turn_locks import TurnLocks
    from bot.config.load import load_settings
    from core.chat.turn import Turns
    from core.gateway import Gateway

    time = clock or _system_clock()
    sources = _sources(settings, environ)
    path = _database_path(settings, paths, sources)
    first = await _opened(settings, paths, environ, extra_owner, sources)

    async def reopen() -> InForce:
        fresh = await asyncio.to_thread(reread or partial(load_settings, paths.config, environ))
        return await _opened(fresh, paths, environ, extra_owner, _sources(fresh, environ))

    installation = Installation(first, reopen)
    paths.create()
    ensure(path)
    with open_database(path) as database, closing(TurnLocks(path.with_name(f"{path.name}.turns"), time)) as guard:
        inbox = SqlInbox(database)
        sessions = SqlSessionStore(database)
        snapshots = SnapshotSource(lambda: installation.rules, installation, SqlStateReader(database), time)
        client = provider or HttpProviderClient(time)
        turns = Turns(snapshots, sessions, SqlHealthStore(database), client, time)
        gateway = Gateway(snapshots, sessions, SqlShownStore(database), turns, time, redact, guard)
        served = (
            platforms if platforms is not None else _platforms(settings, sources, first.rules, inbox, gateway, time)
        )
        try:
            yield App(installation, time, gateway, inbox, snapshots, served)
        finally:
            if isinstance(client, HttpProviderClient):
                await client.close()


def inspect_installation(
    settings: "Settings", paths: Paths, environ: Mapping[str, str], clock: Clock | None = None
) -> Inspection:
    """Open the installation for looking only: nothing is made, migrated or written but the salt of the fingerprints."""
    from adapters.storage.reader import SqliteStatusReader

    rules = _rules(settings, None)
    time = clock or _system_clock()
    sources = _sources(settings, environ)
    state = SqliteStatusReader(_database_path(settings, paths, sources))
    reader: StateReader = state
    credentials = _credentials(settings, paths, environ, sources)
    snapshots = SnapshotSource(lambda: rules, credentials, reader, time)
    return Inspection(rules, time, snapshots, state)


def open_stores(settings: "Settings", paths: Paths, environ: Mapping[str, str]) -> StoreAccess:
    """Open the credential stores. No model needs to be configured: credentials may come first."""
    from adapters.providers.builtin import builtin_providers
    from adapters.storage.locked_file import edit_file
    from adapters.storage.profile_writer import ProfileWriter
    from adapters.storage.reader import SqliteStatusReader

    clock = _system_clock()
    sources = _sources(settings, environ)
    return StoreAccess(
        source=_credentials(settings, paths, environ, sources),
        state=SqliteStatusReader(_database_path(settings, paths, sources)),
        clock=clock,
        providers=frozenset({*builtin_providers(), *settings.models.providers}),
        writer=lambda agent: ProfileWriter(paths.state, agent, clock),
        edit_file=lambda path, change: edit_file(path, clock, change),
    )


def database_path(settings: "Settings", paths: Paths, environ: Mapping[str, str]) -> "Path":
    """The SQLite file of an installation. Raises ConfigError where `database.url` names none or its reference gives none."""
    return _database_path(settings, paths, _sources(settings, environ))


def _database_path(settings: "Settings", paths: Paths, sources: Mapping[str, SecretSource]) -> "Path":
    if settings.database.url is None:
        return paths.database
    return sqlite_path(_secret(settings.database.url, "database.url", sources))


async def _opened(
    settings: "Settings",
    paths: Paths,
    environ: Mapping[str, str],
    extra_owner: str | None,
    sources: Mapping[str, SecretSource],
) -> InForce:
    """Everything that the settings say, with every reference asked for. Raises BotError."""
    rules = _rules(settings, extra_owner)
    credentials = _credentials(settings, paths, environ, sources)
    await credentials.prepare()
    return InForce(settings, _with_headers(rules, credentials.headers()), credentials)


def _rules(settings: "Settings", extra_owner: str | None) -> Rules:
    from adapters.providers.builtin import builtin_providers

    rules = build_rules(settings, builtin_providers())
    if extra_owner is None:
        return rules
    return replace(rules, access=replace(rules.access, owners=rules.access.owners | {extra_owner}))


def _system_clock() -> Clock:
    from bot.system_clock import SystemClock

    return SystemClock()


def _with_headers(rules: Rules, headers: Mapping[str, tuple[tuple[str, str], ...]]) -> Rules:
    """The rules with the headers that references gave."""
    known = rules.catalog.providers
    providers = {name: replace(p, headers=headers[name]) if name in headers else p for name, p in known.items()}
    return replace(rules, catalog=replace(rules.catalog, providers=providers)) if headers else rules


def _sources(settings: "Settings", environ: Mapping[str, str]) -> dict[str, SecretSource]:
    from adapters.secret_sources.providers import SecretProviders

    table = settings.secrets
    source = SecretProviders(
        table.providers, table.defaults.model_dump(), table.resolution, settings.environment(environ)
    )
    return dict.fromkeys(SOURCES, source)


def _credentials(
    settings: "Settings", paths: Paths, environ: Mapping[str, str], sources: Mapping[str, SecretSource]
) -> CredentialSource:
    from adapters.providers.builtin import builtin_providers
    from adapters.storage.guarded_file import Unusable
    from adapters.storage.profile_file import AuthProfileFiles
    from adapters.storage.salt_file import load_salt

    problems = [text for text in (paths.problem(),) if text is not None]
    salt: bytes | None = None
    try:
        paths.create()
        salt = load_salt(paths.salt)
    except Unusable as error:
        problems.append(str(error))
    return CredentialSource(
        settings,
        AuthProfileFiles(paths.state),
        environ=environ,
        declared={name: provider.env for name, provider in builtin_providers().items()},
        sources=sources,
        salt=salt,
        problems=problems,
        learn=learn_secrets,
    )


def _platforms(
    settings: "Settings",
    sources: Mapping[str, SecretSource],
    rules: Rules,
    inbox: "Inbox",
    gateway: "Gateway",
    clock: Clock,
) -> list["ServedPlatform"]:
    """The enabled chat platforms. Raises ConfigError for one that is enabled and cannot be run."""
    from core.commands.registry import COMMANDS

    menu = tuple((command.name, command.summary) for command in COMMANDS if not command.hidden)
    common: dict[str, Any] = {
        "agent": DEFAULT_AGENT,
        "dm_scope": rules.dm_scope,
        "inbox": inbox,
        "clock": clock,
        "commands": menu,
    }
    platforms: list[ServedPlatform] = []
    telegram, discord = settings.channels.telegram, settings.channels.discord
    if telegram is not None and telegram.enabled:
        from adapters.telegram.client import TelegramPlatform

        if telegram.mode != "polling":
            raise ConfigError("channels.telegram.mode", "webhooks are not served.", 'Set mode = "polling".')
        token = _token(telegram.token, "channels.telegram.token", sources)
        platforms.append(TelegramPlatform(token, api_base_url=telegram.api_base_url, **common))
    if discord is not None and discord.enabled:
        from adapters.discord.client import DiscordPlatform

        token = _token(discord.token, "channels.discord.token", sources)
        platforms.append(
            DiscordPlatform(
                token,
                api_base_url=discord.api_base_url,
                gateway_url=discord.gateway_url,
                suggest=gateway.suggest,
                **common,
            )
        )
    return platforms


def _token(value: Secret | SecretRef | None, path: str, sources: Mapping[str, SecretSource]) -> Secret:
    secret = _secret(value, path, sources) if value is not None else None
    if not secret:
        raise ConfigError(path, "is missing.", "Set it, or set enabled = false.")
    return secret


def _secret(value: Secret | SecretRef, path: str, sources: Mapping[str, SecretSource]) -> Secret:
    """A secret setting. Raises ConfigError, naming it, where its reference gives nothing."""
    if isinstance(value, Secret):
        return value
    try:
        secret = resolve_ref(value, sources)
    except UnresolvedRef as error:
        raise ConfigError(path, error.message, error.hint) from None
    learn_secrets([secret.reveal()])
    return secret
