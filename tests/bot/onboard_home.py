"""An empty home, and `remoteclaw onboard` on it by flags."""

import io
import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.cli.main import main
from tests.fakes.provider_script import raw
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TOKEN

KEY = "Vq7x-CANARY-key-0123456789"
OTHER = "Vq7x-CANARY-other-0123456"
SETUP = f"sk-ant-oat01-{'c' * 80}"
LIST = raw(b'{"data": [{"id": "small"}, {"id": "large"}]}', headers={"content-type": "application/json"})
SECRETS = (KEY, OTHER, SETUP, TOKEN)
COMMENTED = """# mine
[models.providers.acme]   # at home
base_url = "{url}"
api = "openai-completions"
models = ["small", "large"]

[agents.defaults]
model = "acme/small"  # cheap

[access]
owners = ["discord:7"]  # me
"""


class Home:
    """An empty home, and the command on it. Whatever it prints is searched for every secret that went in."""

    def __init__(self, state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.state = state
        self.config = state / "config.toml"
        self._capsys = capsys
        self.monkeypatch = monkeypatch

    @property
    def tree(self) -> dict[str, Any]:
        return tomllib.loads(self.config.read_text())

    @property
    def profiles(self) -> dict[str, Any]:
        return self.profiles_of("main")

    def profiles_of(self, agent: str) -> dict[str, Any]:
        """What an agent has stored itself."""
        store = self.state / "agents" / agent / "agent" / "auth-profiles.json"
        found: dict[str, Any] = json.loads(store.read_text())["profiles"] if store.exists() else {}
        return found

    def make(self, config: str, keys: Mapping[str, str], order: Mapping[str, Sequence[str]] | None = None) -> Path:
        """An installation with this config, and these keys in its store, which it gives back."""
        store = self.state / "agents" / "main" / "agent" / "auth-profiles.json"
        store.parent.mkdir(parents=True, mode=0o700)
        self.state.chmod(0o700)
        self.config.write_text(config)
        profiles = {n: {"type": "api_key", "provider": n.partition(":")[0], "key": key} for n, key in keys.items()}
        if profiles:
            ordered = {"order": order} if order is not None else {}
            store.write_text(json.dumps({"version": 1, "profiles": profiles, **ordered}))
            store.chmod(0o600)
        return store

    def files(self) -> dict[str, bytes]:
        """Every file, byte for byte."""
        return {
            str(path.relative_to(self.state)): path.read_bytes() for path in self.state.rglob("*") if path.is_file()
        }

    def run(self, *flags: str, given: str = "") -> tuple[int, str, str]:
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
        code = main(["onboard", "--non-interactive", *flags])
        out, err = self._capsys.readouterr()
        assert not any(secret in out + err for secret in SECRETS)
        return code, out, err

    def does(self, *flags: str, given: str = "") -> str:
        code, out, err = self.run(*flags, given=given)
        assert (code, err) == (0, "")
        return out

    def refuses(self, *flags: str, given: str = "", code: int = 1) -> str:
        """What is said of a run that must leave everything as it was."""
        before = self.files()
        found, out, err = self.run(*flags, given=given)
        assert (found, out) == (code, "")
        assert self.files() == before
        assert err.startswith("remoteclaw: ")
        assert err.count("\n") == 1
        return err

    def answers(self, server: ThreadedProviderServer) -> str:
        """What a question in the chat is answered with."""
        server.script.clear()
        assert main(["chat", "--json", "-m", "hello"]) == 0
        events = [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]
        return str(next(e["text"] for e in events if e["event"] == "reply" and e["kind"] == "text"))


def acme(server: ThreadedProviderServer, *more: str) -> tuple[str, ...]:
    """A provider of one's own, and its model."""
    return ("--provider", "acme", "--base-url", server.openai_url, "--model", "small", *more)
