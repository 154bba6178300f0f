"""The walk of the page that the product implements, line by line on a fresh state directory, with the real commands."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.installation import Ended, Installation
from tests.e2e.telegram_stage import Stage
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TelegramServer

pytestmark = pytest.mark.xdist_group("reload")

KEY = "sk-or-v1-of-the-walk-WALK"
TOKEN = "sk-or-v1-of-the-paste-PAST"


@pytest.fixture
def house(state_dir: Path) -> Installation:
    """Nothing but an empty state directory."""
    return Installation(state_dir)


@pytest.fixture
def server() -> Iterator[ThreadedProviderServer]:
    with ThreadedProviderServer() as server:
        yield server


def auth(ended: Ended, provider: str) -> dict[str, object]:
    """What `models status --json` says of a provider's credentials."""
    assert ended.code == 0, ended.err
    (found,) = [row for row in ended.json["auth"]["providers"] if row["provider"] == provider]
    return found


def test_an_exported_key_is_shown_with_its_source(house: Installation) -> None:
    """export <PROVIDER>_API_KEY=... ; remoteclaw models status"""
    human = house.run("models", "status", OPENROUTER_API_KEY=KEY)
    assert (human.code, KEY in human.out) == (0, False)
    assert "- openrouter effective=env:OPENROUTER_API_KEY" in human.out
    assert "source=env: OPENROUTER_API_KEY" in human.out
    found = auth(house.run("models", "status", "--json", OPENROUTER_API_KEY=KEY), "openrouter")
    assert found["effective"]["kind"] == "env"
    assert found["env"]["source"] == "env: OPENROUTER_API_KEY"


def test_the_same_key_in_the_daemons_file_serves_a_gateway_that_was_started_without_it(
    state_dir: Path, server: ThreadedProviderServer
) -> None:
    """cat >> ~/.remoteclaw/.env ; restart ; remoteclaw models status"""
    with TelegramServer() as telegram:
        stage = Stage(Installation(state_dir), telegram, server)
        house = stage.house
        house.store.unlink()
        config = (state_dir / "config.toml").read_text().replace('"acme/small"', '"openrouter/auto"')
        override = f'[models.providers.openrouter]\nbase_url = "{server.base_url}/v1"\n'
        (state_dir / "config.toml").write_text(config + "\n" + override)
        dotenv = state_dir / ".env"
        dotenv.write_text(f"OPENROUTER_API_KEY={KEY}\n")
        dotenv.chmod(0o600)
        chat = telegram.private(stage.ada)
        with stage.gateway():
            assert stage.serves(stage.ada, chat, "hi") == "WALK"
        found = auth(house.run("models", "status", "--json"), "openrouter")
        assert found["env"]["source"] == ".env: OPENROUTER_API_KEY"


def test_a_pasted_token_is_in_the_store_and_in_the_config(house: Installation) -> None:
    """remoteclaw models auth paste-token --provider openrouter"""
    ended = house.run("models", "auth", "paste-token", "--provider", "openrouter", typed=f"{TOKEN}\n")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        f"Updated {house.state / 'config.toml'}",
        "Auth profile: openrouter:manual (openrouter/token)",
    ]
    stored = json.loads(house.store.read_text())["profiles"]["openrouter:manual"]
    assert stored == {"type": "token", "provider": "openrouter", "token": TOKEN}
    assert stat.S_IMODE(house.store.stat().st_mode) == 0o600
    assert stat.S_IMODE(house.store.parent.stat().st_mode) == 0o700
    config = (house.state / "config.toml").read_text()
    assert '[auth.profiles."openrouter:manual"]' in config
    assert TOKEN not in config
    assert auth(house.run("models", "status", "--json"), "openrouter")["effective"]["kind"] == "profiles"


def test_an_order_that_leaves_a_profile_out_is_reported_by_the_probe(
    house: Installation, server: ThreadedProviderServer
) -> None:
    """order set ... ; remoteclaw models status --probe"""
    house.configure(server.base_url)
    house.keep({"acme:work": "sk-acme-key-of-WORK", "acme:home": "sk-acme-key-of-HOME"})
    assert house.run("models", "auth", "order", "get", "--provider", "acme").out.endswith("Order override: (none)\n")
    ended = house.run("models", "auth", "order", "set", "--provider", "acme", "acme:work")
    assert (ended.code, ended.out.splitlines()[-1]) == (0, "Order override: acme:work")
    probed = house.run("models", "status", "--probe", "--json")
    rows = {row["profile_id"]: row for row in probed.json["probes"]["results"]}
    assert (rows["acme:home"]["status"], rows["acme:home"]["reason_code"]) == ("unknown", "excluded_by_auth_order")
    assert rows["acme:home"]["error"].splitlines()[-1].endswith("Excluded by auth.order for this provider.")
    assert "sk-acme-key-of-HOME" not in [seen.key for seen in server.seen]
    assert house.run("models", "auth", "order", "clear", "--provider", "acme").code == 0
    probed = house.run("models", "status", "--probe", "--json")
    assert {row["reason_code"] for row in probed.json["probes"]["results"]} == {None}


def test_check_says_one_two_and_nothing(house: Installation, server: ThreadedProviderServer) -> None:
    """remoteclaw models status --check: 1 expired or missing, 2 expiring, 0 otherwise"""
    house.configure(server.base_url)
    check = ("models", "status", "--check")
    assert house.run(*check).code == 1, "the default's provider has nothing"
    paste = ("models", "auth", "paste-token", "--provider", "acme", "--expires-in")
    assert house.run(*paste, "2h", typed=TOKEN).code == 0
    assert house.run(*check).code == 2
    assert house.run(*paste, "365d", typed=TOKEN).code == 0
    for form in ((), ("--json",), ("--plain",)):
        assert house.run(*check, *form).code == 0
    entry = json.loads(house.store.read_text())
    entry["profiles"]["acme:manual"]["expires"] = 1
    house.write_store(json.dumps(entry))
    assert house.run(*check).code == 1


def test_a_pin_of_the_page_is_what_the_next_request_carries(
    house: Installation, server: ThreadedProviderServer
) -> None:
    """/model <alias-or-id>@<profileId>; /model status"""
    house.configure(server.base_url)
    house.keep({"acme:work": "sk-acme-key-of-WORK", "acme:home": "sk-acme-key-of-HOME"})
    events = house.say("/model big@acme:home", "hi", "/model status")
    assert server.seen[-1].key == "sk-acme-key-of-HOME"
    status = next(event["data"] for event in events if event.get("kind") == "status")
    assert status["next"]["profile"] == "acme:home"
