"""What `/metrics` says of the refreshes of a running gateway."""

import http.client
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.installation import PATIENCE, Gateway, Installation
from tests.e2e.telegram_stage import Stage
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TelegramServer
from tests.fakes.token_server import ScriptedTokenServer

pytestmark = pytest.mark.xdist_group("operations")


@pytest.fixture
def tokens() -> Iterator[ScriptedTokenServer]:
    with ScriptedTokenServer() as tokens:
        yield tokens


@pytest.fixture
def stage(state_dir: Path, tokens: ScriptedTokenServer) -> Iterator[Stage]:
    with TelegramServer() as telegram, ThreadedProviderServer() as provider:
        stage = Stage(Installation(state_dir), telegram, provider)
        config = stage.house.state / "config.toml"
        login = f'[auth.oauth.acme]\ntoken_url = "{tokens.url}/token"\nclient_id = "a-client"\n'
        config.write_text(f'{config.read_text()}\n[gateway]\nlisten = "127.0.0.1:0"\n{login}')
        yield stage


def refreshes(gateway: Gateway) -> tuple[dict[tuple[str, str], float], str]:
    """The counts by provider and outcome, and the page that they stand in."""
    found = re.search(r"http://([^:]+):(\d+)/readyz", gateway.says("Health is answered"))
    assert found
    connection = http.client.HTTPConnection(found[1], int(found[2]), timeout=PATIENCE)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    counted = [sample for sample in samples if sample.name == "remoteclaw_refreshes_total"]
    assert all(set(sample.labels) == {"provider", "outcome"} for sample in counted)
    return {(sample.labels["provider"], sample.labels["outcome"]): sample.value for sample in counted}, text


def test_each_refresh_that_was_sent_is_counted_with_what_became_of_it(
    stage: Stage, tokens: ScriptedTokenServer
) -> None:
    ended: dict[str, Any] = {"type": "oauth", "provider": "acme", "expires": int(time.time() * 1000) - 60_000}
    logins = {
        "acme:lost": {**ended, "access": "access-x", "refresh": "revoked"},
        "acme:good": {**ended, "access": "access-0", "refresh": "refresh-0"},
    }
    order = {"acme": ["acme:lost", "acme:good"]}
    stage.house.write_store(json.dumps({"version": 1, "profiles": logins, "order": order}))
    chat = stage.telegram.private(stage.ada)
    with stage.gateway() as gateway:
        assert refreshes(gateway)[0] == {}
        for question in ("hello", "and again"):
            assert stage.serves(stage.ada, chat, question) == "ss-1"
        counted, text = refreshes(gateway)
    assert counted == {("acme", "auth_permanent"): 1, ("acme", "ok"): 1}
    assert len(tokens.seen) == 2
    assert not any(name in text for name in ("acme:lost", "acme:good", "access-", "refresh-"))
