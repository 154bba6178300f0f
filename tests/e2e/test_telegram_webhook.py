"""The real gateway process, which is brought its updates; people write, the provider records what arrived."""

import json
import socket
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.installation import KEYS, Gateway, Installation, until
from tests.e2e.telegram_stage import Stage
from tests.fakes.pictures import JPEG, PNG
from tests.fakes.provider_script import Stall, ok
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_files import photo
from tests.fakes.telegram_server import TelegramServer

pytestmark = pytest.mark.xdist_group("telegram webhook")

SECRET = "canary-Secret_of_the_webhook-42"


class HookStage(Stage):
    """A stage whose gateway listens for what Telegram brings, at `port`."""

    def __post_init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        super().__post_init__()
        self.set_secret(SECRET)

    def set_secret(self, secret: str) -> None:
        config = self.house.state / "config.toml"
        before = config.read_text().partition("[channels.telegram.webhook]")[0].rstrip()
        lines = [
            before.replace("[channels.telegram]", '[channels.telegram]\nmode = "webhook"')
            if "webhook" not in before
            else before,
            "[channels.telegram.webhook]",
            f'url = "http://127.0.0.1:{self.port}/telegram"',
            f"port = {self.port}",
            f'secret_token = "{secret}"',
        ]
        config.write_text("\n".join(lines))


@pytest.fixture
def stage(state_dir: Path) -> Iterator[HookStage]:
    with TelegramServer() as telegram, ThreadedProviderServer() as provider:
        yield HookStage(Installation(state_dir), telegram, provider)


def test_a_message_is_answered_a_button_chooses_and_a_restart_answers_what_came_meanwhile(stage: HookStage) -> None:
    chat = stage.telegram.private(stage.ada)
    with stage.gateway() as gateway:
        assert stage.serves(stage.ada, chat, "hi") == "WORK"
        picker = stage.asks(stage.ada, chat, "/model")
        stage.ada.presses(picker, "opus · ready")
        stage.shows(picker, "Credential for opus")
        assert gateway.stop() == 0
    assert stage.telegram.webhook, "it stays set"
    stage.ada.says(chat, "meanwhile")
    with stage.gateway() as gateway:
        stage.telegram.wait(lambda: sum("served-by:" in m.text for m in chat.answers) == 2)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"http://127.0.0.1:{stage.port}/telegram", b"{}", timeout=10)
    assert stage.telegram.called("getUpdates") == []
    told = "".join(gateway.log)
    assert SECRET not in told
    assert stage.telegram.token not in told
    assert SECRET not in json.dumps(stage.house.dump(), default=str)


def test_a_kill_in_the_middle_loses_nothing_and_answers_nothing_twice(stage: HookStage) -> None:
    chat, home = stage.telegram.private(stage.ada), KEYS["acme:home"]
    with stage.gateway() as gateway:
        stage.asks(stage.ada, chat, "/model @acme:home")
        stage.provider.script[home] = [Stall("half an answer, which", " never ends")]
        stage.ada.says(chat, "question one")
        stage.telegram.wait(lambda: chat.draft is not None and "half an answer" in chat.draft.text)
        stage.ada.says(chat, "question two")
        until(lambda: stage.house.rows("select count(*) from inbox where state = 'new'") == [(2,)])
        gateway.kill()
    stage.ada.says(chat, "question three")
    stage.provider.script[home] = [ok("answer one"), ok("answer two"), ok("answer three")]
    with stage.gateway():
        stage.telegram.wait(lambda: any(m.text == "answer three" for m in chat.answers))
        stage.settled(stage.ada, chat)
    assert [m.text for m in chat.answers[1:-1]] == ["answer one", "answer two", "answer three"]


