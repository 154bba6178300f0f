"""`remoteclaw onboard` without anybody to ask: what every flag comes to, what is checked before, and what stays as it was."""

import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bot.cli.main import main
from tests.bot.onboard_home import COMMENTED, KEY, LIST, OTHER, SETUP, Home, acme
from tests.fakes.discord_server import DiscordServer
from tests.fakes.provider_script import status
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.service_tools import ServiceTools
from tests.fakes.telegram_server import TOKEN, TelegramServer


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Home:
    """Not even the state directory is there."""
    state = tmp_path / "home" / "state"
    monkeypatch.setenv("REMOTECLAW_STATE_DIR", str(state))
    monkeypatch.chdir(tmp_path)
    return Home(state, capsys, monkeypatch)


@pytest.fixture
def server() -> Iterator[ThreadedProviderServer]:
    """It gives its list to both keys, and to nobody without one."""
    with ThreadedProviderServer() as server:
        server.script[KEY], server.script[OTHER] = [LIST] * 9, [LIST] * 9
        server.script[""] = [status(401)] * 9
        yield server


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    with TelegramServer() as telegram:
        yield telegram


class TestEveryCredential:
    def test_a_key_from_standard_input_goes_to_the_store_and_serves(
        self, home: Home, server: ThreadedProviderServer
    ) -> None:
        out = home.does(*acme(server, "--api-key-stdin"), given=f"{KEY}\n")
        assert out.splitlines()[:4] == [
            f"Updated {home.state}/agents/main/agent/auth-profiles.json",
            f"Updated {home.config}",
            "Credential: acme:manual (stored)",
            "Default model: acme/small",
        ]
        assert "remoteclaw chat" in out
        assert "remoteclaw doctor" in out
        assert home.profiles == {"acme:manual": {"type": "api_key", "provider": "acme", "key": KEY}}
        assert home.tree == {
            "models": {"providers": {"acme": {"base_url": server.openai_url, "api": "openai-completions"}}},
            "auth": {"profiles": {"acme:manual": {"provider": "acme", "mode": "api_key"}}},
            "agents": {"defaults": {"model": "acme/small", "models": {"acme/small": {}}}},
        }
        assert {seen.path for seen in server.seen} == {"/v1/models"}, "the check costs no tokens"
        assert server.seen[0].key == KEY
        assert home.answers(server) == "served-by:6789"
        assert KEY.encode() not in home.config.read_bytes()
        assert stat.S_IMODE(home.state.stat().st_mode) == 0o700

    def test_a_variable_that_the_provider_is_looked_for_in_is_not_stored(
        self, home: Home, server: ThreadedProviderServer
    ) -> None:
        home.monkeypatch.setenv("ACME_API_KEY", KEY)
        code, out, err = home.run(*acme(server, "--auth", "env"))
        assert code == 0
        assert "Credential: env:ACME_API_KEY (taken from ACME_API_KEY)" in out
        assert "ACME_API_KEY is set in this shell. A service does not see that" in err
        assert home.profiles == {}
        assert home.answers(server) == "served-by:6789"

    def test_any_other_variable_becomes_a_reference(self, home: Home, server: ThreadedProviderServer) -> None:
        home.state.mkdir(parents=True, mode=0o700)
        (home.state / ".env").write_text(f"KEPT_ELSEWHERE={KEY}\n")
        (home.state / ".env").chmod(0o600)
        home.does(*acme(server, "--env", "KEPT_ELSEWHERE"))
        reference = {"source": "env", "provider": "default", "id": "KEPT_ELSEWHERE"}
        assert home.profiles == {"acme:manual": {"type": "api_key", "provider": "acme", "keyRef": reference}}
        assert home.answers(server) == "served-by:6789"

    def test_a_reference_is_followed_before_it_is_stored(
        self, home: Home, server: ThreadedProviderServer, tmp_path: Path
    ) -> None:
        kept = tmp_path / "keys.json"
        kept.write_text(json.dumps({"acme": KEY}))
        kept.chmod(0o600)
        home.state.mkdir(parents=True, mode=0o700)
        home.config.write_text(f'[secrets.providers.vault]\nsource = "file"\npath = "{kept}"\nmode = "json"\n')
        home.does(*acme(server, "--ref", "file:vault:/acme", "--profile-id", "acme:vault"))
        assert home.profiles["acme:vault"]["keyRef"] == {"source": "file", "provider": "vault", "id": "/acme"}
        assert home.answers(server) == "served-by:6789"
        assert "/zeta" in home.refuses(*acme(server, "--ref", "file:vault:/zeta"))

    def test_a_server_that_needs_no_key(self, home: Home, server: ThreadedProviderServer) -> None:
        server.script[""] = [LIST]
        home.does(*acme(server, "--auth", "none"))
        assert home.tree["models"]["providers"]["acme"]["auth"] == "none"
        assert home.profiles == {}
        assert home.answers(server) == "served-by:"

    def test_a_setup_token_ends_after_a_year(self, home: Home) -> None:
        home.does("--provider", "anthropic", "--token-stdin", "--skip-checks", given=SETUP)
        entry = home.profiles["anthropic:manual"]
        assert (entry["type"], entry["token"]) == ("token", SETUP)
        assert "expires" in entry
        assert home.tree["agents"]["defaults"]["model"] == "anthropic/claude-sonnet-4-5"

    def test_the_login_of_the_claude_cli_is_used_and_not_stored(self, home: Home, tmp_path: Path) -> None:
        assert "was not found here" in home.refuses("--auth", "claude-cli")
        login = {"accessToken": SETUP, "refreshToken": OTHER, "expiresAt": 4_000_000_000_000}
        claude = tmp_path / "claude-home"
        claude.mkdir()
        (claude / ".credentials.json").write_text(json.dumps({"claudeAiOauth": login}))
        (claude / ".credentials.json").chmod(0o600)
        program = tmp_path / "bin" / "claude"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o755)
        home.monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(claude))
        home.monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        out = home.does("--auth", "claude-cli")
        assert "Credential: anthropic:claude-cli" in out
        assert home.tree == {"agents": {"defaults": {"model": "claude-cli/sonnet"}}}
        assert set(home.files()) == {"config.toml", ".config.toml.guard"}
        home.does("--auth", "claude-cli", "--provider", "anthropic", "--model", "sonnet")
        assert home.tree["agents"]["defaults"]["model"] == "anthropic/claude-sonnet-4-5"

    def test_a_credential_that_is_there_is_kept_where_only_the_model_changes(
        self, home: Home, server: ThreadedProviderServer
    ) -> None:
        home.does(*acme(server, "--api-key-stdin"), given=KEY)
        before = home.profiles
        out = home.does("--provider", "acme", "--model", "large")
        assert "Credential: acme:manual (kept as it is)" in out
        assert home.profiles == before
        assert home.tree["agents"]["defaults"]["model"] == "acme/large"


