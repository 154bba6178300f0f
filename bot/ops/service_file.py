"""The file that tells a service manager of the gateway: ours alone is replaced or removed."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import StoreError

_MODE = 0o644
"""It holds no secret, and the manager of the system must read it."""


@dataclass(frozen=True, slots=True)
class ServiceFile:
    """`is_ours` tells from the content whether we have made it, `state_of` which state directory it serves, as `state` writes
    this installation's."""

    path: Path
    is_ours: Callable[[bytes], bool]
    state_of: Callable[[bytes], str | None]
    state: str

    @property
    def content(self) -> bytes | None:
        """What is there; None: nothing. Raises StoreError for what is not ours, with the next step."""
        try:
            if self.path.is_symlink() or (self.path.exists() and not self.path.is_file()):
                raise self._foreign()
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._refused(error) from error
        if not self.is_ours(content):
            raise self._foreign()
        served = self.state_of(content)
        if served != self.state:
            raise StoreError(
                "service_foreign",
                f"{self.path} is the service of another installation ({served}). It was not touched.",
                "Give this one a name of its own: --name NAME",
            )
        return content

    def put(self, content: bytes) -> bool:
        """Put it there, whole; whether anything differs. Raises StoreError."""
        if self.content == content:
            return False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, fresh = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                    os.fchmod(file.fileno(), _MODE)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(fresh, self.path)
            except BaseException:
                os.unlink(fresh)
                raise
        except OSError as error:
            raise self._refused(error) from error
        return True

    def remove(self) -> None:
        """Take it away. Raises StoreError."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise self._refused(error) from error

    def _foreign(self) -> StoreError:
        return StoreError(
            "service_foreign",
            f"{self.path} was not made by `remoteclaw service install`. It was not touched.",
            "Move it away, or give this service another name: --name NAME",
        )

    def _refused(self, error: OSError) -> StoreError:
        return StoreError("service_file", f"{self.path} cannot be used: {error.strerror or 'unknown reason'}.")
