"""What the doctor asks of adapters: readers that change nothing, and the few changes that its repairs make.

Unlike `bot.app` nothing here makes the state directory or the salt of the fingerprints: a look at an empty home leaves it empty.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from core.auth.refs import SecretSource, UnresolvedRef
from core.clock import Clock
from core.errors import BotError

if TYPE_CHECKING:
    from datetime import datetime

    from adapters.discord.identity import Application
    from adapters.storage.examination import Examination
    from adapters.storage.older_import import Plan
    from adapters.storage.profile_writer import ProfileWriter
    from bot.config.secret_settings import SecretProvider
    from bot.config.settings import Settings
    from bot.credentials import CredentialSource
    from bot.environment import Environment
    from bot.paths import Paths
    from core.auth.secret import Secret
    from core.resolution.ports import StateReader
    from core.resolution.rules import Rules

_T = TypeVar("_T")
_SECONDS = 10.0
"""How long a chat platform may take to say whose a token is."""


class Named(Protocol):
    """What a platform says of a bot token: the bot's name, and the platform's time if it told one."""

    @property
    def name(self) -> str: ...

    @property
    def told_at(self) -> "datetime | None": ...


def rules_of(settings: "Settings", paths: "Paths") -> "Rules":
    """The rules that settings mean. Raises InvalidConfig, and BotError where no model can be told."""
    from adapters.providers.builtin import builtin_providers
    from bot.config.rules import build_rules
    from bot.models_wiring import models_documents

    return build_rules(settings, builtin_providers(), models_documents(settings, paths))


def known_models(provider: str) -> Mapping[str, str]:
    """The models of a built-in provider by alias and by id."""
    from adapters.providers.builtin import builtin_providers

    known = builtin_providers().get(provider)
    models = known.models if known is not None else ()
    return {**{m.id: m.id for m in models}, **{m.alias: m.id for m in models if m.alias}}


def credentials_of(
    settings: "Settings", paths: "Paths", environ: "Environment", sources: Mapping[str, SecretSource]
) -> "CredentialSource":
    """The credentials, as `bot.app` puts them together. Without a salt there are no fingerprints, and no cooldowns are known."""
    from adapters.storage.guarded_file import Unusable, read_guarded
    from bot.credentials_wiring import credential_source

    try:
        salt: bytes | None = read_guarded(paths.salt)
    except (Unusable, FileNotFoundError):
        salt = None
    return credential_source(settings, paths, environ, sources, salt)


def state_reader(path: Path) -> "StateReader":
    """Sessions and health, read without a change."""
    from adapters.storage.reader import SqliteStatusReader

    return SqliteStatusReader(path)


def examination(path: Path) -> "Examination":
    """The database, looked through."""
    from adapters.storage.examination import Examination

    return Examination(path)


def revision(path: Path) -> tuple[str | None, str]:
    """The schema of the database, and the one that this version works with. Raises StorageError."""
    from adapters.storage.revision import HEAD, read_revision

    return read_revision(path), HEAD


def upgrade(path: Path) -> None:
    """Bring the schema up to date. Raises StorageError, and then nothing has changed."""
    from adapters.storage import migrate

    migrate.upgrade(path)


def writer(paths: "Paths", agent: str, clock: Clock) -> "ProfileWriter":
    """The store of an agent, for changing it."""
    from adapters.storage.profile_writer import ProfileWriter

    return ProfileWriter(paths.state, agent, clock, oauth_dir=paths.oauth)


def edit_file(path: Path, clock: Clock, change: Callable[[bytes], bytes]) -> bool:
    """Replace a file by a change of its content, locked and whole. Raises StoreError, and what `change` raises."""
    from adapters.storage.locked_file import edit_file as edit

    return edit(path, clock, change)


def older_plan(paths: "Paths", agent: str, document: dict[str, Any]) -> "Plan":
    """What older files hold for an agent's store."""
    from adapters.storage.older_import import OlderFiles
    from adapters.storage.older_logins import OAUTH
    from core.sessions.key import DEFAULT_AGENT

    oauth = (paths.oauth or paths.state / "credentials") / OAUTH
    return OlderFiles(paths.agent(agent), oauth if agent == DEFAULT_AGENT else None).plan(document)


def stored_document(path: Path) -> dict[str, Any]:
    """A store as it can be changed; nothing where there is none. Raises StoreError for one that is not touched: a link, one that
    belongs to another user or is open to others, and one that cannot be read."""
    from adapters.storage.profile_disk import CLOSED, read_document

    return read_document(path, CLOSED) or {}


def key_variables(settings: "Settings", environ: Mapping[str, str]) -> set[str]:
    """The variables that hold keys of providers in an environment."""
    from adapters.providers.builtin import builtin_providers
    from core.auth.environment import environment_keys

    known = {name: provider.env for name, provider in builtin_providers().items()}
    declared = {**dict.fromkeys(settings.models.providers, ()), **known}
    return {profile.variable for profile in environment_keys(declared, environ) if profile.variable}


def entry_fault(name: str, entry: object) -> str | None:
    """Why an entry of a store is not used, in words that hold nothing of it; None for a usable one."""
    from adapters.storage.profile_entry import read_entry

    try:
        read_entry(name, entry, "")
    except ValueError as error:
        return str(error)
    return None


def lock_of(path: Path, clock: Clock) -> tuple[Callable[[], bool], Callable[[], AbstractContextManager[object]]]:
    """Whether a dead program's lock of a file was left behind, and the lock itself, which takes such a one over."""
    from adapters.storage.sidecar_lock import SidecarLock

    lock = SidecarLock(path, clock, attempts=3)
    return lock.is_left_behind, lock.held


def command_fault(alias: str, options: "SecretProvider") -> UnresolvedRef | None:
    """Why the command of a provider of secrets is not run; None for one that is. It is not run here."""
    from adapters.secret_sources.command import checked_command

    try:
        checked_command(f"The secret provider '{alias}' (exec)", options)
    except UnresolvedRef as error:
        return error
    return None


def bot_of(platform: str, api_base_url: str, token: "Secret") -> Named:
    """Ask a chat platform whose token this is. Blocks for ten seconds at most, whatever the other side does: also one that sends
    its answer drop by drop, and one whose name nobody resolves. Raises BotError: `refused` for a token that it does not accept,
    `unreachable` for everything else."""
    if platform == "telegram":
        from adapters.telegram.identity import ask as ask_telegram

        return _within_seconds(lambda: ask_telegram(api_base_url, token), api_base_url)
    from adapters.discord.identity import ask as ask_discord

    return _within_seconds(lambda: ask_discord(api_base_url, token), api_base_url)


def application_of(api_base_url: str, token: "Secret") -> "Application":
    """What Discord tells of a bot's application, within ten seconds. Raises BotError where it tells nothing."""
    from adapters.discord.identity import application

    return _within_seconds(lambda: application(api_base_url, token), api_base_url)


def _within_seconds(ask: Callable[[], _T], address: str) -> _T:
    """The answer, from a thread of its own: it is left behind when it takes too long, and does not keep the process from ending."""
    from queue import Empty, SimpleQueue
    from threading import Thread

    answers: SimpleQueue[_T | BaseException] = SimpleQueue()

    def run() -> None:
        try:
            answers.put(ask())
        except BaseException as error:
            answers.put(error)

    Thread(target=run, daemon=True).start()
    try:
        answer = answers.get(timeout=_SECONDS)
    except Empty:
        told = f"{address} did not answer within {_SECONDS:g} seconds."
        raise BotError("unreachable", told, "Check the network.") from None
    if isinstance(answer, BaseException):
        raise answer
    return answer
