"""Writing auth-profiles.json of one agent: locked, re-read inside the lock, atomic, private (credentials.md 1.5, 1.6).

A store that cannot be read is never written over: nobody would know what was lost.
"""

import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from adapters.storage.older_import import OlderFiles
from adapters.storage.older_logins import AUTH, DEFAULT_NAME, OAUTH
from adapters.storage.profile_disk import (
    CLOSED,
    UNWRITABLE,
    Check,
    make_private_folders,
    read_document,
    remove_document,
    unusable,
    write_document,
)
from adapters.storage.profile_document import (
    Change,
    Document,
    empty,
    is_ordered,
    profiles,
    tidied,
    usage_stats,
    with_order,
    with_profile,
    without_place,
    without_profile,
    without_stats,
)
from adapters.storage.profile_file import STATE, STORE
from adapters.storage.sidecar_lock import ATTEMPTS, SidecarLock
from core.auth.provider_names import credential_provider
from core.clock import Clock
from core.errors import StoreError
from core.sessions.key import DEFAULT_AGENT, agent_id


class ProfileWriter:
    """The store of one agent. Every method raises StoreError, and then the store is what it was."""

    def __init__(
        self,
        state_dir: Path,
        agent: str,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        *,
        oauth_dir: Path | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        """`oauth_dir` is where the oauth.json of all agents is, `attempts` how often the lock is tried."""
        name = agent_id(agent)
        self.folder = state_dir / "agents" / name / "agent"
        self.path = self.folder / STORE
        self._state = self.folder / STATE
        self._root = state_dir
        oauth = (oauth_dir or state_dir / "credentials") / OAUTH
        self._older = OlderFiles(self.folder, oauth if name == DEFAULT_AGENT else None)
        self._lock = SidecarLock(self.path, clock, sleep, jitter, attempts)

    def put(self, name: str, entry: Mapping[str, object]) -> None:
        """Store a credential under this id, in place of the one that was there."""
        self.edit(lambda document: with_profile(document, name, entry))

    def remove(self, name: str) -> None:
        """Forget a credential and its places in orders. None of that id is fine."""
        # What an older file that cannot be read today holds for this id would be back tomorrow.
        needed = (STATE, AUTH, OAUTH) if name.endswith(DEFAULT_NAME) else (STATE,)
        self.edit(lambda document: without_profile(document, name), needed)

    def leave_orders(self, name: str) -> bool:
        """Take an id that this store has no profile of out of its orders; whether one named it."""
        if not is_ordered(self._whole(), name):
            return False
        self.edit(lambda document: without_place(document, name), (STATE,))
        return True

    def set_order(self, provider: str, ids: Sequence[str] | None) -> None:
        """This agent's own order of a provider; None: it has none."""
        self.edit(lambda document: with_order(document, provider, ids), (STATE,))

    def own_provider(self, name: str) -> str | None:
        """The provider that the agent's own entry of this id names, `""` if it names none; None without an entry."""
        own = profiles(self._whole())
        if name not in own:
            return None
        entry = own[name]
        provider = entry.get("provider") if isinstance(entry, dict) else None
        return provider if isinstance(provider, str) else ""

    def has_order(self, provider: str) -> bool:
        """Whether the agent has an order of its own for this provider."""
        wanted = credential_provider(provider)
        order = self._whole().get("order")
        return isinstance(order, dict) and any(credential_provider(name) == wanted for name in order)

    def edit(self, change: Change, needed: Collection[str] = ()) -> None:
        """Apply a pure change to the document as it is once the lock is held; unknown fields are the change's to keep.

        What older files hold is imported first. One that cannot be read waits, unless it is `needed` for the change to last.
        """
        make_private_folders(self._root, self.folder)
        with self._lock.held() as check:
            self._import(check, needed)
            document = self._document()
            write_document(self.path, document, tidied(change(document)), check)

    def import_older(self) -> tuple[str, ...]:
        """Put what older files hold into the store; sentences about what came and what could not. Touches nothing where there is
        nothing to do. Raises StoreError; then what older files hold is read from them as before."""
        try:
            plan = self._older.plan(self._document())
        except StoreError:
            if self._older.are_there():
                raise
            return ()
        said: tuple[str, ...] = ()
        if plan.is_due:
            make_private_folders(self._root, self.folder)
            with self._lock.held() as check:
                said = self._import(check)
        return (*said, *plan.skipped, *(f"Not imported: {error}" for error in plan.refused.values()))

    def older_stats(self) -> Document:
        """What older versions kept of each credential, by profile id; the state file wins. Nothing of what cannot be read."""
        found: Document = {}
        for path, forbidden in self._files():
            try:
                found.update(usage_stats(read_document(path, forbidden) or {}))
            except StoreError:
                continue
        return found

    def forget_older_stats(self, ids: Collection[str]) -> None:
        """Take these out of the older bookkeeping, wherever it is kept. An emptied state file goes."""
        with self._lock.held() as check:
            for path, forbidden in self._files():
                document = read_document(path, forbidden)
                if document is not None and usage_stats(document):
                    self._keep(path, document, without_stats(document, ids), check)

    def _import(self, check: Check, needed: Collection[str] = ()) -> tuple[str, ...]:
        document = self._document()
        plan = self._older.plan(document)
        for file in needed:
            if file in plan.refused:
                raise plan.refused[file]
        if plan.is_changed:
            write_document(self.path, document, tidied(plan.document), check)
        for path, (before, left) in plan.left.items():
            self._keep(path, before, left, check)
        return plan.said

    def _keep(self, path: Path, before: Document, left: Document, check: Check) -> None:
        """What is left of a file, or nothing of it where that is not the store and holds nothing but its version."""
        if path != self.path and set(left) <= {"version"}:
            remove_document(path, check)
        else:
            write_document(path, before, left, check)

    def _files(self) -> tuple[tuple[Path, int], ...]:
        return (self.path, CLOSED), (self._state, UNWRITABLE)

    def _whole(self) -> Document:
        """The store with what older files have for it."""
        return self._older.plan(self._document()).document

    def _document(self) -> Document:
        data = read_document(self.path, CLOSED)
        document = empty() if data is None else data
        try:
            profiles(document)
        except ValueError as error:
            raise unusable(f"{self.path}: {error}.") from None
        return document
