"""What a token server gave, written down before the store can take it: a small file that has its room before anything is sent.

A refresh spends the refresh token, so from then on its answer is all that there is. The file is written in place, with as few
steps as can be. Nobody else reads it while the credential's lock is held, and half of it does not count.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.storage.guarded_file import Unusable, read_guarded
from adapters.storage.profile_disk import remove_document, unusable
from core.errors import StoreError

_ROOM = 64 * 1024
"""Bytes that are kept for an answer: many times what tokens take."""
_BLANK = b"\0"


@dataclass(frozen=True, slots=True)
class RefreshRecord:
    """One such file. It holds `profile`, `provider`, `before` (the version that the tokens replace) and `entry`, the new fields."""

    path: Path

    def reserve(self) -> None:
        """Take the room on the disk that `write` will need. Raises StoreError without it; then nothing is left behind."""
        try:
            self._put(_BLANK * _ROOM, cut=True)
        except OSError as error:
            self.remove()
            raise StoreError(
                "store_write",
                f"{self.path} cannot be made, so nothing is refreshed: {error.strerror or 'unknown reason'}.",
                f"Check the owner, the permissions and the space of {self.path.parent}.",
            ) from error

    def write(self, content: Mapping[str, Any]) -> None:
        """Put it there, durably, in the room that was reserved. Raises OSError."""
        self._put(json.dumps(content).encode(), cut=False)

    def read(self, profile: str) -> dict[str, Any] | None:
        """What was written whole about this profile, else None. Raises StoreError where nobody can tell: it may hold the only
        refresh token that its server still takes."""
        try:
            found = json.loads(read_guarded(self.path).rstrip(_BLANK))
        except FileNotFoundError:
            return None
        except Unusable as error:
            raise unusable(str(error)) from error
        except (ValueError, RecursionError):
            return None
        return found if _is_whole(found, profile) else None

    def remove(self) -> None:
        """Put it away; fine where there is none. Raises StoreError."""
        if os.path.lexists(self.path):
            remove_document(self.path, lambda: None)

    def _put(self, content: bytes, cut: bool) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_TRUNC if cut else 0)
        handle = os.open(self.path, flags, 0o600)
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(handle, left) :]
            os.ftruncate(handle, len(content))
            os.fsync(handle)
        finally:
            os.close(handle)


def _is_whole(found: object, profile: str) -> bool:
    if not isinstance(found, dict) or found.get("profile") != profile:
        return False
    if not all(isinstance(found.get(key), str) for key in ("provider", "before")):
        return False
    entry = found.get("entry")
    return isinstance(entry, dict) and isinstance(entry.get("access"), str)
