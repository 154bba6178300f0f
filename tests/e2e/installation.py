"""An installation in a state directory, and the real `remoteclaw` processes on it."""

import json
import os
import queue
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0
"""Seconds for anything that happens at once on an idle machine."""
KEYS = {
    "acme:work": "sk-acme-key-of-WORK",
    "acme:home": "sk-acme-key-of-HOME",
    "zeta:me": "sk-zeta-key-of-MINE",
    "zeta:you": "sk-zeta-key-of-YOUR",
}
"""Profile ids with their keys. Their last four characters are what the recording provider answers with."""
_T = TypeVar("_T")


def until(predicate: Callable[[], _T], within: float = PATIENCE) -> _T:
    """What the predicate says, as soon as that is true. For what happens in other processes and cannot be waited on."""
    deadline = time.monotonic() + within
    while not (found := predicate()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
    return found


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """What `chat --json` printed."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def json(self) -> dict[str, Any]:
        """What `models … --json` printed."""
        found: dict[str, Any] = json.loads(self.out)
        return found


class Installation:
    """`state` is the state directory; `env` is added to the environment of every process."""

    def __init__(self, state: Path, **env: str) -> None:
        self.state = state
        self.env = env
        self.command = [sys.executable, "-m", "bot"]

    @property
    def database(self) -> Path:
        return self.state / "remoteclaw.db"

    @property
    def store(self) -> Path:
        return self.state / "agents" / "main" / "agent" / "auth-profiles.json"

    def configure(self, base_url: str, *more: str, **changes: str) -> None:
        """Two providers at one server, one for each wire format. `more` are further lines of TOML; `changes` replace `default`,
        `acme`, `zeta` (further lines of that provider) and `top` (lines before the first table)."""
        lines = [
            changes.get("top", ""),
            "[models.providers.acme]",
            f'base_url = "{base_url}/v1"',
            'api = "openai-completions"',
            'models = ["small", { id = "large", alias = "big" }, "gemma-7b", "gemma-9b"]',
            changes.get("acme", ""),
            "[models.providers.zeta]",
            f'base_url = "{base_url}"',
            'api = "anthropic-messages"',
            'models = [{ id = "opus-1", alias = "opus" }, "sonnet-1"]',
            changes.get("zeta", ""),
            "[agents.defaults]",
            "model = " + changes.get("default", '"acme/small"'),
            *more,
        ]
        (self.state / "config.toml").write_text("\n".join(lines))

    def keep(self, keys: Mapping[str, str], order: Mapping[str, Iterable[str]] | None = None) -> None:
        """Write the profile store as other programs do: whole, private, put in place at once."""
        profiles = {
            name: {"type": "api_key", "provider": name.partition(":")[0], "key": key} for name, key in keys.items()
        }
        data: dict[str, Any] = {"version": 1, "profiles": profiles}
        if order is not None:
            data["order"] = {provider: list(ids) for provider, ids in order.items()}
        self.write_store(json.dumps(data))

    def write_store(self, content: str, mode: int = 0o600) -> None:
        self.store.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.store.with_suffix(".new")
        fresh.write_text(content)
        fresh.chmod(mode)
        os.replace(fresh, self.store)

    def environment(self, **env: str) -> dict[str, str]:
        own = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "USER": "ada"}
        return {**own, "HOME": str(self.state), "REMOTECLAW_STATE_DIR": str(self.state), **self.env, **env}

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [*self.command, *arguments]
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
            command, env=self.environment(**env), cwd=self.state, text=True, encoding="utf-8", **pipes
        )

    def run(self, *arguments: str, typed: str = "", **env: str) -> Ended:
        """Run a command to its end."""
        with self.start(*arguments, **env) as process:
            out, err = process.communicate(typed, timeout=PATIENCE)
        return Ended(process.returncode, out, err)

    def say(self, *messages: str, session: str | None = None, **env: str) -> list[dict[str, Any]]:
        """Everything that a chat answers to these messages, in a process of their own."""
        told = [flag for message in messages for flag in ("-m", message)]
        ended = self.run("chat", "--json", *(("--session", session) if session else ()), *told, **env)
        assert (ended.code, ended.err) == (0, "")
        return ended.events

    def chat(self, *flags: str, **env: str) -> "Chat":
        """A chat that stays open."""
        return Chat(self.start("chat", "--json", *flags, **env))

    def explain(self, *arguments: str) -> dict[str, Any]:
        ended = self.run("models", "explain", "--json", *arguments)
        assert (ended.code, ended.err) == (0, "")
        return ended.json

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as db:
            return db.execute(query).fetchall()

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that is stored, but the choices that were shown: errors may offer some."""
        tables = [name for (name,) in self.rows("select name from sqlite_master where type = 'table' order by name")]
        return {name: self.rows(f"select * from {name}") for name in tables if name not in ("shown", "sqlite_sequence")}


class Gateway:
    """A running `remoteclaw gateway`; `log` is what it has written so far. Use as a context manager; leaving it kills it."""

    def __init__(self, house: Installation, **env: str) -> None:
        self.process = house.start("gateway", **env)
        self.log: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self._reading.join(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def says(self, words: str) -> str:
        """The first line of the log that holds these words, once there is one."""
        return until(lambda: next((line for line in list(self.log) if words in line), "") or self._alive())

    def stop(self) -> int:
        """Ask for an orderly end; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(PATIENCE) == -signal.SIGKILL

    def _alive(self) -> str:
        assert self.process.poll() is None, "".join(self.log)
        return ""

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)


class Chat:
    """A `remoteclaw chat --json` that is fed line by line. Use as a context manager; leaving it ends the input."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None and self.process.stdin is not None:
            self.process.stdin.close()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        self.process.wait(PATIENCE)

    def begin(self, text: str) -> None:
        """Type a line, without waiting for what comes of it."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def event(self) -> dict[str, Any]:
        """The next thing that is printed."""
        line = self._lines.get(timeout=PATIENCE)
        assert line, f"the chat has ended: {self.process.stderr.read() if self.process.stderr else ''}"
        found: dict[str, Any] = json.loads(line)
        return found

    def say(self, text: str) -> list[dict[str, Any]]:
        """Type a line and return all that is answered: up to the answer to a second question, which stores nothing."""
        self.begin(text)
        self.begin("/whoami")
        events = []
        while "rights" not in (event := self.event()).get("data", {}):
            events.append(event)
        return events

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(PATIENCE) == -signal.SIGKILL

    def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            for line in self.process.stdout:
                self._lines.put(line)
        except ValueError:
            pass  # closed while it was being read
        self._lines.put("")


def replies(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The replies of one kind."""
    return [event for event in events if event["event"] == "reply" and event["kind"] == kind]


def turn(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The one model turn among the events."""
    (found,) = [event for event in events if event["event"] == "turn"]
    return found


def notices(events: list[dict[str, Any]]) -> str:
    return "\n".join(event["text"] for event in replies(events, "notice"))


def error(events: list[dict[str, Any]]) -> str | None:
    """The code of the last reply; None if it is no error."""
    last = [event for event in events if event["event"] == "reply"][-1]
    code: str | None = last["code"]
    return code
