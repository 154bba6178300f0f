"""What the documents say is so: commands run, keys and codes exist, links lead somewhere, conversations go as shown."""

import ast
import json
import re
import shlex
from pathlib import Path

import pytest

from adapters.storage.profile_file import AuthProfileFiles
from bench.__main__ import GROUPS
from bot.cli.main import NOUNS
from bot.config.load import settings_from
from bot.config.settings import Settings
from bot.config.substitution import variables
from core.commands.registry import COMMANDS
from core.errors import FailureReason
from tests.bot.test_config_example import fields_of
from tests.documents import DOCS, FENCE, LINK, ROOT, blocks, in_code, remoteclaw, rows, shape
from tests.fakes.provider_server import ThreadedProviderServer

# Commands


def commands() -> list[str]:
    return [line.strip() for _, text in blocks("sh") for line in text.splitlines() if line.strip()]


def test_every_command_line_is_of_a_kind_that_is_checked_or_that_cannot_be() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    unchecked = ("mkdir ", "chmod ", "curl ", "sqlite3 ", ". .venv/")
    for line in commands():
        if line.startswith("make "):
            assert line.removeprefix("make ") in targets
        elif line.startswith("python -m bench"):
            assert set(shlex.split(line)[3:]) <= {*GROUPS, "--write"}
        elif line.startswith("remoteclaw "):
            assert shlex.split(line)[1] in {*NOUNS, "--version", "--help"}
        else:
            assert line.startswith(unchecked) or re.match(r"[A-Z_]+=\S+$", line), line


def test_every_command_that_ends_by_itself_does_what_it_should_in_the_installation_of_the_readme(
    state_dir: Path,
) -> None:
    with ThreadedProviderServer() as provider:
        _, config = next(blocks("toml", ROOT / "README.md"))
        override = f'\n[models.providers.anthropic]\nbase_url = "{provider.base_url}"\n'
        (state_dir / "config.toml").write_text(config + override)
        environ = {"ANTHROPIC_API_KEY": "sk-ant-of-the-readme", "REMOTECLAW_STATE_DIR": str(state_dir)}
        for line in dict.fromkeys(commands()):
            if not line.startswith("remoteclaw ") or line == "remoteclaw gateway":
                continue
            ended = remoteclaw(*shlex.split(line)[1:], environ=environ)
            assert ended.returncode == 0, f"{line}: {ended.stderr}"
            assert ended.stdout or line == "remoteclaw chat", line
    assert [seen.model for seen in provider.seen] == ["claude-sonnet-4-5"]


def test_the_commands_table_is_the_table_of_commands() -> None:
    shown = {name for row in rows("README.md", "## Commands") for name in re.findall(r"`/([a-z]+)", row[0])}
    assert shown == {name for c in COMMANDS if not c.hidden for name in (c.name, *c.aliases)}
    hosted = {name for row in rows("README.md", "## Commands") for name in re.findall(r"`remoteclaw ([a-z]+)`", row[0])}
    assert hosted == set(NOUNS)


def test_the_exit_codes_and_the_benchmarks_are_named() -> None:
    assert [row[0] for row in rows("docs/interfaces.md", "### Exit codes")[1:]] == ["0", "1", "2", "130"]
    assert [in_code(row[0])[0] for row in rows("bench/README.md", "## What the rows mean")[1:]] == list(GROUPS)


# Settings


def test_every_key_of_the_configuration_is_documented_and_no_other() -> None:
    documented = {
        re.sub(r"<\w+>", "*", name).replace("[]", "")
        for row in rows("docs/configuration.md", "## Keys")
        for name in in_code(row[0])
    }
    paths = {path for _, path in fields_of(Settings)} | {"env.*", "env.vars.*", "auth.order.*"}
    leaves = {path for path in paths if not any(other.startswith(f"{path}.") for other in paths)}
    assert documented <= paths
    undocumented = {leaf for leaf in leaves if not any(leaf == d or leaf.startswith(f"{d}.") for d in documented)}
    assert undocumented == set()


@pytest.mark.parametrize(("place", "text"), [pytest.param(*block, id=block[0]) for block in blocks("toml")])
def test_every_piece_of_configuration_is_valid(place: str, text: str) -> None:
    import tomllib

    settings_from(tomllib.loads(text), dict.fromkeys(variables(text), "123:value-of-a-variable"))


@pytest.mark.parametrize(("place", "text"), [pytest.param(*block, id=block[0]) for block in blocks("json")])
def test_every_piece_of_json_is_json(place: str, text: str) -> None:
    assert isinstance(json.loads(text), dict)


