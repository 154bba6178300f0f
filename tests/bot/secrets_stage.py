"""An installation with secrets lying about, a file that could keep them, and `remoteclaw secrets` on it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.cli.main import main

BOT, CONFIG_KEY, WORK, TOKEN, WRITERS = (
    "1234567:CANARY-of-the-bot",
    "sk-CANARY-of-the-config",
    "sk-CANARY-of-work",
    "tk-CANARY-of-token",
    "sk-CANARY-of-the-writer",
)
"""Every secret has the same piece in it, so that one look finds any."""
CANARY = "CANARY"
CONFIG = f"""# my gateway
[channels.telegram]
enabled = false
token = "{BOT}"   # the bot
[models.providers.acme]   # the one at home
base_url = "http://127.0.0.1:9/v1"
api = "openai-completions"
models = ["small"]
api_key = "{CONFIG_KEY}"
[agents.defaults]
model = "acme/small"
[agents.list.writer]
[secrets.providers.old]
source = "file"
path = "/nonexistent/keys"
"""
KEPT = {"bot": BOT, "acme": {"config": CONFIG_KEY, "work": WORK}, "token": TOKEN, "writer": WRITERS}


def ref(name: str, provider: str = "vault", source: str = "file") -> dict[str, str]:
    return {"source": source, "provider": provider, "id": name}


def target(path: list[str], name: str, agent: str | None = None, **where: str) -> dict[str, Any]:
    return {"path": path, "ref": ref(name, **where), **({} if agent is None else {"agent": agent})}


class Stage:
    """`state` is the state directory; `keys` a JSON file that holds every secret of the installation."""

    def __init__(self, folder: Path, state: Path) -> None:
        self.state = state
        self.config = state / "config.toml"
        self.dotenv = state / ".env"
        self.keys = folder / "keys.json"
        self.plan = folder / "plan.json"
        private(self.keys, json.dumps(KEPT))
        self.vault = {"source": "file", "path": str(self.keys)}

    def store(self, agent: str = "main") -> Path:
        return self.state / "agents" / agent / "agent" / "auth-profiles.json"

    def furnish(self) -> None:
        """The installation as it is before anything is moved."""
        self.config.write_text(CONFIG)
        self.keep({"acme:work": key(WORK), "acme:token": {"type": "token", "provider": "acme", "token": TOKEN},
                   "acme:login": {"type": "oauth", "provider": "acme", "access": "at-CANARY", "refresh": "rt-CANARY"}})  # fmt: skip
        self.keep({"acme:own": key(WRITERS)}, "writer")
        private(self.dotenv, f"# for the daemon\nexport ACME_API_KEY='{WORK}'\nOTHER=1\n")

    def keep(self, profiles: Mapping[str, object], agent: str = "main") -> None:
        private(self.store(agent), json.dumps({"version": 1, "profiles": profiles}))

    def stored(self, agent: str = "main") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.store(agent).read_text())["profiles"]
        return found

    def moves(self, **changes: Any) -> dict[str, Any]:
        """A plan that moves everything to the file."""
        return {
            "version": 1,
            "provider_upserts": {"vault": self.vault},
            "provider_deletes": ["old"],
            "targets": [
                target(["channels", "telegram", "token"], "/bot"),
                target(["models", "providers", "acme", "api_key"], "/acme/config"),
                target(["profiles", "acme:work", "keyRef"], "/acme/work", "main"),
                target(["profiles", "acme:token", "tokenRef"], "/token", "main"),
                target(["profiles", "acme:own", "keyRef"], "/writer", "writer"),
            ],
            "scrub_env": ["ACME_API_KEY"],
            **changes,
        }

    def files(self) -> dict[Path, bytes]:
        """What every file of the installation holds, but for locks and the salt."""
        paths = (self.config, self.dotenv, self.store(), self.store("writer"))
        return {path: path.read_bytes() for path in paths if path.exists()}


class Host(Stage):
    """The same with the command in this process. What it prints is searched for secrets."""

    def __init__(self, folder: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(folder, state)
        self._capsys = capsys

    def secrets(self, *arguments: str) -> tuple[int, str, str]:
        before = dict(os.environ)
        try:
            code = main(["secrets", *arguments])
        finally:
            # What it took from `.env` would be there for the next one, as it is not for a process.
            os.environ.clear()
            os.environ.update(before)
        out, err = self._capsys.readouterr()
        assert CANARY not in out + err
        return code, out, err

    def apply(self, plan: object, *flags: str) -> tuple[int, str, str]:
        self.plan.write_text(plan if isinstance(plan, str) else json.dumps(plan))
        return self.secrets("apply", "--from", str(self.plan), *flags)

    def audit(self, *flags: str) -> dict[str, Any]:
        code, out, err = self.secrets("audit", "--json", *flags)
        assert err == ""
        found: dict[str, Any] = json.loads(out)
        assert code == {"clean": 0, "findings": int("--check" in flags), "unresolved": 2}[found["status"]]
        return found


def key(text: str, reference: Mapping[str, str] | None = None) -> dict[str, Any]:
    entry = {"type": "api_key", "provider": "acme", "key": text, "keyRef": reference}
    return {name: value for name, value in entry.items() if value is not None and value != ""}


def private(path: Path, text: str) -> None:
    """Write a file as only its owner may read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
