"""The composition root: the only place that names concrete adapters.

`build_app` makes everything that answers people; `inspect_installation` only what looks, without a chat library, SQLAlchemy or
an HTTP client, for `models status` and `models explain`. Every import of an adapter is made where it is needed.
"""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.claude_wiring import Claude, provider_clients
from bot.config.rules import build_rules
from bot.credentials import CredentialSource
from bot.credentials_wiring import credential_source
from bot.database_url import sqlite_path
from bot.log import redact
from bot.models_wiring import bring_up_to_date, model_makings, models_documents
from bot.oauth_wiring import HealthOnDemand, renewing_client
from bot.paths import Paths
from bot.secret_values import revealed
from bot.settings_wiring import rereading
from core.auth.refs import SOURCES, SecretSource
from core.clock import Clock
from core.models.catalog import Catalog, ProviderEntry
from core.resolution.ports import StateReader
from core.resolution.rules import Rules
from core.resolution.source import SnapshotSource
from core.sessions.key import DEFAULT_AGENT

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.storage.profile_writer import ProfileWriter
    from adapters.storage.reader import SqliteStatusReader
    from bot.config.settings import Settings
    from bot.installation import InForce, Installation
    from bot.login_wiring import LoginTools
    from bot.served import ServedPlatform
    from core.announcements import Announcer
    from core.auth.ports import HealthStore
    from core.chat.ports import ProviderClient
    from core.chat.renewing import RenewingClient
    from core.gateway import Gateway
    from core.ports import Inbox
    from core.watch.rounds import Watch


@dataclass(frozen=True, slots=True)
class App:
    """A running installation."""

    installation: "Installation"
    clock: Clock
    gateway: "Gateway"
    inbox: "Inbox"
    snapshots: SnapshotSource
    platforms: Sequence["ServedPlatform"]
    announcer: "Announcer"
    watch: "Watch"
    refreshes: Mapping[tuple[str, str], int]
    """How many refreshes of logins were sent, by provider and outcome."""

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
    credentials: CredentialSource
    claude: Claude

    def providers(self, rules: Rules | None = None) -> Mapping[str, ProviderEntry]:
        """The providers as requests reach them: with the headers that references give. `rules`: those of an agent's snapshot."""
        return _with_headers(rules or self.rules, self.credentials.headers()).catalog.providers


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


@dataclass(frozen=True, slots=True)
class SecretTools:
    """What the commands of `secrets` work with. `open_sources` makes the sources of references that settings mean; `declared` are
    the variables that built-in providers declare; the rest is that of StoreAccess."""

    open_sources: Callable[["Settings", Mapping[str, str]], Mapping[str, SecretSource]]
    declared: frozenset[str]
    clock: Clock
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
    from adapters.storage.engine import open_database
    from adapters.storage.health import SqlHealthStore
    from adapters.storage.inbox import SqlInbox
    from adapters.storage.migrate import ensure
    from adapters.storage.sessions import SqlSessionStore
    from adapters.storage.shown import SqlShownStore
    from adapters.storage.state import SqlStateReader
    from adapters.storage.turn_locks import TurnLocks
    from bot.checking import ProviderCheck
    from bot.platforms_wiring import enabled_platforms
    from bot.watch_wiring import make_herald, make_watch
    from core.chat.turn import Turns
    from core.commands.checks import Checks
    from core.gateway import Gateway

    time = clock or _system_clock()
    sources = _sources(settings, environ)
    path = _database_path(settings, paths, sources)
    installation = await _installation(settings, paths, environ, extra_owner, sources, reread)
    paths.create()
    ensure(path)
    with open_database(path) as database, closing(TurnLocks(path.with_name(f"{path.name}.turns"), time)) as guard:
        inbox = SqlInbox(database)
        sessions = SqlSessionStore(database)
        snapshots = SnapshotSource(lambda: installation.rules, installation, SqlStateReader(database), time)
        health = SqlHealthStore(database)
        clients = provider_clients(lambda: Claude(installation.settings, paths, installation.environment), time)
        refreshes: Counter[tuple[str, str]] = Counter()
        client = renewing_client(clients, installation, installation.told, paths, health, time, _sources, refreshes)
        await _import_older(settings, paths, time, health, installation)
        turns = Turns(snapshots, sessions, health, provider or client, time)
        checks = Checks(snapshots, health, ProviderCheck(client, time))
        shown = SqlShownStore(database)
        announcer, pairing = make_herald(database, shown, snapshots, installation, time)
        gateway = Gateway(snapshots, sessions, shown, turns, time, redact, guard, checks, pairing, announcer)
        watch = make_watch(database, announcer, pairing, snapshots, inbox, installation, gateway, time)
        served = platforms
        if served is None:
            served = enabled_platforms(settings, sources, installation.rules, inbox, gateway, time)
        try:
            yield App(installation, time, gateway, inbox, snapshots, served, announcer, watch, refreshes)
        finally:
            await client.close()


