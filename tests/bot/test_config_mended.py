"""`remoteclaw config` where the file is wrong, or the command is: nothing is shown that may be a secret, and every wrong state can
be left again."""

import json
import shlex
import sys
import tomllib
from pathlib import Path
from typing import Any

import pexpect
import pytest

from bot.cli.main import main
from tests.e2e.installation import Installation

ONE_PROVIDER = """\
[models.providers.acme]
base_url = "http://127.0.0.1:9/v1"
api = "openai-completions"
models = ["small", "large"]
[agents.list.writer]
model = "acme/large"
"""
NO_PROVIDER = '[agents.list.writer]\nmodel = "acme/large"\n[model_policy]\nallow = ["acme/*"]\n'
CANARY = "canary-4711-of-nobody"
LEAKY = f"""
[models.providers.acme]
base_url = "https://ada:{CANARY}@127.0.0.1:9/v1?key={CANARY}"
api = "openai-completions"
apiKey = "{CANARY}"
fallback_keys = ["{CANARY}", 4711]
[channels.telegram]
tokn = "{CANARY}"
enabled = false
[auth.oauth.acme]
authorization_url = "https://login.example/{CANARY.upper()}/authorize?secret={CANARY}#{CANARY}"
token_parameters = {{ client_assertion = "{CANARY}", audience = "${{AUDIENCE}}" }}
[auth.profiles."acme:work"]
provider = "acme"
key = "{CANARY}"
label = "sk-ant-api03-{CANARY}"
"""