def test_an_album_is_one_question_also_if_a_kill_comes_while_its_parts_are_gathered(stage: HookStage) -> None:
    chat = stage.telegram.private(stage.ada)
    with stage.gateway() as gateway:
        stage.ada.sends_album(chat, photo(JPEG), photo(PNG), caption="compare")
        stage.telegram.wait(lambda: len(chat.answers) == 1)
        stage.settled(stage.ada, chat)
        before = len(chat.answers)
        stage.ada.sends_album(chat, photo(JPEG), photo(PNG), caption="again")
        aside = "select count(*) from inbox where account = 'default:albums'"
        until(lambda: stage.house.rows(aside) == [(4,)])
        gateway.kill()
    with stage.gateway():
        stage.telegram.wait(lambda: len(chat.answers) > before)
        stage.settled(stage.ada, chat)
    assert len(chat.answers) == before + 2, "one answer to each album, and to what came after it"
    assert stage.house.rows("select distinct state from inbox where account = 'default:albums'") == [("done",)]


def test_while_the_database_is_locked_telegram_keeps_what_is_written_and_it_is_answered_once(stage: HookStage) -> None:
    chat = stage.telegram.private(stage.ada)
    with stage.gateway() as gateway:
        stage.serves(stage.ada, chat, "before")
        with closing(sqlite3.connect(stage.house.database, isolation_level=None)) as other:
            other.execute("begin immediate")
            stage.ada.says(chat, "kept")
            gateway.says("database")
            assert stage.telegram.world.updates, "nothing is answered before it is stored"
            other.execute("rollback")
        stage.telegram.wait(lambda: sum("served-by:" in m.text for m in chat.answers) == 2, 60)
        stage.settled(stage.ada, chat)
        assert sum("served-by:" in m.text for m in chat.answers) == 2


def test_a_port_that_is_taken_stops_the_start_with_its_setting(stage: HookStage) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", stage.port))
        taken.listen()
        ended = stage.house.run("gateway")
    assert ended.code == 1
    last = ended.err.strip().splitlines()[-1]
    assert f"channels.telegram.webhook.port: 127.0.0.1:{stage.port} cannot be listened on (it is taken)." in last


def test_a_changed_secret_waits_for_the_next_start_and_says_so(stage: HookStage) -> None:
    chat = stage.telegram.private(stage.ada)
    with stage.gateway() as gateway:
        stage.set_secret("another-Secret_of_the_webhook-43")
        ended = stage.house.run("secrets", "reload")
        assert "channels: changed, and read again only when the gateway is started anew" in ended.out + ended.err
        assert stage.serves(stage.ada, chat, "hi") == "WORK"
        gateway.stop()
    with stage.gateway():
        assert stage.serves(stage.ada, chat, "hi again") == "WORK"
    assert stage.telegram.hook.secret == "another-Secret_of_the_webhook-43"


@pytest.mark.parametrize(
    ("secret", "env"),
    [
        pytest.param("with blanks in it", {}, id="as it stands"),
        pytest.param("${HOOK}", {"HOOK": "not.allowed"}, id="from a variable"),
    ],
)
def test_a_secret_that_telegram_does_not_take_is_named_and_not_shown(
    stage: HookStage, secret: str, env: dict[str, str]
) -> None:
    stage.set_secret(secret)
    ended = stage.house.run("gateway", **env)
    assert ended.code == 1
    assert "channels.telegram.webhook.secret_token" in ended.err
    assert env.get("HOOK", secret) not in ended.err


def test_a_secret_by_reference_is_checked_when_it_is_there(stage: HookStage) -> None:
    secret = stage.house.state / "hook-secret"
    secret.write_text("not.allowed")
    secret.chmod(0o600)
    config = stage.house.state / "config.toml"
    reference = '{ source = "file", provider = "hook", id = "value" }'
    text = config.read_text().replace(f'"{SECRET}"', reference)
    provider = f'[secrets.providers.hook]\nsource = "file"\nmode = "single_value"\npath = "{secret}"\n'
    config.write_text(f"{text}\n{provider}")
    ended = stage.house.run("gateway")
    assert ended.code == 1
    assert "channels.telegram.webhook.secret_token: must be 1 to 256 letters" in ended.err
    secret.write_text(SECRET)
    with Gateway(stage.house) as gateway:
        gateway.says("telegram (default): connected")
        assert stage.serves(stage.ada, stage.telegram.private(stage.ada), "hi") == "WORK"
