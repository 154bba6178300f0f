"""The questions of `remoteclaw onboard`: every one has a way back, and what is offered can be taken."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.installation import Gateway
from tests.e2e.onboard_stage import CLEAR, KEY, Stage, beginning, nowhere, open_stage
from tests.fakes.discord_server import DiscordServer
from tests.fakes.provider_script import raw
from tests.fakes.telegram_server import TOKEN

DEAD = "http://127.0.0.1:9/v1"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with open_stage(tmp_path) as stage:
        yield stage


class TestWaysBack:
    def test_enter_alone_goes_back_from_every_line(self, stage: Stage) -> None:
        screen = stage.start()
        whose, name, address, _, proves, key, which = beginning(stage.server)
        screen.walks([
            whose, (name[0], "\r"),
            whose, name, (address[0], "\r"),
            whose, name, address, ("How does it speak?", "\r"),
            proves, (key[0], "\r"),
            ("What proves to acme who you are?", "variable\r"), ("Name of the variable", f"{CLEAR}ABSENT\r"),
            ("It is not set here.", f"{CLEAR}\r"),
            ("What proves to acme who you are?", "another provider\r"),
            whose, name, address, ("How does it speak?", "\r"), proves, key,
            ("Which model shall answer?", "another one\r"), ("The model's id", f"{CLEAR}\r"),
            ("Which model shall answer?", "back\r"), proves, key, which,
            ("Do you want to chat in Telegram?", "y"), ("Token of the bot for Telegram", "\r"),
            ("Telegram is left as it is.", ""), ("Do you want to chat in Discord?", "n"),
        ])  # fmt: skip
        assert screen.ended() == 0
        assert "a reference to a file" not in screen.shown, "there is nothing that keeps one"
        tree = tomllib.loads(stage.config.read_text())
        assert "channels" not in tree
        assert tree["agents"]["defaults"]["model"] == "acme/small"

    def test_a_wrong_address_is_corrected_and_the_key_is_not_asked_for_again(self, stage: Stage) -> None:
        screen = stage.start()
        screen.walks(beginning(stage.server)[:2])
        screen.asked("Address of the API of acme", f"{CLEAR}{DEAD}\r")
        screen.walks(beginning(stage.server)[3:6])
        screen.sees(f"acme at {DEAD} could not be asked")
        screen.asked("What now?", "correct the address\r")
        screen.asked("Address of the API of acme", f"{CLEAR}{stage.server.openai_url}\r")
        screen.sees("acme accepts acme:manual.")
        screen.walks([beginning(stage.server)[6], *nowhere()])
        assert screen.ended() == 0
        assert tomllib.loads(stage.config.read_text())["models"]["providers"]["acme"] == {
            "base_url": stage.server.openai_url,
            "api": "openai-completions",
        }
        assert KEY in stage.house.store.read_text()

    def test_a_variable_that_is_not_there_is_told_and_the_token_asked_for(self, stage: Stage) -> None:
        screen = stage.start("--telegram-token-env", "ABSENT", "--telegram-api-url", stage.telegram.url)
        screen.walks(beginning(stage.server))
        screen.sees("The variable ABSENT is not set here.")
        screen.walks(
            [("Token of the bot for Telegram", f"{TOKEN}\r"), ("chat in Discord?", "n"), ("How shall", "later\r")]
        )
        screen.asked("as a service", "n")
        assert screen.ended() == 0

    def test_a_flag_that_cannot_be_is_told_before_the_first_question(self, stage: Stage) -> None:
        screen = stage.start("--provider", "acme", "--base-url", "nonsense")
        assert screen.ended() == 1
        assert "base_url" in screen.shown
        assert "?" not in screen.shown


def test_what_a_provider_lists_can_be_chosen_as_it_is(stage: Stage) -> None:
    names = ["acme/compound", "with space", "llama"]
    body = json.dumps({"data": [{"id": name} for name in names]}).encode()
    stage.server.script[KEY] = [raw(body, headers={"content-type": "application/json"})] * 9
    screen = stage.start("--no-service")
    screen.walks(beginning(stage.server)[:6])
    screen.sees("acme/compound")
    screen.sees("llama")
    screen.types("\r")
    screen.walks(nowhere())
    assert screen.ended() == 0
    assert "with space" not in screen.shown
    assert 'model = "acme/acme/compound"' in stage.config.read_text()
    stage.server.script.clear()
    stage.house.say("hello")
    assert stage.server.seen[-1].model == "acme/compound"


def test_a_model_that_is_not_listed_is_asked_about(stage: Stage) -> None:
    screen = stage.start("--model", "smal")
    screen.walks(beginning(stage.server)[:6])
    screen.asked("acme does not list smal. What now?", "\r")
    screen.walks(nowhere())
    assert screen.ended() == 0
    assert "I mean small" in screen.shown
    assert 'model = "acme/small"' in stage.config.read_text()


def test_a_secret_that_is_to_come_from_standard_input_is_asked_for_unseen_on_a_terminal(stage: Stage) -> None:
    flags = ("--provider", "acme", "--base-url", stage.server.openai_url, "--model", "small", "--non-interactive")
    screen = stage.start(*flags, "--api-key-stdin", "--telegram-token-stdin", "--telegram-api-url", stage.telegram.url)
    screen.asked("API key (it is not shown):", f"{KEY}\r")
    screen.asked("Token of the bot for Telegram (it is not shown):", f"{TOKEN}\r")
    assert screen.ended() == 0
    assert not any(secret in screen.shown for secret in (KEY, TOKEN))
    assert KEY in stage.house.store.read_text()


class TestOwner:
    def test_one_more_owner_introduces_themselves_by_a_message_or_goes_back(self, stage: Stage) -> None:
        stage.made("--owner", "telegram:5")
        screen = stage.start()
        screen.asked("What do you want to change?", "\x1b[B\x1b[B\x1b[B \r")
        screen.asked("How shall the bot know you in Telegram?", "\r")
        first = screen.code
        screen.types("\r")
        screen.sees("Nobody has written it.")
        screen.asked("How shall the bot know you in Telegram?", "by my numeric id\r")
        screen.asked("Your numeric id in Telegram", "\r")
        screen.asked("How shall the bot know you in Telegram?", "by a message\r")
        ada = stage.telegram.person(1001, "Ada")
        code = screen.code
        assert code != first
        ada.says(stage.telegram.private(ada), f"/Start {code.capitalize()}")
        screen.sees("You are Ada, telegram:1001.")
        assert screen.ended() == 0
        assert tomllib.loads(stage.config.read_text())["access"]["owners"] == ["telegram:5", "telegram:1001"]


class TestGatewayThatRuns:
    def test_one_that_somebody_has_started_is_to_be_started_again(self, stage: Stage) -> None:
        stage.made("--owner", "telegram:5")
        with Gateway(stage.house) as gateway, DiscordServer() as discord:
            gateway.says("telegram (default): connected")
            flags = ("--discord-token-stdin", "--discord-api-url", discord.api_base_url, "--owner", "discord:2")
            ended = stage.house.run("onboard", "--non-interactive", *flags, typed=discord.token)
            assert ended.code == 0
            pid = gateway.process.pid
            assert f"once you have ended the one that runs (pid {pid}) without what is new" in ended.out
            screen = stage.start()
            screen.asked("What do you want to change?", "\x1b[B\x1b[B\x1b[B \r")
            screen.sees("How shall the bot know you in Telegram?")
            screen.asked("later, by a code", "later\r")
            screen.asked("How shall the bot know you in Discord?", "later\r")
            assert screen.ended() == 0
            assert "by a message" not in screen.shown, "the gateway takes the messages"

    def test_a_service_is_restarted_by_its_manager(self, stage: Stage) -> None:
        stage.made("--owner", "telegram:5")
        with Gateway(stage.house) as gateway:
            gateway.says("telegram (default): connected")
            stage.tools.answer("systemctl", "show", f"ActiveState=active\nMainPID={gateway.process.pid}")
            path = {"PATH": f"{stage.tools.folder}:/usr/bin:/bin"}
            same = stage.house.run("onboard", "--non-interactive", "--owner", "telegram:6", **path)
            assert "service restart" not in same.out, "owners are taken over as they are"
            flags = ("--discord-token-stdin", "--owner", "discord:2", "--skip-checks")
            ended = stage.house.run("onboard", "--non-interactive", *flags, typed="d" * 60, **path)
            assert ended.code == 0
            assert "  remoteclaw service restart " in ended.out
