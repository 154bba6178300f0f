"""Another process that refreshes a login in a real store at a real token server, perhaps to be killed in the middle of it."""

import asyncio
import json
import resource
from collections.abc import Callable
from pathlib import Path

from adapters.oauth.calls import OAuthHttp
from adapters.oauth.token_server import TokenEndpoint
from adapters.storage.login_files import LoginFiles
from adapters.storage.profile_file import AuthProfileFiles
from bot.system_clock import SystemClock
from core.auth.oauth import OAuthProvider
from core.auth.profiles import AuthProfile
from core.auth.refreshing import Refresher
from core.errors import ProviderError
from tests.adapters.store_child import die_at
from tests.fakes.health_store import FakeHealthStore

NAME = "acme:me"


def refresher(state: Path, url: str, seconds: float = 10.0) -> tuple[Refresher, AuthProfileFiles]:
    """The parts as a gateway has them, without its database."""
    clock, files = SystemClock(), AuthProfileFiles(state)
    provider = OAuthProvider(id="acme", token_url=f"{url}/token", client_id="client")
    server = TokenEndpoint(clock, OAuthHttp(seconds))
    made = Refresher(
        files, LoginFiles(state, clock), server, lambda _: provider, FakeHealthStore(), clock, lambda _: None
    )
    return made, files


async def ready(state: Path, url: str, agent: str = "main", seconds: float = 10.0) -> str:
    """The token that a request would carry now, or the reason why there is none."""
    made, files = refresher(state, url, seconds)
    profile: AuthProfile = files.load(agent).profiles[NAME]
    try:
        found = await made.ready(profile)
    except ProviderError as error:
        return error.failure.reason.value
    finally:
        await made.close()
    return found.secret.reveal() if found.secret else ""


def run(state: str, url: str, agent: str, told: str) -> None:
    """Refresh, and write what came of it into the file `told`."""
    Path(told).write_text(json.dumps(asyncio.run(ready(Path(state), url, agent))))


def run_within(state: str, url: str, largest: int, told: str) -> None:
    """The same, where no file can grow beyond so many bytes, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    run(state, url, "main", told)


def die(state: str, url: str, step: int) -> None:
    """The same, to be killed before system call number `step` of the refresh."""
    begin: Callable[[int], None] = die_at

    async def dying() -> None:
        made, files = refresher(Path(state), url)
        profile = files.load("main").profiles[NAME]
        begin(step)
        await made.ready(profile)

    asyncio.run(dying())
