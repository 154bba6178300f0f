"""The layers of the environment: what is found where, what wins, and where each variable in force is said to come from."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from bot.app import build_app, inspect_installation
from bot.config.complete import complete
from bot.config.load import settings_from
from bot.environment import Environment, layered, prepare_process, process_environment, read_environment
from bot.paths import Paths
from bot.settings_wiring import open_settings
from core.auth.variables import EXPECTED_IN_SHELL, Origin
from core.errors import BotError, ConfigError, StoreError
from core.sessions.key import SessionKey

URL = 'base_url = "http://127.0.0.1:9/v1"\napi = "openai-completions"\n'


@dataclass
class Place:
    """A home with a default state directory, and a project's directory beside it."""

    home: Path
    process: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.process["HOME"] = str(self.home)
        self.project = self.home / "project"
        self.project.mkdir()
        self.paths = Paths.of(self.process)
        self.paths.create()
        self.gateway_env = self.home / ".config" / "remoteclaw" / "gateway.env"

    def write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)

    def state(self, text: str) -> None:
        self.write(self.paths.dotenv, text)

    def cwd(self, text: str) -> None:
        self.write(self.project / ".env", text)

    def layers(self, **process: str) -> Environment:
        return layered({**self.process, **process}, self.project, self.paths)

    def complete(self, config: str = "", shell: "Shell | None" = None, **process: str) -> Environment:
        """All layers, with this config."""
        self.write(self.paths.config, config)
        ask = shell or Shell({})
        return complete(self.paths.config, self.layers(**process), ask, ["VENDOR_TOKEN"])[1]


@dataclass
class Shell:
    """A login shell that has these variables, or fails; it counts how often it was asked."""

    variables: Mapping[str, str] | BotError
    asked: list[tuple[Mapping[str, str], timedelta]] = field(default_factory=list)

    def __call__(self, process: Mapping[str, str], timeout: timedelta) -> Mapping[str, str]:
        self.asked.append((process, timeout))
        if isinstance(self.variables, BotError):
            raise self.variables
        return self.variables


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


