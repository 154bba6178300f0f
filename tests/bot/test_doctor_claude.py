"""The doctor and the Claude CLI: what names it is told, and converted only where neither the program nor a login is anywhere."""

import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.doctor.check import CHANGED
from core.errors import StoreError
from tests.bot.doctor_damages import unit
from tests.bot.doctor_house import CANARY, House, in_a_process, offered
from tests.fakes.claude_cli import credentials


@pytest.fixture
def house(state_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return House(state_dir, capsys)


ANTHROPIC = {
    "type": "oauth",
    "provider": "anthropic",
    "access": f"at-{CANARY}",
    "refresh": f"rt-{CANARY}",
    "expires": 1,
}


def stale(house: House, entry: dict[str, Any] | None, default: str = "claude-cli/claude-sonnet-4-6") -> None:
    """Everything that an older program has written of the CLI; `entry` is what it has stored of its login."""
    house.configure('model = "acme/small"  # the cheap one', f'model = "{default}"')
    house.configure("[auth.order]\n", '[auth.order]\nanthropic = ["anthropic:claude-cli", "env:ANTHROPIC_API_KEY"]\n')
    house.configure("", '[auth.profiles."anthropic:claude-cli"]\nprovider = "claude-cli"\nmode = "oauth"\n')
    house.configure("", '[models.providers.claude-cli]\napi = "claude-cli"\nmodels = ["claude-sonnet-4-6"]\n')
    house.configure("", '[model_policy]\nallow = ["claude-cli/*", "acme/*"]\n')
    house.configure("", '[models.providers.codex-cli]\nbase_url = "http://127.0.0.1:9/v1"\napi = "openai-responses"\n')
    document = json.loads(house.store.read_text())
    if entry is not None:
        document["profiles"]["anthropic:claude-cli"] = entry
    document["order"] = {"claude-cli": ["anthropic:claude-cli"]}
    house.keep(document)


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\nexit 1\n")
    path.chmod(0o755)
    return path


def install(expires: int) -> None:
    """The program, and a login of its own."""
    program(Path.home() / ".local" / "bin" / "claude")
    credentials(Path.home() / ".claude", refresh=None, expiresAt=expires)


def conversion(house: House, *flags: str) -> dict[str, Any] | None:
    """The check that offers it, or that has made it."""
    found = [c for c in house.checks(*flags)[1] if c["repair"] and c["repair"]["id"] == "claude.convert"]
    return found[0] if found else None


class TestTheClaudeCli:
    def test_a_stored_login_becomes_one_of_anthropic(self, house: House) -> None:
        """C224"""
        stale(house, {**ANTHROPIC, "email": "user@example.com"})
        assert "claude.program" in house.wrong()
        assert not house.wrong("--yes") & {"claude.program", "order.unknown", "credential.absent"}
        config, store = house.config.read_text(), json.loads(house.store.read_text())
        assert store["profiles"]["anthropic:user@example.com"] == {**ANTHROPIC, "email": "user@example.com"}
        assert "anthropic:claude-cli" not in store["profiles"]
        assert store["order"] == {"anthropic": ["anthropic:user@example.com"]}
        assert 'model = "anthropic/claude-sonnet-4-6"' in config
        assert 'anthropic = ["anthropic:user@example.com", "env:ANTHROPIC_API_KEY"]' in config
        assert '[auth.profiles."anthropic:user@example.com"]' in config
        assert "[models.providers.codex-cli]" in config
        assert "claude-cli" not in config.replace("codex-cli", "")
        assert "# kept by hand" in config

    def test_a_profile_of_that_name_is_kept(self, house: House) -> None:
        own = {"type": "api_key", "provider": "anthropic", "key": f"own-{CANARY}"}
        stale(house, ANTHROPIC)
        house.keep_also("anthropic:default", **own)
        house.doctor("--yes")
        assert json.loads(house.store.read_text())["profiles"]["anthropic:default"] == own

    def test_without_a_credential_what_leads_nowhere_goes_and_no_policy_is_widened(self, house: House) -> None:
        stale(house, None)
        house.configure('"claude-cli/claude-sonnet-4-6"', '{ primary = "claude-cli/opus", fallbacks = ["acme/small"] }')
        house.configure('["claude-cli/*", "acme/*"]', '["claude-cli/*"]')
        assert house.doctor("--yes")[0] in (0, 1)
        config = house.config.read_text()
        assert 'primary = "acme/small"' in config
        assert 'allow = ["anthropic/*"]' in config
        assert "claude-cli" not in config.replace("codex-cli", "")

    def test_a_short_name_becomes_the_model_that_it_means(self, house: House) -> None:
        stale(house, ANTHROPIC, "claude-cli/opus")
        house.doctor("--yes")
        assert 'model = "anthropic/claude-opus-4-5"' in house.config.read_text()

    def test_nothing_is_converted_while_the_cli_and_its_login_are_there(self, house: House) -> None:
        stale(house, ANTHROPIC)
        install(4102444800000)
        before = house.files()
        assert not {i for i in house.wrong("--yes") if i.startswith("claude.") and i != "claude.copy"}
        assert house.files() == before

    def test_a_login_that_has_ended_is_told_and_may_be_renewed(self, house: House) -> None:
        stale(house, ANTHROPIC)
        install(1000)
        before = house.files()
        assert "claude.login" in house.wrong("--yes")
        assert house.files() == before

    def test_a_login_whose_program_is_gone_is_named_with_the_next_step(self, house: House) -> None:
        login = credentials(Path.home() / ".claude", expiresAt=int(time.time() * 1000) + 3_600_000)
        told = [check for check in house.checks()[1] if "claude" in check["text"].lower()]
        assert [(check["id"], check["verdict"], check["about"]) for check in told] == [
            ("claude.program", "warning", str(login))
        ]
        assert told[0]["text"].startswith("anthropic:claude-cli does not serve: the Claude CLI")
        assert "Install it, or name its path in claude_cli.command" in told[0]["next"]
        house.configure("", "[claude_cli]\nenabled = false\n")
        assert "claude.program" not in house.wrong()

    def test_a_model_of_the_cli_without_its_program_needs_the_program_and_no_key(self, house: House) -> None:
        credentials(Path.home() / ".claude")
        house.configure('model = "acme/small"  # the cheap one', 'model = "claude-cli/opus"')
        found = {check["id"]: check for check in house.checks()[1]}
        assert found["claude.program"]["verdict"] == found["credential.none"]["verdict"] == "error"
        assert found["credential.none"]["next"] == "Install the Claude CLI, run `claude` and log in with /login."

    def test_a_login_that_nobody_renews_is_renewed_by_logging_in_with_the_program(self, house: House) -> None:
        install(1000)
        (ended,) = [check for check in house.checks()[1] if check["id"] == "credential.expired"]
        assert ended["about"] == "anthropic:claude-cli"
        assert ended["next"] == "Run `claude` on this host and log in with /login"


def on_the_path_of_the_service(house: House) -> None:
    found = program(Path.home() / ".nvm" / "bin" / "claude")
    path = unit(house, Path("/bin/sh"))
    path.write_text(path.read_text().replace("UMask", f'Environment="PATH={found.parent}:/bin"\nUMask'))


def login_open_to_others(_: House) -> None:
    credentials(Path.home() / ".claude").chmod(0o644)


def login_half_written(_: House) -> None:
    credentials(Path.home() / ".claude").write_text('{"claudeAiOauth": {"acc')


def login_of_another_home(house: House) -> None:
    elsewhere = credentials(house.state / "elsewhere").parent
    house.write(".env", (house.state / ".env").read_text() + f"CLAUDE_CONFIG_DIR={elsewhere}\n")


def login_of_a_variable(house: House) -> None:
    house.write(".env", (house.state / ".env").read_text() + f"CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-{CANARY}\n")


def program_that_the_config_names(house: House) -> None:
    """And a mistake somewhere else in the config."""
    found = program(Path.home() / "apps" / "claude")
    house.configure("", f'[claude_cli]\ncommand = "{found}"\n[log]\nbogus = 1\n')


def no_login_needed(house: House) -> None:
    house.configure('api = "claude-cli"', 'api = "claude-cli"\nauth = "none"')


class TestWhatIsStillThere:
    @pytest.mark.parametrize(
        "there",
        [
            on_the_path_of_the_service, login_open_to_others, login_half_written, login_of_another_home,
            login_of_a_variable, program_that_the_config_names, no_login_needed,
        ],
    )  # fmt: skip
    def test_nothing_is_converted_while_anything_of_it_is_anywhere(
        self, there: Callable[[House], None], house: House
    ) -> None:
        stale(house, {**ANTHROPIC, "email": "user@example.com"})
        assert conversion(house)
        there(house)
        before = house.files()
        assert conversion(house, "--yes") is None
        assert house.files() == before

    def test_what_comes_back_while_the_question_stands_is_not_converted(self, house: House) -> None:
        stale(house, ANTHROPIC)
        run = offered("claude.convert")
        credentials(Path.home() / ".claude")
        before = house.files()
        with pytest.raises(StoreError) as caught:
            run()
        assert caught.value.code == CHANGED
        assert house.files() == before

    def test_nor_is_what_has_changed_meanwhile(self, house: House) -> None:
        stale(house, ANTHROPIC)
        run = offered("claude.convert")
        house.keep_order(**{"claude-cli": ["anthropic:claude-cli", "anthropic:mine"]})
        before = house.files()
        with pytest.raises(StoreError) as caught:
            run()
        assert caught.value.code == CHANGED
        assert house.files() == before

    def test_a_model_of_the_cli_that_is_switched_off_never_serves(self, house: House) -> None:
        install(4102444800000)
        house.configure('model = "acme/small"', 'model = { primary = "claude-cli/opus", fallbacks = ["acme/small"] }')
        house.configure("", "[claude_cli]\nenabled = false\n")
        assert "claude.off" in house.wrong()


class TestSeveralStores:
    def _two(self, house: House, of_main: dict[str, Any], of_writer: dict[str, Any]) -> None:
        stale(house, {"provider": "claude-cli", **of_main})
        house.configure("", "[agents.list.writer]\n")
        house.keep({"profiles": {"anthropic:claude-cli": {"provider": "claude-cli", **of_writer}}}, agent="writer")

    def _stored(self, house: House, agent: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((house.agent(agent) / "auth-profiles.json").read_text())["profiles"]
        return found

    def test_a_login_is_kept_where_another_store_has_nothing_of_it(self, house: House) -> None:
        self._two(house, {"type": "oauth"}, {**ANTHROPIC, "email": "bob@example.com"})
        assert conversion(house, "--yes")
        assert self._stored(house, "writer")["anthropic:bob@example.com"]["access"] == ANTHROPIC["access"]
        assert set(self._stored(house, "main")) == {"acme:work", "acme:home"}

    def test_two_accounts_of_one_id_are_left_to_a_person(self, house: House) -> None:
        self._two(house, {**ANTHROPIC, "email": "ada@x.org"}, {**ANTHROPIC, "email": "bob@x.org"})
        before = house.files()
        (told,) = [check for check in house.checks("--yes")[1] if check["id"] == "claude.program"]
        assert "is anthropic:ada@x.org in one store and anthropic:bob@x.org in that of writer" in told["next"]
        assert house.files() == before

    def test_two_logins_that_would_become_one_are_left_to_a_person(self, house: House) -> None:
        stale(house, ANTHROPIC)
        house.keep_also("claude-cli:other", **{**ANTHROPIC, "provider": "claude-cli", "access": f"at2-{CANARY}"})
        before = house.files()
        assert conversion(house, "--yes") is None
        assert house.files() == before

    @pytest.mark.parametrize("is_link", [True, False])
    def test_a_store_that_cannot_be_changed_keeps_the_config_as_it_is(self, is_link: bool, house: House) -> None:
        self._two(house, {"type": "oauth"}, ANTHROPIC)
        store = house.agent("writer") / "auth-profiles.json"
        if is_link:
            store.rename(house.state / "elsewhere.json")
            store.symlink_to(house.state / "elsewhere.json")
        else:
            claim = {"pid": os.getppid(), "createdAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
            store.with_name("auth-profiles.json.lock").write_text(json.dumps(claim))
        before = house.files()
        code, _, err = house.doctor("--yes")
        assert code == 1
        assert is_link or "claude.convert" in err
        assert house.files() == before
        assert not (house.state / "backups").exists()

    def test_one_that_stops_half_way_tells_what_it_has_changed_and_where_the_rest_is(self, house: House) -> None:
        stale(house, {**ANTHROPIC, "note": "x" * 5000})
        house.write("agents/main/agent/auth-profiles.json", json.dumps(json.loads(house.store.read_text())))
        run, store = offered("claude.convert"), house.store.read_bytes()

        def starved() -> None:
            limit = len(store) + 10  # enough for the backup, and not for the store as it would be
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            with pytest.raises(StoreError) as caught:
                run()
            assert caught.value.code == "half_done"
            assert caught.value.message.startswith(f"{house.config} changed, and then it stopped: {house.store}")
            assert "Nothing was changed" not in caught.value.message

        assert in_a_process(starved) == 0
        assert house.store.read_bytes() == store
        assert "anthropic/claude-sonnet-4-6" in house.config.read_text()
        assert (house.backups()[0] / "config.toml").exists()
        assert conversion(house, "--yes")
        assert "claude-cli" not in house.store.read_text()


class TestWhatIsTold:
    def test_each_place_that_changes_and_what_is_left_to_do(self, house: House) -> None:
        house.configure('model = "acme/small"  # the cheap one', 'model = "claude-cli/opus"  # my choice')
        told = conversion(house)
        assert told is not None
        assert told["repair"]["changes"] == ["config.toml: agents.defaults.model becomes anthropic/claude-opus-4-5"]
        assert "remoteclaw models auth add --provider anthropic" in told["repair"]["then"]
        _, _, err = house.doctor("--yes")
        assert "agents.defaults.model becomes anthropic/claude-opus-4-5" in err
        assert told["repair"]["then"] in err

    def test_the_last_model_stays_and_the_config_is_as_valid_as_before(self, house: House) -> None:
        house.configure('model = "acme/small"  # the cheap one', 'model = "claude-cli/opus"  # my choice')
        assert conversion(house, "--yes")
        assert 'model = "anthropic/claude-opus-4-5"  # my choice' in house.config.read_text()
        assert house.wrong() == {"credential.none"}

    def test_no_secret_is_among_the_changes(self, house: House) -> None:
        stale(house, ANTHROPIC)
        house.configure('api = "claude-cli"', f'api = "claude-cli"\napi_key = "plain-{CANARY}"')
        told = conversion(house)
        assert told is not None
        assert "config.toml: models.providers.claude-cli goes" in told["repair"]["changes"]
        assert 'the store of main: profiles."anthropic:default" comes' in told["repair"]["changes"]
