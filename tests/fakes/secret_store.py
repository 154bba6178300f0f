"""What a test says about providers of secrets: the tables of the config, and commands that behave or do not."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from core.auth.secret import Secret

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeOptions:
    """One table of `secrets.providers`, with the defaults of the config."""

    source: str
    allowlist: tuple[str, ...] = ()
    path: str = ""
    mode: str = "json"
    max_bytes: int = MIB
    command: str = ""
    args: tuple[str, ...] = ()
    timeout: timedelta = timedelta(seconds=20)
    no_output_timeout: timedelta | None = None
    max_output_bytes: int = MIB
    json_only: bool = True
    env: Mapping[str, Secret] = field(default_factory=dict)
    pass_env: tuple[str, ...] = ()
    trusted_dirs: tuple[str, ...] = ()
    allow_insecure_path: bool = False
    allow_symlink_command: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeLimits:
    """The table `secrets.resolution`, with the defaults of the config."""

    max_provider_concurrency: int = 4
    max_refs_per_provider: int = 512
    max_batch_bytes: int = 262144


def shell_command(folder: Path, body: str, name: str = "helper") -> str:
    """A command of /bin/sh; gives its path."""
    return _command(folder, name, f"#!/bin/sh\nPATH=/usr/bin:/bin\n{body}\n")


def python_command(folder: Path, body: str, name: str = "helper") -> str:
    """A command in Python; `asked` is the request that it has read, `answer(values)` writes an answer."""
    start = f"#!{sys.executable} -IS\nimport json, os, sys, time\n"
    reading = "asked = json.load(sys.stdin)\n"
    answer = 'def answer(values, **more):\n    print(json.dumps({"protocolVersion": 1, "values": values, **more}))\n'
    return _command(folder, name, start + reading + answer + body + "\n")


def _command(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    path.chmod(0o700)
    return str(path)
