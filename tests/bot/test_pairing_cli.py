"""`remoteclaw pairing`: what it prints, decides and refuses, with a gateway beside it and without one."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.storage.engine import Database, open_database
from adapters.storage.migrate import ensure
from adapters.storage.pairings import SqlPairingStore
from adapters.storage.state import SqlStateReader
from bot.cli.main import main
from bot.system_clock import SystemClock
from core.pairing import CODE_HOLDS, PairingRequest
from tests.contracts.values import KEY

CONFIG = '[access]\nowners = ["telegram:1"]\n'


class Host:
    """A state directory with a database that a gateway keeps open, and the command on it."""

    def __init__(self, state: Path, database: Database, capsys: pytest.CaptureFixture[str]) -> None:
        self.state = state
        self.store = SqlPairingStore(database)
        self.reader = SqlStateReader(database)
        self._capsys = capsys

    def knock(self, number: int, code: str, name: str = "Zed", minutes_ago: int = 0) -> None:
        asked = SystemClock().now() - timedelta(minutes=minutes_ago)
        request = PairingRequest(
            person=f"telegram:{number}",
            account="default",
            name=name,
            chat=str(number),
            code=code,
            asked_at=asked,
            expires_at=asked + CODE_HOLDS,
        )
        assert asyncio.run(self.store.ask(request))

    def pairing(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["pairing", *arguments])
        return code, *self._capsys.readouterr()

    def paired(self) -> frozenset[str]:
        return self.reader.read([KEY]).paired


@pytest.fixture
def host(state_dir: Path, capsys: pytest.CaptureFixture[str]):
    (state_dir / "config.toml").write_text(CONFIG)
    path = state_dir / "remoteclaw.db"
    ensure(path)
    with open_database(path) as database:
        yield Host(state_dir, database, capsys)


def test_a_decision_on_the_host_holds_for_the_next_request_of_a_running_gateway(host: Host) -> None:
    host.knock(7, "ABCDEFGH")
    assert host.paired() == frozenset()
    told = 'telegram:7 "Zed" is let in, in private chats.\nTo make them an owner: remoteclaw pairing approve telegram:7 --owner\n'
    assert host.pairing("approve", "abcdefgh") == (0, told, "")
    assert host.paired() == {"telegram:7"}
    assert host.pairing("revoke", "telegram:7") == (0, 'telegram:7 "Zed" is put out.\n', "")
    assert host.paired() == frozenset()
    assert host.pairing("approve", "telegram:7")[0] == 0
    assert host.paired() == {"telegram:7"}


def test_doing_it_again_is_done_already(host: Host) -> None:
    host.knock(7, "ABCDEFGH")
    assert (
        host.pairing("deny", "ABCDEFGH")
        == host.pairing("deny", "ABCDEFGH")
        == (
            0,
            'telegram:7 "Zed" is turned away.\n',
            "",
        )
    )


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param(("approve", "QQQQQQQQ"), 1, "no open request 'QQQQQQQQ'", id="no such code"),
        pytest.param(("approve", "OLDOLDOL"), 1, "a code holds 1h", id="over"),
        pytest.param(("deny", "DECIDEDX"), 1, "already approved by telegram:1", id="decided in chat"),
        pytest.param(("revoke", "telegram:99"), 1, "is not paired", id="nobody"),
        pytest.param(("revoke", "DECIDEDX"), 1, "is not paired", id="a code puts nobody out"),
        pytest.param(("approve", "telegram:1"), 1, "is an owner", id="owner"),
        pytest.param(("approve",), 2, "CODE", id="no code"),
        pytest.param(("promote", "X"), 2, "promote", id="no such word"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_changes_nothing(
    host: Host, arguments: tuple[str, ...], code: int, says: str
) -> None:
    host.knock(8, "DECIDEDX")
    asyncio.run(host.store.decide("DECIDEDX", _approved(), "telegram:1", SystemClock().now()))
    host.knock(7, "OLDOLDOL", minutes_ago=61)
    before = host.paired()
    ended, out, err = host.pairing(*arguments)
    assert (ended, out) == (code, "")
    assert says in err
    assert host.paired() == before


def _approved():
    from core.pairing import PairingState

    return PairingState.APPROVED


def test_the_list_shows_open_requests_and_who_is_in(host: Host) -> None:
    host.knock(7, "ABCDEFGH", name="Zed \x1b[31m")
    host.knock(8, "BCDEFGHJ", name="Yan")
    host.pairing("approve", "BCDEFGHJ")
    host.knock(9, "OLDOLDOL", minutes_ago=61)
    for arguments in ((), ("list",)):
        code, out, err = host.pairing(*arguments)
        assert (code, err) == (0, "")
        assert "ABCDEFGH" in out
        assert "telegram:7" in out
        assert "Yan" in out
        assert "host:" in out
        assert "OLDOLDOL" not in out
        assert "\x1b" not in out


def test_json_has_the_shape_that_scripts_rely_on(host: Host) -> None:
    host.knock(7, "ABCDEFGH")
    host.knock(8, "BCDEFGHJ")
    done = json.loads(host.pairing("approve", "BCDEFGHJ", "--json")[1])
    assert (done["id"], done["state"]) == ("telegram:8", "approved")
    for arguments in (("--json",), ("list", "--json"), ("--json", "list")):
        listed = json.loads(host.pairing(*arguments)[1])
        assert set(listed) == {"waiting", "paired"}
        assert [one["id"] for one in listed["waiting"]] == ["telegram:7"]
        assert listed["paired"] == [done]
        assert set(done) == {
            "id", "name", "code", "asked_at", "expires_at", "state", "decided_by", "decided_at",
        }  # fmt: skip


def test_without_a_database_nobody_is_there_and_none_is_made(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pairing", "list"]) == 0
    assert capsys.readouterr().out == "Nobody asks to be let in.\n\nNobody is paired.\n"
    assert main(["pairing", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"waiting": [], "paired": []}
    assert not (state_dir / "remoteclaw.db").exists()


def test_a_decision_without_a_configuration_brings_the_database_up_to_date_first(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pairing", "approve", "ABCDEFGH"]) == 1
    assert "no open request" in capsys.readouterr().err
    with closing(sqlite3.connect(state_dir / "remoteclaw.db")) as made:
        assert made.execute("select count(*) from pairings").fetchone() == (0,)


def test_a_look_loads_neither_orm_nor_chat_library(state_dir: Path) -> None:
    code = "import sys; from bot.cli.main import main; main(['pairing']); print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    loaded = {name.partition(".")[0] for name in ended.stdout.split()}
    assert not loaded & {"sqlalchemy", "alembic", "discord", "telegram", "httpx", "aiohttp"}


def test_who_has_become_an_owner_waits_for_nobody_and_can_be_unpaired(host: Host) -> None:
    host.knock(1, "ABCDEFGH")
    assert "Nobody asks to be let in." in host.pairing()[1]
    assert json.loads(host.pairing("--json")[1])["waiting"] == []
    for verb in ("approve", "deny"):
        code, _, err = host.pairing(verb, "ABCDEFGH")
        assert (code, "is an owner" in err) == (1, True)
    assert host.paired() == frozenset()
    asyncio.run(host.store.decide("ABCDEFGH", _approved(), "telegram:2", SystemClock().now()))
    said = 'telegram:1 "Zed" is not paired any more, and still an owner.\n'
    assert host.pairing("revoke", "telegram:1") == (0, said, "")
    assert host.paired() == frozenset()


def test_the_list_says_why_strangers_get_no_codes(host: Host) -> None:
    (host.state / "config.toml").write_text(CONFIG + '[session]\ndm_scope = "main"\n')
    for arguments in ((), ("--json",)):
        code, _, err = host.pairing(*arguments)
        assert code == 0
        assert 'session.dm_scope is "main": all private chats are one conversation' in err


OWNED = """\
# of Ada
[access]  # who may what
owners = [
  "telegram:1", # ada
]
[log]
level = "debug"
"""


class TestOwner:
    @pytest.mark.parametrize("named", ["abcdefgh", "telegram:7"])
    @pytest.mark.parametrize("is_paired", [False, True], ids=["who waits", "who was let in"])
    def test_somebody_becomes_one_in_the_configuration_and_nothing_else_changes(
        self, named: str, is_paired: bool, host: Host
    ) -> None:
        file = host.state / "config.toml"
        file.write_text(OWNED)
        host.knock(7, "ABCDEFGH")
        if is_paired:
            host.pairing("approve", "ABCDEFGH")
        before = host.paired()
        told = f'Updated {file}\ntelegram:7 "Zed" is an owner. A gateway that runs goes by it within seconds.\n'
        assert host.pairing("approve", named, "--owner") == (0, told, "")
        after = file.read_text()
        assert [line for line in after.splitlines() if line not in OWNED.splitlines()] == ['  "telegram:7",']
        assert "# ada" in after
        again = 'telegram:7 "Zed" is an owner already: nothing was changed.\n'
        assert host.pairing("approve", named, "--owner") == (0, again, "")
        assert (file.read_text(), host.paired()) == (after, before)
        assert "Nobody asks to be let in." in host.pairing()[1]

    @pytest.mark.parametrize("config", ["", '[access] # who\nallow = ["telegram:9"]\n'], ids=["empty", "no owners"])
    def test_the_first_one_is_made_by_what_the_list_says(self, config: str, host: Host) -> None:
        file = host.state / "config.toml"
        file.write_text(config)
        host.knock(7, "ABCDEFGH")
        assert "This bot has no owner yet." in host.pairing()[1]
        done = json.loads(host.pairing("approve", "ABCDEFGH", "--owner", "--json")[1])
        assert done == {
            "id": "telegram:7", "name": "Zed", "owner": True, "config_path": str(file), "config_updated": True,
        }  # fmt: skip
        assert file.read_text().startswith(config)
        assert tomllib.loads(file.read_text())["access"]["owners"] == ["telegram:7"]
        assert "This bot has no owner yet." not in host.pairing()[1]

    @pytest.mark.parametrize(
        ("named", "says"),
        [
            pytest.param("QQQQQQQQ", "no open request 'QQQQQQQQ'", id="no such code"),
            pytest.param("telegram:99", "no open request", id="nobody who has asked"),
            pytest.param("OLDOLDOL", "a code holds 1h", id="over"),
            pytest.param("DENIEDXX", "already denied by host:", id="turned away"),
        ],
    )
    def test_a_request_that_there_is_not_changes_nothing(self, named: str, says: str, host: Host) -> None:
        host.knock(8, "DENIEDXX")
        host.pairing("deny", "DENIEDXX")
        host.knock(7, "OLDOLDOL", minutes_ago=61)
        code, out, err = host.pairing("approve", named, "--owner")
        assert (code, out, says in err) == (1, "", True)
        assert (host.state / "config.toml").read_text() == CONFIG

    def test_a_configuration_that_cannot_be_changed_leaves_everything_as_it_is(self, host: Host) -> None:
        file = host.state / "config.toml"
        host.knock(7, "ABCDEFGH")
        file.write_text("[access]\nowners = 7\n")
        code, out, err = host.pairing("approve", "ABCDEFGH", "--owner")
        assert (code, out, "access.owners" in err) == (1, "", True)
        assert (file.read_text(), host.paired()) == ("[access]\nowners = 7\n", frozenset())
