"""Where a key may come from, on real processes: each is found without being exported, labelled, and yields to the process's."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.installation import PATIENCE, Gateway, Installation
from tests.fakes.provider_server import ThreadedProviderServer

FROM_SHELL = {"REMOTECLAW_LOAD_SHELL_ENV": "1"}


@pytest.fixture
def house(state_dir: Path, server: ThreadedProviderServer) -> Installation:
    """Two providers and no credential at all."""
    house = Installation(state_dir)
    house.configure(server.base_url)
    return house


def keys(house: Installation, cwd: Path | None = None, **env: str) -> dict[str, tuple[str, str]]:
    """Profile id and source of the environment's key of each provider, as `models status --json` has them."""
    data = status(house, cwd, **env)
    rows = {row["provider"]: row for row in data["auth"]["providers"]}
    return {name: (row["effective"]["detail"], row["env"]["source"]) for name, row in rows.items() if "env" in row}


def status(house: Installation, cwd: Path | None = None, **env: str) -> Mapping[str, Any]:
    ended = subprocess.run(
        [*house.command, "models", "status", "--json"],
        env=house.environment(**env),
        cwd=cwd or house.state.parent,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 0, ended.stderr
    assert "sk-" not in ended.stdout + ended.stderr
    found: Mapping[str, Any] = json.loads(ended.stdout)
    return found


def keep(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


def test_an_exported_key_is_shown_with_its_source(house: Installation) -> None:
    assert keys(house) == {}
    assert keys(house, ACME_API_KEY="sk-exported") == {"acme": ("env:ACME_API_KEY", "env: ACME_API_KEY")}


def test_a_key_of_the_state_directory_is_found_and_the_exported_one_wins(house: Installation) -> None:
    keep(house.state / ".env", "ACME_API_KEY=sk-of-the-file")
    assert keys(house)["acme"] == ("env:ACME_API_KEY", ".env: ACME_API_KEY")
    assert keys(house, ACME_API_KEY="sk-exported")["acme"] == ("env:ACME_API_KEY", "env: ACME_API_KEY")


def test_a_key_of_the_login_shell_is_found_where_that_is_wanted(house: Installation) -> None:
    (house.state / ".profile").write_text("echo Welcome\nexport ACME_API_KEY=sk-of-the-profile\n")
    assert keys(house) == {}
    assert keys(house, **FROM_SHELL)["acme"] == ("env:ACME_API_KEY", "shell env: ACME_API_KEY")
    assert keys(house, **FROM_SHELL, ACME_API_KEY="sk-exported")["acme"][1] == "env: ACME_API_KEY"


def test_the_config_can_want_the_login_shell(house: Installation, server: ThreadedProviderServer) -> None:
    (house.state / ".profile").write_text("export ZETA_API_KEY=sk-of-the-profile\n")
    house.configure(server.base_url, '[env.shell_env]\nenabled = true\ntimeout = "10s"')
    assert keys(house)["zeta"] == ("env:ZETA_API_KEY", "shell env: ZETA_API_KEY")


def test_a_login_shell_that_fails_is_told_once_and_stops_nothing(house: Installation) -> None:
    (house.state / ".profile").write_text("exit 7\n")
    ended = house.run("models", "status", **FROM_SHELL)
    assert ended.code == 0
    (told,) = ended.err.splitlines()
    assert told.endswith("The login shell /bin/sh exited with code 7; no variables were taken from it.")


def test_a_project_gives_keys_and_chooses_nothing_else(house: Installation, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / ".env").write_text(
        "ACME_API_KEY=sk-of-the-project\nOPENAI_API_KEY=sk-not\nREMOTECLAW_CONFIG_PATH=/dev/null\nHOME=/nowhere\n"
    )
    assert keys(house, project) == {"acme": ("env:ACME_API_KEY", "./.env: ACME_API_KEY")}
    keep(house.state / ".env", "ACME_API_KEY=sk-of-the-file")
    assert keys(house, project)["acme"][1] == "./.env: ACME_API_KEY"
    assert status(house, project)["config_path"] == str(house.state / "config.toml")


def test_what_serves_is_the_key_that_status_names(house: Installation, server: ThreadedProviderServer) -> None:
    keep(house.state / ".env", "ACME_API_KEY=sk-acme-FILE")
    assert house.say("hello")[-2]["text"] == "served-by:FILE"
    assert house.say("hello", ACME_API_KEY="sk-acme-PROC")[-2]["text"] == "served-by:PROC"
    assert [seen.key for seen in server.seen] == ["sk-acme-FILE", "sk-acme-PROC"]


def test_a_gateway_that_was_started_without_its_token_finds_it(
    house: Installation, server: ThreadedProviderServer
) -> None:
    house.configure(
        server.base_url,
        f'[channels.telegram]\ntoken = "${{TG}}"\napi_base_url = "{server.base_url}"\n[log]\nlevel = "info"',
    )
    ended = house.run("gateway")
    assert (ended.code, "channels.telegram.token" in ended.err) == (1, True)
    keep(house.state / ".env", "TG=123456:a-token-of-the-file")
    with Gateway(house) as gateway:
        assert "channels.telegram.token" not in gateway.says("elegram")
