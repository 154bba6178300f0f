"""The table `secrets`: where secret references lead, and what asking for them may cost (credentials.md 3.2)."""

import os.path
import re
from collections.abc import Callable, Mapping, Set
from datetime import timedelta
from typing import Annotated, Any, Literal

from bot.config import fields
from bot.config.reading import Check, Limits
from bot.config.section import Section
from core.auth.refs import DEFAULT_PROVIDER

_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,127}")
_SHELL = re.compile(r"[;&|`$<>\"'\r\n\0]")
_MIB = 1024 * 1024
_LONGEST_WAIT = timedelta(minutes=2)
_LONGEST_ARGUMENT = 1024


def _alias(text: str) -> str:
    if not _ALIAS.fullmatch(text):
        raise ValueError("must begin with a to z and hold only lower-case letters, digits, _ and - (at most 64)")
    return text


def _reference_name(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        raise ValueError("must be a variable name: A to Z, digits and _")
    return text


def _absolute(text: str) -> str:
    if not os.path.isabs(text) or not text.isprintable():
        raise ValueError("must be an absolute path")
    return text


def _command(text: str) -> str:
    if _SHELL.search(text):
        raise ValueError("must be the path of one command; arguments go into args, and no shell reads it")
    return _absolute(text)


def _argument(text: str) -> str:
    if len(text) > _LONGEST_ARGUMENT or "\0" in text:
        raise ValueError(f"must have at most {_LONGEST_ARGUMENT} characters")
    return text


def _wait(span: timedelta) -> timedelta:
    if span > _LONGEST_WAIT:
        raise ValueError("must be at most 2m")
    return span


def _at_most(most: int) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    def check(values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(values) > most:
            raise ValueError(f"must have at most {most} entries")
        return values

    return check


Alias = Annotated[str, Check(_alias)]
_Name = Annotated[str, Check(_reference_name)]
_Folder = Annotated[str, Check(_absolute)]
_Wait = Annotated[fields.Duration, Check(_wait)]
_Bytes = Annotated[int, Limits(gt=0, le=20 * _MIB)]

_KEYS = {
    "env": {"allowlist"},
    "file": {"path", "mode", "timeout", "max_bytes", "allow_insecure_path"},
    "exec": {"command", "args", "timeout", "no_output_timeout", "max_output_bytes", "json_only", "env", "pass_env"}
    | {"trusted_dirs", "allow_insecure_path", "allow_symlink_command"},
}
_REQUIRED = {"file": "path", "exec": "command"}


class SecretProvider(Section):
    """secrets.providers.<alias>. Byte counts are of what is read; `max_output_bytes` is of both outputs together."""

    source: Literal["env", "file", "exec"]
    allowlist: Annotated[tuple[_Name, ...], Check(_at_most(256))] = ()
    path: _Folder = ""
    mode: Literal["json", "single_value"] = "json"
    max_bytes: _Bytes = _MIB
    command: Annotated[str, Check(_command)] = ""
    args: Annotated[tuple[Annotated[str, Check(_argument)], ...], Check(_at_most(128))] = ()
    timeout: _Wait = timedelta(seconds=5)
    no_output_timeout: _Wait | None = None
    max_output_bytes: _Bytes = _MIB
    json_only: bool = True
    env: Mapping[fields.Variable, fields.SecretText] = {}
    pass_env: Annotated[tuple[fields.Variable, ...], Check(_at_most(128))] = ()
    trusted_dirs: Annotated[tuple[_Folder, ...], Check(_at_most(64))] = ()
    allow_insecure_path: bool = False
    allow_symlink_command: bool = False

    def _check(self, given: Set[str]) -> None:
        strange = sorted(given - _KEYS[self.source] - {"source"})
        if strange:
            raise ValueError(f'{", ".join(strange)} means nothing where source = "{self.source}"')
        wanted = _REQUIRED.get(self.source)
        if wanted is not None and not getattr(self, wanted):
            raise ValueError(f'{wanted} is missing, and source is "{self.source}"')


class SecretDefaults(Section):
    """secrets.defaults: which provider a reference means that names none, or `default`."""

    env: Alias = DEFAULT_PROVIDER
    file: Alias = DEFAULT_PROVIDER
    exec: Alias = DEFAULT_PROVIDER


class SecretResolution(Section):
    """secrets.resolution: how many providers are asked at a time, for how many references, with how long a request."""

    max_provider_concurrency: Annotated[int, Limits(gt=0, le=16)] = 4
    max_refs_per_provider: Annotated[int, Limits(gt=0, le=4096)] = 512
    max_batch_bytes: Annotated[int, Limits(gt=0, le=5 * _MIB)] = 256 * 1024


class Secrets(Section):
    """secrets"""

    providers: Mapping[Alias, SecretProvider] = {}
    defaults: SecretDefaults = SecretDefaults()
    resolution: SecretResolution = SecretResolution()
