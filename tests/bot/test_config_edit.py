"""Changing the models of config.toml: exactly what is asked for, with every comment kept, however the file is written."""

import copy
import difflib
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.config.edit import TreeChange, edited, edited_as_planned
from bot.config.edit_models import (
    add_fallback,
    allow,
    clear_fallbacks,
    note_model,
    place_of,
    remove_alias,
    remove_fallbacks,
    set_model,
)
from bot.config.load import settings_from
from bot.config.problems import InvalidConfig, Problem
from core.errors import ConfigError
from core.models.ref import ModelRef

ROOT = Path(__file__).parents[2]
SMALL, LARGE, OPUS = ModelRef("acme", "small"), ModelRef("acme", "large"), ModelRef("zeta", "opus-1")
HEAD = '[models.providers.acme]\nbase_url = "http://127.0.0.1:9/v1"\napi = "openai-completions"\n'
DEFAULTS = place_of(None)


def after(text: str, change: TreeChange) -> str:
    return edited(text.encode(), change, {}, "config.toml").decode()


def tree(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


class TestLayouts:
    @pytest.mark.parametrize(
        ("before", "now"),
        [
            pytest.param("", '[agents.defaults]\nmodel = "acme/large"\n', id="nothing"),
            pytest.param('model = "acme/small" # m\n', 'model = "acme/large" # m\n', id="bare"),
            pytest.param(
                'model = { primary = "acme/small", fallbacks = ["zeta/opus-1"] } # m\n',
                'model = { primary = "acme/large", fallbacks = ["zeta/opus-1"] } # m\n',
                id="inline",
            ),
            pytest.param('model.primary = "acme/small" # m\n', 'model.primary = "acme/large" # m\n', id="dots"),
            pytest.param(
                '[agents.defaults.model] # h\n# p\nprimary = "acme/small"\n',
                '[agents.defaults.model] # h\n# p\nprimary = "acme/large"\n',
                id="table",
            ),
        ],
    )
    def test_the_default_is_set_where_it_stands(self, before: str, now: str) -> None:
        head = "" if not before or before.startswith("[") else "[agents.defaults]\n"
        assert after(head + before, set_model(DEFAULTS, "model", LARGE)) == head + now

    @pytest.mark.parametrize(
        ("before", "now"),
        [
            pytest.param(
                'model = "acme/large" # m\n', 'model = {primary = "acme/large", fallbacks = ["acme/small"]} # m\n', id="bare"
            ),
            pytest.param(
                'model = { primary = "acme/large" }\n', 'model = { primary = "acme/large", fallbacks = ["acme/small"]}\n',
                id="no list",
            ),
            pytest.param(
                'model = { primary = "acme/large", fallbacks = ["zeta/opus-1"] } # m\n',
                'model = { primary = "acme/large", fallbacks = ["zeta/opus-1", "acme/small"] } # m\n',
                id="inline",
            ),
            pytest.param(
                'model.primary = "acme/large"\nmodel.fallbacks = [\n  "zeta/opus-1", # one\n]\n',
                'model.primary = "acme/large"\nmodel.fallbacks = [\n  "zeta/opus-1", # one\n  "acme/small",\n]\n',
                id="lines",
            ),
            pytest.param(
                'model.primary = "acme/large"\nmodel.fallbacks = [\n  "zeta/opus-1" # one\n]\n',
                'model.primary = "acme/large"\nmodel.fallbacks = [\n  "zeta/opus-1", # one\n  "acme/small"\n]\n',
                id="no comma at the end",
            ),
        ],
    )  # fmt: skip
    def test_a_fallback_comes_behind_the_others(self, before: str, now: str) -> None:
        head = "# top\n[agents.defaults]\n"
        assert after(head + before, add_fallback(DEFAULTS, "model", SMALL)) == head + now

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param('[agents.defaults.models."acme/small"] # h\nalias = "mini" # a\n', id="table"),
            pytest.param('[agents.defaults]\nmodels = { "acme/small" = { alias = "mini" } } # m\n', id="inline"),
            pytest.param('agents.defaults.models."acme/small".alias = "mini"\n', id="dots"),
            pytest.param('[agents.defaults]\nmodels."acme/small".alias = "MINI"\nmodels."a/b".alias = "x"\n', id="more dots"),
            pytest.param('[agents.defaults.models]\n"acme/small" = { alias = "mini" } # m\n', id="inline entry"),
            pytest.param('[agents.defaults.models]\n" acme/small " = { alias = "mini" }\n', id="blanks around its key"),
            pytest.param(HEAD + 'models = [ # all\n  "x", # one\n  { id = "small", alias = "mini" }, # two\n]\n', id="list"),
            pytest.param(
                HEAD + "".join(f'[[models.providers.acme.models]]\nid = "{m}"\n' for m in ("b", "small")) + 'alias = "mini"\n',
                id="tables of models",
            ),
            pytest.param((HEAD + 'models = [{ id = "small", alias = "mini" }]\n').replace("acme", "Acme"), id="another case"),
        ],
    )  # fmt: skip
    def test_an_alias_is_removed_where_it_stands_and_its_model_stays(self, text: str) -> None:
        before = settings_from(tree(text), {})
        result = after(text, remove_alias(before, "mini"))
        assert "mini" not in result.lower()
        kept = settings_from(tree(result), {})
        assert list(kept.agents.defaults.models) == list(before.agents.defaults.models)
        ids = [[m.id for m in p.models] for p in (kept, before) for p in p.models.providers.values()]
        assert ids[: len(ids) // 2] == ids[len(ids) // 2 :]
        assert result.count("#") >= text.count("#") - text.count("# a\n")

    def test_an_entry_is_named_as_the_config_names_it(self) -> None:
        text = '[agents.defaults.models."Acme/Small"] # mine\n'
        result = after(text, note_model(settings_from(tree(text), {}), SMALL, "mini"))
        assert result == text + 'alias = "mini"\n'

    def test_a_name_that_looks_like_a_variable_is_not_filled_in(self) -> None:
        odd = ModelRef("acme", "m-${HOME}")
        result = after("", set_model(DEFAULTS, "model", odd))
        choice = settings_from(tree(result), {"HOME": "/root"}).agents.defaults.model
        assert choice is not None
        assert choice.primary == "acme/m-${HOME}"

    def test_what_changes_nothing_leaves_the_bytes_alone(self) -> None:
        content = b'\xef\xbb\xbf[agents.defaults]\r\nmodel="acme/large"   # odd\r\n'
        assert edited(content, set_model(DEFAULTS, "model", LARGE), {}, "c") == content
        changed = edited(content, set_model(DEFAULTS, "model", SMALL), {}, "c")
        assert changed == content.replace(b"large", b"small")

    def test_what_cannot_be_edited_safely_is_left_to_the_operator(self) -> None:
        def crooked(found: Any) -> None:  # a change that means something else in a document than in a tree
            if type(found) is dict:
                found["log"] = {"level": "debug"}

        with pytest.raises(ConfigError, match="in a way that cannot be edited safely"):
            after('[log]\nlevel = "info"\n', crooked)

    def test_no_toml_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="is not valid TOML, so it was not changed"):
            edited(b"[a", set_model(DEFAULTS, "model", SMALL), {}, "config.toml")


