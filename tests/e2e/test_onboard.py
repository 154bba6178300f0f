"""`remoteclaw onboard` in a real terminal: from an empty home to an answered message, broken off anywhere, killed anywhere."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from adapters.storage.sidecar_lock import SidecarLock
from bot.system_clock import SystemClock
from tests.e2e.installation import Gateway, Installation, until
from tests.fakes.oauth_idp import Idp
from tests.fakes.provider_script import raw, status
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.service_tools import ServiceTools
from tests.fakes.telegram_server import TOKEN, TelegramServer

ROOT = Path(__file__).parents[2]
DOWN = "\x1b[B"
KEY, OTHER = "Vq7x-CANARY-key-0123456789", "Vq7x-CANARY-other-0123456"
LIST = raw(b'{"data": [{"id": "small"}, {"id": "large"}]}', headers={"content-type": "application/json"})
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CODE = re.compile(r"private chat:\s+([0-9a-z]{8})")


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
            env=given, cwd=str(home), encoding="utf-8", timeout=30, dimensions=(60, 120),
        )  # fmt: skip
        self._terminal.delaybeforesend = None
        self._seen = ""

    @property
    def shown(self) -> str:
        """All of it, without what only moves the cursor or colours."""
        return _SEQUENCE.sub("", self._seen)

    def sees(self, words: str) -> None:
        self._terminal.expect_exact(words)
        self._seen += self._terminal.before + words

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


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Nothing is in it."""
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def tools(tmp_path: Path) -> ServiceTools:
    tools = ServiceTools(tmp_path / "tools")
    tools.make("systemctl", "loginctl")
    return tools


@pytest.fixture
def server() -> Iterator[ThreadedProviderServer]:
    with ThreadedProviderServer() as server:
        server.script[""] = [status(401)] * 99
        server.script[KEY] = [LIST] * 99
        yield server


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    with TelegramServer() as telegram:
        yield telegram


Starts = Callable[..., Screen]


@pytest.fixture
def on_screen(home: Path, tools: ServiceTools) -> Iterator[Starts]:
    started: list[Screen] = []

    def start(*flags: str) -> Screen:
        started.append(Screen(home, tools, *flags))
        return started[-1]

    yield start
    for screen in started:
        screen.close()


def contents(home: Path) -> dict[str, bytes | None]:
    """Everything below a directory, byte for byte."""
    return {str(p.relative_to(home)): p.read_bytes() if p.is_file() else None for p in home.rglob("*")}


def beginning(server: ThreadedProviderServer, key: str = KEY) -> list[tuple[str, str]]:
    """The questions about models, with what a person answers who runs a server of their own."""
    return [
        ("Whose models shall answer?", "another one\r"),
        ("A name for it:", "acme\r"),
        ("Address of the API of acme:", f"\x15{server.openai_url}\r"),
        ("How does it speak?", "\r"),
        ("What proves to acme who you are?", "\r"),
        ("API key of acme (it is not shown):", f"{key}\r"),
        ("Which model shall answer?", "\r"),
    ]


def rest() -> list[tuple[str, str]]:
    """Those about Telegram, by a numeric id, and the last ones."""
    return [
        ("Do you want to chat in Telegram?", "y"),
        ("Token of the bot for Telegram (it is not shown):", f"{TOKEN}\r"),
        ("Do you want to chat in Discord?", "n"),
        ("How shall the bot know you in Telegram?", f"{DOWN}\r"),
        ("Your numeric id in Telegram:", "1001\r"),
        ("Shall the gateway run as a service", "n"),
    ]


