"""`remoteclaw config get`, `set` and `unset`: one setting at a time, everything else as it stands, no secret in the open."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import pexpect
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cli.main import main
from bot.config.place import parse_place
from bot.config.problems import Location, dotted
from core.errors import UserError
from tests.e2e.installation import Installation

CONFIG = """\
# of Ada
[models.providers.acme]   # the provider
base_url = "http://127.0.0.1:9/v1"
api = "openai-completions"
models = ["small", { id = "large", alias = "big" }]  # two
[models.providers.acme.headers]
X-Title = "a-plain-header-value"
[agents.defaults]
model.primary = "acme/small" # with dots
[agents.list.writer]
model = "acme/large"
[auth.profiles."acme:work"]
provider = "acme"
label = "work" # shown
[access]
owners = [
  "telegram:1001", # ada
]
[secrets.providers.vault]
source = "exec"
command = "/usr/bin/true"
[secrets.providers.vault.env]
VAULT_TOKEN = "hvs.the-token-of-the-vault"
"""
SECRET = "sk-a-very-secret-key-of-nobody-4711"


class Host:
    def __init__(self, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.state = state
        self.file = state / "config.toml"
        self.file.write_text(CONFIG)
        self._capsys = capsys

    def config(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["config", *arguments])
        return code, *self._capsys.readouterr()

    def changes(self, *arguments: str) -> list[str]:
        """The lines that a change that succeeds has added (+) and taken away (-)."""
        before = self.file.read_text().splitlines()
        code, _, err = self.config(*arguments)
        assert (code, err) == (0, "")
        after = self.file.read_text().splitlines()
        return [f"-{line}" for line in before if line not in after] + [
            f"+{line}" for line in after if line not in before
        ]

    def tree(self) -> dict[str, Any]:
        return tomllib.loads(self.file.read_text())


@pytest.fixture
def host(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> Host:
    return Host(state_dir, capsys)


class TestPlaces:
    @pytest.mark.parametrize(
        ("text", "place"),
        [
            pytest.param("failover.deadline", ("failover", "deadline"), id="plain"),
            pytest.param('auth.profiles."acme:work".label', ("auth", "profiles", "acme:work", "label"), id="quoted"),
            pytest.param("auth.profiles.'a.b'", ("auth", "profiles", "a.b"), id="literal"),
            pytest.param("auth.profiles.acme:work", ("auth", "profiles", "acme:work"), id="no quotes needed"),
            pytest.param("access.owners[0]", ("access", "owners", 0), id="entry"),
            pytest.param("a.b[1].c", ("a", "b", 1, "c"), id="in an entry"),
            pytest.param(r'a."q\"\\\u00e9"', ("a", 'q"\\é'), id="escapes"),
        ],
    )
    def test_a_place_is_read_as_toml_would_write_it(self, text: str, place: Location) -> None:
        assert parse_place(text) == place

    @pytest.mark.parametrize("text", ["", ".", "a.", "a..b", "[0]", "a[", "a[x]", 'a."b', "a]b", 'a"b"', "a.b c]"])
    def test_what_is_no_place_is_refused(self, text: str) -> None:
        with pytest.raises(UserError):
            parse_place(text)

    @given(st.lists(st.text(min_size=1) | st.integers(0, 999), max_size=5))
    def test_what_errors_name_is_read_back(self, parts: list[str | int]) -> None:
        place = ("top", *parts)
        assert parse_place(dotted(place)) == place


class TestGet:
    @pytest.mark.parametrize(
        ("place", "shown"),
        [
            pytest.param("models.providers.acme.base_url", "http://127.0.0.1:9/v1", id="text"),
            pytest.param("models.providers.ACME.api", "openai-completions", id="another name of the provider"),
            pytest.param('auth.profiles."acme:work".label', "work", id="quoted key"),
            pytest.param("access.owners[0]", "telegram:1001", id="entry"),
            pytest.param("agents.defaults.model", 'primary = "acme/small"', id="table"),
            pytest.param("failover.deadline", "2m", id="default duration"),
            pytest.param("session.footer", "off", id="default word"),
            pytest.param("commands.alias_commands", "false", id="default switch"),
            pytest.param("access.allow", "[]", id="default list"),
            pytest.param("models.providers.acme.auth", "key", id="default inside a table"),
        ],
    )
    def test_a_setting_is_shown_as_written_or_its_default(self, host: Host, place: str, shown: str) -> None:
        assert host.config("get", place) == (0, f"{shown}\n", "")

    def test_json_says_where_it_comes_from(self, host: Host) -> None:
        found = json.loads(host.config("get", "failover", "--json")[1])
        assert (found["path"], found["source"], found["value"]["deadline"]) == ("failover", "default", "2m")
        found = json.loads(host.config("get", "access.owners", "--json")[1])
        assert found == {"path": "access.owners", "value": ["telegram:1001"], "source": "file"}

    @pytest.mark.parametrize(
        ("place", "says"),
        [
            pytest.param("sesion.footer", "sesion.footer is not a setting. Did you mean session?", id="unknown"),
            pytest.param("failover.dedline", "Did you mean deadline?", id="misspelt"),
            pytest.param("channels.telegram", "is not set, and has no default", id="missing"),
            pytest.param("access.owners[7]", "is not set", id="no such entry"),
        ],
    )
    def test_what_is_not_there_is_told(self, host: Host, place: str, says: str) -> None:
        code, out, err = host.config("get", place)
        assert (code, out, says in err) == (1, "", True)

    @pytest.mark.parametrize(
        ("place", "hidden"),
        [
            pytest.param("models.providers.acme.headers", "a-plain-header-value", id="header"),
            pytest.param("secrets.providers.vault", "hvs.the-token-of-the-vault", id="variable of a command"),
            pytest.param("secrets.providers.vault.env.VAULT_TOKEN", "hvs.the-token-of-the-vault", id="by itself"),
            pytest.param("models", "a-plain-header-value", id="inside a larger table"),
        ],
    )
    def test_a_secret_is_hidden_wherever_it_stands(self, host: Host, place: str, hidden: str) -> None:
        for form in ((), ("--json",)):
            code, out, _ = host.config("get", place, *form)
            assert (code, hidden in out, "<hidden>" in out) == (0, False, True)

    def test_a_reference_is_shown_and_a_table_that_is_none_is_hidden(self, host: Host) -> None:
        host.file.write_text(
            CONFIG + '[channels.telegram]\nenabled = false\ntoken = "${BOT}"\n'
            '[channels.discord]\ntoken = { source = "env", id = "DISCORD" }\n'
            f'[models.providers.zeta]\napi_key = {{ value = "{SECRET}" }}\n[models.providers.eta]\napi_key = "{SECRET}"\n'
        )
        assert host.config("get", "channels.telegram.token")[1] == "${BOT}\n"
        assert 'id = "DISCORD"' in host.config("get", "channels.discord.token")[1]
        assert host.config("get", "models.providers.zeta.api_key")[1] == "<hidden>\n"
        assert SECRET not in host.config("get", "models", "--json")[1]


class TestSet:
    @pytest.mark.parametrize(
        ("arguments", "changes"),
        [
            pytest.param(
                ('auth.profiles."acme:work".label', "at work"),
                ['-label = "work" # shown', '+label = "at work" # shown'],
                id="text, with its comment",
            ),
            pytest.param(
                ("agents.defaults.model.primary", "acme/large"),
                ['-model.primary = "acme/small" # with dots', '+model.primary = "acme/large" # with dots'],
                id="dots",
            ),
            pytest.param(("failover.silence", "30s"), ["+[failover]", '+silence = "30s"'], id="new table"),
            pytest.param(("commands.alias_commands", "true"), ["+[commands]", "+alias_commands = true"], id="switch"),
            pytest.param(
                ("models.providers.acme.models[1].context_window", "8000"),
                [
                    '-models = ["small", { id = "large", alias = "big" }]  # two',
                    '+models = ["small", { id = "large", alias = "big", context_window = 8000}]  # two',
                ],
                id="number in an entry",
            ),
            pytest.param(("access.owners[1]", "discord:2002"), ['+  "discord:2002",'], id="next entry"),
            pytest.param(
                ("access.allow", '["telegram:7"]', "--json-value"), ['+allow = ["telegram:7"]'], id="list as JSON"
            ),
            pytest.param(
                ("channels.telegram.token", "${BOT_TOKEN}"),
                ["+[channels.telegram]", '+token = "${BOT_TOKEN}"'],
                id="variable",
            ),
            pytest.param(
                ("channels.telegram.token", '{"source": "env", "id": "BOT"}', "--json-value"),
                ["+[channels.telegram]", '+token = {source = "env", id = "BOT"}'],
                id="reference",
            ),
        ],
    )
    def test_exactly_that_is_changed(self, host: Host, arguments: tuple[str, ...], changes: list[str]) -> None:
        assert [line for line in host.changes("set", *arguments) if line != "+"] == changes

    def test_what_is_so_already_changes_nothing(self, host: Host) -> None:
        assert host.changes("set", "agents.list.writer.model", "acme/large") == []
        found = json.loads(host.config("set", "agents.list.writer.model", "acme/large", "--json")[1])
        assert found == {"path": "agents.list.writer.model", "config_path": str(host.file), "config_updated": False}

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            pytest.param(("failover.deadline", "90x"), "failover.deadline: must be a duration", id="no duration"),
            pytest.param(("log.level", "loud"), "log.level: must be 'debug'", id="no such word"),
            pytest.param(("commands.alias_commands", "yes"), "must be true or false", id="no switch"),
            pytest.param(("failover.dedline", "9s"), "failover.dedline: is not a setting", id="no setting"),
            pytest.param(("agents.defaults.model", "zeta/x"), "agents.defaults.model:", id="no provider"),
            pytest.param(("access.owners", "telegram:1"), "access.owners: must be a list", id="no list"),
            pytest.param(("access.owners[5]", "telegram:1"), "there are only 1 entries", id="beyond the list"),
            pytest.param(("models.providers.acme.api.x", "1"), "is a value, so there is no", id="below a value"),
            pytest.param(("failover[0]", "x"), "", id="an entry of a table"),
        ],
    )
    def test_what_would_be_wrong_is_told_and_not_written(
        self, host: Host, arguments: tuple[str, ...], says: str
    ) -> None:
        code, out, err = host.config("set", *arguments)
        assert (code, out) == (1, "")
        assert says in err
        assert host.file.read_text() == CONFIG

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            pytest.param(("a..b", "x"), "not the place of a setting", id="no place"),
            pytest.param(("failover.deadline",), "VALUE is missing", id="no value"),
            pytest.param(("access.allow", "[", "--json-value"), "not valid JSON", id="no JSON"),
            pytest.param(("access.allow", "null", "--json-value"), "no null", id="null"),
        ],
    )
    def test_wrong_usage(self, host: Host, arguments: tuple[str, ...], says: str) -> None:
        code, out, err = host.config("set", *arguments)
        assert (code, out, says in err) == (2, "", True)

    def test_a_configuration_that_is_wrong_can_be_mended(self, host: Host) -> None:
        host.file.write_text(CONFIG + "[log]\nlevel = 7\n")
        assert host.config("set", "failover.deadline", "9s")[0] == 1
        assert host.config("set", "log.level", "debug")[0] == 0
        assert host.tree()["log"] == {"level": "debug"}

    def test_without_a_file_one_is_made_private(self, host: Host) -> None:
        host.file.unlink()
        assert host.config("set", "log.level", "debug")[0] == 0
        assert (host.file.read_text(), host.file.stat().st_mode & 0o777) == ('[log]\nlevel = "debug"\n', 0o600)


class TestSecrets:
    @pytest.mark.parametrize(
        "arguments",
        [
            pytest.param(("channels.telegram.token", SECRET), id="as a secret"),
            pytest.param(("models.providers.acme.api_key", "short"), id="whatever it looks like"),
            pytest.param(("models.providers.acme.headers.X-Key", f"Bearer {SECRET}"), id="header"),
            pytest.param(("env.ACME_KEY", SECRET), id="variable"),
            pytest.param(("auth.profiles.acme:work.label", SECRET), id="where no secret belongs"),
            pytest.param(("models.providers.acme.api_key", json.dumps(SECRET), "--json-value"), id="as JSON"),
            pytest.param(("models.providers.acme.api_key", json.dumps({"value": SECRET}), "--json-value"), id="no ref"),
            pytest.param(
                ("models.providers.acme", json.dumps({"api_key": "plain-word"}), "--json-value"), id="inside a table"
            ),
        ],
    )
    def test_an_argument_is_refused_without_repeating_it(self, host: Host, arguments: tuple[str, ...]) -> None:
        code, out, err = host.config("set", *arguments)
        assert (code, out) == (2, "")
        assert SECRET not in err
        assert host.file.read_text() == CONFIG

    def test_standard_input_gives_one_and_it_is_nowhere_printed(self, state_dir: Path) -> None:
        house = Installation(state_dir)
        (state_dir / "config.toml").write_text(CONFIG)
        ended = house.run("config", "set", "models.providers.acme.api_key", "--stdin", typed=f"{SECRET}\n")
        assert (ended.code, SECRET in ended.out + ended.err) == (0, False)
        assert "as it is" in ended.err
        assert (
            tomllib.loads((state_dir / "config.toml").read_text())["models"]["providers"]["acme"]["api_key"] == SECRET
        )
        empty = house.run("config", "set", "models.providers.acme.api_key", "--stdin", typed="\n")
        assert (empty.code, "nothing was changed" in empty.err) == (2, True)

    def test_a_terminal_is_asked_and_does_not_show_it(self, state_dir: Path) -> None:
        (state_dir / "config.toml").write_text(CONFIG)
        house = Installation(state_dir)
        process = pexpect.spawn(
            sys.executable, ["-m", "bot", "config", "set", "models.providers.acme.api_key"],
            env={**house.environment(), "TERM": "xterm"}, encoding="utf-8", timeout=20, dimensions=(30, 200),
        )  # fmt: skip
        process.expect_exact("it is not shown")
        process.sendline(SECRET)
        shown = process.read()
        process.close()
        assert (process.exitstatus, SECRET in shown) == (0, False)
        assert (
            tomllib.loads((state_dir / "config.toml").read_text())["models"]["providers"]["acme"]["api_key"] == SECRET
        )


class TestFlags:
    @pytest.mark.parametrize(
        "arguments",
        [
            pytest.param(("--json-value", "access.owners", '["telegram:7"]'), id="before"),
            pytest.param(("access.owners", "--json-value", '["telegram:7"]'), id="between"),
            pytest.param(("access.owners", '["telegram:7"]', "--json-value"), id="behind"),
            pytest.param(("access.owners", "--json-value", "--", '["telegram:7"]'), id="between, and an end of flags"),
        ],
    )
    @pytest.mark.parametrize("as_json", [0, 1, None], ids=["json first", "json second", "no json"])
    def test_they_may_stand_anywhere(self, arguments: tuple[str, ...], as_json: int | None, host: Host) -> None:
        given = list(arguments)
        if as_json is not None:
            given.insert(as_json, "--json")
        code, out, err = host.config("set", *given)
        assert (code, err, host.tree()["access"]["owners"]) == (0, "", ["telegram:7"])
        assert (as_json is not None) is out.startswith("{")

    def test_what_follows_the_end_of_flags_is_the_value(self, host: Host) -> None:
        assert host.config("set", 'auth.profiles."acme:work".label', "--", "--json")[0] == 0
        assert host.tree()["auth"]["profiles"]["acme:work"]["label"] == "--json"

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            pytest.param(("failover.deadline", "--unknown", "90s"), "--unknown", id="unknown flag"),
            pytest.param(("--json-value", "--stdin", "access.owners"), "not allowed with", id="two sources"),
            pytest.param(("access.owners", "--json-value"), "VALUE is missing", id="no value"),
            pytest.param(("--json",), "PATH", id="no path"),
        ],
    )
    def test_wrong_ones_are_wrong_usage(self, arguments: tuple[str, ...], told: str, host: Host) -> None:
        code, out, err = host.config("set", *arguments)
        assert (code, out, told in err, host.file.read_text()) == (2, "", True, CONFIG)


class TestUnset:
    @pytest.mark.parametrize(
        ("place", "gone"),
        [
            pytest.param('auth.profiles."acme:work".label', ['-label = "work" # shown'], id="value"),
            pytest.param("access.owners[0]", ['-  "telegram:1001", # ada'], id="entry"),
            pytest.param("agents.list.writer.model", ['-model = "acme/large"'], id="the last of a table that stays"),
            pytest.param(
                "models.providers.acme.headers",
                ["-[models.providers.acme.headers]", '-X-Title = "a-plain-header-value"'],
                id="table",
            ),
        ],
    )
    def test_exactly_that_goes(self, host: Host, place: str, gone: list[str]) -> None:
        assert host.changes("unset", place) == gone

    def test_an_agent_without_settings_is_still_an_agent(self, host: Host) -> None:
        for text in ('list.writer.model = "acme/large"\n', '[agents.list]\nwriter.model = "acme/large"\n'):
            head = "[agents]\n" if text.startswith("list") else ""
            host.file.write_text(CONFIG.split("[agents.defaults]")[0] + head + text)
            assert host.config("unset", "agents.list.writer.model")[0] == 0
            assert host.tree()["agents"]["list"] == {"writer": {}}

    @pytest.mark.parametrize("place", ["failover.deadline", "access.owners[3]", "channels.telegram.token"])
    def test_what_is_not_there_is_gone_already(self, host: Host, place: str) -> None:
        assert host.changes("unset", place) == []

    @pytest.mark.parametrize(
        "place",
        ["models.providers.acme.base_url", "agents.defaults.model.primary", 'auth.profiles."acme:work".provider'],
    )
    def test_what_must_be_there_stays(self, host: Host, place: str) -> None:
        code, _, err = host.config("unset", place)
        assert (code, "is missing" in err) == (1, True)
        assert host.file.read_text() == CONFIG
