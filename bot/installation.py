"""What a running gateway goes by, replaced as a whole: settings, rules, credentials (product.md 5.3).

A reload reads the config, the environment and every secret reference anew. Only if all of that is right does it take the place
of what was in force; otherwise the last good values stay, and the reason is kept for the log, the health page and whoever asked.
A reference that never gave anything takes its own profile out of service and stops nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.credentials import CredentialSource
from core.auth.profiles import CredentialKind, ProfileSet
from core.auth.refs import describe
from core.auth.secret import Secret
from core.errors import BotError
from core.resolution.rules import Rules

if TYPE_CHECKING:
    from bot.config.settings import Discord, Settings, Telegram
    from bot.environment import Environment

log = logging.getLogger(__name__)

_AT_START_ONLY = ("channels", "database", "gateway", "log")
"""Sections of the config that a process reads once: it would have to connect, open or listen anew."""
_KEPT = "config and references were not reloaded, the last good values stay"
"""The stores themselves are read for every message, so they are not among what stays."""


@dataclass(frozen=True, slots=True)
class InForce:
    """One consistent state of an installation."""

    settings: "Settings"
    rules: Rules
    credentials: CredentialSource


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload did: sentences about what the new state lacks, or what still waits for a restart."""

    warnings: tuple[str, ...]


class Installation:
    """Holds what is in force. `reopen` makes the next state, prepared for serving; it raises BotError if it cannot.

    A ProfileSource. Everything here belongs to the event loop: a decision never sees half of one state and half of another.
    """

    def __init__(self, first: InForce, reopen: Callable[[], Awaitable[InForce]]) -> None:
        self._started_with = first
        self._now = first
        self._reopen = reopen
        self._turn = asyncio.Lock()
        self.failure: BotError | None = None
        """Why the last reload did not happen; None after one that did."""
        self.reloaded = asyncio.Event()
        """Set by every reload that happened; whoever acts upon it clears it."""

    @property
    def settings(self) -> "Settings":
        """The config in force."""
        return self._now.settings

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        return self._now.rules

    @property
    def environment(self) -> "Environment":
        """The variables in force."""
        return self._now.credentials.environment

    def told(self) -> tuple["Settings", "Environment"]:
        """Both, of one state."""
        return self._now.settings, self._now.credentials.environment

    def load(self, agent: str) -> ProfileSet:
        """The agent's credentials, as they are now."""
        return self._now.credentials.load(agent)

    def tokens(self) -> Mapping[str, Secret]:
        """The tokens in force of the chat platforms, by name. One whose reference gives nothing is left out."""
        given = ((name, self._now.credentials.given(channel.token)) for name, channel in _enabled(self._now.settings))
        return {name: token for name, token in given if token}

    def unresolved(self) -> tuple[str, ...]:
        """What has no secret because its reference gives none: profile ids."""
        return self._now.credentials.unresolved(self._now.rules.agents)

    def notes(self) -> tuple[str, ...]:
        """What an operator should know: why the last reload did not happen, and what of the stores cannot be used."""
        failed = () if self.failure is None else (f"{_KEPT}: {_on_one_line(self.failure)}",)
        return (*failed, *self._problems())

    def _problems(self) -> tuple[str, ...]:
        return self._now.credentials.problems(self._now.rules.agents)

    async def reload(self) -> Reloaded:
        """Read everything anew and put it in force. Raises BotError, and then nothing has changed. One at a time."""
        async with self._turn:
            try:
                fresh = await self._reopen()
                _keeps_what_served(self._now, fresh)
            except BotError as error:
                if self.failure is None or str(self.failure) != str(error):
                    why = _on_one_line(error)
                    log.warning("SECRETS_RELOADER_DEGRADED: %s. %s", _KEPT, why)
                self.failure = error
                raise
            self._now = fresh
            if self.failure is not None:
                log.warning("SECRETS_RELOADER_RECOVERED: configuration and secrets are up to date again.")
            self.failure = None
            self.reloaded.set()
            return Reloaded((*self._pending(), *self._problems(), *self._lacking()))

    def _pending(self) -> list[str]:
        before, after = self._started_with.settings, self._now.settings
        changed = [name for name in _AT_START_ONLY if _at_start(before, name) != _at_start(after, name)]
        if before.session.dm_scope != after.session.dm_scope:
            changed.append("session.dm_scope")
        return [f"{name}: changed, and read again only when the gateway is started anew." for name in changed]

    def _lacking(self) -> list[str]:
        tokens = self.tokens()
        kept = [name for name, _ in _enabled(self._now.settings) if name not in tokens]
        return [
            *(f"{name}: its secret is not available, so it does not serve." for name in self.unresolved()),
            *(f"channels.{name}.token: gives nothing, so the token before stays in use." for name in kept),
        ]


def _enabled(settings: "Settings") -> "Iterator[tuple[str, Telegram | Discord]]":
    """The chat platforms that are to be served, by name."""
    for name in ("telegram", "discord"):
        channel = getattr(settings.channels, name)
        if channel is not None and channel.enabled:
            yield name, channel


def _at_start(settings: "Settings", name: str) -> object:
    """A section as far as a process reads it once: platforms take a new token over."""
    section = getattr(settings, name)
    if name != "channels":
        return section
    return {platform: None if table is None else {**dict(table), "token": None} for platform, table in section}


def _keeps_what_served(now: InForce, fresh: InForce) -> None:
    """Raises BotError if a reference that has given a secret gives none any more: its store may just be out of reach."""
    had = now.credentials.resolved_refs()
    had_plain = {name for agent in now.rules.agents for name in _served(now, agent)}
    lost = {describe(ref): why for ref, why in fresh.credentials.refused_refs().items() if ref in had}
    for agent in fresh.rules.agents:
        for profile in fresh.credentials.load(agent).unresolved:
            if profile.kind is CredentialKind.CONFIG and profile.id in had_plain:
                lost[profile.source] = profile.ref_error
    if lost:
        named = "; ".join(f"{what}: {why}" for what, why in list(lost.items())[:3])
        more = f" (and {len(lost) - 3} more)" if len(lost) > 3 else ""
        raise BotError(
            "secrets_unresolved", f"A secret that has been there is not available: {named}{more}", "Then reload again."
        )


def _served(state: InForce, agent: str) -> set[str]:
    """The keys of the config that could serve."""
    held = state.credentials.load(agent).profiles.values()
    return {profile.id for profile in held if profile.kind is CredentialKind.CONFIG and profile.secret}


def _on_one_line(error: BotError) -> str:
    return "; ".join(str(error).splitlines())