class TestChannels:
    def test_a_token_goes_to_the_environment_file_and_the_config_names_its_variable(
        self, home: Home, server: ThreadedProviderServer, telegram: TelegramServer
    ) -> None:
        flags = ("--telegram-token-stdin", "--telegram-api-url", telegram.url, "--owner", "telegram:1001")
        out = home.does(*acme(server, "--api-key-stdin", *flags), given=f"{KEY}\n{TOKEN}\n")
        assert "Telegram: @Our_Bot\nOwner: telegram:1001" in out
        assert "remoteclaw gateway" in out
        dotenv = home.state / ".env"
        assert dotenv.read_text() == f"TELEGRAM_BOT_TOKEN={TOKEN}\n"
        assert stat.S_IMODE(dotenv.stat().st_mode) == 0o600
        assert home.tree["channels"] == {"telegram": {"token": "${TELEGRAM_BOT_TOKEN}", "api_base_url": telegram.url}}
        assert home.tree["access"] == {"owners": ["telegram:1001"]}
        assert [call.method for call in telegram.calls] == ["getme"]

    def test_discord_by_a_variable_that_is_there(self, home: Home, server: ThreadedProviderServer) -> None:
        with DiscordServer() as discord:
            home.state.mkdir(parents=True, mode=0o700)
            (home.state / ".env").write_text(f"BOT_OF_MINE='{discord.token}'\n")
            (home.state / ".env").chmod(0o600)
            flags = ("--discord-token-env", "BOT_OF_MINE", "--discord-api-url", discord.api_base_url)
            out = home.does(*acme(server, "--api-key-stdin", *flags, "--owner", "discord:2002"), given=KEY)
        assert "Discord: " in out
        assert home.tree["channels"]["discord"]["token"] == "${BOT_OF_MINE}"
        assert (home.state / ".env").read_text() == f"BOT_OF_MINE='{discord.token}'\n"

    def test_without_an_owner_it_is_said_how_to_be_let_in(
        self, home: Home, server: ThreadedProviderServer, telegram: TelegramServer
    ) -> None:
        flags = ("--telegram-token-stdin", "--telegram-api-url", telegram.url)
        assert "remoteclaw pairing" in home.does(*acme(server, "--api-key-stdin", *flags), given=f"{KEY}\n{TOKEN}\n")

    def test_a_new_token_takes_the_place_of_the_old_one_wherever_that_is_named(
        self, home: Home, server: ThreadedProviderServer, telegram: TelegramServer
    ) -> None:
        home.state.mkdir(parents=True, mode=0o700)
        dotenv = home.state / ".env"
        dotenv.write_text(f"# bots\nexport MY_BOT=old:{'x' * 30}\nLAST=1")
        dotenv.chmod(0o644)
        home.config.write_text(
            COMMENTED.format(url=server.openai_url)
            + f'[channels.telegram]\ntoken = "${{MY_BOT}}" # the bot\napi_base_url = "{telegram.url}"\n'
        )
        before = home.config.read_text()
        home.does("--telegram-token-stdin", given=TOKEN)
        assert dotenv.read_text() == f"# bots\nMY_BOT={TOKEN}\nLAST=1"
        assert stat.S_IMODE(dotenv.stat().st_mode) == 0o600
        assert home.config.read_text() == before


