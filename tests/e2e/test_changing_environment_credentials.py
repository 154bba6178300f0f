"""A provider takes a credential no more while the gateway runs, and takes it, or its successor, again."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.environment_stage import listening, noted, served, told, well
from tests.e2e.installation import KEYS, Installation
from tests.e2e.telegram_stage import Stage
from tests.fakes.oauth_idp import Idp
from tests.fakes.provider_script import status
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TelegramServer

pytestmark = pytest.mark.xdist_group("changing environment")


@pytest.fixture
def stage(state_dir: Path) -> Iterator[Stage]:
    with TelegramServer() as telegram, ThreadedProviderServer() as provider:
        stage = Stage(Installation(state_dir), telegram, provider)
        listening(stage.house)
        yield stage


def end_windows(house: Installation) -> None:
    """As if the time of every window had passed."""
    with closing(sqlite3.connect(house.database, timeout=10)) as database:
        database.execute("update windows set since = since - 3600000000, until = until - 3600000000")
        database.execute("update credentials set touched_at = (select max(touched_at) from credentials) + 1")
        database.commit()


def test_a_key_that_is_refused_is_noted_while_another_serves_and_is_found_good_again(stage: Stage) -> None:
    ada = stage.telegram.private(stage.ada)
    with stage.gateway() as gateway:
        end = stage.serves(stage.ada, ada, "before")
        (name,) = [name for name, key in KEYS.items() if key.endswith(end)]
        stage.provider.script[KEYS[name]] = [status(401)]
        other = stage.serves(stage.ada, ada, "one")
        assert other != end
        noted(gateway, f"{name} is refused by its provider (auth), and is tried again after ")
        assert stage.serves(stage.ada, ada, "two") == other
        end_windows(stage.house)
        noted(gateway, f"{name} is refused by its provider (auth), and is tried again with the next message.")
        stage.asks(stage.ada, ada, f"/model @{name}")
        assert stage.serves(stage.ada, ada, "three") == end
        well(gateway)
        stage.settled(stage.ada, ada)
        assert len(served(ada)) == 4
        assert (told(gateway, f"{name} is refused by"), told(gateway, f"{name} is not refused any more")) == (1, 1)


def test_a_login_that_is_lost_is_noted_until_somebody_has_logged_in_again(stage: Stage, tmp_path: Path) -> None:
    ada = stage.telegram.private(stage.ada)
    with Idp(tmp_path / "idp") as idp:
        config = stage.house.state / "config.toml"
        table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in idp.table().items())
        config.write_text(f"{config.read_text()}\n[auth.oauth.acme]\n{table}")
        ended = {"access": "access-that-has-ended", "refresh": "refresh-that-was-revoked", "expires": 1000}
        login = {"type": "oauth", "provider": "acme", **ended}
        stage.house.write_store(json.dumps({"version": 1, "profiles": {"acme:me": login}}))
        with stage.gateway() as gateway:
            card = stage.asks(stage.ada, ada, "written meanwhile")
            noted(gateway, "acme:me is refused by its provider (auth_permanent), until it is changed.")
            log_in(stage.house, idp)
            well(gateway)
            stage.ada.presses(card, "Try again")
            stage.telegram.wait(lambda: len(served(ada)) == 1)
            assert stage.serves(stage.ada, ada, "afterwards")
            stage.settled(stage.ada, ada)
            assert (len(served(ada)), len(stage.provider.seen)) == (2, 2)
            assert (told(gateway, "acme:me is refused by"), told(gateway, "acme:me is not refused")) == (1, 1)


def log_in(house: Installation, idp: Idp) -> None:
    """What an operator does at the host."""
    wanted = ("--provider", "acme", "--method", "pkce", "--profile-id", "acme:me")
    with house.start("models", "auth", "login", "--no-browser", *wanted) as process:
        assert process.stderr
        idp.allow(next(line.strip() for line in process.stderr if line.strip().startswith("http")))
        process.communicate(timeout=20)
    assert process.returncode == 0