async def _import_older(
    settings: "Settings", paths: Paths, clock: Clock, health: "HealthStore", installation: "Installation"
) -> None:
    """What older layouts hold, and the log what came of it."""
    from adapters.storage.older_stores import import_older_stores

    for sentence in await import_older_stores(
        paths.state, settings.agents.list, paths.oauth, clock, health, installation
    ):
        log.info("%s", sentence)


async def _installation(
    settings: "Settings",
    paths: Paths,
    environ: Mapping[str, str],
    extra_owner: str | None,
    sources: Mapping[str, SecretSource],
    reread: Callable[[], "Settings"] | None,
) -> "Installation":
    """What is in force, and how it is read anew."""
    import asyncio

    from bot.installation import Installation

    first = await _opened(settings, paths, environ, extra_owner, sources)
    read = rereading(paths, environ, reread)

    async def reopen() -> "InForce":
        fresh, around = await asyncio.to_thread(read)
        return await _opened(fresh, paths, around, extra_owner, _sources(fresh, around))

    return Installation(first, reopen)


def inspect_installation(
    settings: "Settings", paths: Paths, environ: Mapping[str, str], clock: Clock | None = None
) -> Inspection:
    """Open the installation for looking only: nothing is made, migrated or written but the salt of the fingerprints."""
    from adapters.storage.reader import SqliteStatusReader

    rules = _rules(settings, None, paths)
    time = clock or _system_clock()
    sources = _sources(settings, environ)
    state = SqliteStatusReader(_database_path(settings, paths, sources))
    reader: StateReader = state
    credentials = _credentials(settings, paths, environ, sources)
    snapshots = SnapshotSource(lambda: rules, credentials, reader, time)
    return Inspection(rules, time, snapshots, state, credentials, Claude(settings, paths, environ))


def provider_client(inspection: Inspection) -> "RenewingClient":
    """A client for requests that are no turn. Whoever opens it closes it."""
    claude, credentials, clock = inspection.claude, inspection.credentials, inspection.clock
    settings, environ = claude.settings, credentials.environment
    health = HealthOnDemand(lambda: open_health(settings, claude.paths, environ))
    clients = provider_clients(lambda: claude, clock)
    return renewing_client(clients, credentials, lambda: (settings, environ), claude.paths, health, clock, _sources)


@contextmanager
def open_health(settings: "Settings", paths: Paths, environ: Mapping[str, str]) -> Iterator["HealthStore"]:
    """The health of credentials, to be changed beside whoever serves. Raises BotError for a database that cannot be used."""
    from adapters.storage.engine import open_database
    from adapters.storage.health import SqlHealthStore
    from adapters.storage.migrate import ensure

    path = database_path(settings, paths, environ)
    ensure(path)
    with open_database(path) as database:
        yield SqlHealthStore(database)


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
        writer=lambda agent: ProfileWriter(paths.state, agent, clock, oauth_dir=paths.oauth),
        edit_file=lambda path, change: edit_file(path, clock, change),
    )


def open_logins(settings: "Settings", paths: Paths, environ: Mapping[str, str]) -> "LoginTools":
    """For logging in at providers. Nothing is asked for before a provider is named."""
    from bot.login_wiring import LoginTools

    return LoginTools(settings, paths, environ, _sources)


