"""Writing auth-profiles.json of one agent: locked, re-read inside the lock, atomic, private (credentials.md 1.5, 1.6).

A store that cannot be read is never written over: nobody would know what was lost.
"""

import os
import random
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from adapters.storage.atomic_file import replace_file, sync_directory
from adapters.storage.guarded_file import LARGEST, GuardedFile
from adapters.storage.profile_document import (
    Change,
    Document,
    empty,
    encoded,
    profiles,
    tidied,
    with_order,
    with_profile,
    without_profile,
)
from adapters.storage.profile_file import STATE, STORE
from adapters.storage.sidecar_lock import SidecarLock
from core.auth.provider_names import credential_provider
from core.clock import Clock
from core.errors import StoreError
from core.sessions.key import agent_id


class ProfileWriter:
    """The store of one agent. Every method raises StoreError, and then the store is what it was."""

    def __init__(
        self,
        state_dir: Path,
        agent: str,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.folder = state_dir / "agents" / agent_id(agent) / "agent"
        self.path = self.folder / STORE
        self._state = self.folder / STATE
        self._root = state_dir
        self._lock = SidecarLock(self.path, clock, sleep, jitter)

    def put(self, name: str, entry: Mapping[str, object]) -> None:
        """Store a credential under this id, in place of the one that was there."""
        self.edit(lambda document: with_profile(document, name, entry))

    def remove(self, name: str) -> None:
        """Forget a credential and its places in orders. None of that id is fine."""
        self.edit(lambda document: without_profile(document, name), lambda state: _without_name(state, name))

    def set_order(self, provider: str, ids: Sequence[str] | None) -> None:
        """This agent's own order of a provider; None: it has none. An order in the older state file gives way."""
        self.edit(lambda document: with_order(document, provider, ids), lambda state: with_order(state, provider, None))

    def own_provider(self, name: str) -> str | None:
        """The provider that the agent's own entry of this id names, `""` if it names none; None without an entry."""
        own = profiles(self._document())
        if name not in own:
            return None
        entry = own[name]
        provider = entry.get("provider") if isinstance(entry, dict) else None
        return provider if isinstance(provider, str) else ""

    def has_order(self, provider: str) -> bool:
        """Whether the agent has an order of its own for this provider."""
        wanted = credential_provider(provider)
        orders = [(document or {}).get("order") for document in (self._document(), self._read_state())]
        return any(isinstance(o, dict) and any(credential_provider(p) == wanted for p in o) for o in orders)

    def edit(self, change: Change, state_change: Change | None = None) -> None:
        """Apply a pure change to the document as it is once the lock is held; unknown fields are the change's to keep.

        `state_change` is applied to auth-state.json, if there is one, after the store: its orders win over the store's.
        """
        self._make_folders()
        with self._lock.held() as check:
            document = self._document()
            self._replace(self.path, document, tidied(change(document)), check)
            state = self._read_state() if state_change is not None else None
            if state is None or state_change is None:
                return
            left = state_change(state)
            if set(left) <= {"version"}:
                self._state.unlink(missing_ok=True)
                sync_directory(self.folder)
            else:
                self._replace(self._state, state, left, check)

    def _replace(self, path: Path, before: Document, after: Document, check: Callable[[], None]) -> None:
        if after == before and path.exists():
            return
        try:
            content = encoded(after)
        except ValueError as error:
            raise _unusable(f"{path}: {error}.") from None
        if len(content) > LARGEST:
            raise StoreError("store_write", f"{path} would grow beyond {LARGEST // 2**20} MiB.", "Remove profiles.")
        replace_file(path, content, check=check)

    def _document(self) -> Document:
        data = _read(self.path, 0o077)
        document = empty() if data is None else data
        try:
            profiles(document)
        except ValueError as error:
            raise _unusable(f"{self.path}: {error}.") from None
        return document

    def _read_state(self) -> Document | None:
        return _read(self._state, 0o022)

    def _make_folders(self) -> None:
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.folder.parents[1], self.folder.parent, self.folder):
                _make_private(folder)
        except OSError as error:
            raise StoreError(
                "store_write",
                f"{self.folder} cannot be made: {error.strerror or 'unknown reason'}.",
                f"Check the owner, the permissions and the space of {self._root}.",
            ) from error


def _read(path: Path, forbidden: int) -> Document | None:
    """Raises StoreError for what is there and cannot be used. A link is refused: the change would take its place and leave its
    target with the old secrets."""
    if path.is_symlink():
        raise _unusable(f"{path}: is a symbolic link.", "Put the file itself there.")
    read = GuardedFile(path, forbidden).read()
    if read.error is not None:
        raise _unusable(read.error)
    return read.data


def _unusable(sentence: str, hint: str = "") -> StoreError:
    return StoreError("store_unusable", f"{sentence} Nothing was changed.", hint)


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.stat()
        if not stat.S_ISDIR(found.st_mode):
            raise
        if found.st_uid not in (os.geteuid(), 0):
            raise _unusable(f"{folder}: belongs to another user.", f"Run: chown {os.geteuid()} {folder}") from None
        if found.st_mode & 0o077:
            folder.chmod(0o700)
    else:
        sync_directory(folder.parent)


def _without_name(state: Document, name: str) -> Document:
    """The state file without an id in its orders."""
    without = without_profile(state, name)
    return without if "profiles" in state else {k: v for k, v in without.items() if k != "profiles"}
