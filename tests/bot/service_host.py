"""Where `remoteclaw service` is tried: a home, a state directory, and programs of service managers that only write down."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.cli.main import main
from bot.control import listen
from bot.instance import only_instance
from tests.fakes.service_tools import ServiceTools

CONFIG = """
[models.providers.acme]
base_url = "http://127.0.0.1:9/v1"
api = "openai-completions"
models = ["small"]
auth = "none"
[agents.defaults]
model = "acme/small"
"""
BROKEN = "[log]\nlevel = 1\n"
VAULT = '[secrets.providers.vault]\nsource = "exec"\ncommand = "/usr/bin/true"\n'
SHOWN = "\n".join([
    "ActiveState=active",
    "SubState=running",
    "UnitFileState=enabled",
    "MainPID=4711",
    "NRestarts=2",
    "ActiveEnterTimestamp=Wed 2025-11-19 10:20:30 UTC",
    "Result=success",
    "ExecMainStatus=0",
])  # fmt: skip
WAITS = "\n".join([
    "ActiveState=activating",
    "SubState=auto-restart",
    "UnitFileState=enabled",
    "MainPID=0",
    "NRestarts=7",
    "Result=exit-code",
    "ExecMainStatus=1",
    "ExecMainStartTimestamp=Wed 2025-11-19 10:20:29 UTC",
])  # fmt: skip
NO_BUS = "Failed to connect to bus: No medium found"


@dataclass
class Host:
    """A home, a state directory, and the command on them."""

    home: Path
    state: Path
    tools: ServiceTools
    capsys: pytest.CaptureFixture[str]

    @property
    def unit(self) -> Path:
        return self.home / ".config" / "systemd" / "user" / "remoteclaw.service"

    @property
    def agent(self) -> Path:
        return self.home / "Library" / "LaunchAgents" / "remoteclaw.plist"

    def service(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["service", *arguments])
        return code, *self.capsys.readouterr()

    def lines(self, *arguments: str) -> list[str]:
        code, out, _ = self.service("install", "--dry-run", "--manager", "systemd", *arguments)
        assert code == 0
        return out.splitlines()

    def listens(self, address: str) -> None:
        (self.state / "config.toml").write_text(f'{CONFIG}[gateway]\nlisten = "{address}"\n')


def make_host(tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Host:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (state / "config.toml").write_text(CONFIG)
    tools = ServiceTools(tmp_path / "tools")
    tools.make("systemctl", "loginctl", "launchctl", "journalctl", "tail")
    monkeypatch.setenv("PATH", str(tools.folder))
    return Host(home, state, tools, capsys)


@contextmanager
def gateway_by_hand(state: Path) -> Iterator[None]:
    """A gateway, as far as others see one: its lock, and its socket."""
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with listen(state, {}):
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    with only_instance(state):
        thread.start()
        assert ready.wait(30)
        try:
            yield
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()
            loop.close()