class Host:
    def __init__(self, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.file = state / "config.toml"
        self._capsys = capsys

    def config(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["config", *arguments])
        return code, *self._capsys.readouterr()

    def tree(self) -> dict[str, Any]:
        return tomllib.loads(self.file.read_text())


@pytest.fixture
def host(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> Host:
    return Host(state_dir, capsys)


class TestTheLastProvider:
    def test_is_not_taken_out_while_something_names_it(self, host: Host) -> None:
        host.file.write_text(ONE_PROVIDER)
        code, out, err = host.config("unset", "models.providers.acme")
        assert (code, out, host.file.read_text()) == (1, "", ONE_PROVIDER)
        assert "agents.list.writer.model: names no provider" in err

    def test_can_go_once_nothing_names_it(self, host: Host) -> None:
        host.file.write_text(ONE_PROVIDER)
        assert host.config("unset", "agents.list.writer.model")[0] == 0
        assert host.config("unset", "models.providers.acme")[0] == 0

    @pytest.mark.parametrize("name", ["new", "acma"], ids=["another name", "a name that could have been meant"])
    def test_a_file_without_one_that_names_one_is_mended_by_a_new_one(self, name: str, host: Host) -> None:
        host.file.write_text(NO_PROVIDER)
        provider = json.dumps({"base_url": "http://127.0.0.1:7/v1", "api": "openai-completions", "models": ["m"]})
        assert host.config("set", "--json-value", f"models.providers.{name}", provider)[0] == 0
        assert host.config("set", "agents.list.writer.model", f"{name}/m")[0] == 0
        assert host.config("set", "model_policy.allow[0]", f"{name}/*")[0] == 0
        assert host.config("validate")[0] == 0

    def test_onboarding_mends_it_as_well(self, host: Host, capsys: pytest.CaptureFixture[str]) -> None:
        host.file.write_text(NO_PROVIDER)
        flags = ("--provider", "acma", "--base-url", "http://127.0.0.1:7/v1", "--auth", "none", "--model", "m")
        code = main(["onboard", "--non-interactive", "--skip-checks", "--no-service", *flags])
        assert (code, host.tree()["agents"]["defaults"]["model"]) == (0, "acma/m"), capsys.readouterr().err

    def test_a_reference_that_leads_nowhere_is_not_added_without_one(self, host: Host) -> None:
        host.file.write_text(NO_PROVIDER)
        assert host.config("set", "agents.list.reader.model", "acme/large")[0] == 1
        assert host.file.read_text() == NO_PROVIDER


class TestGet:
    @pytest.mark.parametrize(
        "place",
        [
            "models.providers.acme.apiKey",
            "models.providers.acme.fallback_keys",
            "models.providers.acme.fallback_keys[0]",
            "models.providers.acme.base_url",
            "models.providers.acme",
            "models",
            "channels.telegram.tokn",
            "channels.telegram",
            "auth.oauth.acme.authorization_url",
            "auth.oauth.acme.token_parameters.client_assertion",
            "auth.oauth.acme.token_parameters",
            "auth.oauth",
            'auth.profiles."acme:work".key',
            'auth.profiles."acme:work".label',
            "auth",
        ],
    )
    def test_what_may_be_a_secret_is_shown_nowhere(self, place: str, host: Host) -> None:
        host.file.write_text(LEAKY)
        for form in ((), ("--json",)):
            code, out, err = host.config("get", place, *form)
            assert CANARY not in out + err
            assert (code, "<hidden>" in out or "***" in out) == ((0, True) if "[0]" not in place else (1, False))

    @pytest.mark.parametrize(
        ("place", "shown"),
        [
            pytest.param("models.providers.acme.base_url", "https://<hidden>@127.0.0.1:9/v1?<hidden>", id="address"),
            pytest.param("models.providers.acme.api", "openai-completions", id="word"),
            pytest.param("channels.telegram.enabled", "false", id="switch"),
            pytest.param("auth.oauth.acme.token_parameters.audience", "${AUDIENCE}", id="variable"),
            pytest.param('auth.profiles."acme:work".provider', "acme", id="under a name of the operator's"),
        ],
    )
    def test_what_is_none_is_shown_beside_it(self, place: str, shown: str, host: Host) -> None:
        host.file.write_text(LEAKY)
        assert host.config("get", place) == (0, f"{shown}\n", "")

    def test_a_text_has_no_entries(self, host: Host) -> None:
        host.file.write_text(ONE_PROVIDER)
        code, out, err = host.config("get", "agents.list.writer.model[0]")
        assert (code, out, "is not a setting" in err) == (1, "", True)


class TestStandardInput:
    @pytest.mark.parametrize(
        ("place", "answer", "code"),
        [
            pytest.param("models.providers.acme.api_key", CANARY, 0, id="a secret"),
            pytest.param("agents.list.writer.model", f"sk-ant-api03-{CANARY}", 2, id="a secret where none belongs"),
        ],
    )
    def test_who_types_at_a_terminal_is_asked_and_does_not_see_it(
        self, place: str, answer: str, code: int, state_dir: Path
    ) -> None:
        (state_dir / "config.toml").write_text(ONE_PROVIDER)
        house = Installation(state_dir)
        process = pexpect.spawn(
            sys.executable, ["-m", "bot", "config", "set", place, "--stdin"],
            env={**house.environment(), "TERM": "xterm"}, encoding="utf-8", timeout=20, dimensions=(30, 200),
        )  # fmt: skip
        process.expect_exact(f"{place} (it is not shown)")
        process.sendline(answer)
        shown = process.read()
        process.close()
        assert (process.exitstatus, CANARY in shown) == (code, False)
        assert (CANARY in (state_dir / "config.toml").read_text()) is (code == 0)


class TestWrongUse:
    def test_what_is_no_setting_cannot_be_taken_out_unless_it_stands_there(self, host: Host) -> None:
        host.file.write_text(ONE_PROVIDER)
        code, out, err = host.config("unset", "failover.deadlin")
        assert (code, out) == (1, "")
        assert "failover.deadlin is not a setting. Did you mean deadline?" in err
        host.file.write_text(f'{ONE_PROVIDER}[failover]\ndeadlin = "9s"\n')
        assert host.config("unset", "failover.deadlin")[0] == 0
        assert host.tree()["failover"] == {}

    @pytest.mark.parametrize("value", ["-- x", "--of the week"])
    def test_a_value_that_begins_with_dashes_is_no_flag(self, value: str, host: Host) -> None:
        host.file.write_text(f'{ONE_PROVIDER}[auth.profiles.a]\nprovider = "acme"\n')
        code, out, err = host.config("set", "auth.profiles.a.label", value, "--json")
        assert (code, err, json.loads(out)["path"]) == (0, "", "auth.profiles.a.label")
        assert host.tree()["auth"]["profiles"]["a"]["label"] == value

    @pytest.mark.parametrize(
        ("place", "value", "table", "keys"),
        [
            pytest.param(
                "models.providers.new.base_url",
                "http://127.0.0.1:7/v1",
                "models.providers.new",
                {"base_url", "api"},
                id="provider",
            ),
            pytest.param("auth.profiles.a:b.label", "work", 'auth.profiles."a:b"', {"label", "provider"}, id="profile"),
            pytest.param("channels.telegram.mode", "polling", "channels.telegram", {"mode", "token"}, id="channel"),
        ],
    )
    def test_what_cannot_begin_alone_is_told_with_a_command_that_begins_it(
        self, place: str, value: str, table: str, keys: set[str], host: Host
    ) -> None:
        host.file.write_text(ONE_PROVIDER)
        code, out, err = host.config("set", place, value)
        assert (code, out, host.file.read_text()) == (1, "", ONE_PROVIDER)
        *command, example = shlex.split(err.partition("at once: ")[2])
        assert command == ["remoteclaw", "config", "set", "--json-value", table]
        assert set(json.loads(example)) == keys
        whole = {**json.loads(example), place.rpartition(".")[2]: value}
        assert host.config("set", "--json-value", table, json.dumps(whole))[0] == 0

    def test_what_is_missing_in_a_table_that_stands_is_told_as_ever(self, host: Host) -> None:
        host.file.write_text(ONE_PROVIDER)
        for arguments in (("unset", "models.providers.acme.api"), ("set", "--json-value", "models.providers.b", "{}")):
            code, _, err = host.config(*arguments)
            assert (code, "api: is missing" in err, "--json-value" in err) == (1, True, False)


class TestJson:
    def test_a_valid_file_is_counted(self, host: Host) -> None:
        host.file.write_text(ONE_PROVIDER)
        assert json.loads(host.config("validate", "--json")[1]) == {
            "config_path": str(host.file), "valid": True, "problems": [],
            "providers": 1, "models": 2, "agents": 2, "default": "acme/small",
        }  # fmt: skip
        assert json.loads(host.config("path", "--json")[1]) == {"config_path": str(host.file)}

    @pytest.mark.parametrize(
        ("content", "paths"),
        [
            pytest.param(f"{ONE_PROVIDER}[log]\nlevel = 7\n[x]\n", ["log.level", "x"], id="mistakes"),
            pytest.param("[", [""], id="no TOML"),
            pytest.param("", [""], id="no model"),
        ],
    )
    def test_mistakes_are_listed_and_the_command_fails(self, content: str, paths: list[str], host: Host) -> None:
        host.file.write_text(content)
        code, out, err = host.config("validate", "--json")
        found = json.loads(out)
        assert (code, found["valid"], [one["path"] for one in found["problems"]]) == (1, False, paths)
        assert all(one["message"] for one in found["problems"])
        assert err.startswith("remoteclaw: ")
