"""What a configured provider of secrets looks like to this adapter (credentials.md 3.2)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from core.auth.secret import Secret


class ProviderOptions(Protocol):
    """One table of `secrets.providers`. Which of these count depends on `source`; the others keep their defaults."""

    @property
    def source(self) -> str:
        """env, file or exec."""
        ...

    @property
    def allowlist(self) -> tuple[str, ...]:
        """env: the variables that may be read; empty: all."""
        ...

    @property
    def path(self) -> str: ...

    @property
    def mode(self) -> str:
        """file: json or single_value."""
        ...

    @property
    def max_bytes(self) -> int: ...

    @property
    def command(self) -> str: ...

    @property
    def args(self) -> tuple[str, ...]: ...

    @property
    def timeout(self) -> timedelta:
        """file, exec: the whole time of one reading or one run."""
        ...

    @property
    def no_output_timeout(self) -> timedelta | None:
        """exec: the longest silence; None: only `timeout` counts."""
        ...

    @property
    def max_output_bytes(self) -> int:
        """exec: of standard output and standard error together."""
        ...

    @property
    def json_only(self) -> bool: ...

    @property
    def env(self) -> Mapping[str, Secret]: ...

    @property
    def pass_env(self) -> tuple[str, ...]: ...

    @property
    def trusted_dirs(self) -> tuple[str, ...]: ...

    @property
    def allow_insecure_path(self) -> bool: ...

    @property
    def allow_symlink_command(self) -> bool: ...


class Limits(Protocol):
    """The table `secrets.resolution`."""

    @property
    def max_provider_concurrency(self) -> int: ...

    @property
    def max_refs_per_provider(self) -> int: ...

    @property
    def max_batch_bytes(self) -> int: ...


def milliseconds(span: timedelta) -> int:
    """A limit as the sentences about it say it."""
    return round(span.total_seconds() * 1000)
