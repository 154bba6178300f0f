"""The attempt loop of a turn: candidates as the resolver names them, asked again after each failure, until one has answered."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import chain

from core.auth.ports import HealthStore
from core.chat.attempts import Attempts, spent
from core.chat.completion import Completed, TextDelta
from core.chat.ports import ProviderClient
from core.chat.question import takes_pictures, without_pictures
from core.clock import Clock
from core.resolution.resolver import Candidate, Resolution, insisted, resolve
from core.resolution.snapshot import Snapshot
from core.resolution.source import SnapshotSource
from core.sessions.history import Message, trim
from core.sessions.ports import SessionStore

CHARACTERS_PER_TOKEN = 3
"""How many characters of history a token of context is taken for: fewer than in most texts, so that it fits."""
CONTEXT_CHARACTERS = 400_000
"""History sent to a model whose context window nobody said."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What every turn works with."""

    snapshots: SnapshotSource
    sessions: SessionStore
    health: HealthStore
    provider: ProviderClient
    clock: Clock


@dataclass(frozen=True, slots=True)
class Answer:
    """Who has answered what."""

    candidate: Candidate
    completed: Completed
    snapshot: Snapshot
    """As the turn found it when it chose this candidate."""
    resolution: Resolution


class Serving:
    """One turn's way through the candidates. `first` is the snapshot that it began with, `share` the part of a model's context
    that the conversation may fill."""

    def __init__(self, parts: Parts, first: Snapshot, attempts: Attempts, share: float = 1.0) -> None:
        self._snapshots = parts.snapshots
        self._first = first
        self._attempts = attempts
        self._share = share
        self.left_out = 0
        """How many of the oldest messages the last request had no room for."""

    async def pieces(
        self, messages: tuple[Message, ...], insists: bool = False
    ) -> AsyncGenerator[TextDelta | Answer, None]:
        """The answer as it grows; ends with an Answer, or without: then the attempts say why."""
        attempts, snapshot, resolution = self._attempts, self._first, resolve(self._first)
        offered = insisted(resolution) if insists else ()
        tried: set[tuple[str, str]] = set()
        models: set[str] = set()
        while True:
            left = (c for c in chain(offered, resolution.each()) if str(c.model) not in models)
            candidate = next((c for c in left if (str(c.model), c.profile.id) not in tried), None)
            if candidate is None:
                return
            async with aclosing(attempts.run(candidate, self._fit(snapshot, candidate, messages))) as pieces:
                async for piece in pieces:
                    if isinstance(piece, TextDelta):
                        yield piece
                    else:
                        yield Answer(candidate, piece, snapshot, resolution)
                        return
            if attempts.stopped:
                return
            failure = attempts.made[-1].failure
            rules_out = spent(failure, candidate.profile) if failure is not None else "turn"
            if attempts.shown or rules_out == "turn" or attempts.left() <= 0:
                return
            tried.add((str(candidate.model), candidate.profile.id))
            if rules_out == "model":
                models.add(str(candidate.model))
            snapshot = self.again()
            resolution = resolve(snapshot)

    def again(self) -> Snapshot:
        """Everything as it is now, but the choice as the turn found it."""
        fresh = self._snapshots.take(self._first.session.key)
        return replace(fresh, session=self._first.session, parent=self._first.parent)

    def _fit(self, snapshot: Snapshot, candidate: Candidate, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        entry = snapshot.rules.catalog.entry(candidate.model)
        window = entry.context_window if entry is not None else None
        if not takes_pictures(entry):
            messages = without_pictures(messages)
        budget = window * CHARACTERS_PER_TOKEN if window is not None else CONTEXT_CHARACTERS
        kept = trim(messages, int(budget * self._share))
        self.left_out = len(messages) - len(kept)
        return kept
