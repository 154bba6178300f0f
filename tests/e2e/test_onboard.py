"""`remoteclaw onboard` in a real terminal: from an empty home to an answered message, broken off anywhere, killed anywhere."""

import json
import signal
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.storage.sidecar_lock import SidecarLock
from bot.system_clock import SystemClock
from tests.e2e.installation import PATIENCE, Gateway, Installation, until
from tests.e2e.onboard_stage import KEY, OTHER, Stage, beginning, contents, nowhere, open_stage, rest
from tests.fakes.oauth_idp import Idp
from tests.fakes.telegram_server import TOKEN


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with open_stage(tmp_path) as stage:
        yield stage


def test_from_an_empty_home_to_an_answered_message(stage: Stage) -> None:
    telegram = stage.telegram
    screen = stage.start("--telegram-api-url", telegram.url)
    screen.walks(beginning(stage.server)[:-1])
    screen.sees(f"Asking acme at {stage.server.openai_url} ...")
    screen.sees("acme accepts acme:manual.")
    screen.walks(beginning(stage.server)[-1:])
    screen.sees("Write /newbot to @BotFather")
    screen.walks(rest()[1:2])
    screen.sees("Telegram accepts the token: this is @Our_Bot.")
    assert contents(stage.home) == {}, "what is checked is not stored yet"
    screen.asked("Do you want to chat in Discord?", "n")
    screen.asked("How shall the bot know you in Telegram?", "\r")
    code = screen.code
    assert "Waiting for it for 3 minutes." in screen.shown
    mallory, ada = telegram.person(1003, "Mallory"), telegram.person(1001, "Ada")
    theirs, chat = telegram.private(mallory), telegram.private(ada)
    mallory.says(theirs, "/start 23456789")
    ada.says(chat, code.upper())
    screen.asked("Shall the gateway run as a service", "y")
    assert screen.ended() == 0
    assert contents(stage.home).keys() >= {".remoteclaw/.env", ".remoteclaw/config.toml"}
    assert "You are Ada, telegram:1001." in screen.shown
    for line in ("Telegram: @Our_Bot", "Checked: acme accepts acme:manual.", "Checked: acme lists small."):
        assert line in screen.shown
    assert "The service remoteclaw is enabled and runs." in screen.shown
    assert "remoteclaw chat" in screen.shown
    assert any("enable remoteclaw.service" in call for call in stage.tools.calls())
    assert not any(secret in screen.shown for secret in (KEY, TOKEN))
    assert not any(secret.encode() in stage.config.read_bytes() for secret in (KEY, TOKEN))
    stage.server.script.clear()
    with Gateway(stage.house) as gateway:
        gateway.says("telegram (default): connected")
        telegram.wait(lambda: any(m.by_bot for m in chat.all_messages))
        ada.says(chat, "hello")
        telegram.wait(lambda: any("served-by:6789" in m.text for m in chat.all_messages if m.by_bot))
        assert gateway.stop() == 0


def test_whoever_breaks_off_at_any_question_leaves_the_home_as_it_was(stage: Stage) -> None:
    (stage.home / "notes.txt").write_text("mine")
    before = contents(stage.home)
    flags = ("--telegram-api-url", stage.telegram.url)
    # Telegram was said by a flag, so it is not asked whether it is wanted.
    steps = [step for step in [*beginning(stage.server), *rest()] if "chat in Telegram" not in step[0]]
    for n, screen in enumerate([stage.start(*flags) for _ in steps]):
        words = steps[n][0]
        screen.walks(steps[:n])
        # A line that has something in it is not ended by Ctrl-D.
        screen.asked(words, "\x03" if n % 2 or "Address" in words else "\x04")
    waiting = stage.start(*flags)
    waiting.walks([*steps[:-3], (steps[-3][0], "\r"), ("Enter ends that.", "\x03")])
    for screen in stage.screens:
        assert screen.ended() == 130
        assert not any(secret in screen.shown for secret in (KEY, TOKEN))
    assert contents(stage.home) == before


