"""`models list --refresh`: which credential asks, what is kept of the answers, and what becomes of those who fail."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.providers.registry import HttpProviderClient
from bot.app import inspect_installation
from bot.config.settings import Settings
from bot.models_documents import ensure_models_files
from bot.models_refresh import RefreshLimits, RefreshRow, refresh_models
from bot.models_wiring import bring_up_to_date, model_makings
from bot.paths import Paths
from core.auth.profiles import ProfileSet
from core.errors import BotError
from core.models.catalog import ModelEntry, Price
from core.models.ref import ModelRef
from tests.bot.models_house import CANARY, House, settings_of
from tests.fakes.clock import FakeClock
from tests.fakes.provider_script import Raw, Slow, status
from tests.fakes.provider_server import ProviderServer


@pytest.fixture
def house(state_dir: Path, clock: FakeClock) -> House:
    return House(state_dir, clock)


LISTED = {
    "data": [
        {"id": "big", "context_length": 9000, "architecture": {"input_modalities": ["text", "image"]},
         "pricing": {"prompt": "0.0000005", "completion": "0.000002", "input_cache_read": "0.00000005"}},
        {"id": "claude-opus-4-5", "name": "Their Opus"},
    ]
}  # fmt: skip


class Site:
    """A house whose providers are servers on loopback."""

    def __init__(self, house: House, clock: FakeClock, server: ProviderServer, client: HttpProviderClient) -> None:
        self.house = house
        self.clock = clock
        self.server = server
        self._client = client
        self.providers: dict[str, Any] = {}
        self.environ: dict[str, str] = {}

    def add(self, name: str, key: str | None = None, **changes: Any) -> None:
        base = {"base_url": self.server.openai_url, "api": "openai-completions"}
        self.providers[name] = {**base, **({"api_key": key} if key else {}), **changes}

    def settings(self, **more: Any) -> Settings:
        tree = {"models": {"providers": self.providers, **more}, "agents": {"defaults": {"model": "acme/small"}}}
        return settings_of(tree, **self.environ)

    async def refresh(
        self, provider: str | None = None, *, mode: str = "merge", **limits: Any
    ) -> tuple[RefreshRow, ...]:
        settings = self.settings(mode=mode)
        paths = Paths(self.house.state, self.house.state / "config.toml")
        inspection = inspect_installation(settings, paths, self.environ, self.clock)
        makings = self.house.makings(settings, **self.environ)
        return await refresh_models(inspection, makings, self._client, provider, limits=RefreshLimits(**limits))

    def known(self, provider: str = "acme") -> dict[str, ModelEntry]:
        entry = self.house.rules(self.settings()).catalog.providers[provider]
        return {model.ref.name: model for model in entry.models}


@pytest.fixture
async def site(house: House, clock: FakeClock) -> AsyncIterator[Site]:
    client = HttpProviderClient(clock)
    async with ProviderServer() as server:
        yield Site(house, clock, server, client)
    await client.close()


class TestRefresh:
    async def test_a_list_is_kept_and_what_comes_and_goes_is_told(self, site: Site) -> None:
        site.add("acme", CANARY)
        site.server.script[CANARY] = [
            status(200, body=LISTED),
            status(200, body={"data": [{"id": "big"}, {"id": "new"}]}),
        ]
        (row,) = await site.refresh()
        assert row == RefreshRow(
            provider="acme", outcome="ok", profile="config:acme", models=2, added=("big", "claude-opus-4-5")
        )
        known = site.known()
        assert known["big"] == ModelEntry(
            ref=ModelRef("acme", "big"),
            context_window=9000,
            inputs=("text", "image"),
            price=Price(input=0.5, output=2, cache_read=0.05),
        )
        opus = known["claude-opus-4-5"]
        assert (opus.name, opus.context_window) == ("Their Opus", 200_000), "the provider's word, and the library's"
        assert CANARY not in site.house.path().read_text()
        (row,) = await site.refresh()
        assert (row.models, row.added, row.gone) == (2, ("new",), ("claude-opus-4-5",))
        assert set(site.known()) == {"big", "new"}
        assert not ensure_models_files(site.house.makings(site.settings()), {"main": _of(site)}), "it is up to date"

    async def test_a_closed_provider_gets_data_and_no_models(self, site: Site) -> None:
        site.add("acme", CANARY, models=("small", "big"))
        site.server.script[CANARY] = [status(200, body=LISTED)]
        await site.refresh()
        known = site.known()
        assert set(known) == {"small", "big"}
        assert known["big"].context_window == 9000

    async def test_who_fails_keeps_what_is_known_and_says_why(self, site: Site) -> None:
        for name in ("acme", "down", "empty", "odd", "poor"):
            site.add(name, None if name == "poor" else f"{name}-{CANARY}")
        site.providers["down"]["base_url"] = "http://127.0.0.1:9/v1"
        for name in ("acme", "empty", "odd"):
            site.server.script[f"{name}-{CANARY}"] = [status(200, body=LISTED)]
        await site.refresh()
        site.server.script[f"acme-{CANARY}"] = [status(401)]
        site.server.script[f"empty-{CANARY}"] = [status(200, body={"data": []})]
        site.server.script[f"odd-{CANARY}"] = [Raw((b"<html>",), {"content-type": "text/html"})]
        before = site.house.path().read_bytes()
        rows = {row.provider: row for row in await site.refresh()}
        outcomes = {name: row.outcome for name, row in rows.items()}
        assert list(outcomes) == ["acme", "down", "empty", "odd", "poor"]
        assert (outcomes["acme"], outcomes["empty"], outcomes["poor"]) == ("auth", "empty", "no_credentials")
        assert outcomes["down"] in ("network", "timeout")
        assert outcomes["odd"] not in ("ok", "empty")
        assert all(row.detail for row in rows.values())
        assert CANARY not in repr(rows)
        assert site.house.path().read_bytes() == before
        assert "big" in site.known()

    async def test_one_that_does_not_answer_holds_nobody_up(self, site: Site) -> None:
        site.add("acme", f"a-{CANARY}")
        site.add("slow", f"s-{CANARY}")
        site.server.script[f"a-{CANARY}"] = [status(200, body=LISTED)]
        site.server.script[f"s-{CANARY}"] = [Slow("")]
        rows = await site.refresh(timeout=timedelta(seconds=0.3), concurrency=2)
        assert [row.outcome for row in rows] == ["ok", "timeout"]
        assert "big" in site.known()

    async def test_no_more_are_asked_at_once_than_allowed(self, site: Site) -> None:
        for n in range(4):
            site.add(f"p{n}" if n else "acme", f"{n}-{CANARY}")
            site.server.script[f"{n}-{CANARY}"] = [Slow("")]
        await site.refresh(timeout=timedelta(seconds=0.2), concurrency=1)
        assert len({seen.peer for seen in site.server.seen}) == len(site.server.seen) == 4

    async def test_the_credential_is_the_one_that_the_resolver_would_use(self, site: Site) -> None:
        site.add("acme", CANARY)
        site.environ = {"ACME_API_KEY": f"env-{CANARY}"}
        site.server.script[f"env-{CANARY}"] = [status(200, body=LISTED)]
        (row,) = await site.refresh("ACME")
        assert (row.outcome, row.profile) == ("ok", "env:ACME_API_KEY")
        assert [seen.path for seen in site.server.seen] == ["/v1/models"]

    async def test_a_provider_that_needs_no_key_is_asked_without(self, site: Site) -> None:
        site.add("acme", auth="none")
        site.server.script[""] = [status(200, body=LISTED)]
        (row,) = await site.refresh()
        assert (row.outcome, row.profile) == ("ok", "none:acme")

    async def test_an_unknown_provider_and_a_config_that_wants_nothing_else_are_errors(self, site: Site) -> None:
        site.add("acme", CANARY)
        with pytest.raises(BotError, match="There is no provider 'nobody'") as unknown:
            await site.refresh("nobody")
        assert "Known here: acme" in unknown.value.hint
        with pytest.raises(BotError, match=r'models\.mode is "replace"'):
            await site.refresh(mode="replace")
        assert not site.server.seen

    async def test_the_start_of_a_gateway_keeps_what_was_listed(self, site: Site, state_dir: Path) -> None:
        site.add("acme", CANARY)
        site.server.script[CANARY] = [status(200, body=LISTED)]
        await site.refresh()
        settings = site.settings()
        paths = Paths(state_dir, state_dir / "config.toml")
        inspection = inspect_installation(settings, paths, {}, site.clock)
        makings = model_makings(settings, paths, {}, site.house.rules(settings))
        await bring_up_to_date(makings, inspection.credentials)
        assert set(site.known()) == {"big", "claude-opus-4-5"}
        assert not await bring_up_to_date(makings, inspection.credentials)


def _of(site: Site) -> ProfileSet:
    paths = Paths(site.house.state, site.house.state / "config.toml")
    return inspect_installation(site.settings(), paths, site.environ, site.clock).credentials.load("main")


@pytest.fixture(scope="module")
def llmock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A provider that is not ours."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("llmock") / "log"
    program = Path(sys.executable).with_name("llmock")
    with log.open("wb") as out:
        command = [program, "serve", "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env={"PATH": os.environ["PATH"], "HOME": str(log.parent)}
        )
    try:
        ends = time.monotonic() + 30
        while time.monotonic() < ends and process.poll() is None:
            try:
                httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.xdist_group("llmock")
async def test_a_server_that_is_not_ours_is_understood(site: Site, llmock: str) -> None:
    site.add("acme", CANARY, base_url=f"{llmock}/v1")
    site.add("anthropic", CANARY, base_url=f"{llmock}/anthropic", api="anthropic-messages")
    rows = await site.refresh()
    assert [row.outcome for row in rows] == ["ok", "ok"]
    assert "gpt-4o" in rows[0].added
    assert site.known("anthropic")["claude-opus-4-6"].name == "Claude Opus 4.6"