def test_the_store_of_the_readme_is_read_without_a_complaint(state_dir: Path) -> None:
    _, text = next(blocks("json", ROOT / "README.md"))
    store = state_dir / "agents" / "main" / "agent" / "auth-profiles.json"
    store.parent.mkdir(parents=True)
    store.touch(0o600)
    store.write_text(text)
    found = AuthProfileFiles(state_dir).load()
    assert found.problems == ()
    assert list(found.profiles) == list(json.loads(text)["profiles"])
    assert found.order == {"anthropic": ("anthropic:work", "anthropic:home")}


# Codes and shapes


def raised_codes() -> set[str]:
    """The codes of every UserError that core makes, and of the errors that are classes of their own."""
    found = set()
    for path in sorted((ROOT / "core").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "UserError":
                assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}: a code is written out"
                found.add(str(node.args[0].value))
    return found | {"lost_race"}


def test_the_errors_of_model_are_all_listed() -> None:
    listed = [in_code(row[0])[0] for row in rows("docs/model-command.md", "## Errors")[1:]]
    assert sorted(listed) == sorted(raised_codes())


def test_the_failures_of_a_turn_are_all_listed() -> None:
    found = rows("docs/model-command.md", "## When a credential is out")[1:]
    assert {in_code(row[1])[0] for row in found} == set(FailureReason)


def demo(*messages: str, flags: tuple[str, ...] = ()) -> str:
    ended = remoteclaw("demo", *flags, given="".join(f"{message}\n" for message in messages))
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_json_of_the_interfaces_page_has_the_keys_of_the_real_one() -> None:
    documented = [json.loads(text) for _, text in blocks("json", ROOT / "docs/interfaces.md")]
    reply, turn, picker, why, status = documented[:5]
    said = demo("/model big@work", "/model", "/model why", "/model status", "hello", flags=("--json",))
    notice, shown, decided, stood, answer, report = [json.loads(line) for line in said.splitlines()]
    assert shape({**notice, "data": {}}) == shape(reply)
    assert shape({**shown["data"], "current": {**shown["data"]["current"], "pin": None}}) == shape(picker)
    assert shape(decided["data"]) == shape(why)
    assert shape(stood["data"]) == shape(status)
    assert shape(report) == shape(turn)
    assert list(answer) == list(reply)


# Conversations

_CHANGING = (
    (r"terminal:\S+?(?=[,\s]|$)", "terminal:somebody"),
    (r"\b\d\d [A-Z][a-z]{2} \d\d:\d\d:\d\d UTC", "TIME"),
    (r"(?:\d\d [A-Z][a-z]{2} )?\b\d\d:\d\d UTC", "TIME"),
    (r"\b\d+s ago", "AGO"),
    (r"\(in \d\ds\)|cooling \d\ds", "SOON"),
    (r"#[0-9a-f]{8}\b", "#FINGERPRINT"),
    (r"127\.0\.0\.1:\d+", "LOOPBACK"),
)


def settled(text: str) -> list[str]:
    """The lines without what differs from run to run."""
    for pattern, word in _CHANGING:
        text = re.sub(pattern, word, text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize(("place", "text"), [pytest.param(*block, id=block[0]) for block in blocks("demo")])
def test_a_conversation_goes_as_it_is_shown(place: str, text: str) -> None:
    typed = [line.removeprefix("> ") for line in text.splitlines() if line.startswith("> ")]
    shown = settled("\n".join(line for line in text.splitlines() if not line.startswith("> ")))
    said = iter(settled(demo(*typed)))
    for line in shown:
        assert line in said, f"not said, or not in this order: {line}"


# Links, paths, lists


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in DOCS])
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in LINK.findall(FENCE.sub("", document.read_text("utf-8"))):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = (document.parent / path).resolve() if path else document
        assert linked.exists(), target
        assert linked.is_relative_to(ROOT), target
        assert not anchor or anchor in anchors(linked), target


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text("utf-8")
    for path in sorted(folder.glob("[0-9]*.md")):
        title = path.read_text("utf-8").splitlines()[0].split(". ", 1)[1]
        assert f"{int(path.name[:4])}. [{title}]({path.name})" in index.splitlines()


def test_nothing_tells_where_it_was_made() -> None:
    pictures = sorted((ROOT / "docs" / "pictures").glob("*.svg"))
    assert pictures
    for path in [*DOCS, *pictures]:
        text = path.read_text("utf-8")
        assert not re.search(r"/(?:root|work|tmp|home/\w+|Users)/", text), path
        assert "terminal:root" not in text, path
    for path in pictures:
        assert not re.search(r"@font-face|<image|href=", path.read_text("utf-8")), "a picture fetches nothing"
