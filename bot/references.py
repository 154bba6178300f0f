"""Resolves references without holding up the event loop: at start all of them, later only those that turn up.

References of one load are asked for together, so that a command which gives secrets runs once for all of them.
"""

import threading
from collections.abc import Iterable, Mapping

from core.auth.refs import SecretSource, prepare_refs, unprepared
from core.auth.secret import SecretRef

_PATIENCE = 1.0
"""Seconds that the event loop waits for a provider of secrets; nearly every one is faster, and a hanging one is slower."""
STILL_ASKING = "Its secret is still being fetched. Try again in a moment."


class Asking:
    """References that are being asked for by a thread of their own."""

    def __init__(self, refs: tuple[SecretRef, ...], sources: Mapping[str, SecretSource]) -> None:
        self.refs = frozenset(refs)
        self._thread = threading.Thread(target=prepare_refs, args=(refs, sources), name="secret references")
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Wait for the answers, for so long at most."""
        self._thread.join(seconds)

    @property
    def is_over(self) -> bool:
        """Whether every source has answered or given up."""
        return not self._thread.is_alive()


class References:
    """What `sources` (by name) are asked for. `serving`: somebody waits, so nothing may block for long."""

    def __init__(self, sources: Mapping[str, SecretSource], patience: float = _PATIENCE) -> None:
        self.sources = sources
        self.serving = False
        self._patience = patience
        self._running: list[Asking] = []

    def any_known(self, refs: frozenset[SecretRef]) -> bool:
        """Whether a source has answered for one of these meanwhile."""
        return len(unprepared(refs, self.sources)) < len(refs)

    def ask(self, refs: Iterable[SecretRef]) -> frozenset[SecretRef]:
        """Make the sources know these. Gives those that nobody knows yet, because their source takes its time."""
        wanted = unprepared(refs, self.sources)
        if not wanted:
            return frozenset()
        if not self.serving:
            prepare_refs(wanted, self.sources)
            return frozenset()
        self._running = [asking for asking in self._running if not asking.is_over]
        fresh = tuple(ref for ref in wanted if not any(ref in asking.refs for asking in self._running))
        if fresh:
            asking = Asking(fresh, self.sources)
            asking.wait(self._patience)
            self._running.append(asking)
        return frozenset(unprepared(wanted, self.sources))
