"""Secret references: what a valid one looks like, and who can resolve it (credentials.md 3.1).

A reference is a table of exactly `source`, `provider` and `id` (`provider` may be left out and is then `default`), or a
string that is wholly `${NAME}`. A broken one makes the credential that names it unavailable and nothing else.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from core.auth.secret import Secret, SecretRef
from core.errors import BotError, shown

SOURCES = ("env", "file", "exec")
DEFAULT_PROVIDER = "default"
_PROVIDER = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_ENV_ID = re.compile(r"[A-Z][A-Z0-9_]{0,127}")
_FILE_ID = re.compile(r"value|(?:/(?:[^~/]|~[01])*)+")
_EXEC_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,255}")
_WHOLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)\}")
_KEYS = frozenset({"source", "provider", "id"})


class UnresolvedRef(BotError):
    """A reference gave no secret. The message names the reference and why, never what was found."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__("unresolved_ref", message, hint)


class SecretSource(Protocol):
    """Reads secrets of one source."""

    def read(self, ref: SecretRef) -> Secret:
        """The secret, never blank. Raises UnresolvedRef."""
        ...


@runtime_checkable
class KeepingSource(SecretSource, Protocol):
    """A source that asks once and keeps the answer, because asking costs a process or a file that may hang."""

    def prepare(self, refs: Sequence[SecretRef]) -> None:
        """Ask for many at once, so that `read` only looks. Blocks; never raises: `read` then says why there is no secret."""
        ...

    def holds(self, ref: SecretRef) -> bool:
        """Whether `read` answers at once, with a secret or with the reason why there is none."""
        ...


def read_ref(value: object) -> SecretRef:
    """A reference out of untrusted JSON or TOML. Raises ValueError, naming the part that is wrong and not its content."""
    if isinstance(value, str):
        whole = _WHOLE.fullmatch(value.strip())
        if whole is None:
            raise ValueError("is not a reference of the form ${NAME}")
        _check_id("env", whole[1])
        return SecretRef("env", DEFAULT_PROVIDER, whole[1])
    if not isinstance(value, Mapping):
        raise ValueError("a secret reference must be a table of source, provider and id")
    unknown = [str(key) for key in value if key not in _KEYS]
    if unknown:
        raise ValueError(f"a secret reference has only source, provider and id, not {', '.join(map(repr, unknown))}")
    source, provider, name = (value.get(key, fallback) for key, fallback in _FALLBACKS)
    if source not in SOURCES:
        raise ValueError(f"the source of a secret reference must be one of {', '.join(SOURCES)}")
    if not isinstance(provider, str) or not _PROVIDER.fullmatch(provider):
        raise ValueError("the provider of a secret reference must be lower-case letters, digits, _ and -")
    if not isinstance(name, str):
        raise ValueError("the id of a secret reference must be a string")
    _check_id(str(source), name)
    return SecretRef(str(source), provider, name)


_FALLBACKS = (("source", None), ("provider", DEFAULT_PROVIDER), ("id", None))


def _check_id(source: str, name: str) -> None:
    if source == "env" and not _ENV_ID.fullmatch(name):
        raise ValueError(
            "the id of an env reference must be a variable name: A to Z, then also digits and _ (at most 128)"
        )
    if source == "file" and not _FILE_ID.fullmatch(name):
        raise ValueError("the id of a file reference must be 'value' or a JSON pointer that begins with /")
    if source == "exec":
        if not _EXEC_ID.fullmatch(name):
            raise ValueError("the id of an exec reference must be letters, digits and . _ : / - (at most 256)")
        if any(part in (".", "..") for part in name.split("/")):
            raise ValueError("the id of an exec reference must not contain the path segments . or ..")


def is_ref(value: object) -> bool:
    """Whether a value is meant as a reference: a table, or a string that is wholly `${NAME}`."""
    return isinstance(value, Mapping) or (isinstance(value, str) and _WHOLE.fullmatch(value.strip()) is not None)


def resolve_ref(ref: SecretRef, sources: Mapping[str, SecretSource]) -> Secret:
    """The secret that a reference names. Raises UnresolvedRef, also for a source that this installation does not have."""
    source = sources.get(ref.source)
    if source is None:
        raise UnresolvedRef(
            f"The secret source '{ref.source}' is not available.", 'Keep it in a variable (source = "env").'
        )
    secret = source.read(ref)
    if not secret:
        raise UnresolvedRef(f"{describe(ref)} gave an empty text.")
    return secret


def describe(ref: SecretRef) -> str:
    """A reference as errors name it, on one line whatever its id holds."""
    return f"The secret reference {ref.source}:{ref.provider}:{shown(ref.id)}"


def prepare_refs(refs: Iterable[SecretRef], sources: Mapping[str, SecretSource]) -> None:
    """Let every source that keeps its answers ask for all of its references in one go. Blocks; never raises for a reference."""
    batches: dict[int, tuple[KeepingSource, list[SecretRef]]] = {}
    for ref in dict.fromkeys(refs):
        source = sources.get(ref.source)
        if isinstance(source, KeepingSource):
            batches.setdefault(id(source), (source, []))[1].append(ref)
    for source, batch in batches.values():
        source.prepare(batch)


def unprepared(refs: Iterable[SecretRef], sources: Mapping[str, SecretSource]) -> tuple[SecretRef, ...]:
    """The references, each once, whose source would have to be asked now."""
    return tuple(
        ref
        for ref in dict.fromkeys(refs)
        if isinstance(source := sources.get(ref.source), KeepingSource) and not source.holds(ref)
    )
