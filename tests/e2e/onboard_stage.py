"""`remoteclaw onboard` on a pseudo-terminal in an empty home, between a provider, Telegram and a service manager, and what a
person answers who runs a server of their own."""

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pexpect

from tests.e2e.installation import Installation
from tests.fakes.provider_script import raw, status
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.service_tools import ServiceTools
from tests.fakes.telegram_server import TOKEN, TelegramServer

ROOT = Path(__file__).parents[2]
DOWN = "\x1b[B"
CLEAR = "\x15"
KEY, OTHER = "Vq7x-CANARY-key-0123456789", "Vq7x-CANARY-other-0123456"
LIST = raw(b'{"data": [{"id": "small"}, {"id": "large"}]}', headers={"content-type": "application/json"})
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CODE = re.compile(r"private chat:\s+([0-9a-z]{8})")
_SECONDS = 60


class Screen:
    """The command on a pseudo-terminal. Everything that was ever drawn is kept."""

    def __init__(self, home: Path, tools: ServiceTools, *flags: str) -> None:
        # A real terminal says where its cursor is; this one does not, and would be waited for at every question.
        given = {
            "HOME": str(home), "PATH": f"{tools.folder}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8",
            "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1",
        }  # fmt: skip
        self._terminal: Any = pexpect.spawn(
            sys.executable, ["-m", "bot", "onboard", *flags],
            env=given, cwd=str(home), encoding="utf-8", timeout=_SECONDS, dimensions=(60, 120),
        )  # fmt: skip
        self._terminal.delaybeforesend = None
        self._seen = ""

    @property
    def shown(self) -> str:
        """All of it, without what only moves the cursor or colours."""
        return _SEQUENCE.sub("", self._seen)

    @property
    def code(self) -> str:
        """What is to be sent to the bot."""
        self.sees("Enter ends that.")
        return _CODE.findall(self.shown)[-1]

    def sees(self, words: str) -> None:
        self._terminal.expect_exact(words)
        self._seen += self._terminal.before + words

    def types(self, keys: str) -> None:
        self._terminal.send(keys)

    def asked(self, words: str, answer: str) -> None:
        """Answer a question once it is drawn."""
        self.sees(words)
        self._terminal.send(answer)

    def walks(self, steps: list[tuple[str, str]]) -> None:
        for words, answer in steps:
            self.asked(words, answer)

    def ended(self) -> int:
        """The exit code, once it is there."""
        self._terminal.expect(pexpect.EOF)
        self._seen += self._terminal.before
        self._terminal.wait()  # a terminal that is closed before would end it
        self._terminal.close()
        code: int = self._terminal.exitstatus
        return code

    def close(self) -> None:
        self._terminal.close(force=True)


@dataclass
class Stage:
    """Nothing is in `home`. The provider gives its list to `KEY` alone."""

    home: Path
    tools: ServiceTools
    server: ThreadedProviderServer
    telegram: TelegramServer
    screens: list[Screen] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.home / ".remoteclaw"

    @property
    def config(self) -> Path:
        return self.state / "config.toml"

    @property
    def house(self) -> Installation:
        return Installation(self.state, HOME=str(self.home))

    def start(self, *flags: str) -> Screen:
        self.screens.append(Screen(self.home, self.tools, *flags))
        return self.screens[-1]

    def made(self, *more: str, typed: str = f"{KEY}\n{TOKEN}\n") -> Path:
        """An installation, made by flags; its state directory."""
        flags = ["--provider", "acme", "--base-url", self.server.openai_url, "--model", "small", "--api-key-stdin"]
        flags += ["--telegram-token-stdin", "--telegram-api-url", self.telegram.url, *more]
        self.state.mkdir(mode=0o700)
        ended = self.house.run("onboard", "--non-interactive", *flags, typed=typed)
        assert (ended.code, ended.err) == (0, "")
        return self.state


@contextmanager
def open_stage(folder: Path) -> Iterator[Stage]:
    """Whatever is started ends with it."""
    home, tools = folder / "home", ServiceTools(folder / "tools")
    home.mkdir()
    tools.make("systemctl", "loginctl")
    with ExitStack() as stack:
        stage = Stage(home, tools, stack.enter_context(ThreadedProviderServer()), stack.enter_context(TelegramServer()))
        stack.callback(lambda: [screen.close() for screen in stage.screens])
        stage.server.script[""] = [status(401)] * 99
        stage.server.script[OTHER] = [status(401)] * 99
        stage.server.script[KEY] = [LIST] * 99
        yield stage


def contents(home: Path) -> dict[str, bytes | None]:
    """Everything below a directory, byte for byte."""
    return {str(p.relative_to(home)): p.read_bytes() if p.is_file() else None for p in home.rglob("*")}


def beginning(server: ThreadedProviderServer, key: str = KEY) -> list[tuple[str, str]]:
    """The questions about models, with what a person answers who runs a server of their own."""
    return [
        ("Whose models shall answer?", "another one\r"),
        ("A name for it", "acme\r"),
        ("Address of the API of acme", f"{CLEAR}{server.openai_url}\r"),
        ("How does it speak?", "\r"),
        ("What proves to acme who you are?", "\r"),
        ("API key of acme (it is not shown", f"{key}\r"),
        ("Which model shall answer?", "\r"),
    ]


def rest() -> list[tuple[str, str]]:
    """Those about Telegram, by a numeric id, and the last ones."""
    return [
        ("Do you want to chat in Telegram?", "y"),
        ("Token of the bot for Telegram (it is not shown", f"{TOKEN}\r"),
        ("Do you want to chat in Discord?", "n"),
        ("How shall the bot know you in Telegram?", f"{DOWN}\r"),
        ("Your numeric id in Telegram", "1001\r"),
        ("Shall the gateway run as a service", "n"),
    ]


def nowhere() -> list[tuple[str, str]]:
    """No platform."""
    return [("Do you want to chat in Telegram?", "n"), ("Do you want to chat in Discord?", "n")]
