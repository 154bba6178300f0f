"""The demo's installation: a private directory that is gone afterwards, and a provider on loopback.

Nothing of the machine's own installation is used: not its state directory, not its environment keys, not its CLI logins.
"""

import json
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from bot.demo.provider import DemoKey, DemoProvider
from bot.paths import HOME, STATE_DIR, Paths
from core.sessions.key import DEFAULT_AGENT

WELCOME = """\
RemoteClaw demo: two providers on this machine, three credentials, no network. Things to try:
  /model                  pick a model; answer with a number
  /model status           which credential serves you, which is next, and why
  /model big@acme:home    another model, pinned to one credential
  /model opus for 10m     a choice that ends by itself
  ask four things         acme:work takes three requests in 30 seconds; see who answers the fourth
"""

_REQUESTS_A_WINDOW = 3
_WINDOW_SECONDS = 30

_CONFIG = """\
[models.providers.acme]
base_url = "{base_url}/v1"
api = "openai-completions"
models = ["small", {{ id = "large", alias = "big" }}]

[models.providers.zeta]
base_url = "{base_url}"
api = "anthropic-messages"
models = [{{ id = "opus-1", alias = "opus" }}, {{ id = "sonnet-1", alias = "sonnet" }}]

[agents.defaults]
model = "acme/small"

[auth.order]
acme = ["acme:work", "acme:home"]
"""


@asynccontextmanager
async def demo_environment() -> AsyncIterator[Mapping[str, str]]:
    """Start the provider and write the installation. Yields the environment in which to open it; all is gone at the end."""
    profiles = {name: f"demo-{secrets.token_hex(16)}" for name in ("acme:work", "acme:home", "zeta:me")}
    keys = {
        profiles["acme:work"]: DemoKey("acme:work", _REQUESTS_A_WINDOW, _WINDOW_SECONDS),
        profiles["acme:home"]: DemoKey("acme:home"),
        profiles["zeta:me"]: DemoKey("zeta:me"),
    }
    with tempfile.TemporaryDirectory(prefix="remoteclaw-demo-") as name:
        environ = {"PATH": os.environ.get("PATH", ""), HOME: name, "HOME": name, STATE_DIR: f"{name}/state"}
        async with DemoProvider(keys) as provider:
            _install(Paths.of(environ), provider.base_url, profiles)
            yield environ


def _install(paths: Paths, base_url: str, profiles: Mapping[str, str]) -> None:
    paths.create()
    paths.config.write_text(_CONFIG.format(base_url=base_url))
    store = paths.agent(DEFAULT_AGENT) / "auth-profiles.json"
    store.parent.mkdir(parents=True, mode=0o700)
    entries = {
        name: {"type": "api_key", "provider": name.partition(":")[0], "key": key} for name, key in profiles.items()
    }
    _write_private(store, json.dumps({"version": 1, "profiles": entries}))


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
