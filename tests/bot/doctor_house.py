"""A sound installation, what can be done to it, and the doctor that looks at it."""

import json
import os
import socket
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.storage.migrate import ensure
from bot.cli.main import main
from bot.doctor.backups import Backups
from bot.doctor.registry import examine, repairs
from bot.doctor.scene import open_scene
from bot.system_clock import SystemClock

CANARY = "canary0Kw8Zt3Lq9Vx5Rn2"
"""Part of every secret here; no output may have it."""
WORK, HOME, SHARED = f"sk-work-{CANARY}", f"sk-home-{CANARY}", f"sk-more-{CANARY}"
TELEGRAM = f"777000777:AA{CANARY}-of-the-bot"
CONFIG = """\
# kept by hand
[models.providers.acme]
base_url = "http://127.0.0.1:9/v1"
api = "openai-completions"
models = ["small", { id = "large", alias = "big" }]

[agents.defaults]
model = "acme/small"  # the cheap one

[auth.order]
acme = ["acme:work", "acme:home"]

[channels.telegram]
token = "${TELEGRAM_BOT_TOKEN}"
api_base_url = "http://127.0.0.1:9"

[access]
owners = ["telegram:1001"]
"""
STORE: dict[str, Any] = {
    "version": 1,
    "profiles": {
        "acme:work": {"type": "api_key", "provider": "acme", "key": WORK},
        "acme:home": {"type": "api_key", "provider": "acme", "key": HOME},
    },
}
_NOT_KEPT = (".guard", ".lock", "-shm", "setup-lock")
"""Files of locks: what they hold is nobody's."""


class House:
    """A state directory as a gateway leaves it, and `remoteclaw doctor` on it."""

    def __init__(self, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.state = state
        self._capsys = capsys
        self.open_sockets: list[socket.socket] = []
        self.write("config.toml", CONFIG)
        self.write(".env", f"TELEGRAM_BOT_TOKEN={TELEGRAM}\n")
        self.write("fingerprint.salt", bytes(range(32)))
        self.keep(STORE)
        ensure(self.database)

    @property
    def config(self) -> Path:
        return self.state / "config.toml"

    @property
    def store(self) -> Path:
        return self.agent() / "auth-profiles.json"

    @property
    def database(self) -> Path:
        return self.state / "remoteclaw.db"

    def agent(self, name: str = "main") -> Path:
        folder = self.state / "agents" / name / "agent"
        for level in (folder.parents[1], folder.parent, folder):
            level.mkdir(mode=0o700, exist_ok=True)
        return folder

    def write(self, name: str, content: str | bytes, mode: int = 0o600) -> Path:
        """A file of the state directory."""
        path = self.state / name
        path.unlink(missing_ok=True)
        path.touch(mode)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    def configure(self, old: str, new: str) -> None:
        """Replace a part of the config; `old` empty: add to its end."""
        text = self.config.read_text()
        assert old in text
        self.write("config.toml", text.replace(old, new, 1) if old else text + new)

    def keep(self, document: object, agent: str = "main", name: str = "auth-profiles.json") -> Path:
        path = self.agent(agent) / name
        return self.write(str(path.relative_to(self.state)), json.dumps(document))

    def keep_also(self, name: str, **entry: object) -> None:
        """A further profile."""
        document = json.loads(self.store.read_text())
        self.keep({**document, "profiles": {**document["profiles"], name: {"provider": "acme", **entry}}})

    def keep_order(self, **order: object) -> None:
        self.keep({**json.loads(self.store.read_text()), "order": order})

    def sql(self, *statements: str) -> None:
        """Change the database past the program."""
        with closing(sqlite3.connect(self.database, isolation_level=None)) as db:
            for statement in statements:
                db.execute(statement)

    def doctor(self, *flags: str) -> tuple[int, str, str]:
        """Exit code and both outputs. No secret may be in them."""
        code = main(["doctor", *flags])
        out, err = self._capsys.readouterr()
        assert CANARY not in out + err
        return code, out, err

    def checks(self, *flags: str) -> tuple[int, list[dict[str, Any]]]:
        code, out, _ = self.doctor("--json", *flags)
        found = json.loads(out)
        left = [check["verdict"] for check in found["checks"] if not (check["repair"] and check["repair"]["done"])]
        ranks = ["ok", "note", "warning", "error"]
        assert found["verdict"] == max(left, key=ranks.index)
        has_failed = any(check["repair"] and check["repair"]["failure"] for check in found["checks"])
        assert code == (1 if has_failed or found["verdict"] in ("warning", "error") else 0)
        return code, found["checks"]

    def wrong(self, *flags: str) -> set[str]:
        """The ids of everything that is (still) not ok, but for that the tests may run as root and without being installed."""
        usual = {"machine.root", "machine.package", "secret.stored"}
        left = [check for check in self.checks(*flags)[1] if not (check["repair"] and check["repair"]["done"])]
        return {check["id"] for check in left if check["verdict"] != "ok"} - usual

    def files(self) -> dict[str, tuple[int, bytes]]:
        """Everything with its mode and content, but backups and locks."""
        found = {}
        for path in sorted([self.state, *self.state.rglob("*")]):
            name = str(path.relative_to(self.state))
            if name.startswith("backups") or path.name.endswith(_NOT_KEPT) or path.is_symlink():
                continue
            found[name] = (stat.S_IMODE(path.stat().st_mode), b"" if path.is_dir() else path.read_bytes())
        return found

    def backups(self) -> list[Path]:
        """The folders of single repairs, the first one first."""
        found = sorted((self.state / "backups").glob("*/*"))
        return sorted(found, key=lambda path: (path.parent, int(path.name.partition("-")[0])))

    def undo(self) -> None:
        """Put back what the last run of repairs has kept."""
        run = max(path.parent for path in self.backups())
        code, out, _ = self.doctor("--undo", run.name)
        assert code == 0
        assert out


def offered(repair_id: str) -> Callable[[], None]:
    """The first repair of this kind that is offered now, to be carried out as the command does, at any time."""
    scene = open_scene(None, False, SystemClock())
    repair = next(repair for _, repair in repairs(examine(scene)) if repair.id == repair_id)
    return lambda: repair.run(Backups(scene.paths.state, scene.now).of(repair.id))


def in_a_process(work: Callable[[], None]) -> int:
    """The exit code of a copy of this process that does it; negative: the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            os._exit(3)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def mode_of(path: Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)