def test_another_credential_takes_the_place_of_all_that_was_said_of_the_first(stage: Stage) -> None:
    """Which model answers, and that no key is needed."""
    screen = stage.start("--no-service")
    screen.walks(beginning(stage.server)[:4])
    screen.asked("What proves to acme who you are?", "none\r")
    screen.sees("does not accept the credential (HTTP 401)")
    screen.asked("What now?", "\r")
    screen.walks(beginning(stage.server, OTHER)[4:6])
    screen.sees("does not accept the credential (HTTP 401)")
    assert "Which model" not in screen.shown, "nobody chooses a model of a provider that refuses"
    screen.asked("What now?", "\r")
    screen.walks([*beginning(stage.server)[4:], *nowhere()])
    assert screen.ended() == 0
    assert "as it is: none:acme" not in screen.shown
    tree = tomllib.loads(stage.config.read_text())
    assert tree["agents"]["defaults"]["model"] == "acme/small"
    assert tree["models"]["providers"]["acme"] == {"base_url": stage.server.openai_url, "api": "openai-completions"}
    store = stage.house.store.read_text()
    assert KEY in store
    assert OTHER not in store


def test_a_login_is_made_on_the_way_and_stored_at_the_end(stage: Stage, tmp_path: Path) -> None:
    stage.state.mkdir(mode=0o700)
    with Idp(tmp_path / "idp") as idp:
        table = "".join(f"{name} = {json.dumps(value)}\n" for name, value in idp.table().items())
        stage.config.write_text(
            f'[models.providers.acme]\nbase_url = "{stage.server.openai_url}"\napi = "openai-completions"\n'
            f'models = ["small"]\n[auth.oauth.acme]\n{table}'
        )
        before = contents(stage.home)
        screen = stage.start("--provider", "acme", "--skip-checks", "--no-service")
        screen.asked("What proves to acme who you are?", "login\r")
        screen.asked("How do you want to log in at acme?", "browser on this machine\r")
        screen.sees("Open this address and log in:")
        screen.sees("http")
        screen.sees("\r\n")
        url = screen.shown.rpartition("Open this address and log in:")[2].strip()
        idp.allow(url)
        screen.sees("Which model shall answer?")
        assert contents(stage.home) == before, "nothing is stored before the last answer"
        screen.asked("small", "\r")
        screen.walks(nowhere())
        assert screen.ended() == 0
    profiles = json.loads(stage.house.store.read_text())["profiles"]
    assert profiles["acme:ada@example.org"]["type"] == "oauth"
    assert '[auth.profiles."acme:ada@example.org"]' in stage.config.read_text()
    assert profiles["acme:ada@example.org"]["access"] not in screen.shown


class TestAgain:
    def test_it_shows_what_is_there_and_nothing_marked_changes_nothing(self, stage: Stage) -> None:
        stage.made("--owner", "telegram:1001")
        before = contents(stage.home)
        screen = stage.start()
        screen.sees("Model       : acme/small")
        screen.sees("Credential  : acme:manual")
        screen.sees("Telegram    : configured")
        screen.sees("Owners      : telegram:1001")
        screen.asked("What do you want to change?", "\r")
        assert screen.ended() == 0
        assert "Nothing had to be changed." in screen.shown
        assert contents(stage.home) == before
        screen = stage.start()
        screen.asked("What do you want to change?", "\x04")
        assert screen.ended() == 130

    def test_only_what_is_marked_is_asked_about(self, stage: Stage) -> None:
        stage.made()
        stage.config.write_text(f"# mine\n{stage.config.read_text()}")
        screen = stage.start()
        screen.asked("What do you want to change?", " \r")
        screen.asked("Whose models shall answer?", "\r")
        screen.asked("What proves to acme who you are?", "\r")
        screen.asked("Which model shall answer?", "large\r")
        screen.asked("How shall the bot know you in Telegram?", "later\r")
        assert screen.ended() == 0
        assert "kept as it is" in screen.shown
        assert stage.config.read_text().startswith("# mine\n")
        assert 'model = "acme/large"' in stage.config.read_text()