def open_secrets(paths: Paths) -> SecretTools:
    """For looking at secrets and moving them. Asks for no secret: `open_stores` may run a command for the database's URL."""
    from adapters.providers.builtin import declared_variables
    from adapters.storage.locked_file import edit_file
    from adapters.storage.profile_writer import ProfileWriter

    clock = _system_clock()
    return SecretTools(
        open_sources=_sources,
        declared=frozenset(declared_variables()),
        clock=clock,
        writer=lambda agent: ProfileWriter(paths.state, agent, clock, oauth_dir=paths.oauth),
        edit_file=lambda path, change: edit_file(path, clock, change),
    )


def first_model(settings: "Settings", paths: Paths, environ: Mapping[str, str]) -> str | None:
    """The default model of the first built-in provider that has a credential here: what a config would name that is not yet."""
    from adapters.providers.builtin import builtin_providers

    found = _credentials(settings, paths, environ, _sources(settings, environ)).load(DEFAULT_AGENT)
    served = {profile.provider for profile in found.profiles.values()}
    models = (
        f"{name}/{p.default_model}" for name, p in builtin_providers().items() if name in served and p.default_model
    )
    return next(models, None)


def database_path(settings: "Settings", paths: Paths, environ: Mapping[str, str]) -> "Path":
    """The SQLite file of an installation. Raises ConfigError where `database.url` names none or its reference gives none."""
    return _database_path(settings, paths, _sources(settings, environ))


def _database_path(settings: "Settings", paths: Paths, sources: Mapping[str, SecretSource]) -> "Path":
    if settings.database.url is None:
        return paths.database
    return sqlite_path(revealed(settings.database.url, "database.url", sources))


async def _opened(
    settings: "Settings",
    paths: Paths,
    environ: Mapping[str, str],
    extra_owner: str | None,
    sources: Mapping[str, SecretSource],
) -> "InForce":
    """Everything that the settings say, with every reference asked for. Raises BotError."""
    from bot.installation import InForce

    rules = _rules(settings, extra_owner, paths)
    credentials = _credentials(settings, paths, environ, sources)
    await credentials.prepare(tells=extra_owner is None)  # at a terminal the answers say it
    if await bring_up_to_date(model_makings(settings, paths, environ, rules), credentials):
        rules = _rules(settings, extra_owner, paths)
    return InForce(settings, _with_headers(rules, credentials.headers()), credentials)


def _rules(settings: "Settings", extra_owner: str | None, paths: Paths) -> Rules:
    from adapters.providers.builtin import builtin_providers

    rules = build_rules(settings, builtin_providers(), models_documents(settings, paths))
    if extra_owner is None:
        return rules
    return replace(rules, access=replace(rules.access, owners=rules.access.owners | {extra_owner}))


def _system_clock() -> Clock:
    from bot.system_clock import SystemClock

    return SystemClock()


def _with_headers(rules: Rules, headers: Mapping[str, tuple[tuple[str, str], ...]]) -> Rules:
    """The rules with the headers that references gave."""

    def given(catalog: Catalog) -> Catalog:
        known = catalog.providers
        providers = {name: replace(p, headers=headers[name]) if name in headers else p for name, p in known.items()}
        return replace(catalog, providers=providers)

    return rules.with_catalogs(given) if headers else rules


def _sources(settings: "Settings", environ: Mapping[str, str]) -> dict[str, SecretSource]:
    from adapters.secret_sources.providers import SecretProviders

    table = settings.secrets
    source = SecretProviders(
        table.providers, dict(table.defaults), table.resolution, settings.environment(environ).trusted
    )
    return dict.fromkeys(SOURCES, source)


def _credentials(
    settings: "Settings", paths: Paths, environ: Mapping[str, str], sources: Mapping[str, SecretSource]
) -> CredentialSource:
    from adapters.storage.guarded_file import Unusable
    from adapters.storage.salt_file import load_salt

    problems = [text for text in (paths.problem(),) if text is not None]
    salt: bytes | None = None
    try:
        paths.create()
        salt = load_salt(paths.salt)
    except Unusable as error:
        problems.append(str(error))
    return credential_source(settings, paths, environ, sources, salt, problems)
