"""The pages about commands: what they show is what is printed, and every command and flag is there, and no other."""

import argparse
import json
import re
import time
from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import takewhile
from pathlib import Path

import pytest

from bot.cli.main import NOUNS
from bot.cli.parsers import Parser
from tests.console_page import Stage, fits, run, settled
from tests.documents import ROOT, blocks, in_code, remoteclaw, rows, shape
from tests.fakes.provider_script import Step, ok, raw, status
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.screen import Screen

CLI = ROOT / "docs/cli.md"


def lists(*names: str) -> list[Step]:
    """A provider that names its models whenever it is asked."""
    body = json.dumps({"data": [{"id": name} for name in names]}).encode()
    return [raw(body, headers={"content-type": "application/json"})] * 20


REFUSED: list[Step] = [status(401)] * 20
STAGES = {
    "docs/cli.md": Stage(
        files={"key": "sk-acme-work\n"}, answers={"": REFUSED, "sk-acme-work": lists("small", "large", "tiny")}
    ),
    "docs/authentication.md": Stage(
        files={"key": "sk-or-v1-of-the-page\n"},
        answers={"": REFUSED, "sk-acme-work": [*lists("small", "large")[:1], *[ok("OK")] * 9], "sk-acme-home": REFUSED},
    ),
    "README.md": Stage(files={"key": "sk-ant-of-the-readme\n"}),
}


@pytest.fixture
def provider() -> Iterator[ThreadedProviderServer]:
    with ThreadedProviderServer() as server:
        yield server


