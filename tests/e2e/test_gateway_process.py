"""Both platforms in one process: each keeps its own sessions, and the trouble of one is not that of the other."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.e2e.installation import KEYS, Gateway, Installation, until
from tests.fakes.discord_server import DiscordServer
from tests.fakes.provider_script import slow, status
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TelegramServer


class Both:
    """One person on both platforms, and the gateway between them."""

    def __init__(self, state: Path, telegram: TelegramServer, discord: DiscordServer, provider: ThreadedProviderServer):
        self.house = Installation(state)
        self.telegram, self.discord, self.provider = telegram, discord, provider
        self.here, self.there = telegram.person(1001), discord.user("ada")
        self.chat = telegram.private(self.here)
        self.house.keep(KEYS)
        self.configure()

    def configure(self, telegram: str | None = None, discord: str | None = None) -> None:
        """With these tokens, the right ones if none are given."""
        self.house.configure(
            self.provider.base_url,
            "[channels.telegram]",
            f'token = "{telegram or self.telegram.token}"',
            f'api_base_url = "{self.telegram.url}"',
            "[channels.discord]",
            f'token = "{discord or self.discord.token}"',
            f'api_base_url = "{self.discord.api_base_url}"',
            f'gateway_url = "{self.discord.gateway_url}"',
            "[access]",
            f'owners = ["telegram:1001", "discord:{self.there.id}"]',
            "[gateway]",
            'listen = "127.0.0.1:0"',
        )

    def on_telegram(self) -> list[str]:
        return [message.text for message in self.chat.answers]

    def on_discord(self) -> list[str]:
        return [message.content for message in self.there.dm.messages if message.author is self.discord.bot]


@pytest.fixture
def both(state_dir: Path) -> Iterator[Both]:
    with TelegramServer() as telegram, DiscordServer() as discord, ThreadedProviderServer() as provider:
        yield Both(state_dir, telegram, discord, provider)


def ready(gateway: Gateway) -> tuple[int, dict[str, object]]:
    """What `/readyz` answers."""
    found = re.search(r"http://127\.0\.0\.1:\d+", gateway.says("Health is answered"))
    assert found is not None
    try:
        with urlopen(f"{found[0]}/readyz", timeout=10) as answer:
            return answer.status, json.load(answer)
    except HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def test_both_serve_side_by_side_with_sessions_of_their_own_and_one_health(both: Both) -> None:
    both.provider.script[KEYS["acme:work"]] = [slow("slow"), status(429, {"retry-after": "900"})]
    with Gateway(both.house) as gateway:
        for name in ("telegram", "discord"):
            gateway.says(f"{name} (default): connected")
        assert ready(gateway)[0] == 200
        both.here.says(both.chat, "hi")
        both.provider.wait_seen(1)
        both.there.says(both.there.dm, "/model @home")
        both.there.says(both.there.dm, "hi")
        until(lambda: "served-by:HOME" in both.on_discord())
        assert both.on_telegram() == [], "one does not wait for the other"
        both.provider.release()
        until(lambda: both.on_telegram() == ["slow"])
        both.here.says(both.chat, "hi again")
        until(lambda: "served-by:HOME" in both.on_telegram())
        both.there.says(both.there.dm, "/model status")
        until(lambda: any("acme:work" in text and "cooling 15m" in text for text in both.on_discord()))
        assert gateway.stop() == 0
    assert not [line for line in gateway.log if " ERROR " in line]


@pytest.mark.parametrize("refused", ["telegram", "discord"])
def test_a_refused_token_is_told_with_its_setting_and_the_other_platform_serves(both: Both, refused: str) -> None:
    wrong = {"telegram": "777000777:AAwrong-token-of-the-right-shape000", "discord": "wrong-token-0123456789abcdef"}
    both.configure(**{refused: wrong[refused]})
    with Gateway(both.house) as gateway:
        line = gateway.says(f"channels.{refused}.token")
        assert f"{refused} (default): " in line
        assert wrong[refused] not in "".join(gateway.log)
        until(lambda: len(ready(gateway)[1]["reasons"]) == 1)
        assert ready(gateway)[1]["reasons"][0].startswith(f"{refused} (default): channels.{refused}.token: ")
        assert ready(gateway)[0] == 503
        if refused == "telegram":
            both.there.says(both.there.dm, "hi")
            until(lambda: both.on_discord() == ["served-by:WORK"])
        else:
            both.here.says(both.chat, "hi")
            until(lambda: both.on_telegram() == ["served-by:WORK"])
        assert gateway.stop() == 0
    assert "Traceback" not in "".join(gateway.log)


def test_with_every_token_refused_it_ends_and_says_why(both: Both) -> None:
    both.configure("777000777:AAwrong-token-of-the-right-shape000", "wrong-token-0123456789abcdef")
    with Gateway(both.house) as gateway:
        assert gateway.process.wait(20) == 1
    told = gateway.log[-1]
    assert told.startswith("remoteclaw: channels.")
    assert "token" in told
    assert "Traceback" not in "".join(gateway.log)


def test_a_platform_that_is_away_at_the_start_is_waited_for(both: Both) -> None:
    both.telegram.fail("getMe", 502, "Bad Gateway")
    both.discord.fail("GET", "/users/@me", 502)
    with Gateway(both.house) as gateway:
        both.here.says(both.chat, "hi")
        until(lambda: both.on_telegram() == ["served-by:WORK"])
        gateway.says("discord (default): connected")
        assert gateway.stop() == 0


def test_kills_at_any_moment_lose_no_question_and_no_pin(both: Both) -> None:
    chance, kills, asked = random.Random(7), 3, 0
    with Gateway(both.house) as gateway:
        for name in ("telegram", "discord"):
            gateway.says(f"{name} (default): connected")
        both.here.says(both.chat, "/model @home")
        both.there.says(both.there.dm, "/model @home")
        until(lambda: both.on_telegram() and both.on_discord())
        until(lambda: both.house.rows("select count(*) from inbox where state = 'done'") == [(2,)])
        gateway.kill()
    for _ in range(kills):
        with Gateway(both.house) as gateway:
            gateway.says("connected")
            questions, before = chance.randint(2, 6), len(both.provider.seen)
            for _ in range(questions):
                both.here.says(both.chat, "question")
                both.there.says(both.there.dm, "question")
            asked += questions
            both.provider.wait_seen(before + chance.randint(1, questions), 20)
            gateway.kill()
    with Gateway(both.house) as gateway:
        until(lambda: both.on_discord().count("served-by:HOME") >= asked)
        until(lambda: both.on_telegram().count("served-by:HOME") >= asked)
        until(lambda: not both.house.rows("select 1 from inbox where state <> 'done'"))
        assert gateway.stop() == 0
    assert {seen.key for seen in both.provider.seen} == {KEYS["acme:home"]}
    assert both.on_discord().count("served-by:HOME") == asked
    # Telegram takes no word on what was sent before: one answer may be on its way when the process is killed.
    assert both.on_telegram().count("served-by:HOME") <= asked + kills
