"""The plan of the house as tests: who may import whom, what loads what, and how large things grow."""

import ast
import dataclasses
import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

import core
from core.access import TABLE, Action, Identity
from core.commands.registry import BY_NAME, COMMANDS
from core.messages import Ingress

ROOT = Path(__file__).parents[1]
PACKAGES = ("bot", "adapters", "core")
PRODUCT = sorted(path for part in (*PACKAGES, "migrations", "bench") for path in (ROOT / part).rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 400, 60
HEAVY = (
    *("discord", "telegram", "sqlalchemy", "alembic", "httpx", "aiohttp", "rich", "prompt_toolkit", "questionary"),
    "prometheus_client",
)
NEEDLESS = ("asyncio", "subprocess", "email", "shutil", "importlib.metadata", "tomlkit", "genai_prices", "pydantic")
"""What a status needs no part of, and what would be a good part of its time."""
LOADED = """
import json, sys
from bot.cli.main import main
code = main(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def test_the_import_contracts_are_kept() -> None:
    check = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    ended = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_contracts_know_every_adapter() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (apart,) = [contract for contract in settings["contracts"] if contract["type"] == "independence"]
    assert set(apart["modules"]) == {
        f"adapters.{path.parent.name}" for path in (ROOT / "adapters").glob("*/__init__.py")
    }
    assert set(settings["root_packages"]) == set(PACKAGES)


NAMES_ADAPTERS = {
    "bot/app.py": "the composition root",
    "bot/claude_wiring.py": "the Claude command line of this host; a part of the composition root",
    "bot/credentials_wiring.py": "brings the credentials of every agent together; a part of the composition root",
    "bot/doctor_wiring.py": "what the doctor looks at, and changes in its repairs; a part of the composition root",
    "bot/login_wiring.py": "logs in at providers; a part of the composition root",
    "bot/models_wiring.py": "who reads and makes models.json; a part of the composition root",
    "bot/oauth_wiring.py": "what is known of logins, and who refreshes them; a part of the composition root",
    "bot/onboard_wiring.py": "what the onboarding asks of adapters; a part of the composition root",
    "bot/pairing_wiring.py": "who is paired, for the host; a part of the composition root",
    "bot/platforms_wiring.py": "makes the chat platforms that are enabled; a part of the composition root",
    "bot/sessions_wiring.py": "changes sessions for the host; a part of the composition root",
    "bot/watch_wiring.py": "makes what speaks without being asked; a part of the composition root",
    "bot/settings_wiring.py": "the environment has keys of built-in providers, and of the login shell",
    "bot/models_catalog.py": "joins the built-in providers with the configured ones where no model need be chosen yet",
    "bot/cli/chat.py": "the terminal is a command and no service",
    "bot/cli/db.py": "works on the schema itself, without an application",
    "bot/cli/config.py": "asks the built-in providers what a configuration comes to",
    "bot/config/catalogue.py": "joins the built-in providers with the configured ones",
    "bot/config/rules.py": "the same",
}


def test_adapters_are_named_in_few_places() -> None:
    naming = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "bot").rglob("*.py")
        if any(module.startswith("adapters") for module in _imports(path))
    }
    assert naming <= set(NAMES_ADAPTERS)


def test_no_module_is_named_like_one_of_the_standard_library_or_like_nothing_in_particular() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "misc", "stuff"}
    for path in PRODUCT:
        names = {part.removesuffix(".py") for part in path.relative_to(ROOT).parts} - {"__init__", "__main__"}
        assert not names & (sys.stdlib_module_names | vague), path


def test_the_packages_are_those_of_this_repository() -> None:
    for name in PACKAGES:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        assert Path(spec.origin).parent == ROOT / name
        assert (ROOT / name / "py.typed").exists()


def test_a_file_can_be_read_in_one_sitting_and_a_function_on_one_screen() -> None:
    for path in PRODUCT:
        text = path.read_text("utf-8")
        assert len(text.splitlines()) <= LONGEST_FILE, path
        if "versions" in path.parts:
            continue  # a migration is a list of steps
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, f"{path}: {node.name}"


def test_every_import_is_absolute() -> None:
    for path in PRODUCT:
        relative = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom) and n.level]
        assert not relative, path


def test_core_touches_nothing_outside_and_takes_the_time_as_an_argument() -> None:
    outside = {"os", "io", "socket", "ssl", "subprocess", "pathlib", "sqlite3", "time", "tempfile", "shutil", "urllib"}
    outside |= {"http", "threading", "multiprocessing", "signal", "select", "fcntl", "sys"}
    for path in sorted((ROOT / "core").rglob("*.py")):
        modules = {module.partition(".")[0] for module in _imports(path)}
        assert modules <= {*sys.stdlib_module_names, "core"}, path
        assert not modules & outside, path
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in ("utcnow", "today"), path
                is_datetime = isinstance(node.func.value, ast.Name) and node.func.value.id == "datetime"
                assert not (is_datetime and node.func.attr == "now"), path


@pytest.mark.parametrize(
    "command",
    [
        ("--help",),
        ("--version",),
        ("chat", "--help"),
        ("gateway", "--help"),
        ("models", "--help"),
        ("models", "status"),
        ("models", "status", "--json"),
        ("models", "status", "--check"),
        ("models", "status", "--json", "--session", "agent:main:main"),
        ("models", "explain", "big@acme:work"),
        ("models", "list"),
        ("models", "aliases"),
        ("models", "fallbacks", "list"),
        ("models", "auth", "list"),
        ("config", "path"),
        ("config", "get", "agents.defaults.model"),
        ("sessions",),
        ("doctor", "--help"),
    ],
    ids=" ".join,
)
def test_a_look_loads_no_chat_library_no_orm_and_no_http_client(command: tuple[str, ...], state_dir: Path) -> None:
    (state_dir / "config.toml").write_text(
        '[models.providers.acme]\nbase_url = "http://127.0.0.1:9/v1"\napi = "openai-completions"\n'
        'models = [{ id = "large", alias = "big" }]\n[agents.defaults]\nmodel = "acme/large"\n'
    )
    store = state_dir / "agents" / "main" / "agent" / "auth-profiles.json"
    store.parent.mkdir(parents=True)
    store.touch(0o600)
    store.write_text('{"profiles": {"acme:work": {"type": "api_key", "provider": "acme", "key": "sk-1234567890"}}}')
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    driver = [sys.executable, "-c", LOADED, *command]
    ended = subprocess.run(driver, env=environment, capture_output=True, text=True, timeout=30)
    code, loaded = json.loads(ended.stderr.splitlines()[-1])
    assert code == 0, ended.stderr
    assert not {name.partition(".")[0] for name in loaded} & set(HEAVY)
    if command[:2] == ("models", "status"):
        assert not set(loaded) & set(NEEDLESS)
    if command[0] == "--help" or command[-1] == "--help":
        assert not {"pydantic_core", "sqlite3"} & set(loaded)


def test_every_way_in_has_a_verdict_for_everybody_and_everything() -> None:
    assert set(TABLE) == {(ingress, action) for ingress in Ingress for action in Action}
    assert all(set(row) == set(Identity) for row in TABLE.values())


def test_every_command_fits_every_platforms_menu() -> None:
    for command in COMMANDS:
        assert re.fullmatch(r"[a-z]{1,32}", command.name)
        assert 0 < len(command.summary) <= 100, "Discord's limit; Telegram's is 256"
        assert all(BY_NAME[name] is command for name in (command.name, *command.aliases))
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)


TELLING = re.compile(r"secret|password|api_key|credential|headers|authorization|bearer", re.IGNORECASE)


def test_a_field_that_may_hold_a_secret_is_a_secret_or_is_not_shown() -> None:
    found = 0
    for module in _core_modules():
        for kind in vars(module).values():
            if not (isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind.__module__ == module.__name__):
                continue
            for field in dataclasses.fields(kind):
                if TELLING.search(field.name):
                    found += 1
                    hidden = not field.repr or "Secret" in str(field.type) or "ProfileSet" in str(field.type)
                    hidden = hidden or field.type is bool  # which only says whether there is one
                    assert hidden, f"{kind.__qualname__}.{field.name} could be printed"
    assert found >= 3, "the search finds something at all"


def _core_modules() -> Iterator[ModuleType]:
    for info in pkgutil.walk_packages(core.__path__, "core."):
        yield importlib.import_module(info.name)


def _imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found
