"""Logins in auth-profiles.json: refreshed by one at a time, and never half (product.md 5.4; credentials.md 1.6, 10).

A refresh holds an flock on a file of its own for that credential, which the kernel drops when its process dies. What the token
server gave is put beside the store at once, because the store's own lock may be somebody else's for a while, and only then into
the store. Whoever comes next finishes what was left there. Other programs know the store's lock and nothing of this.
"""

import asyncio
import fcntl
import hashlib
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from adapters.storage.guarded_file import Unusable, read_guarded
from adapters.storage.older_logins import OAUTH
from adapters.storage.profile_disk import CLOSED, make_private_folders, read_document, remove_document, unusable
from adapters.storage.profile_document import Document, profiles
from adapters.storage.profile_file import STORE
from adapters.storage.profile_writer import ProfileWriter
from core.auth.oauth import Tokens
from core.auth.profiles import AuthProfile
from core.auth.provider_names import provider_id
from core.auth.refreshing import StoredLogin
from core.auth.secret import Secret, clean_secret
from core.clock import Clock
from core.errors import StoreError
from core.sessions.key import DEFAULT_AGENT

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25
_PATIENCE = 90.0
"""Seconds that one waits for another process: longer than a token server is given to answer."""


class LoginFiles:
    """`core.auth.refreshing.LoginStore`, on the stores below a state directory."""

    def __init__(self, state_dir: Path, clock: Clock, oauth_dir: Path | None = None) -> None:
        self._root = state_dir
        self._clock = clock
        self._oauth = oauth_dir
        self._unwritten: dict[Path, Document] = {}
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

    async def read(self, profile: AuthProfile) -> StoredLogin | None:
        """See LoginStore."""
        return await asyncio.to_thread(self._read, profile)

    async def renew(self, profile: AuthProfile, before: StoredLogin, tokens: Tokens) -> None:
        """See LoginStore."""
        left: Document = {"profile": profile.id, "before": before.version, "entry": fields_of(tokens)}
        await asyncio.to_thread(self._renew, profile, left)

    def put(self, agent: str, name: str, entry: Mapping[str, object]) -> None:
        """Store a login that somebody has just made, in place of whatever was there. Raises StoreError."""
        self._writer(agent).edit(lambda document: _with_login(document, name, entry))
        path = self._left(agent, name)
        if path.exists():
            remove_document(path, lambda: None)

    def _opened(self, profile: AuthProfile) -> int:
        agent = self.home(profile)
        make_private_folders(self._root, self._folder(agent))
        path = self._beside(agent, profile.id, "refresh")
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
        if _is_foreign(self._entry(agent, profile.id), profile):
            return None  # what was left beside it belongs to the login that is there now
        self._finish(agent, profile)
        entry = self._entry(agent, profile.id)
        if entry is None:  # it may lie in an older file
            self._writer(agent).import_older()
            entry = self._entry(agent, profile.id)
        if entry is None or _is_foreign(entry, profile) or entry.get("type", entry.get("mode")) != "oauth":
            return None
        client = entry.get("clientId")
        return StoredLogin(
            access=_secret(entry, "access"),
            refresh=_secret(entry, "refresh"),
            expires=entry.get("expires"),
            obtained=entry.get("obtainedAt"),
            client_id=client.strip() if isinstance(client, str) and client.strip() else None,
            version=_version(entry),
        )

    def _renew(self, profile: AuthProfile, left: Document) -> None:
        agent = self.home(profile)
        path = self._left(agent, profile.id)
        self._unwritten[path] = left
        with suppress(OSError):  # it is only a second way to the store
            _write_at_once(path, json.dumps(left).encode())
        self._swap(agent, profile, left)
        self._forget(path)

    def _finish(self, agent: str, profile: AuthProfile) -> None:
        """Put into the store what an earlier refresh has left beside it. Raises StoreError, and keeps it, where it cannot be."""
        path = self._left(agent, profile.id)
        left = self._unwritten.get(path) or _usable(_left_in(path), profile.id)
        if left is not None:
            self._swap(agent, profile, left)
        self._forget(path)

    def _forget(self, path: Path) -> None:
        if os.path.lexists(path):
            remove_document(path, lambda: None)
        self._unwritten.pop(path, None)

    def _swap(self, agent: str, profile: AuthProfile, left: Mapping[str, Any]) -> None:
        """The tokens into the store, if it still has those that they were made from, of the same provider."""
        name = left["profile"]

        def change(document: Document) -> Document:
            entry = profiles(document).get(name)
            if not isinstance(entry, dict) or _is_foreign(entry, profile) or _version(entry) != left["before"]:
                return document
            kept = {key: value for key, value in entry.items() if key not in ("expires", "obtainedAt")}
            return {**document, "profiles": {**profiles(document), name: {**kept, **left["entry"]}}}

        self._writer(agent).edit(change)

    def _entry(self, agent: str, name: str) -> dict[str, Any] | None:
        document = read_document(self._folder(agent) / STORE, CLOSED) or {}
        found = document.get("profiles")
        entry = found.get(name) if isinstance(found, dict) else None
        return entry if isinstance(entry, dict) else None

    def _writer(self, agent: str) -> ProfileWriter:
        return ProfileWriter(self._root, agent, self._clock, oauth_dir=self._oauth)

    def _folder(self, agent: str) -> Path:
        return self._root / "agents" / agent / "agent"

    def _left(self, agent: str, name: str) -> Path:
        return self._beside(agent, name, "refreshed")

    def _beside(self, agent: str, name: str, suffix: str) -> Path:
        """A file for one credential. Ids may hold anything, so its name is a digest."""
        digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:16]
        return self._folder(agent) / f".{STORE}.{digest}.{suffix}"


