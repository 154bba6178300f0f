"""The machine's clock is set while the gateway runs, as libfaketime does it to a process: nothing ends for it, nothing hangs."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.environment_stage import health, listening, told
from tests.e2e.installation import KEYS, Gateway, Installation, until
from tests.e2e.telegram_stage import Stage
from tests.e2e.test_operations import Manager, manager
from tests.fakes.provider_script import status
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TelegramServer

__all__ = ["manager"]


def _library() -> Path | None:
    """libfaketime's file, where the package is installed and was built for this machine."""
    found = importlib.util.find_spec("libfaketime")
    folders = list(found.submodule_search_locations or ()) if found is not None else []
    built = [path for folder in folders for path in Path(folder).glob("vendor/libfaketime/src/libfaketime.so.1")]
    return built[0] if built else None


_LIBFAKETIME = _library()
pytestmark = [
    pytest.mark.xdist_group("changing environment"),
    pytest.mark.skipif(
        _LIBFAKETIME is None, reason="libfaketime, which sets the clock of one process, is not installed"
    ),
]


class Clock:
    """The clock of one process, wrong by what the file says."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.set("+0")

    def set(self, off: str) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(f"{off}\n")
        os.replace(fresh, self._path)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(_LIBFAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


@pytest.fixture
def stage(state_dir: Path) -> Iterator[Stage]:
    with TelegramServer() as telegram, ThreadedProviderServer() as provider:
        stage = Stage(Installation(state_dir), telegram, provider)
        listening(stage.house)
        yield stage


def notes(gateway: Gateway, words: str) -> None:
    until(lambda: any(words in note for note in health(gateway)[1]["notes"]))
    assert health(gateway)[0] == 200


def test_a_clock_that_is_set_and_put_right_ends_nothing_and_is_said(
    stage: Stage, manager: Manager, tmp_path: Path
) -> None:
    ada, clock = stage.telegram.private(stage.ada), Clock(tmp_path / "clock")
    watchdog = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "1000000"}
    with Gateway(stage.house, **clock.environment, **watchdog) as gateway:
        gateway.says("telegram (default): connected")
        assert manager.hears() == "READY=1"
        stage.asks(stage.ada, ada, "/model large@acme:home for 2h")
        assert stage.serves(stage.ada, ada, "one") == KEYS["acme:home"][-4:]
        clock.set("+5h")
        notes(gateway, "The clock of this machine was set forward by 5h at ")
        assert stage.serves(stage.ada, ada, "two") == KEYS["acme:home"][-4:]
        clock.set("+0")
        notes(gateway, "The clock of this machine is right again; it was set forward by 5h for a while.")
        stage.provider.script[KEYS["acme:home"]] = [status(429, {"retry-after": "2"})]
        card = stage.asks(stage.ada, ada, "three")
        assert "acme:home" in card.text
        clock.set("-3h")
        notes(gateway, "was set back by 3h at ")
        until(lambda: stage.asks(stage.ada, ada, "four").text == f"served-by:{KEYS['acme:home'][-4:]}")
        assert told(gateway, "The clock of this machine") == 3
        for _ in range(2):
            manager.drains()
            assert manager.hears() == "WATCHDOG=1"
        stage.settled(stage.ada, ada)
        assert not any("has ended" in message.text for message in ada.answers)
