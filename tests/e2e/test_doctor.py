"""`remoteclaw doctor` beside a gateway that runs, through real processes."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.storage.migrate import downgrade, ensure
from tests.e2e.installation import KEYS, Gateway, Installation
from tests.e2e.telegram_stage import Stage
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TelegramServer


@pytest.fixture
def stage(state_dir: Path) -> Iterator[Stage]:
    with TelegramServer() as telegram, ThreadedProviderServer() as provider:
        stage = Stage(Installation(state_dir), telegram, provider)
        (state_dir / "config.toml").chmod(0o600)
        for folder in ("agents", "agents/main", "agents/main/agent"):
            (state_dir / folder).chmod(0o700)
        yield stage


def doctor(stage: Stage, *flags: str, **env: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the checks by id. No key may be printed."""
    ended = stage.house.run("doctor", "--json", *flags, **env)
    for secret in (*KEYS.values(), stage.telegram.token or "-"):
        assert secret not in ended.out + ended.err
    return ended.code, {check["id"]: check for check in ended.json["checks"]}


def test_repairs_beside_a_gateway_hold_for_its_next_message(stage: Stage) -> None:
    with stage.gateway() as gateway:
        ada = stage.telegram.private(stage.ada)
        assert stage.serves(stage.ada, ada, "hi") in ("WORK", "HOME")
        stage.house.keep(KEYS, {"acme": ["acme:gone", "acme:home"]})
        _, checks = doctor(stage, "--yes", "--online")
        assert checks["service.gateway"]["text"].startswith(f"A gateway (process {gateway.process.pid}) serves ")
        assert checks["telegram.bot"]["verdict"] == "ok"
        assert checks["order.unknown"]["repair"]["done"]
        assert json.loads(stage.house.store.read_text())["order"] == {"acme": ["acme:home"]}
        bob = stage.telegram.private(stage.bob)
        assert stage.serves(stage.bob, bob, "hi") == "HOME"
        assert gateway.stop() == 0
    _, checks = doctor(stage)
    assert checks["service.gateway"]["text"].startswith("No gateway serves ")


def test_a_schema_is_not_changed_under_a_running_gateway(stage: Stage) -> None:
    with stage.gateway():
        with closing(sqlite3.connect(stage.house.database, isolation_level=None)) as db:
            db.execute("UPDATE alembic_version SET version_num = '0001_initial'")
        _, checks = doctor(stage, "--yes")
        assert checks["db.behind"]["repair"] is None
        assert checks["db.behind"]["next"].startswith("Stop the gateway")
        assert stage.house.rows("select version_num from alembic_version") == [("0001_initial",)]


def test_a_key_that_only_the_shell_has_is_told(stage: Stage) -> None:
    with stage.gateway():
        _, checks = doctor(stage, IOTA_API_KEY="sk-of-this-shell-alone-0123")
        told = checks["service.variable"]
        assert told["verdict"] == "warning"
        assert told["text"].startswith("IOTA_API_KEY is set in this shell and not for the running gateway")
        assert told["next"].startswith(f"Put it into {stage.house.state / '.env'}")


def test_what_only_the_gateway_has_is_what_counts(stage: Stage) -> None:
    config = stage.house.state / "config.toml"
    config.write_text(config.read_text().replace(f'"{stage.telegram.token}"', '"${BOT}"'))
    config.chmod(0o600)
    stage.house.keep({})
    own = {"BOT": stage.telegram.token, "ACME_API_KEY": KEYS["acme:work"]}
    with Gateway(stage.house, **own) as gateway:
        gateway.says("telegram (default): connected")
        ada = stage.telegram.private(stage.ada)
        stage.asks(stage.ada, ada, "/model acme/small@env:ACME_API_KEY")
        assert stage.serves(stage.ada, ada, "hi") == "WORK"
        code, checks = doctor(stage, "--yes")
        assert code == 0
        assert checks["credential.next"]["text"].startswith("A new session of main is served by env:ACME_API_KEY")
        assert checks["sessions"]["text"].startswith("1 session(s) are pinned")
        assert checks["telegram.token"]["verdict"] == "ok"
        assert checks["service.elsewhere"]["verdict"] == "note"
        gateway.stop()
    code, checks = doctor(stage)
    assert code == 1
    assert "so the gateway does not start" in checks["telegram.token"]["text"]


def test_an_upgrade_is_undone_beside_what_a_killed_gateway_left(stage: Stage) -> None:
    downgrade(ensured(stage.house.database), "0001_initial")
    before = stage.house.database.read_bytes()
    _, checks = doctor(stage, "--yes")
    backup = checks["db.behind"]["repair"]["backup"]
    with stage.gateway() as gateway:
        assert stage.serves(stage.ada, stage.telegram.private(stage.ada), "hi " * 500) in ("WORK", "HOME")
        refused = stage.house.run("doctor", "--undo", backup)
        assert (refused.code, "already serves" in refused.err) == (1, True)
        gateway.kill()
    assert Path(f"{stage.house.database}-wal").stat().st_size > 0
    assert stage.house.run("doctor", "--undo", backup).code == 0
    assert stage.house.database.read_bytes() == before
    with closing(sqlite3.connect(stage.house.database)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001_initial",)]


def ensured(database: Path) -> Path:
    ensure(database)
    return database


def test_an_empty_home_stays_empty(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    house = Installation(home)
    ended = house.run("doctor", "--yes", REMOTECLAW_STATE_DIR=str(home / "none"))
    assert ended.code == 1
    assert "Run: remoteclaw onboard" in ended.out
    assert ended.err == ""
    assert os.listdir(home) == []
