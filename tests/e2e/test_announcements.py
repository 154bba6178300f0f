"""What the gateway process says without being asked, on both platforms: when it is due, once, and across kills."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.installation import KEYS, Installation, until
from tests.e2e.telegram_stage import ONE, TWO
from tests.e2e.telegram_stage import Stage as TelegramStage
from tests.e2e.test_discord_gateway import Stage as DiscordStage
from tests.fakes.discord_server import DiscordServer
from tests.fakes.provider_script import status
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TelegramServer

pytestmark = pytest.mark.xdist_group("announcements")

ENDED = "acme/small (default)@acme:home has ended: its time is over. Now acme/small (default)."
GONE = "acme:home is pinned here, and there is no such profile any more"
WITHOUT_HOME = {name: key for name, key in {**KEYS, "iota:one": ONE, "iota:two": TWO}.items() if name != "acme:home"}
WAITS = "select count(*) from inbox where state = 'answered' and key like 'announcement:%'"


@pytest.fixture
def telegram(state_dir: Path) -> Iterator[TelegramStage]:
    with TelegramServer() as server, ThreadedProviderServer() as provider:
        yield TelegramStage(Installation(state_dir), server, provider)


@pytest.fixture
def discord(state_dir: Path) -> Iterator[DiscordStage]:
    with DiscordServer() as server, ThreadedProviderServer() as provider:
        yield DiscordStage(Installation(state_dir), server, provider)


def until_over(house: Installation) -> None:
    """Every choice has ended by the machine's time."""
    (ends,) = house.rows("select max(expires_at) from choices where slot = 'current'")[0]
    until(lambda: time.time() * 1_000_000 > ends)


class TestTelegram:
    def test_a_pin_that_has_ended_is_told_once_although_the_process_is_killed_before_it_is_delivered(
        self, telegram: TelegramStage
    ) -> None:
        forum = telegram.telegram.group(forum=True)
        topic = forum.topic()
        with telegram.gateway() as gateway:
            assert "pinned strict" in telegram.asks(telegram.ada, forum, "/model @acme:home for 2s", topic=topic).text
            until(lambda: telegram.house.rows("select distinct state from inbox") == [("done",)])
            gateway.kill()
        until_over(telegram.house)
        before = len(forum.answers)
        telegram.telegram.flood("sendMessage", 600)
        with telegram.gateway() as gateway:
            until(lambda: telegram.house.rows(WAITS) == [(1,)])
            telegram.telegram.wait(lambda: len(telegram.telegram.called("sendMessage")) > before)
            gateway.kill()
        assert len(forum.answers) == before
        with telegram.gateway():
            telegram.telegram.wait(lambda: len(forum.answers) > before)
            (told,) = forum.answers[before:]
            assert (told.text, told.thread, told.reply_to) == (ENDED, topic, None)
            assert telegram.serves(telegram.ada, forum, "@Our_Bot hi", topic=topic) == "WORK"
            until(lambda: telegram.house.rows(WAITS) == [(0,)])
        with telegram.gateway():
            telegram.settled(telegram.ada, forum)
        assert [m.text for m in forum.answers].count(ENDED) == 1

    def test_a_pin_whose_profile_is_gone_is_told_with_buttons_that_work(self, telegram: TelegramStage) -> None:
        chat = telegram.telegram.private(telegram.bob)
        with telegram.gateway() as gateway:
            telegram.asks(telegram.bob, chat, "/model @acme:home")
            gateway.kill()
        telegram.house.keep(WITHOUT_HOME)
        with telegram.gateway():
            telegram.telegram.wait(lambda: any(GONE in m.text for m in chat.answers))
            told = chat.answers[-1]
            assert [label for row in told.labels for label in row] == ["acme:work · ready", "Release pin"]
            telegram.bob.presses(told, "Release pin")
            telegram.telegram.wait(lambda: "released" in told.text.lower() or "automatic" in told.text)
            assert telegram.serves(telegram.bob, chat, "hi") == "WORK"

    def test_who_waited_for_a_credential_is_told_that_it_is_back_and_asks_with_a_press(
        self, telegram: TelegramStage
    ) -> None:
        group = telegram.telegram.group()
        with telegram.gateway() as gateway:
            telegram.asks(telegram.bob, group, "/model iota/tiny@iota:one")
            telegram.provider.script[ONE] = [status(429, {"retry-after": "900"})]
            assert "cooling 15m" in telegram.asks(telegram.bob, group, "@Our_Bot the kept message").text
            until(lambda: telegram.house.rows("select distinct state from inbox") == [("done",)])
            gateway.kill()
        assert telegram.house.run("models", "auth", "clear", "iota:one", "--no-probe").code == 0
        with telegram.gateway():
            telegram.telegram.wait(lambda: any("iota:one can answer now" in m.text for m in group.answers))
            told = group.answers[-1]
            assert (told.reply_to, told.labels) == (None, [["Ask now"]])
            first, second = (telegram.bob.presses(told, "Ask now") for _ in range(2))
            telegram.telegram.wait(lambda: first.answered and second.answered)
            telegram.telegram.wait(lambda: any("served-by:ONE1" in m.text for m in group.answers))
            telegram.settled(telegram.bob, group)
        asked = [s.body["messages"][-1]["content"] for s in telegram.provider.seen if s.key == ONE]
        assert [text.endswith("the kept message") for text in asked] == [True, True], "the one that failed, and this"

    def test_owners_are_told_in_private_of_a_credential_that_ends(self, telegram: TelegramStage) -> None:
        adas, bobs = telegram.telegram.private(telegram.ada), telegram.telegram.private(telegram.bob)
        secret = "sk-acme-token-of-SOON"
        ends = int((time.time() + 3600) * 1000)
        token = {"type": "token", "provider": "acme", "token": secret, "expires": ends}
        telegram.house.write_store(json.dumps({"version": 1, "profiles": {"acme:soon": token}}))
        for _ in range(2):
            with telegram.gateway() as gateway:
                telegram.telegram.wait(lambda: any("acme:soon: expires" in m.text for m in adas.answers))
                telegram.settled(telegram.bob, bobs)
                until(lambda: telegram.house.rows(WAITS) == [(0,)])
                gateway.kill()
        (told,) = adas.answers
        assert "paste-token --provider acme --profile-id acme:soon" in told.text
        assert secret not in told.text
        assert all("acme:soon" not in m.text for m in bobs.answers)


