"""The network goes away, to the platform or to the provider, is refused or silent, and comes back without anybody's hand."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.environment_stage import health, listening, noted, replaced, served, told, unready, well
from tests.e2e.installation import KEYS, Installation, until
from tests.e2e.telegram_stage import Stage
from tests.fakes.provider_script import slow
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TelegramServer
from tests.fakes.wire import Wire

pytestmark = pytest.mark.xdist_group("changing environment")


@pytest.fixture
def stage(state_dir: Path) -> Iterator[Stage]:
    with TelegramServer() as telegram, ThreadedProviderServer() as provider:
        stage = Stage(Installation(state_dir), telegram, provider)
        listening(stage.house)
        yield stage


def test_a_platform_that_is_out_of_reach_is_waited_for_and_everything_is_answered_once(stage: Stage) -> None:
    ada, bob = stage.telegram.private(stage.ada), stage.telegram.private(stage.bob)
    with Wire(stage.telegram.url) as wire:
        replaced(stage.house, stage.telegram.url, wire.url)
        with stage.gateway() as gateway:
            end = stage.serves(stage.ada, ada, "before")
            (key,) = [key for key in KEYS.values() if key.endswith(end)]
            stage.provider.script[key] = [slow("served-by:LATE")]
            stage.ada.says(ada, "under way while the network goes")
            stage.provider.wait_seen(2)
            wire.cut()
            unready(gateway, "telegram (default): disconnected: no ")
            stage.provider.release()
            stage.bob.says(bob, "written meanwhile")
            wire.mend()
            stage.telegram.wait(lambda: len(served(ada)) == 2 and len(served(bob)) == 1, 60)
            well(gateway)
            wire.cut()
            unready(gateway, "telegram (default): disconnected: no ")
            wire.hang()
            stage.ada.says(ada, "written while nothing is answered")
            until(lambda: wire.silent >= 1)
            assert health(gateway)[0] == 503
            wire.mend()
            stage.telegram.wait(lambda: len(served(ada)) == 3, 60)
            well(gateway)
            stage.settled(stage.ada, ada)
            stage.settled(stage.bob, bob)
            assert served(ada) == [f"served-by:{end}", "served-by:LATE", f"served-by:{end}"]
            assert (len(served(bob)), len(stage.provider.seen)) == (1, 4)
            outages = "".join(gateway.log).split("telegram (default): connected")[1:-1]
            assert len(outages) == 2
            for outage in outages:
                troubles = re.findall("disconnected: (.*)", outage)
                assert 1 <= len(troubles) == len(set(troubles)) <= 3, "one for each kind, however often it was tried"


@pytest.mark.parametrize("trouble", ["refuses", "is silent"])
def test_a_provider_that_is_out_of_reach_is_noted_and_every_message_gets_one_answer(stage: Stage, trouble: str) -> None:
    ada = stage.telegram.private(stage.ada)
    with Wire(stage.provider.base_url) as wire:
        replaced(stage.house, stage.provider.base_url, wire.url)
        replaced(stage.house, "[gateway]", '[failover]\ndeadline = "2s"\n[gateway]')
        with stage.gateway() as gateway:
            assert stage.serves(stage.ada, ada, "before")
            if trouble == "refuses":
                wire.cut()
            else:
                wire.hang()
            for question in ("one", "two"):
                card = stage.asks(stage.ada, ada, question)
                assert "Try again" in [label for row in card.labels for label in row]
            noted(gateway, "acme did not answer (")
            assert told(gateway, "acme does not answer (") == 1
            wire.mend()
            assert stage.serves(stage.ada, ada, "afterwards")
            well(gateway)
            before = len(served(ada))
            stage.ada.presses(card, "Try again")
            stage.telegram.wait(lambda: len(served(ada)) == before + 1)
            stage.settled(stage.ada, ada)
            assert [len(ada.answers), len(served(ada))] == [6, 3]
            assert (told(gateway, "acme does not answer ("), told(gateway, "acme answers again.")) == (1, 1)