class TestPlanned:
    def test_a_mistake_that_is_there_already_may_stay_and_a_new_one_is_refused(self) -> None:
        def mistakes(found: Any) -> list[Problem]:
            choice = found.agents.defaults.model
            return [
                Problem("log.level", "is old"),
                *([Problem("model", "is new")] if choice.primary == "acme/small" else []),
            ]

        text = b'[agents.defaults]\nmodel = "acme/large"\n'
        result = edited_as_planned(text, lambda _: set_model(DEFAULTS, "model", OPUS), mistakes, {}, "c")
        assert b"zeta/opus-1" in result
        with pytest.raises(InvalidConfig, match=r"model: is new\. Nothing was changed"):
            edited_as_planned(text, lambda _: set_model(DEFAULTS, "model", SMALL), mistakes, {}, "c")


class Writer:
    """Writes configs with a comment of its own name wherever TOML lets one stand."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        self.draw = draw
        self.lines: list[str] = []
        self.count = 0

    def comment(self) -> str:
        if not self.draw(st.booleans()):
            return ""
        self.count += 1
        return f"  # c{self.count}."

    def line(self, text: str) -> None:
        if above := self.comment():
            self.lines.append(above.strip())
        self.lines.append(text + self.comment())

    def array(self, key: str, values: list[str]) -> None:
        if self.draw(st.booleans()):
            self.line(f"{key} = [{', '.join(values)}]")
            return
        comma = self.draw(st.sampled_from([",", ""]))
        self.line(f"{key} = [")
        for n, value in enumerate(values, start=1):
            self.line(f"  {value}{',' if n < len(values) else comma}")
        self.lines.append("]" + self.comment())


COMMENT = re.compile(r"# c\d+\.")
REFS = ("acme/small", "acme/large", "zeta/opus-1")


@st.composite
def configs(draw: Callable[[Any], Any]) -> str:
    """A valid config: two providers, a default in one of five layouts, notes in one of four, a policy, another agent."""
    writer = Writer(draw)
    fallbacks = [f'"{ref}"' for ref in draw(st.lists(st.sampled_from(REFS[1:]), unique=True))]
    layout = draw(st.sampled_from(["none", "bare", "inline", "dots", "table"]))
    sections = [lambda: _providers(writer), lambda: _defaults(writer, layout, fallbacks)]
    sections += [lambda: _others(writer), lambda: _writer(writer)]
    for section in draw(st.permutations(sections)):
        section()
        if draw(st.booleans()):
            writer.lines.append("")
    text = "\n".join(writer.lines) + draw(st.sampled_from(["\n", "", "\n# the end\n"]))
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


def _providers(writer: Writer) -> None:
    for name, api in (("acme", "openai-completions"), ("zeta", "anthropic-messages"), ("other", "openai-completions")):
        writer.line(f"[models.providers.{name}]")
        writer.line('base_url = "http://127.0.0.1:9"')
        writer.line(f'api = "{api}"')
    writer.array("models", ['"small"', '{ id = "large", alias = "big" }'])


def _defaults(writer: Writer, layout: str, fallbacks: list[str]) -> None:
    if layout != "table":
        writer.line("[agents.defaults]")
    if layout == "bare":
        writer.line('model = "acme/small"')
    elif layout == "inline":
        writer.line(f'model = {{ primary = "acme/small", fallbacks = [{", ".join(fallbacks)}] }}')
    elif layout == "dots":
        writer.line('model.primary = "acme/small"')
        writer.array("model.fallbacks", fallbacks)
    notes = writer.draw(st.sampled_from(["none", "inline", "dots", "tables"]))
    if notes == "inline" and layout != "table":
        writer.line('models = { "acme/small" = { alias = "mini" } }')
    elif notes == "dots" and layout != "table":
        writer.line('models."acme/small".alias = "mini"')
    if layout == "table":
        writer.line("[agents.defaults.model]")
        writer.line('primary = "acme/small"')
        writer.array("fallbacks", fallbacks)
    if notes == "tables":
        writer.line('[agents.defaults.models."acme/small"]')
        writer.line('alias = "mini"')


def _others(writer: Writer) -> None:
    writer.line("[log]")
    writer.line('level = "info"')
    writer.line("[model_policy]")
    writer.array("allow", ['"acme/small"', '"zeta/*"'])


def _writer(writer: Writer) -> None:
    writer.line("[agents.list.writer]")
    writer.line("model = 'zeta/opus-1'")


def _edits(text: str) -> dict[str, tuple[TreeChange, Callable[[dict[str, Any]], object]]]:
    """Changes, and what each does to a plain tree, written a second time."""
    now = settings_from(tree(text), {})
    choice = now.agents.defaults.model
    found = {
        "set": (set_model(DEFAULTS, "model", LARGE), _set),
        "image": (
            set_model(DEFAULTS, "image_model", OPUS),
            lambda t: t["agents"]["defaults"].update(image_model=str(OPUS)),
        ),
        "allow": (allow((), LARGE), lambda t: t["model_policy"]["allow"].append(str(LARGE))),
        "note": (note_model(now, OPUS), lambda t: _notes(t).setdefault(str(OPUS), {})),
        "alias": (note_model(now, LARGE, "l"), lambda t: _notes(t).setdefault(str(LARGE), {}).update(alias="l")),
        "own": (
            set_model(place_of("writer"), "model", LARGE),
            lambda t: t["agents"]["list"]["writer"].update(model=str(LARGE)),
        ),
        "no big": (remove_alias(now, "big"), lambda t: t["models"]["providers"]["other"]["models"][1].pop("alias")),
    }
    if "acme/small" in now.agents.defaults.models:
        found["no mini"] = (remove_alias(now, "mini"), lambda t: _notes(t)["acme/small"].pop("alias"))
    if choice is not None:
        found["add"] = (add_fallback(DEFAULTS, "model", SMALL), lambda t: _fallbacks(t).append(str(SMALL)))
        found["clear"] = (clear_fallbacks(DEFAULTS, "model"), lambda t: choice.fallbacks and _fallbacks(t).clear())
    if choice is not None and choice.fallbacks:
        found["remove"] = (remove_fallbacks(DEFAULTS, "model", [0]), lambda t: _fallbacks(t).pop(0))
    return found


def _set(found: dict[str, Any]) -> None:
    defaults = found.setdefault("agents", {}).setdefault("defaults", {})
    if isinstance(defaults.get("model"), dict):
        defaults["model"]["primary"] = str(LARGE)
    else:
        defaults["model"] = str(LARGE)


def _notes(found: dict[str, Any]) -> dict[str, Any]:
    notes: dict[str, Any] = found["agents"]["defaults"].setdefault("models", {})
    return notes


def _fallbacks(found: dict[str, Any]) -> list[str]:
    defaults = found["agents"]["defaults"]
    if isinstance(defaults["model"], str):
        defaults["model"] = {"primary": defaults["model"]}
    listed: list[str] = defaults["model"].setdefault("fallbacks", [])
    return listed


TAKES_AWAY = {
    "no mini": r'.*"mini"',
    "remove": r' *(model\.)?(fallbacks|"acme/large"|"zeta/opus-1")',
    "clear": r' *("|model\.fallbacks|fallbacks)',
}
"""Edits that take something away, and the lines that it may stand in: their own comments go with it."""


@settings(max_examples=150, deadline=None)
@given(text=configs(), data=st.data())
def test_an_edit_changes_what_it_says_and_keeps_every_comment(text: str, data: st.DataObject) -> None:
    edits = _edits(text)
    name = data.draw(st.sampled_from(sorted(edits)))
    change, oracle = edits[name]
    wanted = copy.deepcopy(tree(text))
    oracle(wanted)
    result = after(text, change)
    assert tree(result) == wanted
    gone = re.compile(TAKES_AWAY.get(name, r"(?!)"))
    kept = [c for line in text.splitlines() if not gone.match(line) for c in COMMENT.findall(line)]
    assert set(kept) <= set(COMMENT.findall(result))
    changed = [line for line in difflib.ndiff(text.splitlines(), result.splitlines()) if re.match(r"- .*\S", line)]
    assert len(changed) <= (12 if name == "clear" else 2), changed


ADD = """
import sys
from pathlib import Path
from bot.cli.main import main
for n in range(6):
    code = main(["models", "aliases", "add", f"{sys.argv[1]}{n}", f"acme/m-{sys.argv[1]}{n}"])
    assert code == 0, code
"""


def test_two_processes_that_edit_at_once_lose_nothing(state_dir: Path) -> None:
    config = state_dir / "config.toml"
    config.write_text(f"# mine\n{HEAD}# below\n")
    ends = [subprocess.Popen([sys.executable, "-c", ADD, name], cwd=ROOT, stdout=subprocess.DEVNULL) for name in "ab"]
    assert [process.wait(timeout=60) for process in ends] == [0, 0]
    found = tree(config.read_text())["agents"]["defaults"]["models"]
    assert found == {f"acme/m-{name}{n}": {"alias": f"{name}{n}"} for name in "ab" for n in range(6)}
    assert config.read_text().startswith(f"# mine\n{HEAD}# below\n")