@pytest.mark.parametrize("page", STAGES)
def test_what_a_page_shows_of_a_command_is_what_it_prints(page: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for command, printed in run(ROOT / page, home, STAGES[page]):
        said = "\n".join(printed)
        assert fits(command.shown, printed), f"{command.place}: $ {command.text}\n{said}"


ON_A_TERMINAL = {
    "models auth add --provider acme": {
        "What is it for acme?": "\r",
        "Its id:": "\r",
        "API key of acme": "sk-acme-work\r",
    },
    "models auth setup-token": {
        "Is the token at hand?": "y",
        "Token of anthropic": f"sk-ant-oat01-{'x' * 80}\r",
    },
}
"""Commands that ask, with what somebody answers. What `secrets configure` asks is in tests/bot/test_secrets_configure.py."""


def unstarred(lines: Iterable[str], state: Path) -> list[str]:
    """Lines without what differs from person to person."""
    found = (re.sub(r"\*{3,}", "***", settled(line.replace(str(state), "~/.remoteclaw"))) for line in lines)
    return [line for line in found if line]


@pytest.mark.parametrize("command", ON_A_TERMINAL)
def test_what_a_page_shows_of_questions_is_what_is_asked_on_a_terminal(command: str, state_dir: Path) -> None:
    shown = [text.splitlines() for _, text in blocks("text") if text.startswith(f"$ remoteclaw {command}\n")]
    assert shown
    (state_dir / "config.toml").write_text(next(blocks("toml", CLI))[1])
    screen = Screen(*command.split(), REMOTECLAW_STATE_DIR=str(state_dir))
    try:
        for question, answer in ON_A_TERMINAL[command].items():
            screen.asked(question, answer)
        code, seen = screen.ended()
    finally:
        screen.close()
    assert code == 0, seen
    for lines in shown:
        assert unstarred(lines[1:], state_dir) == unstarred(seen.splitlines(), state_dir)


def parsers(parser: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command of a tree by its whole name."""
    if isinstance(parser, Parser) and parser.fill is not None:
        parser.fill(parser)
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from parsers(below, f"{name} {word}")


def flags_of(parser: argparse.ArgumentParser) -> set[str]:
    """What `--help` shows of the flags."""
    shown = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    longest = {max(action.option_strings, key=len) for action in shown if action.option_strings}
    pairs = {name for a in shown if isinstance(a, argparse.BooleanOptionalAction) for name in a.option_strings}
    return (longest | pairs) - {"--help"}


def all_commands() -> dict[str, argparse.ArgumentParser]:
    found: dict[str, argparse.ArgumentParser] = {}
    for noun, (module, _) in NOUNS.items():
        parser = Parser(prog=f"remoteclaw {noun}")
        import_module(module).add_arguments(parser)
        found.update(parsers(parser, f"remoteclaw {noun}"))
    return found


SHORT = {"-m": "--message", "-f": "--follow"}


def test_the_page_of_commands_has_every_command_with_every_flag_and_no_other() -> None:
    written = [line for _, text in blocks("text", CLI) for line in text.replace("\n    ", " ").splitlines()]
    synopses = {}
    for line in (line for line in written if line.startswith("remoteclaw ")):
        name = " ".join(takewhile(lambda word: re.fullmatch("[a-z][a-z-]*", word), line.split()))
        synopses[name] = {SHORT.get(flag, flag) for flag in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", line)}
    real = all_commands()
    groups = {name for name in real if any(other.startswith(f"{name} ") for other in real)}
    assert set(synopses) <= set(real)
    assert set(real) - set(synopses) <= groups
    for name, flags in synopses.items():
        assert flags <= flags_of(real[name]), name
        assert name in groups or flags == flags_of(real[name]), name


def test_every_flag_is_explained_on_the_page_of_commands_and_no_other() -> None:
    tables = re.findall(r"^\| `(-.*?)` \|", CLI.read_text("utf-8").replace("`, `", " "), re.MULTILINE)
    explained = {SHORT.get(flag, flag) for cell in tables for flag in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", cell)}
    real = set().union(*(flags_of(parser) for parser in all_commands().values()))
    assert explained == real | {"--help", "--version"}


JSON_OF = {
    "models set": ("models", "set", "acme/large"),
    "models set-image": ("models", "set-image", "acme/large"),
    "models aliases": ("models", "aliases"),
    "models aliases add": ("models", "aliases", "add", "tiny", "acme/small"),
    "models aliases remove": ("models", "aliases", "remove", "tiny"),
    "models fallbacks": ("models", "fallbacks"),
    "models fallbacks add": ("models", "fallbacks", "add", "acme/small"),
    "models auth paste-token": ("models", "auth", "paste-token", "--provider", "acme"),
    "models auth list": ("models", "auth", "list"),
    "models auth order get": ("models", "auth", "order", "get", "--provider", "acme"),
    "models auth clear": ("models", "auth", "clear", "acme:manual"),
    "models auth logout": ("models", "auth", "logout", "acme:manual", "--yes"),
    "secrets apply": ("secrets", "apply", "--from", "plan.json", "--dry-run"),
    "config path": ("config", "path"),
    "config get": ("config", "get", "agents.defaults.model"),
    "config set": ("config", "set", "session.footer", "tokens"),
    "config unset": ("config", "unset", "session.footer"),
}
"""Commands whose keys a script relies on, in an order in which each works."""


def test_the_keys_of_json_are_those_that_commands_print(state_dir: Path, tmp_path: Path) -> None:
    (state_dir / "config.toml").write_text(next(blocks("toml", CLI))[1])
    store = state_dir / "agents/main/agent/auth-profiles.json"
    listed: dict[str, list[str]] = {}
    for row in rows("docs/cli.md", "## JSON")[1:]:
        names = in_code(row[0])
        for name in names:
            whole = name if " " in name else f"{names[0].rpartition(' ')[0]} {name}"
            listed[whole] = in_code(row[1])
    for name, arguments in JSON_OF.items():
        if name == "secrets apply":
            store.write_text('{"profiles": {"acme:work": {"type": "api_key", "provider": "acme", "key": "sk-1234"}}}')
            (tmp_path / "plan.json").write_text(next(text for _, text in blocks("json", CLI)))
        environ = {"REMOTECLAW_STATE_DIR": str(state_dir), "ACME_API_KEY": "sk-of-the-environment"}
        ended = remoteclaw(*arguments, "--json", given="sk-a-token", cwd=tmp_path, environ=environ)
        assert ended.returncode == 0, ended.stderr
        assert list(json.loads(ended.stdout)) == listed[name], name


@pytest.fixture
def all_sorts(state_dir: Path, provider: ThreadedProviderServer) -> dict[str, str]:
    """An installation with something in every part of its status: a token, a key that is out, one of the environment."""
    config = next(blocks("toml", CLI))[1].replace("http://127.0.0.1:9000", provider.base_url)
    config = config.replace('model = "acme/small"', 'model = { primary = "acme/small", fallbacks = ["acme/large"] }')
    config += '\n[model_policy]\nallow = ["acme/*"]\n'
    (state_dir / "config.toml").write_text(config)
    ends = int((time.time() + 90 * 86400) * 1000)
    keys: dict[str, dict[str, object]] = {
        "acme:team": {"type": "token", "token": "sk-team", "expires": ends},
        "acme:work": {"type": "api_key", "key": "sk-work"},
    }
    store = state_dir / "agents/main/agent/auth-profiles.json"
    store.parent.mkdir(mode=0o700, parents=True)
    store.touch(0o600)
    store.write_text(json.dumps({"profiles": {name: {"provider": "acme", **key} for name, key in keys.items()}}))
    environ = {"REMOTECLAW_STATE_DIR": str(state_dir), "ACME_API_KEY": "sk-of-the-environment"}
    provider.script["sk-team"] = [status(429), *lists("large", "new")]
    provider.script["sk-work"] = [ok("hi"), *lists("large")]
    assert remoteclaw("chat", "-m", "hi", environ=environ).returncode == 0
    return environ


@pytest.mark.parametrize(
    ("number", "arguments"),
    [
        pytest.param(5, ("models", "status", "--agent", "main", "--probe"), id="models status"),
        pytest.param(6, ("models", "list", "--refresh"), id="models list"),
        pytest.param(7, ("secrets", "audit"), id="secrets audit"),
        pytest.param(8, ("sessions",), id="sessions"),
    ],
)
def test_the_json_of_commands_has_the_keys_that_are_shown(
    number: int, arguments: tuple[str, ...], all_sorts: dict[str, str]
) -> None:
    shown = [json.loads(text) for _, text in blocks("json", ROOT / "docs/interfaces.md")][number]
    ended = remoteclaw(*arguments, "--json", environ=all_sorts)
    assert ended.returncode == 0, ended.stderr
    printed = json.loads(ended.stdout)
    for part in (shown, printed):
        part["aliases"] = None  # names of one's own
    assert shape(printed) == shape(shown)
