"""Logins in auth-profiles.json: refreshed by one at a time, and never half (product.md 5.4; credentials.md 1.6, 10).

A refresh holds an flock on a file for that id, one for all agents, which the kernel drops when its process dies. What the token
server gave is put beside the stores at once, because a store's own lock may be somebody else's for a while, and only then into
every store that has these tokens: older versions copied logins into each agent's store, and the copies are one login. Whoever
comes next finishes what was left there. Other programs know the store's lock and nothing of this.
"""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from adapters.storage.login_entry import fields_of, is_before, is_foreign, stored_login, with_login
from adapters.storage.older_logins import OAUTH
from adapters.storage.profile_disk import CLOSED, make_private_folders, read_document
from adapters.storage.profile_document import Document, profiles
from adapters.storage.profile_file import STORE
from adapters.storage.profile_writer import ProfileWriter
from adapters.storage.refresh_record import RefreshRecord
from core.auth.logins import StoredLogin
from core.auth.oauth import Tokens
from core.auth.profiles import AuthProfile
from core.clock import Clock
from core.errors import StoreError
from core.sessions.key import DEFAULT_AGENT, agent_id

_T = TypeVar("_T")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25
_PATIENCE = 90.0
"""Seconds that one waits for another process: longer than a token server is given to answer."""


