"""`models list --refresh` as a process that is told to stop."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fakes.token_server import SLOW, ScriptedTokenServer

ROOT = Path(__file__).parents[2]
NAME = "acme:me"


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_login_that_is_being_refreshed_is_stored_before_it_ends(state_dir: Path, stop: signal.Signals) -> None:
    store = state_dir / "agents" / "main" / "agent" / "auth-profiles.json"
    store.parent.mkdir(parents=True)
    store.touch(0o600)
    login = {"type": "oauth", "provider": "acme", "access": "access-0", "refresh": "refresh-0"}
    ends = int(time.time() * 1000) - 60_000
    store.write_text(json.dumps({"version": 1, "profiles": {NAME: {**login, "expires": ends}}}))
    with ScriptedTokenServer(SLOW) as server:
        (state_dir / "config.toml").write_text(f"""
[models.providers.acme]
base_url = "{server.url}/v1"
api = "openai-completions"
models = ["small"]
[agents.defaults]
model = "acme/small"
[auth.oauth.acme]
token_url = "{server.url}/token"
client_id = "client"
""")
        command = [sys.executable, "-m", "bot", "models", "list", "--refresh"]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert server.arrived.acquire(timeout=60)
            process.send_signal(stop)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.3)  # it stays for the answer, however often it is told to go
            process.send_signal(stop)
            server.release()
            out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (130, ""), err
        assert len(server.seen) == 1
    found = json.loads(store.read_text())["profiles"][NAME]
    assert (found["access"], found["refresh"]) == ("access-1", "refresh-1")
