"""What `remoteclaw onboard` says that serves is what serves: asked of the resolver, for the agent that is meant."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bot.onboard_home import COMMENTED, KEY, LIST, OTHER, SETUP, Home, acme
from tests.fakes.discord_server import DiscordServer
from tests.fakes.provider_script import Step, ok, raw, status
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TOKEN, TelegramServer


def lists(*names: str) -> Step:
    body = json.dumps({"data": [{"id": name} for name in names]})
    return raw(body.encode(), headers={"content-type": "application/json"})


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Home:
    state = tmp_path / "home" / "state"
    monkeypatch.setenv("REMOTECLAW_STATE_DIR", str(state))
    return Home(state, capsys, monkeypatch)


@pytest.fixture
def server() -> Iterator[ThreadedProviderServer]:
    with ThreadedProviderServer() as server:
        server.script[KEY], server.script[OTHER] = [LIST] * 9, [status(401)] * 9
        server.script[""] = [status(401)] * 9
        yield server


def config(server: ThreadedProviderServer, *more: str) -> str:
    return COMMENTED.format(url=server.openai_url) + "\n".join(more)


def shown(home: Home, *flags: str, given: str = "") -> dict[str, Any]:
    """What is printed as JSON."""
    code, out, _ = home.run("--json", *flags, given=given)
    assert code == 0
    found: dict[str, Any] = json.loads(out)
    return found


class TestCredential:
    def test_as_it_is_means_the_one_that_serves_and_not_the_first_one_of_the_store(
        self, home: Home, server: ThreadedProviderServer
    ) -> None:
        home.make(config(server, "[auth.order]", 'acme = ["acme:work"]'), {"acme:home": OTHER, "acme:work": KEY})
        assert "Credential: acme:work (kept as it is)" in home.does("--provider", "acme", "--model", "large")
        assert OTHER not in {seen.key for seen in server.seen}

    def test_a_new_one_that_an_order_of_the_agent_leaves_out_is_told_to_programs_too(
        self, home: Home, server: ThreadedProviderServer
    ) -> None:
        home.make(config(server), {"acme:work": KEY}, {"acme": ["acme:work"]})
        told = shown(home, "--provider", "acme", "--api-key-stdin", "--profile-id", "acme:new", given=KEY)
        assert told["profile"] == "acme:new"
        (note,) = told["notes"]
        assert "acme:work serves acme/small: acme:new is not in the order of acme, so it is not tried" in note

    def test_the_login_of_the_claude_cli_beside_an_order_that_has_another_one(
        self, home: Home, server: ThreadedProviderServer, tmp_path: Path
    ) -> None:
        log_in(home, tmp_path)
        home.make('[auth.order]\nanthropic = ["anthropic:work"]\n', {"anthropic:work": KEY})
        told = shown(home, "--provider", "anthropic", "--auth", "claude-cli", "--model", "sonnet")
        assert told["profile"] == "anthropic:claude-cli"
        (note,) = told["notes"]
        assert "anthropic:work serves anthropic/claude-sonnet-4-5: anthropic:claude-cli is not in the order" in note

    def test_a_key_that_such_a_login_comes_before(self, home: Home, tmp_path: Path) -> None:
        log_in(home, tmp_path)
        flags = ("--provider", "anthropic", "--api-key-stdin", "--skip-checks")
        (note,) = shown(home, *flags, given=KEY)["notes"]
        assert "anthropic:claude-cli serves anthropic/claude-sonnet-4-5: anthropic:manual comes after it" in note

    @pytest.mark.parametrize(
        "flags",
        [
            pytest.param(("--profile-id", "acme:x"), id="as-it-is"),
            pytest.param(("--auth", "none", "--profile-id", "acme:x", "--skip-checks"), id="none"),
        ],
    )
    def test_an_id_for_what_is_not_stored_is_wrong_use(
        self, home: Home, server: ThreadedProviderServer, flags: tuple[str, ...]
    ) -> None:
        home.make(config(server), {"acme:work": KEY})
        assert "--profile-id names a credential that is stored" in home.refuses("--provider", "acme", *flags, code=2)

    def test_a_variable_with_an_id_is_stored_as_a_reference(self, home: Home, server: ThreadedProviderServer) -> None:
        home.make(config(server), {})
        (home.state / ".env").write_text(f"ACME_API_KEY={KEY}\n")
        home.does("--provider", "acme", "--env", "ACME_API_KEY", "--profile-id", "acme:here")
        assert home.profiles["acme:here"]["keyRef"]["id"] == "ACME_API_KEY"


def log_in(home: Home, folder: Path) -> None:
    """A Claude CLI with a login."""
    login = {"accessToken": SETUP, "refreshToken": OTHER, "expiresAt": 4_000_000_000_000}
    (folder / "claude").mkdir()
    kept, program = folder / "claude" / ".credentials.json", folder / "bin" / "claude"
    kept.write_text(json.dumps({"claudeAiOauth": login}))
    kept.chmod(0o600)
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    home.monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(kept.parent))
    home.monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


class TestModel:
    def test_an_installation_that_answers_by_its_first_model_is_there(
        self, home: Home, server: ThreadedProviderServer, telegram: TelegramServer
    ) -> None:
        home.make(config(server).replace('model = "acme/small"  # cheap', ""), {"acme:work": KEY})
        home.does("--telegram-token-stdin", "--telegram-api-url", telegram.url, given=TOKEN)
        assert home.tree["channels"]["telegram"]["token"] == "${TELEGRAM_BOT_TOKEN}"
        assert home.tree["agents"] == {"defaults": {}}
        assert server.seen == []

    def test_an_id_that_begins_with_the_name_of_its_provider_is_left_as_it_is(
        self, home: Home, server: ThreadedProviderServer
    ) -> None:
        server.script[KEY] = [lists("acme/compound", "llama")] * 2
        flags = ("--provider", "acme", "--base-url", server.openai_url, "--model", "acme/compound", "--api-key-stdin")
        assert "Default model: acme/acme/compound" in home.does(*flags, given=KEY)
        home.answers(server)
        assert server.seen[-1].model == "acme/compound"

    def test_one_that_is_not_listed_is_told_with_the_one_that_may_be_meant(
        self, home: Home, server: ThreadedProviderServer
    ) -> None:
        flags = ("--provider", "acme", "--base-url", server.openai_url, "--model", "smal", "--api-key-stdin")
        told = shown(home, *flags, given=KEY)
        assert [(check["what"], check["verdict"]) for check in told["checks"]] == [
            ("credential", "ok"),
            ("model", "unknown"),
        ]
        assert (
            told["checks"][1]["detail"]
            == "acme does not list smal. Did you mean small? Then: remoteclaw models set acme/small"
        )

    def test_a_provider_without_a_list_is_asked_for_an_answer_with_the_model(
        self, home: Home, server: ThreadedProviderServer
    ) -> None:
        server.script[KEY] = [status(404), ok("OK")]
        out = home.does(*acme(server, "--api-key-stdin"), given=KEY)
        assert "Checked: acme accepts acme:manual." in out
        assert [seen.path for seen in server.seen] == ["/v1/models", "/v1/chat/completions"]
        assert server.seen[-1].model == "small"

    def test_a_policy_that_had_to_be_widened_is_told(self, home: Home, server: ThreadedProviderServer) -> None:
        home.make(config(server, "[model_policy]", 'allow = ["acme/small"]'), {"acme:work": KEY})
        (note,) = shown(home, "--provider", "acme", "--model", "large")["notes"]
        assert note == "acme/large is added to model_policy.allow, which did not cover it."

    def test_an_agent_that_goes_on_with_its_own_model_is_told(self, home: Home, server: ThreadedProviderServer) -> None:
        home.make(config(server, "[agents.list.main]", 'model = "acme/small"'), {"acme:work": KEY})
        (note,) = shown(home, "--provider", "acme", "--model", "large")["notes"]
        assert note.startswith("agents.list.main.model is set, so the agent main goes on with its own.")


class TestChecks:
    @pytest.mark.parametrize(
        ("flags", "given", "words"),
        [
            pytest.param(("--skip-checks", "--api-key-stdin"), KEY, "--skip-checks", id="skipped"),
            pytest.param(("--auth", "claude-cli"), "", "Claude CLI asks with its login itself", id="no-server"),
        ],
    )
    def test_what_was_not_asked_is_said_not_to_be_known(
        self, home: Home, tmp_path: Path, flags: tuple[str, ...], given: str, words: str
    ) -> None:
        log_in(home, tmp_path)
        (check,) = shown(home, "--provider", "anthropic", *flags, given=given)["checks"]
        assert (check["what"], check["verdict"]) == ("credential", "unknown")
        assert words in check["detail"]

    @pytest.mark.parametrize(
        "flags",
        [
            pytest.param(("--telegram-token-stdin", "--telegram-api-url", "nonsense"), id="platform"),
            pytest.param(("--provider", "zeta", "--base-url", "nonsense", "--api-key-stdin"), id="provider"),
        ],
    )
    def test_a_way_round_the_checks_is_not_offered_where_it_leads_nowhere(
        self, home: Home, server: ThreadedProviderServer, flags: tuple[str, ...]
    ) -> None:
        home.make(config(server), {"acme:work": KEY})
        assert "--skip-checks" not in home.refuses(*flags, given=TOKEN)


class TestDiscord:
    def test_it_is_told_where_the_bot_is_added_to_a_server(self, home: Home, server: ThreadedProviderServer) -> None:
        home.make(config(server), {"acme:work": KEY})
        with DiscordServer() as discord:
            flags = ("--discord-token-stdin", "--discord-api-url", discord.api_base_url)
            told = shown(home, *flags, given=discord.token)
            address = f"https://discord.com/oauth2/authorize?client_id={discord.application}"
        assert told["invitation"] == f"{address}&scope=bot+applications.commands&permissions=274877975552"
        assert told["checks"][0]["detail"] == f"Discord accepts the token: this is {discord.bot.name}."

    def test_a_bot_that_may_not_read_what_people_write_is_told(
        self, home: Home, server: ThreadedProviderServer
    ) -> None:
        home.make(config(server), {"acme:work": KEY})
        with DiscordServer() as discord:
            discord.flags = 0
            flags = ("--discord-token-stdin", "--discord-api-url", discord.api_base_url)
            assert "no Message Content Intent" in home.refuses(*flags, given=discord.token)
            discord.fail("GET", "/applications/@me", 404)
            assert shown(home, *flags, given=discord.token)["invitation"] is None, "a server that cannot tell is fine"


class TestAgent:
    def test_its_store_takes_the_credential_and_its_model_is_set(
        self, home: Home, server: ThreadedProviderServer
    ) -> None:
        home.make(config(server, "[agents.list.writer]"), {"acme:work": KEY})
        flags = ("--agent", "writer", "--provider", "acme", "--model", "large", "--api-key-stdin")
        told = shown(home, *flags, "--profile-id", "acme:writers", given=KEY)
        assert (told["agent"], told["model"]) == ("writer", "acme/large")
        assert told["next"][0] == "remoteclaw chat --agent writer"
        assert home.tree["agents"]["list"]["writer"]["model"] == "acme/large"
        assert home.tree["agents"]["defaults"]["model"] == "acme/small"
        assert list(home.profiles) == ["acme:work"]
        assert list(home.profiles_of("writer")) == ["acme:writers"]

    def test_one_that_there_is_not(self, home: Home, server: ThreadedProviderServer) -> None:
        home.make(config(server), {})
        assert 'Unknown agent id "ghost"' in home.refuses("--agent", "ghost", "--owner", "telegram:1")


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    with TelegramServer() as telegram:
        yield telegram
