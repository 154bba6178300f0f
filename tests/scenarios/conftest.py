"""A stage for each scenario, on each platform."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.storage.migrate import ensure
from tests.fakes.discord_server import DiscordServer
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TelegramServer
from tests.scenarios.discord_driver import DiscordDriver
from tests.scenarios.driver import Driver
from tests.scenarios.house import House, fresh_state
from tests.scenarios.stage import Stage
from tests.scenarios.telegram_driver import TelegramDriver

PLATFORMS = ("telegram", "discord")


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database of the present schema: to make it takes longer than many a scenario."""
    path = tmp_path_factory.mktemp("schema") / "remoteclaw.db"
    ensure(path)
    return path.read_bytes()


@contextmanager
def _platform(name: str) -> Iterator[Driver]:
    if name == "telegram":
        with TelegramServer() as telegram:
            yield TelegramDriver(telegram)
    else:
        with DiscordServer() as discord:
            yield DiscordDriver(discord)


@pytest_asyncio.fixture(params=PLATFORMS)
async def stage(request: pytest.FixtureRequest, tmp_path: Path, empty_database: bytes) -> AsyncIterator[Stage]:
    """Everything but a running gateway, which `opens` starts."""
    with _platform(request.param) as driver, ThreadedProviderServer() as provider:
        made = Stage(driver, provider, House(fresh_state(tmp_path, empty_database), provider, driver.settings()))
        try:
            yield made
        finally:
            await made.closes()
