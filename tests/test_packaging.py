"""The wheel, as somebody installs it who has no checkout: what is in it, and that it works from anywhere."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATIENCE = 120

pytestmark = pytest.mark.xdist_group("packaging")  # one worker builds, once


def run(
    *command: str | Path, cwd: Path = Path("/"), env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run without the checkout: neither the working directory nor PYTHONPATH leads to it."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | dict(env or {})
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    built = run(
        sys.executable, "-m", "build", "--wheel", "--no-isolation", "--skip-dependency-check", "--outdir", out, cwd=ROOT
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment with the wheel. The dependencies are those of this environment; its editable install of the
    checkout is not, since a directory that a .pth file adds has its own .pth files ignored."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    told = run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    assert told.returncode == 0, told.stderr
    (libraries,) = (home / "lib").glob("python*/site-packages")
    ours = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (libraries / "dependencies.pth").write_text("\n".join(ours))
    return home / "bin"


def test_the_wheel_holds_the_program_and_nothing_of_its_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        entry_points = archive.read(metadata.replace("METADATA", "entry_points.txt")).decode()
    assert "remoteclaw = bot.cli.main:main" in entry_points
    assert {name.partition("/")[0] for name in names} == {"bot", "adapters", "core", metadata.partition("/")[0]}
    wanted = {
        str(path.relative_to(ROOT)) for part in ("bot", "adapters", "core") for path in (ROOT / part).rglob("*.py")
    }
    wanted |= {"adapters/providers/builtin.toml", *(f"{part}/py.typed" for part in ("bot", "adapters", "core"))}
    wanted |= {f"adapters/storage/{path.relative_to(ROOT)}" for path in (ROOT / "migrations").rglob("*.py")}
    assert wanted <= names
    unwanted = [name for name in names if "test" in name.lower() or "__pycache__" in name or name.endswith(".pyc")]
    assert not unwanted


def test_the_program_is_the_installed_one(installed: Path) -> None:
    where = "import adapters, bot, core; print(bot.__file__, adapters.__file__, core.__file__)"
    told = run(installed / "python", "-c", where)
    assert told.stdout.count(str(installed.parent / "lib")) == 3, told


def test_it_says_its_version(installed: Path) -> None:
    told = run(installed / "remoteclaw", "--version")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("remoteclaw 0.")


def test_it_makes_and_checks_a_database(installed: Path, state_dir: Path) -> None:
    for verb in ("upgrade", "check", "upgrade"):
        told = run(installed / "remoteclaw", "db", verb, env={"REMOTECLAW_STATE_DIR": str(state_dir)})
        assert (told.returncode, told.stderr) == (0, ""), told
        assert str(state_dir / "remoteclaw.db") in told.stdout


def test_it_shows_models_and_credentials_of_a_small_configuration(installed: Path, state_dir: Path) -> None:
    (state_dir / "config.toml").write_text('[agents.defaults]\nmodel = "anthropic/claude-sonnet-4-5"\n')
    environment = {"REMOTECLAW_STATE_DIR": str(state_dir), "ANTHROPIC_API_KEY": "sk-ant-0123456789"}
    told = run(installed / "remoteclaw", "models", "status", env=environment)
    assert (told.returncode, told.stderr) == (0, "")
    assert "env:ANTHROPIC_API_KEY · env · ready" in told.stdout
    assert "0123456789" not in told.stdout


def test_it_chats(installed: Path, state_dir: Path) -> None:
    told = run(installed / "remoteclaw", "demo", "-m", "/whoami", env={"REMOTECLAW_STATE_DIR": str(state_dir)})
    assert told.returncode == 0, told.stderr
    assert "You are terminal:" in told.stdout
