"""The doctor on files that may be anything: it says something, and neither fails nor waits nor shows a secret."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bot.doctor_house import CANARY, House

FILES = ("config.toml", ".env", "fingerprint.salt", "remoteclaw.db", "config.toml.lock", "gateway.lock")
STORES = ("auth-profiles.json", "auth-state.json", "auth.json", "models.json", "auth-profiles.json.lock")
CONTENTS = {
    "nothing": b"",
    "zeros": b"\0" * 4096,
    "no text": b"\xff\xfe\xfd" * 100,
    "a list": b"[]",
    "an empty object": b"{}",
    "a word": b'"word"',
    "a number": b"1e999",
    "deep": b"[" * 20_000,
    "deep tables": b'{"profiles":' * 3000,
    "a secret": f"sk-{CANARY}".encode(),
    "a secret that is assigned": f'key = "sk-{CANARY}"\n[auth.profiles\n'.encode(),
    "wrong kinds": json.dumps({
        "version": [], "profiles": {"": 1, "\x1b[31m": [], "a": {"type": 5}, "b": {"type": "oauth", "provider": "x",
        "expires": -1e400, "access": {"source": 1}}, "c": {"type": "api_key", "provider": "x", "key": 7}},
        "order": {"": [1, None], "x": "y", "z": [[]]}, "usageStats": [], "lastGood": 5, "providers": {"x": []},
    }).encode(),
    "toml of wrong kinds": b'[auth]\norder = { "" = [1], x = "y" }\nprofiles = []\n[models]\nproviders=5\n[access]\nowners={}\n',
    "toml of no sense": b'[auth.order]\nacme = []\n"claude-cli" = ["a", "a"]\n[agents.defaults]\nmodel = "claude-cli/"\n'
    b'[channels]\ntelegram = 5\n[secrets.providers.v]\nsource = "exec"\ncommand = "/dev/null"\n',
}  # fmt: skip


@pytest.fixture
def house(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> House:
    return House(state_dir, capsys)


def fill(house: House, content: bytes) -> None:
    for name in FILES:
        house.write(name, content)
    for name in STORES:
        house.write(f"agents/main/agent/{name}", content)


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in CONTENTS.items()])
def test_every_file_may_hold_anything(content: bytes, house: House) -> None:
    fill(house, content)
    _, checks = house.checks()
    assert "doctor.failed" not in {check["id"] for check in checks}
    house.doctor("--yes")


CONFIGS = (
    "agents = 5",
    "[agents]\nlist = 5",
    "[agents.list]\na = 5",
    '[agents.defaults]\nmodel = { fallbacks = ["claude-cli/opus"] }',
    '[auth.order]\nanthropic = 5\nclaude-cli = ["a"]',
    '[model_policy]\nallow = [5, "claude-cli/x"]',
    '[agents.defaults.models]\n"claude-cli/x" = 5',
)


@pytest.mark.parametrize("config", CONFIGS)
def test_a_config_of_wrong_kinds_converts_nothing(config: str, house: House) -> None:
    house.write("config.toml", config)
    house.keep_also("anthropic:claude-cli", provider="claude-cli", type="token", token=f"t-{CANARY}")
    before = house.files()
    assert "doctor.failed" not in {check["id"] for check in house.checks("--yes")[1]}
    assert house.files() == before


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in CONTENTS.items()])
def test_one_store_of_any_content_leaves_the_rest_readable(content: bytes, house: House) -> None:
    house.write("agents/main/agent/auth-profiles.json", content)
    found = {check["id"] for check in house.checks()[1]}
    assert "doctor.failed" not in found
    assert {"config", "db"} <= found


def folder(path: Path) -> None:
    path.mkdir()


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def circle(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [os.mkfifo, folder, dangling, circle])
@pytest.mark.parametrize("name", [*FILES[:4], *(f"agents/main/agent/{name}" for name in STORES[:4]), "backups"])
def test_nothing_waits_for_what_is_no_file(make: Callable[[Path], None], name: str, house: House) -> None:
    path = house.state / name
    house.keep_order(acme=["acme:gone", "acme:work"])  # so that something is to be kept and repaired beside it
    path.unlink(missing_ok=True)
    make(path)
    _, checks = house.checks("--yes")
    assert "doctor.failed" not in {check["id"] for check in checks}


@pytest.mark.parametrize("make", [os.mkfifo, Path.touch, dangling, circle])
def test_the_state_directory_may_be_none(
    make: Callable[[Path], None], state_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.cli.main import main

    path = state_dir / "state"
    make(path)
    monkeypatch.setenv("REMOTECLAW_STATE_DIR", str(path))
    assert main(["doctor", "--json", "--yes"]) == 1
    found = {check["id"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert "doctor.failed" not in found
    assert found & {"state.kind", "state.unreadable", "state.missing"}


def test_names_cannot_paint_the_terminal_or_begin_a_line(house: House) -> None:
    house.keep_also("acme:\x1b[31m\nerror   all is lost", type="token", token="t", expires=1)
    _, out, err = house.doctor()
    assert "\x1b" not in out + err
    assert not [line for line in out.splitlines() if line.startswith("error")]
