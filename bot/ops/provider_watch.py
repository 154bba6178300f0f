"""Providers that do not answer and credentials that they refuse: said once when it begins and once when it is over, and noted on
the health page meanwhile. Nobody is turned away for it: what a chat is told, and what serves instead, is decided elsewhere."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from core.auth.health import Lane, Window
from core.clock import Clock
from core.errors import BotError, FailureReason
from core.resolution.source import SnapshotSource
from core.sessions.key import SessionKey

log = logging.getLogger(__name__)

_SILENT = (FailureReason.NETWORK, FailureReason.TIMEOUT, FailureReason.OVERLOADED)
"""Outcomes of requests that never came to a decision."""
_REFUSED = (FailureReason.AUTH, FailureReason.AUTH_PERMANENT, FailureReason.BILLING)
_NOTED = timedelta(hours=1)
"""How long a refusal is worth knowing after the credential may be tried again, if nothing has tried it."""


class ProviderWatch:
    """One for the process. `agents` are all that are configured."""

    def __init__(self, agents: Callable[[], Iterable[str]], snapshots: SnapshotSource, clock: Clock) -> None:
        self._agents = agents
        self._snapshots = snapshots
        self._clock = clock
        self._silent: dict[str, str] = {}
        """By provider, what is noted of it."""
        self._unkept: dict[str, str] = {}
        """By credential of the environment, of which no record is kept."""
        self._refused: dict[str, str] = {}
        """By credential, what is noted of it; empty for what is too long ago."""
        self._is_broken = False

    def notes(self) -> tuple[str, ...]:
        """What is wrong now, a sentence each."""
        return tuple(note for found in (self._silent, self._unkept, self._refused) for note in found.values() if note)

    def turned(self, report: Mapping[str, Any]) -> None:
        """A model turn has ended; `report` is that of a TurnReport."""
        attempts = [(str(a["model"]), str(a["profile"]), str(a["outcome"])) for a in report.get("attempts", ())]
        for provider, outcome in {model.partition("/")[0]: outcome for model, _, outcome in attempts}.items():
            self._answered(provider, outcome)
        for _, name, outcome in attempts:
            if name.startswith("env:"):
                self._tried(name, outcome)
        if self._refused or any(outcome in _REFUSED for _, _, outcome in attempts):
            self.look()

    def look(self) -> None:
        """Compare the records of all credentials with what is known. What cannot be read tells nothing. Never raises."""
        try:
            found = self._held_back()
        except BotError:
            return
        except Exception:
            if not self._is_broken:
                log.exception("What providers refuse cannot be looked at")
            self._is_broken = True
            return
        for name, note in found.items():
            if name not in self._refused and note:
                log.warning("%s", note)
        for name in self._refused.keys() - found.keys():
            log.info("%s is not refused any more.", name)
        self._refused = found

    def _held_back(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for agent in self._agents():
            snapshot = self._snapshots.take(SessionKey(agent, "main"))
            for profile in snapshot.credentials.profiles.values():
                windows = [w for w in snapshot.health_of(profile).windows if w.lane is Lane.DISABLED]
                if windows and profile.id not in found:
                    found[profile.id] = _sentence(profile.id, windows[-1], snapshot.now)
        return found

    def _answered(self, provider: str, outcome: str) -> None:
        if outcome in _SILENT:
            if provider not in self._silent:
                log.warning("%s does not answer (%s); each message tries again.", provider, outcome)
            at = f"{self._clock.now():%H:%M:%S} UTC"
            self._silent[provider] = f"{provider} did not answer ({outcome}) when it was asked last, at {at}."
        elif self._silent.pop(provider, ""):
            log.info("%s answers again.", provider)

    def _tried(self, name: str, outcome: str) -> None:
        if outcome in _REFUSED:
            note = f"{name} is refused by its provider ({outcome})."
            if name not in self._unkept:
                log.warning("%s", note)
            self._unkept[name] = note
        elif outcome == "ok" and self._unkept.pop(name, ""):
            log.info("%s is not refused any more.", name)


def _sentence(name: str, window: Window, now: datetime) -> str:
    what = f"{name} is refused by its provider ({window.reason.value})"
    if window.until is None:
        return f"{what}, until it is changed."
    if window.is_open(now):
        return f"{what}, and is tried again after {window.until:%d %b %H:%M} UTC."
    return f"{what}, and is tried again with the next message." if now - window.until < _NOTED else ""