class TestAgain:
    def test_the_same_flags_once_more_change_nothing(
        self, home: Home, server: ThreadedProviderServer, telegram: TelegramServer
    ) -> None:
        flags = acme(
            server, "--api-key-stdin", "--telegram-token-stdin", "--telegram-api-url", telegram.url, "--owner",
            "telegram:1001",
        )  # fmt: skip
        home.does(*flags, given=f"{KEY}\n{TOKEN}\n")
        before = home.files()
        assert home.does(*flags, given=f"{KEY}\n{TOKEN}\n").startswith("Nothing had to be changed.\n")
        assert home.files() == before

    def test_comments_and_everything_else_stay(self, home: Home, server: ThreadedProviderServer) -> None:
        home.state.mkdir(parents=True, mode=0o700)
        home.config.write_text(COMMENTED.format(url=server.openai_url))
        home.does("--provider", "acme", "--model", "large", "--api-key-stdin", "--owner", "telegram:5", given=KEY)
        text = home.config.read_text()
        for comment in ("# mine", "# at home", "# cheap", "# me"):
            assert comment in text
        assert home.tree["agents"]["defaults"]["model"] == "acme/large"
        assert home.tree["access"]["owners"] == ["discord:7", "telegram:5"]

    def test_a_second_key_of_another_id_lies_beside_the_first(self, home: Home, server: ThreadedProviderServer) -> None:
        home.does(*acme(server, "--api-key-stdin"), given=KEY)
        code, _, err = home.run("--provider", "acme", "--api-key-stdin", "--profile-id", "acme:two", given=OTHER)
        assert code == 0
        assert "acme:manual serves acme/small: acme:two comes after it" in err
        assert list(home.profiles) == ["acme:manual", "acme:two"]
        assert set(home.tree["auth"]["profiles"]) == {"acme:manual", "acme:two"}

    def test_an_owner_alone(self, home: Home, server: ThreadedProviderServer) -> None:
        home.does(*acme(server, "--api-key-stdin"), given=KEY)
        asked = len(server.seen)
        assert "Owner: telegram:9" in home.does("--owner", "telegram:9", "--owner", "telegram:9")
        assert home.tree["access"]["owners"] == ["telegram:9"]
        assert len(server.seen) == asked

    def test_a_second_provider_does_not_take_the_place_of_the_default(
        self, home: Home, server: ThreadedProviderServer
    ) -> None:
        home.state.mkdir(parents=True, mode=0o700)
        home.config.write_text(
            COMMENTED.format(url=server.openai_url)
            .replace('"large"', '{ id = "large", alias = "big" }')
            .replace("acme/small", "big")
        )
        home.does("--provider", "acme", "--api-key-stdin", given=KEY)
        out = home.does("--provider", "openai", "--api-key-stdin", "--skip-checks", given=OTHER)
        assert "Default model: acme/large" in out
        assert home.tree["agents"]["defaults"] == {"model": "big"}
        assert set(home.profiles) == {"acme:manual", "openai:manual"}


