"""What the onboarding asks of adapters. A part of the composition root.

Nothing here makes a file before it is written to on purpose: whoever breaks off leaves the home as it was.
"""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from bot import doctor_wiring
from core.errors import BotError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from bot.app import StoreAccess
    from bot.claude_wiring import Claude
    from bot.config.settings import Settings
    from bot.environment import Environment
    from bot.login_wiring import LoginTools
    from bot.paths import Paths
    from bot.provider_clients import ProviderClients
    from core.auth.refs import SecretSource
    from core.auth.secret import Secret
    from core.clock import Clock
    from core.resolution.snapshot import Snapshot

PATIENCE = 180.0
"""Seconds for somebody to open Telegram and write a message."""


class Person(Protocol):
    """Somebody who has written to the bot."""

    @property
    def id(self) -> int: ...

    @property
    def name(self) -> str: ...


def open_stores(settings: "Settings", paths: "Paths", environ: "Environment") -> "StoreAccess":
    """The stores as `bot.app.open_stores` gives them, without making the state directory or its salt."""
    from bot.app import StoreAccess

    clock = system_clock()
    return StoreAccess(
        source=doctor_wiring.credentials_of(settings, paths, environ, sources(settings, paths, environ)),
        state=doctor_wiring.state_reader(_database(settings, paths, environ)),
        clock=clock,
        providers=frozenset({*default_models(), *settings.models.providers}),
        writer=lambda agent: doctor_wiring.writer(paths, agent, clock),
        edit_file=lambda path, change: doctor_wiring.edit_file(path, clock, change),
    )


def _database(settings: "Settings", paths: "Paths", environ: "Environment") -> "Path":
    """The SQLite file, or one that is not there: what is remembered of credentials is no reason not to go on."""
    from bot.app import database_path

    try:
        path = database_path(settings, paths, environ)
    except BotError:
        path = paths.database
    return path if path.is_file() else paths.state / "no-database"


def snapshot(settings: "Settings", paths: "Paths", stores: "StoreAccess", agent: str) -> "Snapshot":
    """What a new session of the agent would find. Raises BotError where the config names no model, or one that is not there."""
    from core.resolution.source import SnapshotSource
    from core.sessions.key import SessionKey

    rules, key = doctor_wiring.rules_of(settings, paths), SessionKey(agent, "main")
    try:
        return SnapshotSource(lambda: rules, stores.source, stores.state, stores.clock).take(key)
    except StorageError:
        nothing = doctor_wiring.state_reader(paths.state / "no-database")
        return SnapshotSource(lambda: rules, stores.source, nothing, stores.clock).take(key)


def sources(settings: "Settings", paths: "Paths", environ: Mapping[str, str]) -> "Mapping[str, SecretSource]":
    """Who resolves references as these settings say."""
    from bot.app import open_secrets

    return open_secrets(paths).open_sources(settings, environ)


def open_logins(settings: "Settings", paths: "Paths", environ: Mapping[str, str]) -> "LoginTools":
    """For logging in at providers."""
    from bot import app

    return app.open_logins(settings, paths, environ)


def default_models() -> Mapping[str, str | None]:
    """The built-in providers, each with the model to begin with; None where none is known."""
    from adapters.providers.builtin import builtin_providers

    return {name: provider.default_model for name, provider in builtin_providers().items()}


def open_client(claude: "Claude") -> "ProviderClients":
    """Asks providers. Whoever opens it closes it."""
    from bot.claude_wiring import provider_clients

    return provider_clients(lambda: claude, system_clock())


def system_clock() -> "Clock":
    """The clock of this host."""
    from bot.system_clock import SystemClock

    return SystemClock()


def who_writes(
    api_base_url: str, token: "Secret", code: str, show: Callable[[], None], is_over: Callable[[], bool]
) -> Person | None:
    """Whoever sends the bot this code in a private chat within `PATIENCE`, and before it `is_over`; `show` is called once somebody
    looks. Blocks; confirms no message. Raises BotError."""
    from adapters.telegram.introduction import wait_for_code

    # Whoever has seen the code may break off at once, and Python does not bear that while it loads modules: it would end by the
    # signal, past every handler.
    show()
    return wait_for_code(api_base_url, token, code, PATIENCE, is_over, time.sleep)