class TestDiscord:
    def test_a_pin_that_has_ended_is_told_once_although_the_process_is_killed_before_it_is_delivered(
        self, discord: DiscordStage
    ) -> None:
        room = discord.rooms.pop()
        with discord.gateway() as gateway:
            assert "pinned strict" in discord.slash(discord.ada, room, "@acme:home for 2s").content
            until(lambda: discord.house.rows("select distinct state from inbox") == [("done",)])
            gateway.kill()
        until_over(discord.house)
        before = len(discord.told(room, 0))
        discord.discord.fail("POST", f"/channels/{room.id}/messages", 429, retry_after=600)
        with discord.gateway() as gateway:
            until(lambda: discord.house.rows(WAITS) == [(1,)])
            until(lambda: discord.discord.refused)
            gateway.kill()
        assert len(discord.told(room, before)) == 0
        with discord.gateway():
            (told,) = until(lambda: discord.told(room, before))
            assert (told.content.replace("\\", ""), told.reference, told.interaction, told.ephemeral) == (
                ENDED,
                None,
                None,
                False,
            )
            assert discord.serves(discord.ada, room) == "WORK"
            until(lambda: discord.house.rows(WAITS) == [(0,)])
        with discord.gateway():
            discord.settled(discord.ada, room)
        assert [m.content.replace("\\", "") for m in discord.told(room, 0)].count(ENDED) == 1

    def test_a_pin_whose_profile_is_gone_is_told_in_the_private_chat_with_buttons_that_work(
        self, discord: DiscordStage
    ) -> None:
        chat = discord.discord.private(discord.bob)
        with discord.gateway() as gateway:
            discord.bob.says(chat, "/model @acme:home")
            until(lambda: discord.told(chat, 0))
            until(lambda: discord.house.rows("select distinct state from inbox") == [("done",)])
            gateway.kill()
        discord.house.keep(WITHOUT_HOME)
        with discord.gateway():
            until(lambda: any(GONE in m.content for m in discord.told(chat, 0)))
            told = discord.told(chat, 0)[-1]
            discord.bob.presses(told, "Release pin")
            until(lambda: GONE not in told.content)
            assert discord.serves(discord.bob, chat) == "WORK"

    def test_who_was_let_in_by_a_role_is_told_what_ended_also_over_a_kill(self, discord: DiscordStage) -> None:
        room = discord.rooms.pop()
        role = discord.discord.role(discord.guild, discord.mallory)
        config = discord.house.state / "config.toml"
        allowed = f'allow = ["discord:{discord.bob.id}"]'
        text = config.read_text()
        assert allowed in text
        config.write_text(text.replace(allowed, f'allow = ["discord:role:{role}"]'))
        with discord.gateway() as gateway:
            assert "pinned strict" in discord.slash(discord.mallory, room, "@acme:home for 2s").content
            until(lambda: discord.house.rows("select distinct state from inbox") == [("done",)])
            gateway.kill()
        assert discord.house.rows("select roles from members") == [(f'["{role}"]',)]
        until_over(discord.house)
        before = len(discord.told(room, 0))
        with discord.gateway():
            (told,) = until(lambda: discord.told(room, before))
            assert told.content.replace("\\", "") == ENDED
