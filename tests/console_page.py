"""Runs the `console` blocks of a page in a shell, as somebody who reads it would, in an installation of the page's own.

All commands of a page are run in its order in one shell, so what one exports or stores is there for the next. A `toml` or
`json` block that follows a line such as "`~/.remoteclaw/config.toml`:" is that file. Where a page says `127.0.0.1:9000` a
provider answers, and `/etc` is one of its own.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.documents import ROOT
from tests.fakes.provider_script import Step
from tests.fakes.provider_server import ThreadedProviderServer

ADDRESS = "127.0.0.1:9000"
ANY_LINES = "…"
"""A line of a page that stands for any lines of output."""
_FENCED = re.compile(r"(?:^ *`((?:~|/etc)/[^`]+)`:\n\n)?^( *)```(\w+)\n(.*?)^\2```$", re.MULTILINE | re.DOTALL)
_MARK = "=== the next command ==="
_PATIENCE = 120
_KNOWN = ("remoteclaw", "export", "unset", "echo", "cat", "chmod", "mkdir", "rm", "env")
_CHANGING = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z|\d{4}-\d\d-\d\d \d\d:\d\d\b|\b\d{8}T\d{6}Z\b", "TIME"),
    (r"(?:\b\d\d [A-Z][a-z]{2} )?\b\d\d:\d\d UTC", "TIME"),
    (r"\b\d+[smhd] ago", "AGO"),
    (r"(?<=fp:)[0-9a-f]{8}\b|(?<=#)[0-9a-f]{8}\b|(?<=\"fingerprint\": \")[0-9a-f]{8}\b", "FINGERPRINT"),
    (r"\b\d+ms\b|\b\d+\.\d+s\b|(?<=_ms\": )\d+", "SPAN"),
    (r"(?<=uid=)\d+", "UID"),
    (r"\b0\d{3}_[a-z_]+\b", "REVISION"),
    (r" {2,}", " "),
)


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a page, its further lines included, and what the page says that it prints."""

    place: str
    text: str
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """What a page takes for granted: files of the user, and how the provider answers each key."""

    files: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, list[Step]] = field(default_factory=dict)


def parts(page: Path) -> Iterator[Command | tuple[str, str]]:
    """The commands of a page, and (name, content) of the files that it shows, in its order."""
    text = page.read_text("utf-8")
    for found in _FENCED.finditer(text):
        name, indent, language, body = found.groups()
        lines = [line.removeprefix(indent) for line in body.splitlines()]
        if language == "console":
            line = text.count("\n", 0, found.start()) + 1
            yield from _commands(f"{page.relative_to(ROOT)}:{line}", lines)
        elif name is not None and language in ("toml", "json"):
            yield name, "\n".join(lines) + "\n"


def _commands(place: str, lines: list[str]) -> Iterator[Command]:
    typed: list[str] = []
    shown: list[str] = []
    for line in lines:
        if line.startswith("$ "):
            if typed:
                yield Command(place, "\n".join(typed), tuple(shown))
            typed, shown = [line.removeprefix("$ ")], []
        elif line.startswith("> ") and typed and not shown:
            typed.append(line.removeprefix("> "))
        else:
            shown.append(line)
    if typed:
        yield Command(place, "\n".join(typed), tuple(shown))


def run(page: Path, home: Path, stage: Stage) -> list[tuple[Command, list[str]]]:
    """Every command of a page with the lines that it has printed, on both streams."""
    with ThreadedProviderServer() as server:
        for key, steps in stage.answers.items():
            server.script[key] = list(steps)
        places = {ADDRESS: server.base_url.removeprefix("http://"), "/etc/": f"{home}/etc/"}
        commands, script = [], list[str]()
        for part in parts(page):
            if isinstance(part, Command):
                assert re.split(r"[\s=]", part.text, maxsplit=1)[0] in _KNOWN, f"{part.place}: {part.text}"
                commands.append(part)
                script += [part.text, f"{{ code=$?; echo '{_MARK}'; (exit $code); }}"]
            else:
                name, content = part
                folder = name.rpartition("/")[0]
                script += [f"mkdir -p -m 700 {folder}; cat > {name} <<'THE END'\n{content}THE END", f"chmod 600 {name}"]
        text = "\n".join(script)
        for shown, real in places.items():
            text = text.replace(shown, real)
        printed = _shell(text, home, stage)
    for shown, real in places.items():
        printed = printed.replace(real, shown)
    pieces = printed.replace(str(home), "~").split(f"{_MARK}\n")
    assert len(pieces) == len(commands) + 1, f"the shell ended early: {pieces[-1]}"
    return [(command, piece.splitlines()) for command, piece in zip(commands, pieces, strict=False)]


def _shell(script: str, home: Path, stage: Stage) -> str:
    programs = home.with_name(f"{home.name}-programs")
    programs.mkdir()
    program = programs / "remoteclaw"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m bot "$@"\n')
    program.chmod(0o700)
    for name, content in stage.files.items():
        (home / name).write_text(content)
        (home / name).chmod(0o700 if content.startswith("#!") else 0o600)
    environ = {
        "HOME": str(home),
        "PATH": f"{programs}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",  # the two streams come in their order
        "LC_ALL": "C.UTF-8",
    }
    ended = subprocess.run(
        ["bash"],
        input=script,
        cwd=home,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_PATIENCE,
    )
    return ended.stdout


def settled(line: str) -> str:
    """A line without what differs from run to run, and without the width of columns."""
    for pattern, word in _CHANGING:
        line = re.sub(pattern, word, line)
    return line.rstrip()


def fits(shown: tuple[str, ...] | list[str], printed: list[str]) -> bool:
    """Whether a command has printed what the page shows; blank lines at the ends do not matter."""
    wanted = [settled(line) for line in shown]
    found = [settled(line) for line in printed]
    while wanted and not wanted[-1]:
        wanted.pop()
    while found and not found[-1]:
        found.pop()
    return _match(wanted, found)


def _match(wanted: list[str], found: list[str]) -> bool:
    if not wanted:
        return not found
    if wanted[0] == ANY_LINES:
        return any(_match(wanted[1:], found[n:]) for n in range(len(found) + 1))
    return bool(found) and wanted[0] == found[0] and _match(wanted[1:], found[1:])