class LoginFiles:
    """`core.auth.logins.LoginStore`, on the stores below a state directory."""

    def __init__(self, state_dir: Path, clock: Clock, oauth_dir: Path | None = None) -> None:
        self._root = state_dir
        self._clock = clock
        self._oauth = oauth_dir
        self._one = asyncio.Lock()
        self._unwritten: dict[RefreshRecord, Document] = {}
        """What could not be put anywhere yet, and holds the only refresh token that its server still takes."""

    def home(self, profile: AuthProfile) -> str:
        """The agent whose file a profile was read from."""
        source = Path(profile.source)
        return DEFAULT_AGENT if source.name == OAUTH else source.parent.parent.name

    @asynccontextmanager
    async def alone(self, profile: AuthProfile, wait: bool) -> AsyncIterator[bool]:
        """See LoginStore. Raises StoreError where the lock cannot be made."""
        handle = self._opened(profile)
        try:
            yield await self._locked(handle, _PATIENCE if wait else 0.0)
        finally:
            os.close(handle)

    @asynccontextmanager
    async def room(self, profile: AuthProfile, before: StoredLogin) -> AsyncIterator[None]:
        """See LoginStore."""
        record = self._record(profile.id, before.version)
        await self._in_thread(record.reserve)
        try:
            yield
        finally:
            if record not in self._unwritten:  # else it holds them, or should: the next one looks
                with suppress(StoreError):  # the next one puts it away
                    record.remove()

    async def read(self, profile: AuthProfile) -> StoredLogin | None:
        """See LoginStore."""
        return await self._in_thread(lambda: self._read(profile))

    async def renew(self, profile: AuthProfile, before: StoredLogin, tokens: Tokens) -> None:
        """See LoginStore."""
        left: Document = {
            "profile": profile.id,
            "provider": profile.provider,
            "before": before.version,
            "entry": fields_of(tokens),
        }
        home, record = self.home(profile), self._record(profile.id, before.version)
        await self._in_thread(lambda: self._renew(home, record, left))

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        """One at a time: a store's lock may take half a minute, and the loop's few threads are everybody's."""
        async with self._one:
            return await asyncio.to_thread(work)

    def put(self, agent: str, name: str, entry: Mapping[str, object]) -> None:
        """Store a login that somebody has just made, in place of whatever was there. Raises StoreError."""
        self._writer(agent).edit(lambda document: with_login(document, name, entry))
        self.forget(name)

    def forget(self, name: str) -> None:
        """Put away what earlier refreshes have left of a login that has been removed or replaced, unless a store still waits for
        it. Raises StoreError."""
        for record in self._records(name):
            left = record.read(name)
            if left is None or not self._is_wanted(left):
                record.remove()

    def _opened(self, profile: AuthProfile) -> int:
        make_private_folders(self._root, self._folder(DEFAULT_AGENT))
        path = self._beside(profile.id, "refresh")
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StoreError(
                "store_write",
                f"{path} cannot be opened: {error.strerror or 'unknown reason'}.",
                f"Check the owner, the permissions and the space of {path.parent}.",
            ) from error

    async def _locked(self, handle: int, patience: float) -> bool:
        left, pause = patience, _FIRST_PAUSE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if left <= 0:
                    return False
            else:
                return True
            await self._clock.sleep(pause)
            left, pause = left - pause, min(2 * pause, _LONGEST_PAUSE)

    def _read(self, profile: AuthProfile) -> StoredLogin | None:
        agent = self.home(profile)
        if self._entry(agent, profile.id) is None:  # it may lie in an older file
            self._writer(agent).import_older()
        self._finish(agent, profile.id)
        entry = self._entry(agent, profile.id)
        if entry is None or is_foreign(entry, profile.provider) or entry.get("type", entry.get("mode")) != "oauth":
            return None
        return stored_login(entry)

    def _renew(self, home: str, record: RefreshRecord, left: Document) -> None:
        self._unwritten[record] = left
        with suppress(OSError):  # it is only a second way to the store
            record.write(left)
        self._finish(home, left["profile"])

    def _finish(self, home: str, name: str) -> None:
        """Put into the stores what refreshes have left beside them, one after the other where one has followed on another. All of
        it stays until every store has had it: another agent's may be locked or unreadable for now, and holds nobody up. Raises
        StoreError where the store of `home` cannot be changed."""
        there = {record: self._unwritten.get(record) or record.read(name) for record in self._records(name)}
        is_done = True
        for _ in there:
            swapped = [self._swap(home, left) for left in there.values() if left is not None]
            is_done = all(swapped)
        for record, left in there.items():
            if is_done or left is None:
                record.remove()
                self._unwritten.pop(record, None)

    def _swap(self, home: str, left: Mapping[str, Any]) -> bool:
        """The tokens into every store that still has those which they were made from, of the same provider, that of `home` first;
        whether none was out of reach."""
        name, is_done = left["profile"], True

        def change(document: Document) -> Document:
            entry = profiles(document).get(name)
            if not isinstance(entry, dict) or not is_before(entry, left):
                return document
            kept = {key: value for key, value in entry.items() if key not in ("expires", "obtainedAt")}
            return {**document, "profiles": {**profiles(document), name: {**kept, **left["entry"]}}}

        for agent in sorted(self._agents(), key=lambda agent: agent != home):
            try:
                entry = self._entry(agent, name)
                if entry is None or not is_before(entry, left):
                    continue
                if agent != home and os.path.lexists(self._folder(agent) / f"{STORE}.lock"):
                    is_done = False
                else:
                    self._writer(agent).edit(change)
            except StoreError:
                if agent == home:
                    raise
                is_done = False
        return is_done

    def _is_wanted(self, left: Mapping[str, Any]) -> bool:
        """Whether a store has what a refresh was made from. One that cannot be read may have it."""
        for agent in self._agents():
            try:
                entry = self._entry(agent, left["profile"])
            except StoreError:
                return True
            if entry is not None and is_before(entry, left):
                return True
        return False

    def _agents(self) -> list[str]:
        with suppress(OSError):
            return sorted(p.name for p in (self._root / "agents").iterdir() if agent_id(p.name) == p.name)
        return []

    def _entry(self, agent: str, name: str) -> dict[str, Any] | None:
        document = read_document(self._folder(agent) / STORE, CLOSED) or {}
        found = document.get("profiles")
        entry = found.get(name) if isinstance(found, dict) else None
        return entry if isinstance(entry, dict) else None

    def _writer(self, agent: str) -> ProfileWriter:
        return ProfileWriter(self._root, agent, self._clock, oauth_dir=self._oauth)

    def _folder(self, agent: str) -> Path:
        return self._root / "agents" / agent / "agent"

    def _record(self, name: str, version: str) -> RefreshRecord:
        return RefreshRecord(self._beside(name, f"{version[:16]}.refreshed"))

    def _records(self, name: str) -> list[RefreshRecord]:
        """What refreshes of an id have left, of whichever version."""
        pattern = self._beside(name, "*.refreshed")
        there = [RefreshRecord(path) for path in sorted(pattern.parent.glob(pattern.name))]
        return list(dict.fromkeys([*there, *(r for r in self._unwritten if r.path.match(pattern.name))]))

    def _beside(self, name: str, suffix: str) -> Path:
        """A file for one id, of all agents. Ids may hold anything, so its name is a digest."""
        digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:16]
        return self._folder(DEFAULT_AGENT) / f".{STORE}.{digest}.{suffix}"
