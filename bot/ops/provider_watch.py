"""Providers that do not answer and credentials that they refuse: said once when it begins and once when it is over, and noted on
the health page meanwhile. Nobody is turned away for it: what a chat is told, and what serves instead, is decided elsewhere."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.auth.health import Lane, Window
from core.clock import Clock
from core.errors import BotError, FailureReason
from core.resolution.snapshot import Snapshot
from core.resolution.source import SnapshotSource
from core.sessions.key import SessionKey

log = logging.getLogger(__name__)

_SILENT = (FailureReason.NETWORK, FailureReason.TIMEOUT, FailureReason.OVERLOADED)
"""Outcomes of requests that never came to a decision."""
_REFUSED = (FailureReason.AUTH, FailureReason.AUTH_PERMANENT, FailureReason.BILLING)
_NOTED = timedelta(hours=1)
"""How long it is worth knowing that a provider did not serve when it was asked last, and that a credential was refused after it
may be tried again, if nothing has tried since."""


@dataclass(frozen=True, slots=True)
class _Silence:
    """Of a provider: what was said when it began, and the last request that came to nothing."""

    began: str
    outcome: str
    at: datetime


@dataclass(frozen=True, slots=True)
class _Unkept:
    """Of a credential of the environment: what is noted, and which key it was. None until that has been looked up, and where
    keys have no fingerprints."""

    note: str
    fingerprint: str | None = None


class ProviderWatch:
    """One for the process. `agents` are all that are configured."""

    def __init__(self, agents: Callable[[], Iterable[str]], snapshots: SnapshotSource, clock: Clock) -> None:
        self._agents = agents
        self._snapshots = snapshots
        self._clock = clock
        self._silent: dict[str, _Silence] = {}
        """By provider."""
        self._unkept: dict[str, _Unkept] = {}
        """By credential of the environment, of which no record is kept."""
        self._refused: dict[str, dict[str, str]] = {}
        """By agent and credential, what is noted of it; empty for what is too long ago."""
        self._is_broken = False

    def notes(self) -> tuple[str, ...]:
        """What is wrong now, a sentence each."""
        now = self._clock.now()
        silent = [_silence(name, one) for name, one in self._silent.items() if now - one.at < _NOTED]
        unkept = [one.note for one in self._unkept.values()]
        return (*silent, *unkept, *(note for note in _joined(self._refused).values() if note))

    def turned(self, report: Mapping[str, Any]) -> None:
        """A model turn has ended; `report` is that of a TurnReport."""
        attempts = [(str(a["model"]), str(a["profile"]), str(a["outcome"])) for a in report.get("attempts", ())]
        for provider, outcome in {model.partition("/")[0]: outcome for model, _, outcome in attempts}.items():
            self._answered(provider, outcome)
        for _, name, outcome in attempts:
            if name.startswith("env:"):
                self._tried(name, outcome)
        if any(self._refused.values()) or any(outcome in _REFUSED for _, _, outcome in attempts):
            self.look()

    def look(self) -> None:
        """Compare the records of all credentials with what is known. What cannot be read tells nothing: neither a database
        nor an agent's store. Never raises."""
        try:
            snapshots = {agent: self._snapshots.take(SessionKey(agent, "main")) for agent in self._agents()}
            found = {
                agent: self._refused.get(agent, {}) if snapshot.credentials.unreadable else _held_back(snapshot)
                for agent, snapshot in snapshots.items()
            }
        except BotError:
            return
        except Exception:
            if not self._is_broken:
                log.exception("What providers refuse cannot be looked at")
            self._is_broken = True
            return
        before, after = _joined(self._refused), _joined(found)
        for name, note in after.items():
            if name not in before and note:
                log.warning("%s", note)
        for name in before.keys() - after.keys():
            log.info("%s is not refused any more.", name)
        self._refused = found
        if not any(snapshot.credentials.unreadable for snapshot in snapshots.values()):
            self._compare_keys(snapshots.values())

    def _compare_keys(self, snapshots: Iterable[Snapshot]) -> None:
        """What was said of a key of the environment is no word about another one, nor about one that is gone."""
        known = {name: profile for snapshot in snapshots for name, profile in snapshot.credentials.profiles.items()}
        for name, one in list(self._unkept.items()):
            profile = known.get(name)
            if profile is None or one.fingerprint not in (None, profile.fingerprint):
                del self._unkept[name]
                log.info("%s is not refused any more.", name)
            else:
                self._unkept[name] = _Unkept(one.note, profile.fingerprint)

    def _answered(self, provider: str, outcome: str) -> None:
        known = self._silent.get(provider)
        if outcome in _SILENT:
            if known is None:
                what = "is overloaded" if outcome == FailureReason.OVERLOADED else f"does not answer ({outcome})"
                log.warning("%s %s; each message tries again.", provider, what)
            self._silent[provider] = _Silence(known.began if known else outcome, outcome, self._clock.now())
        elif known is not None:
            del self._silent[provider]
            what = "is not overloaded any more" if known.began == FailureReason.OVERLOADED else "answers again"
            log.info("%s %s.", provider, what)

    def _tried(self, name: str, outcome: str) -> None:
        if outcome in _REFUSED:
            one = _Unkept(f"{name} is refused by its provider ({outcome}).")
            if name not in self._unkept:
                log.warning("%s", one.note)
            self._unkept[name] = one
        elif outcome == "ok" and name in self._unkept:
            del self._unkept[name]
            log.info("%s is not refused any more.", name)


def _joined(found: dict[str, dict[str, str]]) -> dict[str, str]:
    """What is noted by credential; of one that several agents have, what is noted for the first."""
    return {name: note for of_agent in reversed(found.values()) for name, note in of_agent.items()}


def _held_back(snapshot: Snapshot) -> dict[str, str]:
    found: dict[str, str] = {}
    for profile in snapshot.credentials.profiles.values():
        windows = [w for w in snapshot.health_of(profile).windows if w.lane is Lane.DISABLED]
        if windows:
            found[profile.id] = _sentence(profile.id, windows[-1], snapshot.now)
    return found


def _silence(provider: str, one: _Silence) -> str:
    what = "was overloaded" if one.outcome == FailureReason.OVERLOADED else f"did not answer ({one.outcome})"
    return f"{provider} {what} when it was asked last, at {one.at:%H:%M:%S} UTC."


def _sentence(name: str, window: Window, now: datetime) -> str:
    what = f"{name} is refused by its provider ({window.reason.value})"
    if window.until is None:
        return f"{what}, until it is changed."
    if window.is_open(now):
        return f"{what}, and is tried again after {window.until:%d %b %H:%M} UTC."
    return f"{what}, and is tried again with the next message." if now - window.until < _NOTED else ""
