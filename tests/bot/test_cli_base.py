"""`remoteclaw`: lazy, quiet, and every failure is one sentence with the right exit code."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from bot.cli import main as entry
from bot.cli.main import NOUNS, main
from bot.cli.output import say
from core.errors import ConfigError, StoreError

ROOT = Path(__file__).parents[2]
HEAVY = (
    "pydantic",
    "pydantic_core",
    "asyncio",
    "sqlalchemy",
    "alembic",
    "httpx",
    "aiohttp",
    "discord",
    "telegram",
    "rich",
    "prompt_toolkit",
    "logging",
    "json",
)
CLOSED = "Standard output is closed. Nothing was done. Lead it to /dev/null if nobody reads it."
FULL = "The output cannot be written: No space left on device."
CONFIG = """
[models.providers.acme]
base_url = "http://127.0.0.1:9/v1"
api = "openai-completions"
models = ["small"]
"""


def in_a_process(*arguments: str, state: Path | None = None, **environ: str) -> "subprocess.CompletedProcess[str]":
    env = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": str(ROOT), **environ}
    if state is not None:
        env["REMOTECLAW_STATE_DIR"] = str(state)
    return subprocess.run(
        [sys.executable, *arguments], env=env, capture_output=True, text=True, timeout=60, cwd=os.environ["HOME"]
    )


@pytest.fixture
def noun(monkeypatch: pytest.MonkeyPatch, state_dir: Path) -> types.ModuleType:
    """A command `try` that does what a test puts into its `run`."""
    module = types.ModuleType("command_for_a_test")
    module.add_arguments = lambda parser: parser.add_argument("--flag")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(NOUNS, "try", (module.__name__, "try it"))
    return module


def raising(error: BaseException):
    def run(args: object) -> int:
        raise error

    return run


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_help_and_version_load_next_to_nothing(arguments: list[str]):
    program = (
        "import sys; from bot.cli.main import main\n"
        f"code = main({arguments!r})\n"
        "import json; sys.stderr.write('\\n' + json.dumps([code, sorted(sys.modules)]))"
    )
    program = program.replace("import json; ", "before = sorted(sys.modules); import json; ").replace(
        "sorted(sys.modules)])", "before])"
    )
    ended = in_a_process("-c", program)
    code, loaded = json.loads(ended.stderr.splitlines()[-1])
    assert code == (0 if arguments else 2)
    heavy = [name for name in HEAVY if name in loaded and not (arguments == ["--version"] and name == "json")]
    assert heavy == []


def test_the_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "remoteclaw 0.1.0\n"


def test_help_names_every_command(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"    {name} " in shown for name in NOUNS)


@pytest.mark.parametrize("name", sorted(NOUNS))
def test_every_command_explains_itself(name: str, capsys):
    assert main([name, "--help"]) == 0
    assert f"usage: remoteclaw {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [[], ["no-such-command"], ["--no-such-flag"], ["db"], ["db", "sideways"], ["try", "x"]]
)
def test_wrong_usage_is_2(arguments: list[str], noun: types.ModuleType, capsys):
    assert main(arguments) == 2
    assert "usage: remoteclaw" in capsys.readouterr().err


def test_a_command_gets_its_arguments_and_its_answer_is_the_exit_code(noun: types.ModuleType):
    noun.run = lambda args: 7 if args.flag == "x" else 0  # type: ignore[attr-defined]
    assert main(["try", "--flag", "x"]) == 7


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (StoreError("x", "The store is gone.", "Run doctor."), "remoteclaw: The store is gone. Run doctor.\n"),
        (ConfigError("a.b", "is wrong"), "remoteclaw: a.b: is wrong\n"),
        (ConfigError("a.b", "is wrong", "The file is x."), "remoteclaw: a.b: is wrong. The file is x.\n"),
    ],
)
def test_an_expected_failure_is_one_sentence(noun: types.ModuleType, capsys, error: Exception, sentence: str):
    noun.run = raising(error)  # type: ignore[attr-defined]
    assert main(["try"]) == 1
    captured = capsys.readouterr()
    assert captured.err == sentence
    assert captured.out == ""


def test_an_unexpected_failure_is_one_sentence_with_a_reference(noun: types.ModuleType, capsys):
    noun.run = raising(RuntimeError("with sk-secret-0123456789"))  # type: ignore[attr-defined]
    assert main(["try"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("remoteclaw: An unexpected error ended the command: RuntimeError, reference ")
    assert "sk-secret" not in line


def test_with_debug_the_traceback_is_shown_without_secrets(
    noun: types.ModuleType, capsys, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("REMOTECLAW_DEBUG", "1")
    noun.run = raising(RuntimeError("with sk-secret-0123456789"))  # type: ignore[attr-defined]
    assert main(["try"]) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "sk-secret" not in shown


def test_an_interruption_is_130_and_says_nothing(noun: types.ModuleType, capsys):
    noun.run = raising(KeyboardInterrupt())  # type: ignore[attr-defined]
    assert main(["try"]) == 130
    assert capsys.readouterr().err == ""


def test_a_reader_that_has_gone_is_no_failure(state_dir: Path):
    program = "import sys; from bot.cli.main import main; sys.exit(main(['config', 'path']))"
    shell = f'"$PY" -c "{program}" | true; echo "${{PIPESTATUS[0]}}"'
    ended = subprocess.run(
        ["bash", "-c", shell],
        env={**os.environ, "PY": sys.executable, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.stdout, ended.stderr) == ("0\n", "")


@pytest.mark.parametrize(
    ("command", "redirection", "sentence"),
    [
        pytest.param(["config", "path"], ">&-", CLOSED, id="closed"),
        pytest.param(["models", "auth", "list"], ">&-", CLOSED, id="closed, another command"),
        pytest.param(["--version"], ">&-", CLOSED, id="closed, version"),
        pytest.param(["config", "path"], "> /dev/full", FULL, id="full"),
        pytest.param(["--version"], "> /dev/full", FULL, id="full, version"),
        pytest.param(["models", "--help"], "> /dev/full", FULL, id="full, help"),
    ],
)
def test_output_that_cannot_be_written_is_one_sentence_and_1(
    state_dir: Path, command: list[str], redirection: str, sentence: str
):
    program = f"import sys; from bot.cli.main import main; sys.exit(main({command!r}))"
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    ended = subprocess.run(
        ["bash", "-c", f'"$PY" -c "{program}" {redirection}'],
        env={**buffered, "PY": sys.executable, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (1, f"remoteclaw: {sentence}\n")


def test_much_output_that_cannot_be_written_is_one_sentence_too(
    noun: types.ModuleType, capsys, monkeypatch: pytest.MonkeyPatch
):
    noun.run = lambda args: say("x" * 500_000) or 0  # type: ignore[attr-defined]
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["try"]) == 1
    assert capsys.readouterr().err == f"remoteclaw: {FULL}\n"


def test_a_failure_of_another_file_is_not_taken_for_one_of_the_output(noun: types.ModuleType, capsys):
    noun.run = raising(OSError(28, "No space left on device", "/some/file"))  # type: ignore[attr-defined]
    assert main(["try"]) == 1
    assert "An unexpected error ended the command: OSError" in capsys.readouterr().err


def test_output_survives_a_terminal_that_lacks_the_characters(tmp_path: Path):
    state = tmp_path / "stäte→"
    state.mkdir()
    ended = in_a_process("-m", "bot", "config", "path", state=state, PYTHONIOENCODING="ascii")
    assert ended.returncode == 0
    assert "st\\xe4te\\u2192" in ended.stdout


def test_variables_of_dotenv_are_there_for_every_command(
    noun: types.ModuleType, state_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    (state_dir / ".env").write_text("FROM_DOTENV=yes\nSET_ALREADY=no\n")
    (state_dir / ".env").chmod(0o600)
    monkeypatch.setattr(os, "environ", {**os.environ, "SET_ALREADY": "mine"})
    seen: dict[str, str | None] = {}
    noun.run = lambda args: (
        seen.update(  # type: ignore[attr-defined]
            {name: os.environ.get(name) for name in ("FROM_DOTENV", "SET_ALREADY")}
        )
        or 0
    )
    assert main(["try"]) == 0
    assert seen == {"FROM_DOTENV": "yes", "SET_ALREADY": "mine"}


class TestConfig:
    def test_path_says_where_it_is(self, state_dir: Path, capsys):
        assert main(["config", "path"]) == 0
        assert capsys.readouterr().out == f"{state_dir}/config.toml\n"

    def test_validate_says_what_it_comes_to(self, state_dir: Path, capsys):
        (state_dir / "config.toml").write_text(CONFIG)
        assert main(["config", "validate"]) == 0
        captured = capsys.readouterr()
        assert captured.out == (
            f"{state_dir}/config.toml is valid: 1 provider, 1 model, 1 agent, default acme/small.\n"
        )
        assert captured.err == ""

    def test_validate_shows_every_mistake_on_a_line_of_its_own(self, state_dir: Path, capsys):
        (state_dir / "config.toml").write_text(CONFIG + "\n[failover]\ndeadline = 1\n[log]\nlevel = 'x'\n")
        assert main(["config", "validate"]) == 1
        shown = capsys.readouterr().err.splitlines()
        assert shown[0].startswith("remoteclaw: failover.deadline: ")
        assert shown[1].startswith("log.level: ")

    def test_validate_tells_of_a_state_directory_that_is_open_to_others(self, state_dir: Path, capsys):
        (state_dir / "config.toml").write_text(CONFIG)
        state_dir.chmod(0o755)
        assert main(["config", "validate"]) == 0
        assert f"Run: chmod 700 {state_dir}" in capsys.readouterr().err

    @pytest.mark.parametrize("arguments", [["config", "validate"], ["config", "validate", "--example", "no.toml"]])
    def test_a_missing_file_names_the_ways_to_begin(self, state_dir: Path, capsys, arguments: list[str]):
        assert main(arguments) == 1
        assert "remoteclaw onboard" in capsys.readouterr().err


class TestDb:
    def test_upgrade_works_without_a_configuration_and_twice(self, tmp_path: Path, monkeypatch, capsys):
        state = tmp_path / "fresh"
        monkeypatch.setenv("REMOTECLAW_STATE_DIR", str(state))
        assert main(["db", "upgrade"]) == 0
        assert main(["db", "upgrade"]) == 0
        assert main(["db", "check"]) == 0
        assert main(["db", "current"]) == 0
        shown = capsys.readouterr().out.splitlines()
        assert "new -> " in shown[0]
        assert "already at " in shown[1]
        assert state.stat().st_mode & 0o777 == 0o700
        assert (state / "remoteclaw.db").stat().st_mode & 0o777 == 0o600

    def test_check_and_current_make_nothing(self, state_dir: Path, capsys):
        assert main(["db", "current"]) == 0
        assert main(["db", "check"]) == 1
        captured = capsys.readouterr()
        assert "no schema" in captured.out
        assert "remoteclaw db upgrade" in captured.err
        assert list(state_dir.iterdir()) == []

    def test_the_database_of_the_configuration_is_used(self, state_dir: Path, tmp_path: Path, capsys):
        (state_dir / "config.toml").write_text(f'[database]\nurl = "sqlite:///{tmp_path}/other.db"\n')
        assert main(["db", "upgrade"]) == 0
        assert (tmp_path / "other.db").exists()
        assert not (state_dir / "remoteclaw.db").exists()

    def test_another_kind_of_database_is_refused_without_its_password(self, state_dir: Path, capsys):
        (state_dir / "config.toml").write_text('[database]\nurl = "postgresql://u:very-secret@h/d"\n')
        assert main(["db", "current"]) == 1
        shown = capsys.readouterr().err
        assert "database.url" in shown
        assert "very-secret" not in shown


def test_the_module_runs_like_the_script(state_dir: Path):
    ended = in_a_process("-m", "bot", "--version")
    assert (ended.returncode, ended.stdout) == (0, "remoteclaw 0.1.0\n")


def test_the_table_of_commands_has_only_modules_of_this_package():
    assert all(module.startswith("bot.cli.") for module, _ in entry.NOUNS.values())
