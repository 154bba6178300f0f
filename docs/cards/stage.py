"""What the pictures show: a real gateway between the platforms' counterparts and a provider that says what it is told to.

Everything that would differ from run to run is held still: the clock, the salt of the fingerprints, and ids that a platform gives.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from bot.app import build_app
from bot.config import load_settings
from bot.paths import HOME, STATE_DIR, Paths
from bot.run import Operation, serve
from core.errors import Failure, FailureReason
from docs.make_pictures import StandingClock
from tests.fakes.provider_client import FakeProviderClient

CLOCK = StandingClock()
OUT = Failure(reason=FailureReason.RATE_LIMIT, status=429, retry_at=CLOCK.now() + timedelta(minutes=4))
"""What a provider says of a credential that is used up for now."""
STEPS = (("1  Where the chat stands", "anthropic ·"), ("2  Model", "opus"), ("3  Credential", "anthropic:home"))
"""The steps of the picker, each with how the label begins that is pressed there."""
_MARKS = "✓🟢🟡🔴 "
_KEYS = ("anthropic:work", "anthropic:home", "anthropic:team", "openai:main")
_CONFIG = """\
[models]
mode = "replace"
[models.providers.anthropic]
models = [
  { id = "claude-opus-4-5", alias = "opus" },
  { id = "claude-sonnet-4-5", alias = "sonnet" },
  { id = "claude-haiku-4-5", alias = "haiku" },
]
[models.providers.openai]
models = [{ id = "gpt-5.4", alias = "gpt" }, "gpt-5-mini"]
[agents.defaults]
model = "anthropic/claude-sonnet-4-5"
[auth.order]
anthropic = ["anthropic:work", "anthropic:home", "anthropic:team"]
[auth.profiles."anthropic:work"]
provider = "anthropic"
label = "Work account"
[auth.profiles."anthropic:team"]
provider = "anthropic"
label = "Shared with the team"
"""


def begins(words: str, label: str) -> bool:
    """Whether a label begins so, a mark before it aside."""
    return label.lstrip(_MARKS).startswith(words)


@asynccontextmanager
async def gateway(channel: Sequence[str], owner: str) -> AsyncIterator[FakeProviderClient]:
    """A gateway that serves the platform of these lines of config; its provider, to be told what to say."""
    provider = FakeProviderClient()
    stop = asyncio.Event()
    with tempfile.TemporaryDirectory(prefix="remoteclaw-cards-") as name:
        environ = {HOME: name, "HOME": name, STATE_DIR: f"{name}/state"}
        paths = Paths.of(environ)
        _install(paths, "\n".join((_CONFIG, *channel, "[access]", f'owners = ["{owner}"]')))
        settings = load_settings(paths.config, environ)
        async with build_app(settings, paths, environ=environ, clock=CLOCK, provider=provider) as app:
            serving = asyncio.create_task(serve(app, Operation(stop=stop, environ=environ)))
            try:
                yield provider
            finally:
                stop.set()
                await serving


def _install(paths: Paths, config: str) -> None:
    paths.create()
    paths.config.write_text(config)
    _keep(paths.salt, bytes(range(32)))
    entries = {name: {"type": "api_key", "provider": name.partition(":")[0], "key": f"key-{name}"} for name in _KEYS}
    store = paths.agent("main") / "auth-profiles.json"
    store.parent.mkdir(parents=True, mode=0o700)
    _keep(store, json.dumps({"version": 1, "profiles": entries}).encode())


def _keep(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
