"""`remoteclaw doctor` beside a gateway that runs, through real processes."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.installation import KEYS, Installation
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


def test_an_empty_home_stays_empty(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    house = Installation(home)
    ended = house.run("doctor", "--yes", REMOTECLAW_STATE_DIR=str(home / "none"))
    assert ended.code == 1
    assert "Run: remoteclaw onboard" in ended.out
    assert ended.err == ""
    assert os.listdir(home) == []
