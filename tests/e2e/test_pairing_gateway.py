"""A stranger is let in through the real gateway process: by an owner in chat, by a command on the host, and over a kill."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.installation import Gateway, Installation, until
from tests.e2e.telegram_stage import Stage
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TelegramServer
from tests.fakes.telegram_world import Chat


@pytest.fixture
def stage(state_dir: Path) -> Iterator[Stage]:
    with TelegramServer() as telegram, ThreadedProviderServer() as provider:
        yield Stage(Installation(state_dir), telegram, provider)


def code_in(chat: Chat) -> str:
    """The code that the bot has shown there."""
    answer = until(lambda: next((m.text for m in chat.answers if "give this code" in m.text), ""))
    found = re.search(r"\b[A-Z2-9]{8}\b", answer)
    assert found is not None
    return found[0]


def test_an_owner_lets_somebody_in_with_a_button_and_the_host_puts_them_out(stage: Stage) -> None:
    owners, strangers = stage.telegram.private(stage.ada), stage.telegram.private(stage.mallory)
    with stage.gateway() as gateway:
        stage.mallory.says(strangers, "let me in, please")
        code = code_in(strangers)
        asked = until(lambda: next((m for m in owners.answers if code in m.text), None))
        assert 'telegram:1003 "Mallory"' in asked.text
        stage.ada.presses(asked, "Approve")
        until(lambda: any("You are let in" in m.text for m in strangers.answers))
        stage.shows(asked, "is let in")
        assert stage.serves(stage.mallory, strangers, "hi")
        ended = stage.house.run("pairing", "revoke", "telegram:1003")
        assert (ended.code, ended.err) == (0, "")
        said = len(strangers.answers)
        stage.mallory.says(strangers, "still there?")
        until(lambda: not stage.house.rows("select 1 from inbox where state <> 'done'"))
        stage.settled(stage.ada, owners)
        assert len(strangers.answers) == said
        gateway.stop()
    assert "let me in" not in str(stage.provider.seen)


def test_a_knock_does_not_change_what_an_owner_chooses_with_a_number(stage: Stage) -> None:
    owners, strangers = stage.telegram.private(stage.ada), stage.telegram.private(stage.mallory)
    with stage.gateway() as gateway:
        assert stage.asks(stage.ada, owners, "/model").labels
        stage.mallory.says(strangers, "hello?")
        code = code_in(strangers)
        until(lambda: any(code in m.text for m in owners.answers))
        assert stage.asks(stage.ada, owners, "/model 1").text.startswith("Now ")
        assert stage.house.run("pairing", "--json").json["paired"] == []
        gateway.stop()


def test_an_approval_on_the_host_holds_at_once_and_is_told_once_over_a_kill(stage: Stage) -> None:
    strangers = stage.telegram.private(stage.mallory)
    with stage.gateway() as gateway:
        stage.mallory.says(strangers, "hello?")
        code = code_in(strangers)
        until(lambda: stage.house.rows("select 1 from inbox where state = 'done'"))
        stage.mallory.says(strangers, "hello??")
        gateway.kill()
    approved = stage.house.run("pairing", "approve", code.lower(), "--json")
    assert approved.json["state"] == "approved"
    assert [one["id"] for one in stage.house.run("pairing", "--json").json["paired"]] == ["telegram:1003"]
    with stage.gateway() as gateway:
        until(lambda: any("You are let in" in m.text for m in strangers.answers))
        assert stage.serves(stage.mallory, strangers, "hi")
        gateway.kill()
    with Gateway(stage.house) as gateway:
        gateway.says("telegram (default): connected")
        assert stage.serves(stage.mallory, strangers, "and again")
        assert sum("You are let in" in m.text for m in strangers.answers) == 1
        assert sum("give this code" in m.text for m in strangers.answers) == 1
        gateway.stop()


def test_who_wrote_to_a_bot_without_an_owner_becomes_one_beside_the_gateway(stage: Stage) -> None:
    chat = stage.telegram.private(stage.mallory)
    with stage.gateway() as gateway:
        file = stage.house.state / "config.toml"
        file.write_text(re.sub(r"owners = .*", "owners = []", file.read_text()))
        assert stage.house.run("secrets", "reload").code == 0
        stage.mallory.says(chat, "hello?")
        code = code_in(chat)
        done = stage.house.run("pairing", "approve", code, "--owner")
        assert (done.code, done.err) == (0, "")
        assert stage.house.run("secrets", "reload").code == 0
        assert "owner" in stage.asks(stage.mallory, chat, "/whoami").text
        assert stage.house.run("notify", "hello").out == "Told to 1 of 1 owners.\n"
        gateway.stop()
