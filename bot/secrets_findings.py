"""What an audit says of one place of one file, and what it found there: a secret as it is, or a reference to one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from bot.config.problems import Location, dotted
from core.auth.secret import SecretRef


class Code(StrEnum):
    """Stable: scripts match them."""

    PLAINTEXT_FOUND = "PLAINTEXT_FOUND"
    REF_UNRESOLVED = "REF_UNRESOLVED"
    REF_SHADOWED = "REF_SHADOWED"
    LEGACY_RESIDUE = "LEGACY_RESIDUE"


class Severity(StrEnum):
    """The most urgent first."""

    ERROR = "error"
    WARN = "warn"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Place:
    """A value inside a file. `provider` and `profile` say whose credential it is, where that is known."""

    file: str
    path: Location = ()
    provider: str | None = None
    profile: str | None = None

    def __str__(self) -> str:
        return f"{self.file}:{dotted(self.path)}" if self.path else self.file


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the audit. The message never holds a character of a secret."""

    code: Code
    severity: Severity
    place: Place
    message: str

    def in_open_file(self, mode: int) -> "Finding":
        """The same for a file that others can read or write: a secret in it is more urgent than one that is only plain."""
        if self.code is not Code.PLAINTEXT_FOUND:
            return self
        told = f"{self.message.removesuffix('.')}, and the file is open to other users (mode {mode:04o})."
        return replace(self, message=told)

    def view(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "code": self.code.value,
            "severity": self.severity.value,
            "file": self.place.file,
            "json_path": dotted(self.place.path),
            "message": self.message,
            "provider": self.place.provider,
            "profile_id": self.place.profile,
        }

    def __str__(self) -> str:
        return f"[{self.code}] {self.place} {self.message}"


@dataclass(frozen=True, slots=True)
class Use:
    """A place that holds a reference. `variable`: it is a `${NAME}` of the config, which no provider of secrets is asked for."""

    place: Place
    ref: SecretRef
    variable: bool = False


Scanned = Iterator[Finding | Use]
"""What reading one file gives."""


def plaintext(
    place: Place, severity: Severity = Severity.WARN, what: str = "A secret stands here as it is."
) -> Finding:
    """For a secret in the place of a reference."""
    return Finding(Code.PLAINTEXT_FOUND, severity, place, what)


def unresolved(place: Place, why: str) -> Finding:
    """For a reference that gives nothing, and for whatever keeps references from being looked at."""
    return Finding(Code.REF_UNRESOLVED, Severity.ERROR, place, why)
