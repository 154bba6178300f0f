"""`models list`, `set`, `aliases`, `fallbacks` and their like: what they print, refuse, and write into the config."""

import json
import os
import stat
import sys
import tomllib
from pathlib import Path
from typing import Any

import pexpect
import pytest

from bot.cli.main import main
from bot.cli.table import say_table
from tests.fakes.claude_cli import FakeClaude, credentials
from tests.fakes.provider_script import status
from tests.fakes.provider_server import ThreadedProviderServer

ROOT = Path(__file__).parents[2]
CONFIG = """# my gateway
[models.providers.acme]   # the one at home
base_url = "http://127.0.0.1:9/v1"
api = "openai-completions"
models = ["small", { id = "large", alias = "big", context_window = 200000 }] # two
[models.providers.zeta]
base_url = "http://192.0.2.1"
api = "anthropic-messages"
models = ["opus-1"]
[agents.defaults]
model = "acme/small" # the cheap one
[agents.list.writer]
model = "zeta/opus-1"
"""


class Host:
    """A state directory, and the command on it."""

    def __init__(self, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.state = state
        self.config = state / "config.toml"
        self._capsys = capsys
        self.config.write_text(CONFIG)
        self.keep("acme", "zeta")

    def keep(self, *providers: str, agent: str = "main") -> None:
        store = self.state / "agents" / agent / "agent" / "auth-profiles.json"
        store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        store.touch(0o600)
        profiles = {f"{p}:a": {"type": "api_key", "provider": p, "key": f"sk-{p}-0123456789"} for p in providers}
        store.write_text(json.dumps({"version": 1, "profiles": profiles}))

    def models(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["models", *arguments])
        return code, *self._capsys.readouterr()

    def does(self, *arguments: str) -> str:
        code, out, err = self.models(*arguments)
        assert (code, err) == (0, "")
        return out

    def fails(self, *arguments: str) -> str:
        before = self.config.read_bytes() if self.config.exists() else b""
        code, out, err = self.models(*arguments)
        assert (code, out) == (1, "")
        assert (self.config.read_bytes() if self.config.exists() else b"") == before
        return err.removeprefix("remoteclaw: ").rstrip("\n")

    def json(self, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.does(*arguments, "--json"))
        return found

    def tree(self) -> dict[str, Any]:
        return tomllib.loads(self.config.read_text())

    @property
    def updated(self) -> str:
        return f"Updated {self.config}\n"


@pytest.fixture
def host(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> Host:
    return Host(state_dir, capsys)


FULL = CONFIG.replace(
    'model = "acme/small" # the cheap one',
    'model = { primary = "acme/small", fallbacks = ["big", "zeta/opus-1"] }\n'
    'image_model = { primary = "zeta/opus-1", fallbacks = ["acme/small"] }\n'
    '[agents.defaults.models."openrouter/meta/llama"]\nalias = "llama"\n'
    '[model_policy]\nallow = ["acme/*", "acme/gone", "openrouter/auto"]',
)


class TestList:
    def test_every_configured_model_has_a_row_with_what_it_is_there_for(self, host: Host) -> None:
        host.config.write_text(FULL)
        assert host.does("list").splitlines() == [
            "Model                  Input  Ctx   Local  Auth  Tags",
            "acme/small             -      -     yes    yes   default, img-fallback#1, configured",
            "acme/large             -      195k  yes    yes   fallback#1, configured, alias:big",
            "zeta/opus-1            -      -     no     yes   fallback#2, image, configured",
            "openrouter/meta/llama  -      -     no     no    configured, alias:llama",
            "acme/gone              -      -     yes    no    configured, missing",
            "openrouter/auto        -      -     no     no    configured",
        ]

    def test_as_json_it_has_the_same_rows(self, host: Host) -> None:
        host.config.write_text(FULL)
        found = host.json("list")
        assert (found["count"], len(found["models"])) == (6, 6)
        assert found["models"][1] == {
            "key": "acme/large", "name": "large", "input": None, "context_window": 200000, "local": True,
            "available": True, "tags": ["fallback#1", "configured", "alias:big"], "missing": False,
        }  # fmt: skip
        assert [row["key"] for row in found["models"] if row["missing"]] == ["acme/gone"]

    def test_plain_has_names_and_nothing_else(self, host: Host) -> None:
        assert host.does("list", "--plain") == "acme/small\nacme/large\nzeta/opus-1\n"

    def test_it_can_be_narrowed(self, host: Host) -> None:
        assert host.does("list", "--plain", "--local") == "acme/small\nacme/large\n"
        assert host.does("list", "--plain", "--provider", "ZETA") == "zeta/opus-1\n"
        assert host.does("list", "--provider", "openai") == "No models found.\n"
        assert host.json("list", "--provider", "openai") == {"count": 0, "models": []}

    def test_all_is_the_whole_catalogue_behind_what_is_configured(self, host: Host) -> None:
        names = host.does("list", "--plain", "--all").splitlines()
        assert names[:3] == ["acme/small", "acme/large", "zeta/opus-1"]
        assert "anthropic/claude-opus-4-5" in names
        assert len(names) == len(set(names)) > 20
        (row,) = [
            r for r in host.json("list", "--all", "--provider", "openai")["models"] if r["key"] == "openai/gpt-5-mini"
        ]
        assert (row["input"], row["tags"], row["available"]) == ("text+image", [], False)

    @pytest.mark.parametrize(
        ("url", "local"),
        [
            ("http://127.0.0.1:9/v1", True), ("http://127.8.9.1/v1", True), ("http://[::1]:9", True),
            ("http://LOCALHOST:9", True), ("http://a.localhost", True), ("http://192.168.0.2", False),
            ("http://localhost.example.com", False), ("http://127.0.0.1.example.com", False), ("http://0.0.0.0:9", False),
        ],
    )  # fmt: skip
    def test_local_means_this_machine(self, host: Host, url: str, local: bool) -> None:
        host.config.write_text(CONFIG.replace("http://127.0.0.1:9/v1", url))
        assert host.json("list")["models"][0]["local"] is local

    def test_auth_asks_what_the_resolver_would_use(self, host: Host) -> None:
        host.config.write_text(CONFIG + '[auth.order]\nacme = ["acme:other"]\n')
        host.keep("acme")
        assert [row["available"] for row in host.json("list")["models"]] == [False, False, False]
        host.config.write_text(CONFIG.replace("[models.providers.zeta]", '[models.providers.zeta]\nauth = "none"'))
        assert [row["available"] for row in host.json("list")["models"]] == [True, True, True]

    def test_another_agent_has_its_own_default(self, host: Host) -> None:
        first, *_ = host.json("list", "--agent", "writer")["models"]
        assert (first["key"], first["tags"]) == ("zeta/opus-1", ["default", "configured"])

    def test_an_unknown_provider_and_an_unknown_agent_are_named_with_what_there_is(self, host: Host) -> None:
        told = "--provider 'acne' names no provider of this installation. Did you mean acme?"
        assert host.fails("list", "--provider", "acne") == told
        assert host.fails("list", "--agent", "x") == 'Unknown agent id "x". Configured agents: main, writer.'

    def test_where_nothing_is_configured_it_says_so_and_knows_the_catalogue(self, host: Host) -> None:
        host.config.unlink()
        host.keep()
        code, out, err = host.models("list")
        assert (code, out) == (0, "No models found.\n")
        assert f"There is no configuration at {host.config}" in err
        assert "anthropic/claude-opus-4-5" in host.models("list", "--all", "--plain")[1].splitlines()

    @pytest.mark.parametrize("configured", [True, False], ids=["configured", "nothing configured"])
    @pytest.mark.parametrize(
        ("login", "program", "served"),
        [
            pytest.param(False, False, False, id="neither"),
            pytest.param(False, True, False, id="no login"),
            pytest.param(True, False, False, id="no program"),
            pytest.param(True, True, True, id="both"),
        ],
    )
    def test_models_of_the_claude_cli_need_the_program_and_its_login(
        self,
        login: bool,
        program: bool,
        served: bool,
        configured: bool,
        host: Host,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        if login:
            credentials(Path.home() / ".claude")
        monkeypatch.setenv("PATH", str(FakeClaude(tmp_path / "fake").bin) if program else "/usr/bin")
        if not configured:
            host.config.unlink()
            host.keep()
        code, out, _ = host.models("list", "--all", "--provider", "claude-cli", "--json")
        rows = json.loads(out)["models"]
        assert (code, {row["available"] for row in rows}, len(rows)) == (0, {served}, 3)

    def test_a_provider_that_is_said_to_need_no_key_is_available(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "/usr/bin")
        host.config.write_text(f'{CONFIG}[models.providers.claude-cli]\nauth = "none"\n')
        rows = host.json("list", "--all", "--provider", "claude-cli")["models"]
        assert {row["available"] for row in rows} == {True}

    def test_json_and_plain_at_once_are_wrong_usage(self, host: Host) -> None:
        for words in (
            ("list", "--json", "--plain"),
            ("--json", "aliases", "--plain"),
            ("fallbacks", "list", "--plain", "--json"),
        ):
            assert host.models(*words) == (2, "", "remoteclaw: Choose either --json or --plain, not both.\n")

    def test_a_refresh_asks_the_provider_and_shows_what_it_says(self, host: Host) -> None:
        with ThreadedProviderServer() as server:
            here = CONFIG.replace("http://127.0.0.1:9/v1", server.openai_url).replace(
                "http://192.0.2.1", "http://127.0.0.1:9"
            )
            host.config.write_text(here)
            server.script["sk-acme-0123456789"] = [
                status(200, body={"data": [{"id": "small", "context_length": 2048}]})
            ] * 2
            code, out, err = host.models("list", "--refresh", "--provider", "acme")
            assert (code, err) == (0, "remoteclaw: acme lists 1 model, 1 new.\n")
            assert out.splitlines()[1].split() == ["acme/small", "-", "2k", "yes", "yes", "default,", "configured"]
            code, out, err = host.models("list", "--refresh", "--json")
            assert code == 1
            first, second = err.splitlines()
            assert first == "remoteclaw: acme lists 1 model."
            assert second.startswith("remoteclaw: zeta did not give its list (network). No connection to ")
            outcomes = {row["provider"]: row["outcome"] for row in json.loads(out)["refreshed"]}
            assert outcomes == {"acme": "ok", "zeta": "network"}


class TestTable:
    CELLS = ("[red]x[/red]", "a\x1b[31mb\nc", "模型", "")

    def test_in_a_pipe_it_is_aligned_text_that_moves_no_cursor(self, capsys: pytest.CaptureFixture[str]) -> None:
        say_table(("One", "Two"), [self.CELLS[:2], self.CELLS[2:]])
        assert capsys.readouterr().out.splitlines() == [
            "One           Two",
            "[red]x[/red]  a\\x1b[31mb\\nc",
            "模型",
        ]

    def test_on_a_terminal_it_is_drawn_and_markup_is_text(self) -> None:
        program = f"from bot.cli.table import say_table; say_table(('One', 'Two'), [{self.CELLS[:2]!r}])"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
        child: Any = pexpect.spawn(
            sys.executable, ["-c", program], env=environment, encoding="utf-8", dimensions=(24, 80)
        )
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
        assert "\x1b[1m" in child.before, "headings are bold"
        assert "[red]x[/red]  a\\x1b[31mb\\nc" in child.before
        assert "\x1b[31m" not in child.before

    def test_a_narrow_terminal_shows_every_character(self) -> None:
        program = "from bot.cli.table import say_table; say_table(('Model', 'Tags'), [('abcdefghij' * 4, 'default')])"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": "1"}
        child: Any = pexpect.spawn(
            sys.executable, ["-c", program], env=environment, encoding="utf-8", dimensions=(24, 30)
        )
        child.expect(pexpect.EOF)
        child.close()
        letters = "".join(line.split("  ")[0] for line in child.before.splitlines()[1:])
        assert "".join(c for c in letters if c in "abcdefghij") == "abcdefghij" * 4
        assert "\x1b[1;3" not in child.before, "NO_COLOR"


class TestSet:
    def test_the_default_changes_and_everything_else_stays(self, host: Host) -> None:
        assert host.does("set", "acme/large") == f"{host.updated}Default model: acme/large\n"
        assert host.config.read_text() == CONFIG.replace('"acme/small" #', '"acme/large" #')
        assert host.does("set", "BIG") == "Default model: acme/large\n", "nothing to write"
        assert host.json("set", "opus-1") == {
            "agent": None, "default": "zeta/opus-1", "added_to": None, "config_path": str(host.config), "config_updated": True,
        }  # fmt: skip

    def test_the_image_model_is_one_of_its_own(self, host: Host) -> None:
        assert host.does("set-image", "big") == f"{host.updated}Image model: acme/large\n"
        assert host.tree()["agents"]["defaults"] == {"model": "acme/small", "image_model": "acme/large"}
        assert host.json("set-image", "small", "--agent", "writer")["image_model"] == "acme/small"
        assert host.tree()["agents"]["list"]["writer"] == {"model": "zeta/opus-1", "image_model": "acme/small"}

    def test_fallbacks_stay(self, host: Host) -> None:
        host.config.write_text(FULL)
        host.does("set", "zeta/opus-1")
        assert host.tree()["agents"]["defaults"]["model"] == {
            "primary": "zeta/opus-1",
            "fallbacks": ["big", "zeta/opus-1"],
        }

    def test_an_agents_own_default_is_set_where_it_stands(self, host: Host) -> None:
        host.does("set", "small", "--agent", "writer")
        assert host.config.read_text() == CONFIG.replace('model = "zeta/opus-1"', 'model = "acme/small"')
        host.does("--agent", "MAIN", "set", "big")
        assert host.tree()["agents"]["list"]["main"] == {"model": "acme/large"}
        code, _, err = host.models("set", "zeta/opus-1")
        assert code == 0
        assert "agents.list.main.model is set, so the agent main goes on with its own." in err

    def test_where_there_is_no_config_one_is_made(self, host: Host) -> None:
        host.config.unlink()
        code, out, err = host.models("set", "opus")
        assert (code, out) == (0, f"{host.updated}Default model: anthropic/claude-opus-4-5\n")
        assert "there is no credential of anthropic yet" in err
        assert stat.S_IMODE(host.config.stat().st_mode) == 0o600
        assert host.config.read_text() == '[agents.defaults]\nmodel = "anthropic/claude-opus-4-5"\n'

    def test_a_policy_that_would_refuse_it_is_widened_by_this_model_and_that_is_said(self, host: Host) -> None:
        host.config.write_text(CONFIG + '[model_policy]\nallow = ["acme/small"] # only\n')
        shown = host.does("set", "zeta/opus-1")
        assert shown.endswith("Added zeta/opus-1 to model_policy.allow, which did not cover it.\n")
        assert host.config.read_text().endswith('allow = ["acme/small", "zeta/opus-1"] # only\n')
        assert host.json("set", "small")["added_to"] is None

    def test_an_agents_own_policy_is_the_one_that_is_widened(self, host: Host) -> None:
        host.config.write_text(
            CONFIG + 'model_policy = { allow = ["zeta/*"] }\n[model_policy]\nallow = ["zeta/opus-1"]\n'
        )
        assert host.json("set", "big", "--agent", "writer")["added_to"] == "agents.list.writer.model_policy.allow"
        assert host.tree()["agents"]["list"]["writer"]["model_policy"] == {"allow": ["zeta/*", "acme/large"]}
        assert host.tree()["model_policy"] == {"allow": ["zeta/opus-1"]}

    def test_a_model_that_an_open_provider_does_not_list_is_put_into_the_catalogue(self, host: Host) -> None:
        host.keep("openrouter")
        host.does("set", "OpenRouter/meta/Llama")
        assert host.tree()["agents"]["defaults"]["models"] == {"openrouter/meta/Llama": {}}
        assert "openrouter/meta/Llama" in host.does("list", "--plain")

    def test_one_whose_name_is_nearly_known_is_taken_and_told(self, host: Host) -> None:
        host.keep("openai")
        code, out, err = host.models("set", "openai/gpt-5-mni")
        assert (code, out) == (0, f"{host.updated}Default model: openai/gpt-5-mni\n")
        assert "no model openai/gpt-5-mni is known here; openai takes any. openai/gpt-5-mini is." in err

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("acme/smal", "'acme/smal': acme lists no such model. Did you mean acme/small?"),
            ("acne/small", "'acne/small': it names no provider of this installation. Did you mean acme?"),
            ("opsu", "'opsu': no model of that name is known. Did you mean opus? If not, write provider/model."),
            ("qqqq", "'qqqq': no model of that name is known. Write provider/model."),
            ("", "'': it must be one word"),
            ("openai/a b", "'openai/a b': it must be one word"),
            ("openai/\x1b[2J", "'openai/\\x1b[2J': it must be one word"),
            ("openai/*", "'openai/*': it must be one word"),
            ("openai/" + "x" * 300, "it must be one word"),
            ("openai/gpt-5@openai:work", "it names a credential too"),
        ],
    )
    def test_what_is_no_model_is_refused_with_names_that_are_near(self, host: Host, text: str, told: str) -> None:
        for command in ("set", "set-image"):
            failure = host.fails(command, text)
            assert failure.startswith("Invalid model reference: ")
            assert told in failure

    def test_a_name_of_two_models_must_be_written_whole(self, host: Host) -> None:
        host.config.write_text(CONFIG.replace('"opus-1"]', '"opus-1", "small"]'))
        told = "'small' may be any of acme/small, zeta/small."
        host.does("set", "zeta/opus-1")
        host.does("set", "small")  # the default provider's own
        assert host.tree()["agents"]["defaults"]["model"] == "zeta/small"
        host.does("set", "big")
        host.config.write_text(host.config.read_text().replace('model = "acme/large"', 'model = "openai/gpt-4.1"'))
        assert told in host.fails("set", "small")

    def test_other_mistakes_of_the_config_do_not_keep_it_from_being_mended(self, host: Host) -> None:
        host.config.write_text(CONFIG.replace('"acme/small" #', '"acme/gone" #').replace("zeta/opus-1", "zeta/gone"))
        host.does("set", "acme/large")
        assert host.tree()["agents"]["list"]["writer"] == {"model": "zeta/gone"}

    def test_a_wrong_config_is_not_touched(self, host: Host) -> None:
        host.config.write_text(CONFIG + "[agents.list.writer2]\nmodle = 'x'\n")
        assert "agents.list.writer2.modle: is not a setting. Did you mean model?" in host.fails("set", "big")


class TestFallbacks:
    def test_they_are_added_once_shown_and_removed(self, host: Host) -> None:
        assert host.does("fallbacks") == "Fallbacks (0):\n- none\n"
        assert host.does("fallbacks", "add", "zeta/opus-1") == f"{host.updated}Fallbacks (1):\n- zeta/opus-1\n"
        assert host.does("fallbacks", "add", "OPUS-1") == "Fallbacks (1):\n- zeta/opus-1\n"
        host.does("fallbacks", "add", "big")
        assert '"zeta/opus-1", "acme/large"]} # the cheap one' in host.config.read_text()
        assert host.does("fallbacks", "list", "--plain") == "zeta/opus-1\nacme/large\n"
        assert host.json("fallbacks") == {
            "agent": None, "fallbacks": ["zeta/opus-1", "acme/large"], "source": "defaults",
        }  # fmt: skip
        removed = host.json("fallbacks", "remove", "opus-1")
        assert (removed["fallbacks"], removed["config_updated"]) == (["acme/large"], True)
        assert host.does("fallbacks", "clear") == f"{host.updated}Fallback list cleared.\n"
        assert host.does("fallbacks", "clear") == "Fallback list cleared.\n"
        assert host.tree()["agents"]["defaults"]["model"] == {"primary": "acme/small", "fallbacks": []}

    def test_those_for_pictures_are_a_list_of_their_own(self, host: Host) -> None:
        told = "No image model is set, so there is nothing to stand in for. Run `remoteclaw models set-image <model>` first."
        assert host.fails("image-fallbacks", "add", "big") == told
        host.does("set-image", "zeta/opus-1")
        assert host.does("image-fallbacks", "add", "big") == f"{host.updated}Image fallbacks (1):\n- acme/large\n"
        assert host.json("fallbacks")["fallbacks"] == []
        assert host.fails("image-fallbacks", "remove", "small") == "Image fallback not found: acme/small"
        assert host.does("image-fallbacks", "clear") == f"{host.updated}Image fallback list cleared.\n"

    def test_one_that_is_written_as_an_alias_is_the_same_model(self, host: Host) -> None:
        host.config.write_text(FULL)
        assert "Updated" not in host.does("fallbacks", "add", "acme/large")
        host.does("fallbacks", "remove", "acme/large")
        assert host.tree()["agents"]["defaults"]["model"]["fallbacks"] == ["zeta/opus-1"]

    def test_one_that_leads_nowhere_can_be_removed(self, host: Host) -> None:
        host.config.write_text(FULL.replace('["big"', '["acme/gone"'))
        assert host.json("fallbacks", "remove", "acme/gone")["fallbacks"] == ["zeta/opus-1"]

    def test_an_agent_has_a_list_with_its_own_model_only(self, host: Host) -> None:
        host.config.write_text(FULL.replace('model = "zeta/opus-1"', 'image_model = "zeta/opus-1"'))
        assert host.json("fallbacks", "--agent", "writer")["source"] == "defaults"
        assert host.json("fallbacks", "--agent", "writer")["fallbacks"] == ["acme/large", "zeta/opus-1"]
        assert "Agent writer has no default model of its own" in host.fails(
            "fallbacks", "add", "big", "--agent", "writer"
        )
        assert "those of agents.defaults" in host.fails("fallbacks", "clear", "--agent", "writer")
        assert "no list of its own" in host.fails("fallbacks", "remove", "big", "--agent", "writer")
        host.does("set", "small", "--agent", "writer")
        added = host.json("fallbacks", "add", "big", "--agent", "writer")
        assert (added["agent"], added["fallbacks"]) == ("writer", ["acme/large"])
        assert host.json("fallbacks")["fallbacks"] == ["acme/large", "zeta/opus-1"]

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (("add", "acme/small"), "acme/small is the default model itself, so it cannot stand in for it."),
            (("add", "acme/x"), "Invalid model reference: 'acme/x': acme lists no such model."),
            (("remove", "zeta/opus-1"), "Fallback not found: zeta/opus-1"),
            (("remove", "\x1b[2J"), "Fallback not found: '\\x1b[2J'"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, host: Host, words: tuple[str, ...], told: str) -> None:
        assert host.fails("fallbacks", *words).startswith(told)


class TestAliases:
    def test_they_are_added_shown_and_removed(self, host: Host) -> None:
        assert host.does("aliases") == "Aliases (1):\n- big -> acme/large\n"
        assert host.does("aliases", "add", "Mini", "acme/small") == f"{host.updated}Alias mini -> acme/small\n"
        assert host.does("aliases", "add", "mini", "small") == "Alias mini -> acme/small\n"
        assert host.config.read_text().count("mini") == 1
        assert host.does("aliases", "list", "--plain") == "big acme/large\nmini acme/small\n"
        assert host.json("aliases") == {"aliases": {"big": "acme/large", "mini": "acme/small"}}
        assert host.does("aliases", "remove", "BIG") == f"{host.updated}Removed alias: big\n"
        shown = host.does("aliases", "remove", "mini")
        assert shown == f"{host.updated}Removed alias: mini\nNo aliases configured.\n"
        assert host.does("aliases") == "Aliases (0):\n- none\n"
        assert all(line in host.config.read_text() for line in CONFIG.splitlines() if "alias" not in line)

    def test_they_are_understood_at_once(self, host: Host) -> None:
        host.does("aliases", "add", "mini", "acme/small")
        assert host.does("set", "mini") == "Default model: acme/small\n"

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (("add", "big", "small"), "Alias big already points to acme/large. Nothing was changed."),
            (("add", "tiny", "gone"), "Invalid model reference: 'gone'"),
            (("add", "list", "small"), "'list' cannot be an alias: /model keeps this word for itself."),
            (("add", "ONCE", "small"), "'ONCE' cannot be an alias: /model keeps this word for itself."),
            (("add", "-", "small"), "'-' cannot be an alias: /model keeps this word for itself."),
            (("add", "new", "small"), "'new' cannot be an alias: /new is a command of the chat."),
            (("add", "12", "small"), "'12' cannot be an alias: it must be one word of letters, digits and . _ : -"),
            (("add", "a/b", "small"), "'a/b' cannot be an alias: it must be one word"),
            (("add", "a@b", "small"), "'a@b' cannot be an alias: it must be one word"),
            (("add", "é", "small"), "'é' cannot be an alias: it must be one word"),
            (("add", "", "small"), "'' cannot be an alias: it must be one word"),
            (("remove", "q"), "Alias not found: q"),
            (("remove", "opus"), "Alias opus is built in and cannot be removed."),
        ],
    )
    def test_what_cannot_be_one_is_refused(self, host: Host, words: tuple[str, ...], told: str) -> None:
        assert host.fails("aliases", *words).startswith(told)

    def test_a_built_in_one_is_shown_where_its_provider_is_used_and_yields(self, host: Host) -> None:
        host.keep("acme", "zeta", "anthropic")
        assert "- opus -> anthropic/claude-opus-4-5 (built in)\n" in host.does("aliases")
        host.does("aliases", "add", "opus", "zeta/opus-1")
        assert "- opus -> zeta/opus-1\n" in host.does("aliases")
        assert host.json("aliases", "remove", "opus")["removed"] == "opus"
        assert host.json("aliases")["aliases"]["opus"] == "anthropic/claude-opus-4-5"

    def test_a_second_one_in_the_notes_does_not_take_the_place_of_the_first(self, host: Host) -> None:
        host.does("aliases", "add", "mini", "small")
        assert "acme/small is already called mini in agents.defaults.models" in host.fails(
            "aliases", "add", "tiny", "small"
        )

    def test_one_that_is_in_use_is_not_removed(self, host: Host) -> None:
        host.config.write_text(CONFIG.replace('"acme/small" #', '"big" #'))
        failure = host.fails("aliases", "remove", "big")
        assert failure.startswith("agents.defaults.model: names no model that is known.")
        assert failure.endswith("Nothing was changed.")

    def test_one_that_hides_a_models_own_name_is_told(self, host: Host) -> None:
        code, _, err = host.models("aliases", "add", "small", "acme/large")
        assert code == 0
        assert "small alone now means acme/large; for acme/small the whole name must be written." in err
