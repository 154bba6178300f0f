"""`remoteclaw doctor --online`: whose tokens these are, asked over real HTTP; and nothing of a token goes anywhere else."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.bot.doctor_house import CANARY, TELEGRAM, House

DISCORD = f"{'M' * 24}.Gabcde.{CANARY}{'x' * 20}"
Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers as `server.answer` says; keeps what was asked."""

    server: "Platform"

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("authorization")))
        self.server.answer(self)

    def give(self, status: int, content: object, **headers: str) -> None:
        body = json.dumps(content).encode()
        self.send_response_only(status)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class Platform(ThreadingHTTPServer):
    """Both platforms at one address."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str | None]] = []
        self.answer: Answer = named
        self.url = f"http://127.0.0.1:{self.server_port}"


def named(handler: Handler) -> None:
    content = {"ok": True, "result": {"username": "claw_bot"}} if "getMe" in handler.path else {"username": "Claw"}
    handler.give(200, content, date=format_datetime(datetime.now(UTC), usegmt=True))


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def house(state_dir: Path, capsys: pytest.CaptureFixture[str], platform: Platform) -> House:
    made = House(state_dir, capsys)
    made.configure('api_base_url = "http://127.0.0.1:9"', f'api_base_url = "{platform.url}"')
    made.configure("", f'[channels.discord]\ntoken = "${{DISCORD_BOT_TOKEN}}"\napi_base_url = "{platform.url}"\n')
    made.write(".env", f"TELEGRAM_BOT_TOKEN={TELEGRAM}\nDISCORD_BOT_TOKEN={DISCORD}\n")
    return made


def test_the_bots_are_named(house: House, platform: Platform) -> None:
    code, checks = house.checks("--online")
    told = {check["id"]: check["text"] for check in checks}
    assert code == 0
    assert told["telegram.bot"] == "channels.telegram.token is accepted: the bot is @claw_bot."
    assert told["discord.bot"] == "channels.discord.token is accepted: the bot is Claw."
    assert platform.seen == [(f"/bot{TELEGRAM}/getMe", None), ("/users/@me", f"Bot {DISCORD}")]


def test_without_the_flag_nobody_is_asked(house: House, platform: Platform) -> None:
    assert house.wrong() == set()
    assert platform.seen == []


def refused(handler: Handler) -> None:
    handler.give(401, {"ok": False, "error_code": 401, "description": f"Unauthorized {TELEGRAM}"})


def moved(handler: Handler) -> None:
    handler.give(302, {}, location="http://127.0.0.1:9/elsewhere")


def broken(handler: Handler) -> None:
    handler.give(500, {"description": TELEGRAM})


def strange(handler: Handler) -> None:
    handler.give(200, [CANARY])


def endless(handler: Handler) -> None:
    handler.send_response_only(200)
    handler.end_headers()
    try:
        for _ in range(10_000):
            handler.wfile.write(b"x" * 65536)
    except OSError:
        pass


def cut(handler: Handler) -> None:
    handler.connection.close()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (refused, {"telegram.refused", "discord.refused"}),
        (moved, {"telegram.unreachable", "discord.unreachable"}),
        (broken, {"telegram.unreachable", "discord.unreachable"}),
        (strange, {"telegram.unreachable", "discord.unreachable"}),
        (endless, {"telegram.unreachable", "discord.unreachable"}),
        (cut, {"telegram.unreachable", "discord.unreachable"}),
    ],
)
def test_what_is_no_answer_is_told_without_the_token(
    answer: Answer, says: set[str], house: House, platform: Platform
) -> None:
    platform.answer = answer
    assert house.wrong("--online") == says
    assert len(platform.seen) == 2


def test_an_answer_that_comes_drop_by_drop_is_not_waited_for(
    house: House, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def drips(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not ended.wait(0.02):
            try:
                handler.wfile.write(b"x: y\r\n")
            except OSError:
                break

    monkeypatch.setattr("bot.doctor_wiring._SECONDS", 0.3)
    platform.answer = drips
    try:
        assert house.wrong("--online") == {"telegram.unreachable", "discord.unreachable"}
    finally:
        ended.set()


def test_a_platform_that_is_not_there_is_told_soon(house: House) -> None:
    text = house.config.read_text()
    house.write("config.toml", text.replace("api_base_url", 'mode = "polling"\napi_base_url', 1))
    begun = time.monotonic()
    house.configure('api_base_url = "', 'api_base_url = "http://127.0.0.1:9" # ')
    assert "telegram.unreachable" in house.wrong("--online")
    assert time.monotonic() - begun < 10


def test_a_clock_that_is_off_is_told(house: House, platform: Platform) -> None:
    def earlier(handler: Handler) -> None:
        date = format_datetime(datetime.now(UTC) - timedelta(hours=2), usegmt=True)
        handler.give(200, {"result": {"username": "claw_bot"}, "username": "Claw"}, date=date)

    platform.answer = earlier
    _, checks = house.checks("--online")
    (first, _) = [check["text"] for check in checks if check["id"] == "clock.skew"]
    assert re.fullmatch(r"The clock is 2h( 1m)? ahead of telegram's\.", first)


def test_a_name_cannot_paint_the_terminal(house: House, platform: Platform) -> None:
    platform.answer = lambda handler: handler.give(200, {"result": {"username": "a\x1b[31m\nb"}, "username": "x"})
    _, out, _ = house.doctor("--online")
    assert "\x1b" not in out
    assert "\\x1b[31m\\nb" in out