class TestChecks:
    def test_a_key_that_is_refused_is_not_stored(self, home: Home, server: ThreadedProviderServer) -> None:
        server.script[KEY] = [status(401)]
        said = home.refuses(*acme(server, "--api-key-stdin"), given=KEY)
        assert "does not accept the credential (HTTP 401)" in said
        assert "Nothing was changed. --skip-checks" in said
        assert not home.state.exists(), "not even the directory is made"

    def test_it_is_stored_where_nobody_is_to_be_asked(self, home: Home, server: ThreadedProviderServer) -> None:
        home.does(*acme(server, "--api-key-stdin", "--skip-checks"), given=KEY)
        assert home.profiles["acme:manual"]["key"] == KEY
        assert server.seen == []

    def test_a_server_that_is_not_there(self, home: Home) -> None:
        flags = ("--provider", "acme", "--base-url", "http://127.0.0.1:9/v1", "--model", "m", "--api-key-stdin")
        assert "http://127.0.0.1:9/v1" in home.refuses(*flags, given=KEY)

    def test_a_bot_token_that_is_refused_leaves_everything(
        self, home: Home, server: ThreadedProviderServer, telegram: TelegramServer
    ) -> None:
        telegram.revoke()
        flags = ("--telegram-token-stdin", "--telegram-api-url", telegram.url)
        assert "Telegram does not accept" in home.refuses(
            *acme(server, "--api-key-stdin", *flags), given=f"{KEY}\n{TOKEN}"
        )
        assert not home.state.exists()


class TestService:
    def test_it_is_installed_at_the_end(self, home: Home, server: ThreadedProviderServer, tmp_path: Path) -> None:
        tools = ServiceTools(tmp_path / "tools")
        tools.make("systemctl", "loginctl")
        home.monkeypatch.setenv("PATH", f"{tools.folder}:{os.environ['PATH']}")
        home.monkeypatch.setattr(sys, "platform", "linux")
        out = home.does(*acme(server, "--api-key-stdin", "--service"), given=KEY)
        assert "The service remoteclaw is enabled and runs." in out
        assert any("enable remoteclaw.service" in call for call in tools.calls())

    def test_where_there_is_no_manager_the_rest_is_done_and_that_is_told(
        self, home: Home, server: ThreadedProviderServer, tmp_path: Path
    ) -> None:
        (tmp_path / "empty").mkdir()
        home.monkeypatch.setenv("PATH", str(tmp_path / "empty"))
        code, out, err = home.run(*acme(server, "--api-key-stdin", "--service"), given=KEY)
        assert code == 1
        assert f"Updated {home.config}" in out
        assert "systemctl" in err


class TestJson:
    def test_what_was_done_and_what_comes_next(self, home: Home, server: ThreadedProviderServer) -> None:
        shown = json.loads(home.does(*acme(server, "--api-key-stdin", "--json"), given=KEY))
        assert shown == {
            "agent": "main",
            "config_path": str(home.config),
            "changed": [f"{home.state}/agents/main/agent/auth-profiles.json", str(home.config)],
            "provider": "acme",
            "profile": "acme:manual",
            "model": "acme/small",
            "bots": {},
            "invitation": None,
            "owners": [],
            "service": False,
            "checks": [
                {"what": "credential", "name": "acme:manual", "verdict": "ok", "detail": "acme accepts acme:manual."},
                {"what": "model", "name": "acme/small", "verdict": "ok", "detail": "acme lists small."},
            ],
            "notes": [],
            "next": ["remoteclaw chat", "remoteclaw doctor"],
        }


URL = ("--base-url", "http://127.0.0.1:9/v1")