def test_from_an_empty_home_to_an_answered_message(
    home: Path, on_screen: Starts, server: ThreadedProviderServer, telegram: TelegramServer, tools: ServiceTools
) -> None:
    screen = on_screen("--telegram-api-url", telegram.url)
    screen.walks(beginning(server))
    screen.sees("Write /newbot to @BotFather")
    screen.walks(rest()[1:2])
    screen.asked("Do you want to chat in Discord?", "n")
    screen.asked("How shall the bot know you in Telegram?", "\r")
    screen.sees("and press Start.")
    code = _CODE.search(screen.shown)
    assert code is not None
    mallory, ada = telegram.person(1003, "Mallory"), telegram.person(1001, "Ada")
    theirs, chat = telegram.private(mallory), telegram.private(ada)
    mallory.says(theirs, "/start 23456789")
    ada.says(chat, f"/start {code[1]}")
    screen.asked("Shall the gateway run as a service", "y")
    assert screen.ended() == 0
    assert contents(home).keys() >= {".remoteclaw/.env", ".remoteclaw/config.toml"}
    assert "You are Ada, telegram:1001." in screen.shown
    assert "Telegram: @Our_Bot" in screen.shown
    assert "The service remoteclaw is enabled and runs." in screen.shown
    assert "remoteclaw chat" in screen.shown
    assert any("enable remoteclaw.service" in call for call in tools.calls())
    assert not any(secret in screen.shown for secret in (KEY, TOKEN))
    config = (home / ".remoteclaw" / "config.toml").read_bytes()
    assert KEY.encode() not in config
    assert TOKEN.encode() not in config
    server.script.clear()
    house = Installation(home / ".remoteclaw", HOME=str(home))
    with Gateway(house) as gateway:
        gateway.says("telegram (default): connected")
        telegram.wait(lambda: any(m.by_bot for m in chat.all_messages))
        ada.says(chat, "hello")
        telegram.wait(lambda: any("served-by:6789" in m.text for m in chat.all_messages if m.by_bot))
        assert gateway.stop() == 0


def test_whoever_breaks_off_at_any_question_leaves_the_home_as_it_was(
    home: Path, on_screen: Starts, server: ThreadedProviderServer, telegram: TelegramServer
) -> None:
    (home / "notes.txt").write_text("mine")
    before = contents(home)
    steps = [*beginning(server), *rest()]
    flags = ("--telegram-api-url", telegram.url)
    # Telegram was said by a flag, so it is not asked whether it is wanted.
    steps = [step for step in steps if "chat in Telegram" not in step[0]]
    screens = [on_screen(*flags) for _ in steps]
    for n, screen in enumerate(screens):
        screen.walks(steps[:n])
        screen.asked(steps[n][0], "\x03")
    waiting = on_screen(*flags)
    waiting.walks([*steps[:-3], (steps[-3][0], "\r"), ("and press Start.", "\x03")])
    assert waiting.ended() == 130
    for (words, _), screen in zip(steps, screens, strict=True):
        assert screen.ended() == 130, words
        assert not any(secret in screen.shown for secret in (KEY, TOKEN))
    assert contents(home) == before


def test_the_end_of_the_input_is_the_same(home: Path, on_screen: Starts, server: ThreadedProviderServer) -> None:
    screen = on_screen()
    screen.walks(beginning(server)[:5])
    screen.asked("API key of acme (it is not shown):", "\x04")
    assert screen.ended() == 130
    assert contents(home) == {}


def test_a_key_that_is_refused_is_told_and_another_one_is_asked_for(
    home: Path, on_screen: Starts, server: ThreadedProviderServer
) -> None:
    server.script[OTHER] = [LIST, status(401), status(401)]
    screen = on_screen()
    screen.walks(beginning(server, OTHER))
    screen.sees("does not accept the credential (HTTP 401)")
    screen.asked("What now?", "\r")
    screen.walks(beginning(server)[4:])
    screen.asked("Do you want to chat in Telegram?", "n")
    screen.asked("Do you want to chat in Discord?", "n")
    assert screen.ended() == 0
    store = (home / ".remoteclaw" / "agents" / "main" / "agent" / "auth-profiles.json").read_text()
    assert KEY in store
    assert OTHER not in store


def test_a_login_is_made_on_the_way_and_stored_at_the_end(
    home: Path, on_screen: Starts, server: ThreadedProviderServer, tmp_path: Path
) -> None:
    state = home / ".remoteclaw"
    state.mkdir(mode=0o700)
    with Idp(tmp_path / "idp") as idp:
        table = "".join(f"{name} = {json.dumps(value)}\n" for name, value in idp.table().items())
        (state / "config.toml").write_text(
            f'[models.providers.acme]\nbase_url = "{server.openai_url}"\napi = "openai-completions"\nmodels = ["small"]\n'
            f"[auth.oauth.acme]\n{table}"
        )
        before = contents(home)
        screen = on_screen("--provider", "acme", "--skip-checks", "--no-service")
        screen.asked("What proves to acme who you are?", "login\r")
        screen.asked("How do you want to log in at acme?", "browser on this machine\r")
        screen.sees("Open this address and log in:")
        screen.sees("http")
        screen.sees("\r\n")
        url = screen.shown.rpartition("Open this address and log in:")[2].strip()
        idp.allow(url)
        screen.sees("Which model shall answer?")
        assert contents(home) == before, "nothing is stored before the last answer"
        screen.asked("small", "\r")
        screen.asked("Do you want to chat in Telegram?", "n")
        screen.asked("Do you want to chat in Discord?", "n")
        assert screen.ended() == 0
    profiles = json.loads((state / "agents" / "main" / "agent" / "auth-profiles.json").read_text())["profiles"]
    assert profiles["acme:ada@example.org"]["type"] == "oauth"
    assert '[auth.profiles."acme:ada@example.org"]' in (state / "config.toml").read_text()
    assert profiles["acme:ada@example.org"]["access"] not in screen.shown