class TestFiles:
    def test_c211_the_process_wins_over_every_file(self, place: Place):
        place.cwd("GROQ_API_KEY=cwd")
        place.state("OPENAI_API_KEY=state\nGROQ_API_KEY=state")
        found = place.layers(OPENAI_API_KEY="process", GROQ_API_KEY="process")
        assert (found["OPENAI_API_KEY"], found["GROQ_API_KEY"]) == ("process", "process")
        assert found.origins["OPENAI_API_KEY"] is Origin.PROCESS

    def test_c211_the_working_directory_wins_over_the_state_directory(self, place: Place):
        place.cwd("GROQ_API_KEY=cwd")
        place.state("GROQ_API_KEY=state")
        found = place.layers()
        assert (found["GROQ_API_KEY"], found.origins["GROQ_API_KEY"]) == ("cwd", Origin.WORKING_DIR)

    def test_c211_a_key_that_a_working_directory_may_not_set_is_that_of_the_state_directory(self, place: Place):
        place.cwd("OPENAI_API_KEY=cwd")
        assert "OPENAI_API_KEY" not in place.layers()
        place.state("OPENAI_API_KEY=state")
        found = place.layers()
        assert (found["OPENAI_API_KEY"], found.origins["OPENAI_API_KEY"]) == ("state", Origin.STATE_DIR)

    def test_c211_gateway_env_yields_to_the_state_directory_and_says_so_by_name(self, place: Place):
        place.state("OPENAI_API_KEY=state-value\nSAME=x\nMINE=state-value")
        place.write(place.gateway_env, "OPENAI_API_KEY=other-value\nSAME=x\nGROQ_API_KEY=only\nMINE=other-value")
        found = place.layers(MINE="process")
        assert (found["OPENAI_API_KEY"], found["GROQ_API_KEY"], found["MINE"]) == ("state-value", "only", "process")
        assert found.origins["GROQ_API_KEY"] is Origin.GATEWAY_ENV
        assert found.notes == (
            f"{place.gateway_env}: OPENAI_API_KEY differs from {place.paths.dotenv}, whose value is used.",
        )

    def test_gateway_env_belongs_to_the_default_state_directory_alone(self, place: Place, tmp_path: Path):
        place.write(place.gateway_env, "GROQ_API_KEY=only")
        elsewhere = Paths.of({**place.process, "REMOTECLAW_STATE_DIR": str(tmp_path / "other")})
        assert "GROQ_API_KEY" not in layered(place.process, None, elsewhere)

    def test_a_gateway_env_that_others_can_write_is_not_used_and_stops_nothing(self, place: Place):
        place.write(place.gateway_env, "GROQ_API_KEY=only")
        place.gateway_env.chmod(0o666)
        found = place.layers()
        assert "GROQ_API_KEY" not in found
        assert [note.partition(", so")[0] for note in found.notes] == [f"{place.gateway_env} can be written by others"]

    def test_an_empty_variable_of_the_process_blocks_the_files(self, place: Place):
        place.cwd("A=cwd")
        place.state("A=state\nB=state")
        assert place.layers(A="", B="")["A"] == ""

    def test_a_blank_in_the_working_directory_hides_nothing(self, place: Place):
        place.cwd("GROQ_API_KEY=\n")
        place.state("GROQ_API_KEY=state")
        assert place.layers()["GROQ_API_KEY"] == "state"

    def test_where_the_working_directory_is_the_state_directory_its_file_is_the_operators(self, place: Place):
        place.state("OPENAI_API_KEY=state")
        found = layered(place.process, place.paths.state, place.paths)
        assert found.origins["OPENAI_API_KEY"] is Origin.STATE_DIR
        assert found.notes == ()

    def test_a_link_to_the_state_directory_is_that_directory(self, place: Place, tmp_path: Path):
        place.state("OPENAI_API_KEY=state")
        link = tmp_path / "link"
        link.symlink_to(place.paths.state)
        assert layered(place.process, link, place.paths).origins["OPENAI_API_KEY"] is Origin.STATE_DIR

    def test_a_bad_file_of_the_state_directory_is_an_error_and_one_of_the_working_directory_a_note(self, place: Place):
        (place.project / ".env").mkdir()
        assert place.layers().notes == (f"{place.project / '.env'} is not used: it is not a file.",)
        place.state("A=b")
        place.paths.dotenv.chmod(0o622)
        with pytest.raises(StoreError, match="chmod 600"):
            place.layers()

    def test_nothing_of_it_is_shown(self, place: Place):
        place.state("A=sk-very-secret")
        assert "secret" not in repr(place.layers()) + str(place.layers())

    def test_a_plain_mapping_is_a_process_environment(self):
        found = Environment.of({"A": "x"})
        assert (dict(found), found.process, found.origins) == ({"A": "x"}, {"A": "x"}, {"A": Origin.PROCESS})
        assert Environment.of(found) is found