class TestWrongUse:
    @pytest.mark.parametrize(
        ("flags", "words"),
        [
            pytest.param((), "--provider is missing", id="nothing-said"),
            pytest.param(("--provider", "acme"), "No provider acme is known", id="no-address"),
            pytest.param(("--provider", "openai"), "There is no credential of openai yet", id="no-credential"),
            pytest.param(("--provider", "a/b"), "--provider must be a provider id", id="no-name"),
            pytest.param(("--base-url", "http://x"), "need --provider", id="address-of-nobody"),
            pytest.param(("--auth", "api-key", "--provider", "openai"), "needs --api-key-stdin", id="key-of-nobody"),
            pytest.param(("--auth", "ref", "--provider", "openai"), "needs --ref", id="no-reference"),
            pytest.param(("--auth", "login", "--provider", "openai"), "models auth login", id="login"),
            pytest.param(("--env", "A", "--ref", "env:default:A"), "do not agree", id="two-ways"),
            pytest.param(("--auth", "env", "--api-key-stdin"), "do not agree", id="two-words"),
            pytest.param(("--env", KEY, "--provider", "acme"), "--env takes the name of a variable", id="key-as-name"),
            pytest.param(("--ref", "nowhere:x:y", "--provider", "acme"), "--ref: the source", id="bad-reference"),
            pytest.param(("--ref", KEY, "--provider", "acme"), "--ref: the source", id="key-as-reference"),
            pytest.param(("--telegram-token-env", TOKEN), "--telegram-token-env takes", id="token-as-name"),
            pytest.param(("--telegram-token-env", "A", "--telegram-token-stdin"), "exclude", id="two-tokens"),
            pytest.param(("--owner", "ada"), "--owner takes platform:id", id="owner-by-name"),
            pytest.param(("--owner", "telegram:-5"), "--owner takes platform:id", id="owner-is-a-group"),
            pytest.param(("--auth", "env", "--provider", "acme", *URL), "No variable of acme", id="no-variable"),
            pytest.param(("--auth", "none", "--provider", "acme", *URL), "No model of acme", id="no-model"),
            pytest.param(
                ("--provider", "openai", "--model", f"sk-{KEY}"), "--model looks like a secret", id="key-as-model"
            ),
            pytest.param(("--api-key", KEY), "never taken from the command line", id="key-as-argument"),
            pytest.param((KEY,), "never taken from the command line", id="key-alone"),
            pytest.param(("--telegram-token", TOKEN), "never taken from the command line", id="token-as-argument"),
        ],
    )
    def test_is_told_in_a_sentence_and_changes_nothing(self, home: Home, flags: tuple[str, ...], words: str) -> None:
        assert words in home.refuses(*flags, code=2)
        assert not home.state.exists()

    @pytest.mark.parametrize(
        ("flags", "given", "words"),
        [
            pytest.param(("--api-key-stdin",), "", "no line for --api-key-stdin", id="no-key"),
            pytest.param(
                ("--api-key-stdin", "--telegram-token-stdin"), KEY, "no line for --telegram-token-stdin", id="no-token"
            ),
            pytest.param(("--api-key-stdin",), "a key with blanks", "holds a blank", id="no-header"),
            pytest.param(("--api-key-stdin",), SETUP, "setup-token and no API key", id="token-for-key"),
            pytest.param(("--api-key-stdin",), "k" * 20_000, "longer than 16 KiB", id="too-long"),
            pytest.param(
                ("--api-key-stdin", "--telegram-token-stdin", "--skip-checks"),
                f"{KEY}\nshort\n",
                "no bot token",
                id="short",
            ),
            pytest.param(("--env", "NOT_THERE"), "", "NOT_THERE is not set here", id="unset"),
        ],
    )
    def test_what_cannot_be_a_secret_is_refused(
        self, home: Home, server: ThreadedProviderServer, flags: tuple[str, ...], given: str, words: str
    ) -> None:
        assert words in home.refuses(*acme(server, *flags), given=given)
        assert not home.state.exists()

    def test_a_model_that_a_provider_does_not_list(self, home: Home, server: ThreadedProviderServer) -> None:
        home.state.mkdir(parents=True, mode=0o700)
        home.config.write_text(COMMENTED.format(url=server.openai_url))
        assert "lists no such model" in home.refuses("--provider", "acme", "--model", "tiny", "--auth", "none")

    @pytest.mark.parametrize("text", ["not toml [", "[nonsense]\nx = 1\n"])
    def test_a_config_that_is_wrong_is_not_touched(self, home: Home, server: ThreadedProviderServer, text: str) -> None:
        home.state.mkdir(parents=True, mode=0o700)
        home.config.write_text(text)
        home.refuses(*acme(server, "--api-key-stdin"), given=KEY)

    def test_somebody_elses_id_is_not_taken(self, home: Home, server: ThreadedProviderServer) -> None:
        home.does(*acme(server, "--api-key-stdin"), given=KEY)
        flags = ("--provider", "openai", "--api-key-stdin", "--profile-id", "acme:manual", "--skip-checks")
        assert "is for acme, not openai" in home.refuses(*flags, given=OTHER)

    def test_without_a_terminal_it_says_how_it_is_done_without_one(
        self, home: Home, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["onboard"]) == 2
        assert "--non-interactive" in capsys.readouterr().err


def test_of_two_lines_of_a_variable_the_last_one_counts_and_is_changed() -> None:
    from bot.onboard.keeping import with_variables

    text = "A=1\nexport A=2\nB=3"
    changed: Mapping[str, str] = {"A": "new", "C": "4"}
    assert with_variables(text, dict(changed)) == "A=1\nA=new\nB=3\nC=4\n"
