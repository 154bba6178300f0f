"""`remoteclaw sessions`: what it lists, shows, clears and refuses, with a gateway's database open beside it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pexpect
import pytest

from adapters.storage.engine import Database, open_database
from adapters.storage.migrate import ensure
from adapters.storage.sessions import SqlSessionStore
from adapters.storage.state import SqlStateReader
from bot.cli.main import main
from bot.system_clock import SystemClock
from core.auth.profiles import PinMode
from core.models.ref import ModelRef
from core.sessions.history import Message, Role
from core.sessions.key import SessionKey
from core.sessions.ports import TurnRecord
from core.sessions.session import Choice, Decision, Pin, Served, Session
from core.sessions.spending import Spent
from tests.e2e.installation import ROOT, Installation

CONFIG = """
[models.providers.acme]
base_url = "http://127.0.0.1:9/v1"
api = "openai-completions"
models = ["small", { id = "large", alias = "big" }]
[agents.defaults]
model = "acme/small"
[agents.list.writer]
"""
ADA, BOB, DEV, OLD = (
    SessionKey.parse(f"agent:{text}")
    for text in (
        "main:telegram:default:direct:1001",
        "main:telegram:default:direct:1002",
        "writer:discord:default:channel:77:thread:78",
        "gone:terminal:default:direct:ada",
    )
)
SAID = "what-nobody-may-see"
LARGE = ModelRef("acme", "large")


class Host:
    """Sessions as a gateway has left them, and the command."""

    def __init__(self, state: Path, database: Database, capsys: pytest.CaptureFixture[str]) -> None:
        self.state = state
        self.store = SqlSessionStore(database)
        self.reader = SqlStateReader(database)
        self.capsys = capsys
        self.now = SystemClock().now()

    def sessions(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["sessions", *arguments])
        return code, *self.capsys.readouterr()

    def listed(self, *arguments: str) -> list[str]:
        code, out, err = self.sessions("list", "--json", *arguments)
        assert (code, err) == (0, "")
        return [one["session"] for one in json.loads(out)["sessions"]]

    def session(self, key: SessionKey) -> Session:
        return self.reader.read([key]).sessions[key]

    def messages(self, key: SessionKey) -> int:
        return len(asyncio.run(self.store.history(key, self.session(key).epoch, 100)))

    def choose(self, key: SessionKey, *, pinned: bool, minutes_ago: int = 30) -> None:
        at = self.now - timedelta(minutes=minutes_ago)
        pin = Pin(profile="acme:work", mode=PinMode.STRICT, set_by="telegram:1001", set_at=at, order_fingerprint="")
        choice = Choice(model=LARGE, pin=pin if pinned else None, set_by="telegram:1001", set_at=at)
        made = Decision(at=at, actor="telegram:1001", action="select", before="x", after="y", reason="/model")
        asyncio.run(self.store.save_choice(self.session(key).chosen(choice, at), (made,)))

    def turn(self, key: SessionKey, *, cost: int | None = 1500, minutes_ago: int = 10) -> None:
        at = self.now - timedelta(minutes=minutes_ago)
        before = self.session(key)
        spent = Spent(at=at, model=str(LARGE), profile="acme:work", input_tokens=1200, output_tokens=34, cost=cost)
        served = Session(
            key=key, choices=before.choices, undo=before.undo, served=Served(LARGE, "acme:work", at), epoch=before.epoch
        )
        record = TurnRecord(
            key=key,
            epoch=before.epoch,
            version=before.version,
            messages=(Message(Role.USER, SAID), Message(Role.ASSISTANT, SAID)),
            session=served,
            decisions=(),
            spent=(spent,),
        )
        asyncio.run(self.store.finish_turn(record))


@pytest.fixture
def host(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Host]:
    (state_dir / "config.toml").write_text(CONFIG)
    house = Installation(state_dir)
    house.keep({"acme:work": "sk-acme-key-of-WORK"})
    path = state_dir / "remoteclaw.db"
    ensure(path)
    with open_database(path) as database:
        host = Host(state_dir, database, capsys)
        host.choose(ADA, pinned=True)
        host.turn(ADA)
        host.choose(BOB, pinned=False, minutes_ago=60)
        host.turn(DEV, cost=None, minutes_ago=5)
        host.turn(OLD, minutes_ago=90)
        yield host


class TestList:
    def test_the_latest_come_first_and_nothing_that_was_said_is_shown(self, host: Host) -> None:
        code, out, err = host.sessions()
        assert (code, err) == (0, "")
        lines = out.splitlines()
        assert [line.split()[0] for line in lines[1:]] == [str(key) for key in (DEV, ADA, BOB, OLD)]
        assert "acme:work · pinned strict by telegram:1001" in lines[2]
        assert "big (acme/large)" in lines[2]
        assert "1,234" in lines[2]
        assert "$0.0015" in lines[2]
        assert "$" not in lines[1]
        assert "(agent not configured)" in lines[4]
        assert SAID not in out

    def test_json_has_the_shape_that_scripts_rely_on(self, host: Host) -> None:
        found = json.loads(host.sessions("list", "--json", "--limit", "2")[1])
        assert found["total"] == 4
        ada = found["sessions"][1]
        assert ada["pin"]["mode"] == "strict"
        assert ada["served"]["profile"] == "acme:work"
        assert {name: ada[name] for name in ("session", "agent", "platform", "messages", "answers")} == {
            "session": str(ADA), "agent": "main", "platform": "telegram", "messages": 2, "answers": 1,
        }  # fmt: skip
        assert (ada["input_tokens"], ada["output_tokens"], ada["cost_usd"], ada["unpriced"]) == (1200, 34, 0.0015, 0)
        assert SAID not in json.dumps(found)

    @pytest.mark.parametrize(
        ("flags", "keys"),
        [
            pytest.param(("--pinned",), [ADA], id="pinned"),
            pytest.param(("--platform", "Telegram"), [ADA, BOB], id="platform"),
            pytest.param(("--agent", "writer"), [DEV], id="agent"),
            pytest.param(("--limit", "1"), [DEV], id="limit"),
            pytest.param(("--limit", "0"), [DEV, ADA, BOB, OLD], id="all"),
            pytest.param(("--platform", "matrix"), [], id="none"),
        ],
    )
    def test_filters(self, host: Host, flags: tuple[str, ...], keys: list[SessionKey]) -> None:
        assert host.listed(*flags) == [str(key) for key in keys]

    @pytest.mark.parametrize(
        ("flags", "code"),
        [
            pytest.param(("--limit", "-1"), 2, id="negative"),
            pytest.param(("--limit", "many"), 2, id="no number"),
            pytest.param(("--agent", "nobody"), 1, id="unknown agent"),
        ],
    )
    def test_a_wrong_filter_is_told(self, host: Host, flags: tuple[str, ...], code: int) -> None:
        assert host.sessions("list", *flags)[:2] == (code, "")

    def test_without_a_database_there_are_none_and_none_is_made(
        self, state_dir: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (state_dir / "config.toml").write_text(CONFIG)
        assert main(["sessions"]) == 0
        assert capsys.readouterr().out == "No sessions.\n"
        assert not (state_dir / "remoteclaw.db").exists()

    def test_a_look_loads_neither_orm_nor_chat_library(self, host: Host) -> None:
        code = "import sys; from bot.cli.main import main; main(sys.argv[1:]); print(*sys.modules)"
        for arguments in (("list",), ("show", str(ADA))):
            driver = [sys.executable, "-c", code, "sessions", *arguments]
            ended = subprocess.run(driver, capture_output=True, text=True, check=True, timeout=30, cwd=ROOT)
            assert str(ADA) in ended.stdout
            loaded = {name.partition(".")[0] for name in ended.stdout.split()}
            assert not loaded & {
                "sqlalchemy",
                "alembic",
                "discord",
                "telegram",
                "httpx",
                "aiohttp",
                "prometheus_client",
            }


class TestShow:
    def test_the_view_of_the_session_with_its_last_decisions(self, host: Host) -> None:
        code, out, err = host.sessions("show", str(ADA).upper())
        assert (code, err) == (0, "")
        for line in (
            f"Session: {ADA}",
            "Conversation: 2 messages",
            "Used: 1 answers, 1,200 tokens in, 34 out, $0.0015",
            "Last decisions:",
        ):
            assert line in out.splitlines()
        assert "telegram:1001 · select: x → y · /model" in out
        assert "Next: acme:work, because it is pinned" in out
        assert SAID not in out

    def test_json_has_the_status_and_the_decisions(self, host: Host) -> None:
        found = json.loads(host.sessions("show", str(ADA), "--json")[1])
        assert found["status"]["next"]["profile"] == "acme:work"
        assert found["decisions"][0]["action"] == "select"
        assert json.loads(host.sessions("show", str(OLD), "--json")[1])["status"] is None

    @pytest.mark.parametrize("verb", ["show", "clear"])
    def test_an_unknown_key_is_told_with_the_nearest(self, host: Host, verb: str) -> None:
        code, out, err = host.sessions(verb, "agent:main:telegram:default:direct:1003")
        assert (code, out) == (1, "")
        assert str(ADA) in err
        assert host.sessions(verb, "1001")[2].count(str(ADA)) == 1
        assert "\x1b" not in host.sessions(verb, "\x1b[31m")[2]


class TestClear:
    def test_everything_is_cleared_and_a_running_gateway_sees_it_at_once(self, host: Host) -> None:
        assert host.session(ADA).current(host.now) is not None
        code, out, _ = host.sessions("clear", str(ADA), "--yes")
        assert code == 0
        assert out.splitlines() == [
            f"{ADA}: the conversation begins anew (2 messages erased).",
            f"{ADA}: its choice is released, and its chat is told within half a minute, or with its next message.",
        ]
        after, now = host.session(ADA), SystemClock().now()
        assert (after.current(now), host.messages(ADA)) == (None, 0)
        (over,) = after.ended(now)
        assert over.is_cleared, "whoever watches over choices that end tells it, and why"
        assert after.undone(now).current(now) is not None, "/model undo brings it back"
        (last, *_) = asyncio.run(host.store.decisions(ADA, 1))
        assert (last.actor.partition(":")[0], last.action, last.reason) == ("host", "reset", "cleared on the host")
        assert host.session(BOB).current(now) is not None

    def test_only_the_conversation(self, host: Host) -> None:
        assert host.sessions("clear", str(ADA), "--history", "--yes")[0] == 0
        assert host.messages(ADA) == 0
        assert host.session(ADA).current(host.now) is not None

    def test_only_the_choice(self, host: Host) -> None:
        assert host.sessions("clear", str(ADA), "--choice", "--yes")[0] == 0
        assert host.messages(ADA) == 2
        assert host.session(ADA).current(SystemClock().now()) is None

    def test_a_choice_that_there_is_not_is_not_decided_on(self, host: Host) -> None:
        code, out, err = host.sessions("clear", str(DEV), "--choice", "--yes")
        assert (code, out, err) == (0, f"{DEV}: nothing was chosen there.\n", "")
        assert asyncio.run(host.store.decisions(DEV, 1)) == ()

    def test_doing_it_again_is_done_already(self, host: Host) -> None:
        for released in (True, False):
            code, out, _ = host.sessions("clear", str(ADA), "--yes", "--json")
            assert code == 0
            assert json.loads(out) == {
                "session": str(ADA),
                "cleared": "all",
                "messages_erased": 2 if released else 0,
                "choice_released": released,
            }

    def test_a_session_of_an_agent_that_is_gone_can_be_cleared(self, host: Host) -> None:
        assert host.sessions("clear", str(OLD), "--yes")[0] == 0
        assert host.messages(OLD) == 0

    def test_without_a_terminal_a_yes_must_be_said(self, host: Host) -> None:
        code, out, err = host.sessions("clear", str(ADA))
        assert (code, out, "--yes" in err) == (2, "", True)
        assert host.messages(ADA) == 2
        assert host.sessions("clear", str(ADA), "--all", "--choice", "--yes")[0] == 2

    @pytest.mark.parametrize(("answer", "code", "left"), [("n", 1, 2), ("y", 0, 0)], ids=["no", "yes"])
    def test_a_terminal_is_asked(self, host: Host, answer: str, code: int, left: int) -> None:
        house = Installation(host.state)
        process = pexpect.spawn(
            sys.executable, ["-m", "bot", "sessions", "clear", str(ADA)],
            env={**house.environment(), "TERM": "xterm"}, encoding="utf-8", timeout=20, dimensions=(30, 200),
        )  # fmt: skip
        process.expect_exact("Erase the conversation")
        process.send(answer)
        process.expect(pexpect.EOF)
        process.close()
        assert (process.exitstatus, host.messages(ADA)) == (code, left)