def _write_at_once(path: Path, content: bytes) -> None:
    """In place, with as few steps as can be: until it is there, the tokens are nowhere but in this process. Nobody else reads it
    while the credential's lock is held, and half of it does not count."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)


def fields_of(tokens: Tokens) -> Document:
    """What an entry says of these tokens. A refresh that gave no refresh token leaves the one that there is."""
    found: Document = {"access": tokens.access.reveal(), "obtainedAt": _ms(tokens.obtained)}
    if tokens.refresh is not None:
        found["refresh"] = tokens.refresh.reveal()
    if tokens.expires is not None:
        found["expires"] = _ms(tokens.expires)
    return found


def _with_login(document: Document, name: str, entry: Mapping[str, object]) -> Document:
    """Nothing of the login before may stay with this one, but what people wrote beside it."""
    before = profiles(document).get(name)
    display = {k: before[k] for k in ("displayName",) if k in before} if isinstance(before, dict) else {}
    return {**document, "profiles": {**profiles(document), name: {**display, **entry}}}


def _is_foreign(entry: Mapping[str, Any] | None, profile: AuthProfile) -> bool:
    """Whether the id holds another provider's credential by now: its tokens are nothing for this one's server."""
    named = entry.get("provider") if entry is not None else None
    return isinstance(named, str) and provider_id(named) != provider_id(profile.provider)


def _left_in(path: Path) -> Document | None:
    """What a file beside the store holds, None where it is empty or half-written. Raises StoreError where nobody can tell: it
    may hold the only refresh token that its server still takes."""
    try:
        found = json.loads(read_guarded(path))
    except FileNotFoundError:
        return None
    except Unusable as error:
        raise unusable(str(error)) from error
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _usable(left: Document | None, name: str) -> Document | None:
    """What was left, if it is whole and about this profile."""
    if left is None or left.get("profile") != name or not isinstance(left.get("before"), str):
        return None
    entry = left.get("entry")
    return left if isinstance(entry, dict) and isinstance(entry.get("access"), str) else None


def _version(entry: Mapping[str, Any]) -> str:
    """Names the tokens of an entry without showing them."""
    tokens = "\n".join(_text(entry, field) for field in ("access", "refresh"))
    return hashlib.sha256(tokens.encode(errors="surrogatepass")).hexdigest()


def _secret(entry: Mapping[str, Any], field: str) -> Secret | None:
    return Secret(text) if (text := _text(entry, field)) else None


def _text(entry: Mapping[str, Any], field: str) -> str:
    value = entry.get(field)
    return clean_secret(value) if isinstance(value, str) else ""


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
