"""The provider that records, and an installation in front of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.installation import KEYS, Installation
from tests.fakes.provider_server import ThreadedProviderServer


@pytest.fixture
def server() -> Iterator[ThreadedProviderServer]:
    with ThreadedProviderServer() as server:
        yield server


@pytest.fixture
def house(state_dir: Path, server: ThreadedProviderServer) -> Installation:
    """Two providers, two credentials each; the default is acme/small."""
    house = Installation(state_dir)
    house.configure(server.base_url)
    house.keep(KEYS)
    return house