class TestTheProcess:
    @pytest.fixture(autouse=True)
    def _here(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        place.cwd("GROQ_API_KEY=cwd-value\nOPENAI_API_KEY=sk-theirs")
        place.state("FROM_STATE=yes\nGROQ_API_KEY=state-value\nSET=no")
        monkeypatch.chdir(place.project)
        monkeypatch.setattr(os, "environ", {**place.process, "SET": "mine"})

    def test_libraries_see_the_operators_files_and_never_the_working_directorys(self):
        prepare_process()
        assert (os.environ["FROM_STATE"], os.environ["SET"]) == ("yes", "mine")
        assert os.environ["GROQ_API_KEY"] == "state-value"

    def test_what_it_was_started_with_stays_known(self, place: Place):
        before = dict(os.environ)
        prepare_process()
        assert process_environment() == before
        found = read_environment()
        assert found.process == before
        assert found.origins["FROM_STATE"] is Origin.STATE_DIR
        assert found.origins["GROQ_API_KEY"] is Origin.WORKING_DIR

    def test_a_file_that_changes_is_read_anew_and_one_that_went_is_gone(self, place: Place):
        prepare_process()
        place.state("FROM_STATE=changed")
        assert read_environment()["FROM_STATE"] == "changed"
        place.paths.dotenv.unlink()
        assert "FROM_STATE" not in read_environment()

    def test_what_is_not_used_is_told_once_and_without_values(self, caplog: pytest.LogCaptureFixture):
        prepare_process()
        read_environment()
        (told,) = caplog.messages
        assert "OPENAI_API_KEY" in told
        assert "theirs" not in told

    def test_a_working_directory_that_is_gone_is_none(self, place: Place):
        (place.project / ".env").unlink()
        place.project.rmdir()
        assert read_environment()["GROQ_API_KEY"] == "state-value"


class TestConfig:
    def test_its_table_counts_where_a_variable_is_unset_or_blank(self, place: Place):
        place.state("STATE=state\nBLANK= ")
        found = place.complete(
            '[env]\nPROCESS = "c"\nEMPTY = "c"\nSTATE = "c"\nBLANK = "c"\nNEW = "c"', PROCESS="p", EMPTY=""
        )
        assert {n: found[n] for n in ("PROCESS", "EMPTY", "STATE", "BLANK", "NEW")} == {
            "PROCESS": "p", "EMPTY": "c", "STATE": "state", "BLANK": "c", "NEW": "c",
        }  # fmt: skip
        assert found.named(Origin.CONFIG) == ("BLANK", "EMPTY", "NEW")

    def test_the_form_at_the_top_wins_over_vars(self, place: Place):
        found = place.complete('[env]\nA = "top"\n[env.vars]\nA = "vars"\nB = "vars"')
        assert (found["A"], found["B"]) == ("top", "vars")

    @pytest.mark.parametrize(
        ("config", "problem"),
        [
            pytest.param('[env.vars]\n"a b" = "x"', 'env.vars."a b": must be the name of', id="name"),
            pytest.param('[env.vars]\nREMOTECLAW_STATE_DIR = "x"', "env.vars.REMOTECLAW_STATE_DIR: ", id="own place"),
            pytest.param('[env]\nA = " "', "env.A: is empty", id="blank"),
            pytest.param("[env]\nA = 1", "env.A: must be a string", id="number"),
            pytest.param("[env.shell_env]\nenable = true", "env.shell_env.enable: .* enabled", id="unknown key"),
            pytest.param(
                '[env.shell_env]\ntimeout = "nope"', "env.shell_env.timeout: must be a duration", id="timeout"
            ),
            pytest.param(
                '[env.shell_env]\ntimeout = "${UNSET}"', "env.shell_env.timeout: the environment", id="unset time"
            ),
        ],
    )
    def test_what_is_wrong_with_it_is_named(self, place: Place, config: str, problem: str):
        with pytest.raises(ConfigError, match=problem):
            place.complete(config)

    @pytest.mark.parametrize(
        ("config", "told"),
        [
            pytest.param('A = "${UNSET}"', ["env.A: UNSET"], id="unset"),
            pytest.param('A = "${SET}-${UNSET}-${OTHER}"', ["env.A: OTHER and UNSET"], id="two of three"),
            pytest.param('A = "${A}"', ["env.A: A"], id="itself"),
            pytest.param('A = "${B}"\nB = "${A}"', ["env.A: B", "env.B: A"], id="cycle"),
            pytest.param('[env.vars]\nA = "${UNSET}"', ["env.vars.A: UNSET"], id="vars"),
        ],
    )
    def test_an_entry_that_cannot_be_filled_is_left_out_and_told(
        self, place: Place, caplog: pytest.LogCaptureFixture, config: str, told: list[str]
    ):
        found = place.complete(f'[env]\nKEPT = "x"\nSET = "x"\n{config}')
        assert (found.get("A"), found["KEPT"]) == (None, "x")
        pairs = (one.split(": ") for one in told)
        assert caplog.messages == [
            f"{path} is not used: the environment variable {names} is missing or empty." for path, names in pairs
        ]

    def test_an_entry_that_is_not_needed_may_ask_for_what_is_missing(self, place: Place):
        assert place.complete('[env]\nA = "${UNSET}"', A="process")["A"] == "process"

    def test_entries_may_ask_for_each_other(self, place: Place):
        config = '[env]\nA = "${B}/a"\nB = "${C}/b"\nC = "c"\nKEPT = "$${C}"'
        assert {**place.complete(config), "HOME": ""} == {
            "A": "c/b/a", "B": "c/b", "C": "c", "KEPT": "${C}", "HOME": "",
        }  # fmt: skip

    def test_entries_that_would_grow_without_end_are_refused(self, place: Place):
        lines = [f'V{n} = "{f"${{V{n + 1}}}" * 10}"' for n in range(30)]
        with pytest.raises(ConfigError, match="longer than 262144 characters"):
            place.complete("\n".join(["[env]", *lines, 'V30 = "xxxxxxxxxx"']))

    def test_variables_of_every_layer_fill_the_config(self, place: Place):
        place.state("STATE=s")
        place.write(place.gateway_env, "GATEWAY=g")
        place.cwd("CWD=w")
        text = (
            "[env]\nTABLE = '${STATE}t'\n[auth.profiles.x]\nprovider = 'a'\n"
            "label = '${PROCESS} ${CWD} ${STATE} ${GATEWAY} ${TABLE}'"
        )
        place.write(place.paths.config, text)
        settings, _ = complete(place.paths.config, place.layers(PROCESS="p"), Shell({}), [])
        assert settings.auth.profiles["x"].label == "p w s g st"

    @pytest.mark.parametrize("layer", ["state", "gateway", "table"])
    def test_a_working_directory_replaces_nothing_that_the_operator_set_and_the_config_names(
        self, place: Place, layer: str
    ):
        mine = "ACME_PLACE=http://127.0.0.1:9"
        place.cwd("ACME_PLACE=http://evil.test")
        if layer == "state":
            place.state(mine)
        elif layer == "gateway":
            place.write(place.gateway_env, mine)
        table = '[env]\nACME_PLACE = "http://127.0.0.1:9"\n' if layer == "table" else ""
        place.write(
            place.paths.config,
            f'{table}[models.providers.acme]\nbase_url = "${{ACME_PLACE}}"\napi = "openai-completions"',
        )
        settings, _ = complete(place.paths.config, place.layers(), Shell({}), [])
        assert settings.models.providers["acme"].base_url == "http://127.0.0.1:9"

    def test_references_and_started_programs_get_nothing_of_a_working_directory(self, place: Place):
        place.cwd("VAULT_ADDR=http://evil.test\nBOTH=evil")
        place.state("BOTH=mine")
        found = settings_from({}, {}).environment(place.layers()).trusted
        assert "VAULT_ADDR" not in found
        assert found["BOTH"] == "mine"


SHELL = "[env.shell_env]\nenabled = true\n"


class TestLoginShell:
    def test_it_is_not_asked_unless_somebody_wants_it(self, place: Place):
        shell = Shell({"GROQ_API_KEY": "shell"})
        found = place.complete("", shell)
        assert (shell.asked, found.asks_shell, found.named(Origin.LOGIN_SHELL)) == ([], False, ())

    @pytest.mark.parametrize("said", ["1", "true", "YES", " on "])
    def test_a_variable_can_want_it(self, place: Place, said: str):
        shell = Shell({"OPENAI_API_KEY": "shell"})
        found = place.complete("", shell, REMOTECLAW_LOAD_SHELL_ENV=said)
        assert (found["OPENAI_API_KEY"], found.asks_shell) == ("shell", True)

    @pytest.mark.parametrize(("config", "said"), [(SHELL, "0"), (SHELL, "off"), ("", "maybe")])
    def test_a_variable_can_refuse_it(self, place: Place, config: str, said: str):
        shell = Shell({"OPENAI_API_KEY": "shell"})
        assert not place.complete(config, shell, REMOTECLAW_LOAD_SHELL_ENV=said).asks_shell
        assert shell.asked == []

    def test_a_program_that_a_start_up_file_runs_does_not_ask_in_its_turn(self, place: Place):
        shell = Shell({})
        place.complete(SHELL, shell, REMOTECLAW_LOAD_SHELL_ENV="1")
        assert shell.asked[0][0]["REMOTECLAW_LOAD_SHELL_ENV"] == "0"

    def test_it_is_asked_with_the_environment_of_the_process_alone(self, place: Place):
        place.state("FROM_STATE=yes")
        shell = Shell({})
        place.complete(f'{SHELL}[env]\nFROM_TABLE = "yes"', shell, MINE="yes")
        assert set(shell.asked[0][0]) == {"HOME", "MINE", "REMOTECLAW_LOAD_SHELL_ENV"}

    def test_only_expected_keys_that_are_unset_or_blank_are_taken(self, place: Place):
        expected = {"OPENAI_API_KEY": "a", "VENDOR_TOKEN": "c", "ACME_API_KEY": "d", "ZAI_API_KEY": " "}
        shell = Shell({**expected, "OTHER_API_KEY": "b", "EDITOR": "vi"})
        found = place.complete(f"{SHELL}[models.providers.acme]\n{URL}", shell, VENDOR_TOKEN=" ")
        assert found.named(Origin.LOGIN_SHELL) == ("ACME_API_KEY", "OPENAI_API_KEY", "VENDOR_TOKEN")
        assert found["VENDOR_TOKEN"] == "c"

    @pytest.mark.parametrize("name", [*EXPECTED_IN_SHELL, "VENDOR_TOKEN"])
    def test_c212_where_an_expected_key_is_set_the_shell_is_not_run(self, place: Place, name: str):
        shell = Shell({"ZAI_API_KEY": "shell", "GROQ_API_KEY": "shell"})
        found = place.complete(SHELL, shell, **{name: "process"})
        assert (shell.asked, found.named(Origin.LOGIN_SHELL), found.asks_shell) == ([], (), True)

    @pytest.mark.parametrize("layer", ["state", "cwd", "table"])
    def test_a_key_of_any_layer_keeps_it_from_being_run(self, place: Place, layer: str):
        shell = Shell({"OPENAI_API_KEY": "shell"})
        if layer == "state":
            place.state("ZAI_API_KEY=x")
        elif layer == "cwd":
            place.cwd("ZAI_API_KEY=x")
        place.complete(SHELL + ('[env]\nZAI_API_KEY = "x"' if layer == "table" else ""), shell)
        assert shell.asked == []

    @pytest.mark.parametrize(
        ("config", "said", "seconds"),
        [
            pytest.param("", "", 15, id="usual"),
            pytest.param("", "nope", 15, id="C212"),
            pytest.param("", "-1", 15, id="negative"),
            pytest.param("", "0", 15, id="zero"),
            pytest.param("", "1e999", 15, id="no number"),
            pytest.param("", " 2500 ", 2.5, id="variable"),
            pytest.param('timeout = "3s"', "2500", 3, id="config"),
        ],
    )
    def test_how_long_it_may_take(self, place: Place, config: str, said: str, seconds: float):
        shell = Shell({})
        place.complete(SHELL + config, shell, REMOTECLAW_SHELL_ENV_TIMEOUT_MS=said)
        assert shell.asked[0][1] == timedelta(seconds=seconds)

    def test_the_config_may_name_what_only_the_shell_has(self, place: Place):
        shell = Shell({"TELEGRAM_BOT_TOKEN": "123:abc"})
        place.write(place.paths.config, f'{SHELL}[channels.telegram]\ntoken = "${{TELEGRAM_BOT_TOKEN}}"')
        settings, _ = complete(place.paths.config, place.layers(), shell, [])
        assert settings.channels.telegram is not None
        assert settings.channels.telegram.token is not None

    def test_a_failure_is_one_warning_and_no_more(self, place: Place, caplog: pytest.LogCaptureFixture):
        found = place.complete(SHELL, Shell(BotError("login_shell", "The login shell timed out.")))
        assert found.asks_shell
        assert caplog.messages == ["The login shell timed out."]

    def test_a_failure_at_a_reload_keeps_what_the_shell_gave_before(self, place: Place):
        before = place.complete(SHELL, Shell({"OPENAI_API_KEY": "shell", "ZAI_API_KEY": "shell"}))
        failing = Shell(BotError("login_shell", "The login shell timed out."))
        _, after = complete(place.paths.config, place.layers(), failing, [], before=before)
        assert after.named(Origin.LOGIN_SHELL) == ("OPENAI_API_KEY", "ZAI_API_KEY")

    def test_without_a_config_file_it_can_still_be_wanted(self, place: Place):
        environ = place.layers(REMOTECLAW_LOAD_SHELL_ENV="1")
        _, found = complete(place.paths.config, environ, Shell({"ZAI_API_KEY": "shell"}), [], required=False)
        assert found["ZAI_API_KEY"] == "shell"
        with pytest.raises(BotError, match="no configuration"):
            complete(place.paths.config, environ, Shell({}), [])


async def test_a_reload_reads_the_files_anew_and_keeps_the_environment_of_the_start(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    place.state("A_API_KEY=old")
    place.write(place.paths.config, "".join(f'[models.providers.{name}]\n{URL}models = ["m"]\n' for name in "abcd"))
    monkeypatch.chdir(place.project)
    monkeypatch.setattr(os, "environ", {**place.process, "D_API_KEY": "start"})
    prepare_process()
    settings, environ = open_settings(place.paths, read_environment())
    async with build_app(settings, place.paths, environ=environ, platforms=()) as app:
        place.state("A_API_KEY=new\nD_API_KEY=file")
        place.cwd("B_API_KEY=b")
        with place.paths.config.open("a") as file:
            file.write('[env]\nC_API_KEY = "c"\n')
        os.environ["D_API_KEY"] = "later"
        await app.installation.reload()
        found = app.installation.load("main").profiles.values()
    assert {profile.source: profile.secret.reveal() for profile in found if profile.secret} == {
        ".env: A_API_KEY": "new",
        "./.env: B_API_KEY": "b",
        "config env: C_API_KEY": "c",
        "env: D_API_KEY": "start",
    }


async def test_a_reload_of_what_was_opened_with_a_plain_environment_reads_no_files_of_variables(place: Place):
    place.write(place.paths.config, f'[models.providers.a]\n{URL}models = ["m"]\n')
    place.state("A_API_KEY=file")
    settings, environ = open_settings(place.paths, {**place.process, "REMOTECLAW_DEBUG": "0"})
    async with build_app(settings, place.paths, environ=environ, platforms=()) as app:
        await app.installation.reload()
        assert app.installation.load("main").profiles == {}


def test_the_label_of_a_credential_says_where_its_variable_came_from(place: Place, caplog: pytest.LogCaptureFixture):
    place.cwd("B_API_KEY=b")
    place.state("C_API_KEY=c")
    place.write(place.gateway_env, "D_API_KEY=d")
    providers = "".join(f"[models.providers.{name}]\n{URL}" for name in "abcdef")
    model = '[agents.defaults]\nmodel = "a/m"\n'
    place.write(place.paths.config, f'{providers}{model}[env]\nE_API_KEY = "e"\n')
    with caplog.at_level(logging.WARNING):
        settings, environ = open_settings(place.paths, place.layers(A_API_KEY="a"))
    environ = environ.with_layer(Origin.LOGIN_SHELL, {"F_API_KEY": "f"})
    snapshot = inspect_installation(settings, place.paths, environ).snapshots.take(SessionKey.parse("agent:main:main"))
    profiles = snapshot.credentials.profiles
    assert {name: profile.source for name, profile in profiles.items()} == {
        "env:A_API_KEY": "env: A_API_KEY",
        "env:B_API_KEY": "./.env: B_API_KEY",
        "env:C_API_KEY": ".env: C_API_KEY",
        "env:D_API_KEY": "gateway.env: D_API_KEY",
        "env:E_API_KEY": "config env: E_API_KEY",
        "env:F_API_KEY": "shell env: F_API_KEY",
    }
    assert caplog.messages == []