class TestAgain:
    @pytest.fixture
    def state(self, home: Path, server: ThreadedProviderServer, telegram: TelegramServer) -> Path:
        """An installation, made by flags."""
        flags = ["--provider", "acme", "--base-url", server.openai_url, "--model", "small", "--api-key-stdin"]
        flags += ["--telegram-token-stdin", "--telegram-api-url", telegram.url, "--owner", "telegram:1001"]
        house = Installation(home / ".remoteclaw", HOME=str(home))
        home.joinpath(".remoteclaw").mkdir(mode=0o700)
        ended = house.run("onboard", "--non-interactive", *flags, typed=f"{KEY}\n{TOKEN}\n")
        assert (ended.code, ended.err) == (0, "")
        return house.state

    def test_it_shows_what_is_there_and_nothing_marked_changes_nothing(
        self, home: Path, state: Path, on_screen: Starts
    ) -> None:
        before = contents(home)
        screen = on_screen()
        screen.sees("Model       : acme/small")
        screen.sees("Credential  : acme:manual")
        screen.sees("Telegram    : configured")
        screen.sees("Owners      : telegram:1001")
        screen.asked("What do you want to change?", "\r")
        assert screen.ended() == 0
        assert "Nothing had to be changed." in screen.shown
        assert contents(home) == before

    def test_only_what_is_marked_is_asked_about(
        self, state: Path, on_screen: Starts, server: ThreadedProviderServer
    ) -> None:
        config = state / "config.toml"
        config.write_text(f"# mine\n{config.read_text()}")
        screen = on_screen()
        screen.asked("What do you want to change?", " \r")
        screen.asked("Whose models shall answer?", "\r")
        screen.asked("What proves to acme who you are?", "\r")
        screen.asked("Which model shall answer?", "large\r")
        assert screen.ended() == 0
        assert "kept as it is" in screen.shown
        assert config.read_text().startswith("# mine\n")
        assert 'model = "acme/large"' in config.read_text()

    @pytest.mark.parametrize(
        ("held", "written"),
        [
            pytest.param("agents/main/agent/auth-profiles.json", {".env"}, id="before-the-credential"),
            pytest.param("config.toml", {".env", "agents/main/agent/auth-profiles.json"}, id="before-the-config"),
        ],
    )
    def test_whoever_is_killed_between_two_files_has_the_old_installation_still(
        self, state: Path, server: ThreadedProviderServer, held: str, written: set[str]
    ) -> None:
        before = contents(state)
        house = Installation(state, HOME=str(state.parent))
        flags = ["--provider", "acme", "--model", "large", "--profile-id", "acme:two", "--api-key-stdin"]
        flags += ["--discord-token-stdin", "--owner", "discord:2002", "--skip-checks"]
        typed = f"{OTHER}\n{'d' * 60}\n"
        with (
            SidecarLock(state / held, SystemClock()).held(),
            house.start("onboard", "--non-interactive", *flags) as process,
        ):
            assert process.stdin is not None
            process.stdin.write(typed)
            process.stdin.close()
            until(lambda: changed(before, state) == written)
            assert OTHER.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
            process.kill()
        assert changed(before, state) == written
        server.script.clear()
        assert [e["text"] for e in house.say("hello") if e["event"] == "reply"] == [f"served-by:{KEY[-4:]}"]
        again = house.run("onboard", "--non-interactive", *flags, typed=typed)
        assert (again.code, again.err) == (0, "")
        config = (state / "config.toml").read_text()
        assert all(words in config for words in ('"acme:two"', 'model = "acme/large"', "${DISCORD_BOT_TOKEN}"))


def changed(before: dict[str, bytes | None], state: Path) -> set[str]:
    """The files that are not as they were, without what belongs to locks."""
    now = contents(state)
    names = {name for name in now.keys() | before.keys() if now.get(name) != before.get(name)}
    return {name for name in names if not name.endswith((".lock", ".guard", ".tmp"))}