NEW = (
    "onboard", "--non-interactive", "--provider", "acme", "--model", "large", "--profile-id", "acme:two", "--api-key-stdin",
    "--discord-token-stdin", "--owner", "discord:2002", "--skip-checks",
)  # fmt: skip
GIVEN = f"{OTHER}\n{'d' * 60}\n"
STORE = "agents/main/agent/auth-profiles.json"


class TestBetweenTwoFiles:
    @pytest.mark.parametrize(
        ("file", "written"),
        [
            pytest.param("auth-profiles.json", {".env"}, id="before-the-credential"),
            pytest.param("config.toml", {".env", STORE}, id="before-the-config"),
        ],
    )
    def test_whoever_is_killed_has_the_old_installation_still(self, stage: Stage, file: str, written: set[str]) -> None:
        before = contents(stage.made())
        assert ending(stage, "killed", file).run(*NEW, typed=GIVEN).code == -9
        assert changed(before, stage.state) == written
        stage.server.script.clear()
        assert [e["text"] for e in stage.house.say("hello") if e["event"] == "reply"] == [f"served-by:{KEY[-4:]}"]
        again = stage.house.run(*NEW, typed=GIVEN)
        assert again.code == 0
        config = stage.config.read_text()
        assert all(words in config for words in ('"acme:two"', 'model = "acme/large"', "${DISCORD_BOT_TOKEN}"))

    def test_whoever_breaks_off_is_told_what_was_written(self, stage: Stage) -> None:
        before = contents(stage.made())
        ended = ending(stage, "interrupted", "config.toml").run(*NEW, typed=GIVEN)
        assert (ended.code, ended.out) == (130, "")
        assert f"Broken off. Updated before that: {stage.state}/.env, {stage.state}/{STORE}." in ended.err
        assert changed(before, stage.state) == {".env", STORE}

    def test_nothing_is_written_before_all_files_can_be(self, stage: Stage) -> None:
        before = contents(stage.made())
        guard = stage.config.with_name(".config.toml.guard")
        with SidecarLock(stage.config, SystemClock()).held():
            guard.unlink()  # whoever tries to lock the file makes it anew
            with stage.house.start(*NEW) as process:
                assert process.stdin is not None
                process.stdin.write(GIVEN)
                process.stdin.close()
                until(guard.exists)
                process.send_signal(signal.SIGINT)
                assert process.wait(PATIENCE) == 130
        assert changed(before, stage.state) == set()

    def test_a_config_that_somebody_breaks_meanwhile(self, stage: Stage) -> None:
        before = contents(stage.made())
        flags = ("--provider", "acme", "--auth", "api-key", "--profile-id", "acme:two", "--model", "large")
        screen = stage.start(*flags, "--no-service", "--owner", "telegram:1")
        screen.asked("API key of acme", f"{KEY}\r")
        screen.sees("Do you want to chat in Discord?")
        stage.config.write_text("[[[ half a line")
        screen.types("n")
        assert screen.ended() == 1
        assert "config.toml is not valid TOML" in screen.shown
        assert changed(before, stage.state) == {"config.toml"}, "which the editor has written"


def ending(stage: Stage, how: str, file: str) -> Installation:
    """An installation whose command ends before it puts this file in its place."""
    house = stage.house
    house.command = [sys.executable, "-m", "tests.e2e.onboard_child", how, file]
    return house


def changed(before: dict[str, bytes | None], state: Path) -> set[str]:
    """The files that are not as they were, without what belongs to locks."""
    now = contents(state)
    names = {name for name in now.keys() | before.keys() if now.get(name) != before.get(name)}
    return {name for name in names if not name.endswith((".lock", ".guard", ".tmp"))}
