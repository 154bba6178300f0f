"""The vectors of credentials.md 13 H that need a source, by their numbers, and every sentence fragment that 3.2 to 3.4 quote.

Each is asked as an installation asks: the table is read by the config's own rules, the reference by those of references.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.secret_sources.providers import SecretProviders
from bot.config.load import settings_from
from core.auth.refs import SOURCES, UnresolvedRef, prepare_refs, read_ref, resolve_ref
from tests.fakes.secret_store import python_command, shell_command

ENVIRON = {"OPENAI_API_KEY": "sk-of-the-environment", "BLANK": " "}
Tables = Callable[[Path], dict[str, Any]]


def asked(folder: Path, tables: Tables, source: str, name: str, provider: str = "default") -> str:
    """The secret, or the sentence that says why there is none."""
    settings = settings_from({"secrets": tables(folder)}, ENVIRON).secrets
    providers = SecretProviders(settings.providers, dict(settings.defaults), settings.resolution, ENVIRON)
    sources = dict.fromkeys(SOURCES, providers)
    ref = read_ref({"source": source, "provider": provider, "id": name})
    prepare_refs([ref], sources)
    try:
        return resolve_ref(ref, sources).reveal()
    except UnresolvedRef as error:
        return str(error)


def only(**table: Any) -> Tables:
    """One provider, called default."""
    return lambda folder: {"providers": {"default": table}}


def file(content: str, mode: int = 0o600, *, whole: bool = False, **more: Any) -> Tables:
    def tables(folder: Path) -> dict[str, Any]:
        path = folder / "secrets"
        path.write_text(content)
        path.chmod(mode)
        kind = {"mode": "single_value"} if whole else {}
        return {"providers": {"default": {"source": "file", "path": str(path), **kind, **more}}}

    return tables


def command(body: str, **more: Any) -> Tables:
    def tables(folder: Path) -> dict[str, Any]:
        return {"providers": {"default": {"source": "exec", "command": shell_command(folder, body), **more}}}

    return tables


def says(answer: object, **more: Any) -> Tables:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return command(f"printf %s '{text}'", **more)


def _linked(more: Callable[[Path, Path], dict[str, Any]]) -> Tables:
    """A command in `bin` that is a link to one in `store`."""

    def tables(folder: Path) -> dict[str, Any]:
        store, links = folder / "store", folder / "bin"
        store.mkdir()
        links.mkdir()
        (links / "helper").symlink_to(python_command(store, 'answer({"a": "linked-secret"})'))
        return {"providers": {"default": {"source": "exec", "command": str(links / "helper"), **more(store, links)}}}

    return tables


def _none(folder: Path) -> dict[str, Any]:
    return {}


V1 = {"protocolVersion": 1, "values": {"openai/key": "value-of-the-command", "a": "x"}}
LINKS = {"allow_symlink_command": True}


@pytest.mark.parametrize(
    ("tables", "source", "name", "expected"),
    [
        pytest.param(_none, "env", "OPENAI_API_KEY", "sk-of-the-environment", id="a variable, without a table"),
        pytest.param(_none, "env", "UNSET", "missing or empty", id="C175"),
        pytest.param(_none, "env", "BLANK", "missing or empty", id="C175 blank"),
        pytest.param(only(source="env", allowlist=["OTHER"]), "env", "OPENAI_API_KEY", "not allowlisted", id="C176"),
        pytest.param(file('{"a": {"b~c/d": ["x", "y"]}}'), "file", "/a/b~0c~1d/1", "y", id="a pointer"),
        pytest.param(file('{"a": "x"}', 0o644), "file", "/a", "permissions are too open", id="C178"),
        pytest.param(file("raw-token-value\n", whole=True), "file", "value", "raw-token-value", id="C179"),
        pytest.param(
            file("raw-token-value\n", whole=True), "file", "/other", "the id must be 'value'", id="C179 other id"
        ),
        pytest.param(says(V1), "exec", "openai/key", "value-of-the-command", id="C181"),
        pytest.param(says({**V1, "protocolVersion": 2}), "exec", "a", "protocolVersion must be 1", id="C182"),
        pytest.param(says("not-json"), "exec", "a", "returned invalid JSON", id="C184"),
        pytest.param(says("plain-secret", json_only=False), "exec", "a", "plain-secret", id="C185"),
        pytest.param(_linked(lambda store, links: {}), "exec", "a", "must not be a symlink", id="C187"),
        pytest.param(
            _linked(lambda store, links: {**LINKS, "trusted_dirs": [str(store)]}),
            "exec",
            "a",
            "linked-secret",
            id="C187 trusted",
        ),
        pytest.param(
            _linked(lambda store, links: {**LINKS, "trusted_dirs": [str(links)]}),
            "exec",
            "a",
            "outside trustedDirs",
            id="C187 only the link is trusted",
        ),
        pytest.param(only(source="env"), "exec", "a", 'has source "env" but ref requests "exec"', id="C188"),
    ],
)
def test_a_reference_gives_what_the_vector_says(
    tmp_path: Path, tables: Tables, source: str, name: str, expected: str
) -> None:
    found = asked(tmp_path, tables, source, name)
    assert found == expected if " " not in expected else expected in found


QUICK = "300ms"


@pytest.mark.parametrize(
    ("tables", "source", "name", "words"),
    [
        pytest.param(_none, "file", "/a", "is not configured", id="no provider"),
        pytest.param(only(source="file", path="/nonexistent"), "file", "/a", "No such file", id="no file"),
        pytest.param(file('{"a": "x"}', max_bytes=3), "file", "/a", "exceeded maxBytes", id="file too large"),
        pytest.param(file('["x"]'), "file", "/0", "must hold a JSON object", id="list at the top"),
        pytest.param(file('{"a": ["x"]}'), "file", "/a/1", "out of range", id="index"),
        pytest.param(file('{"a": 5}'), "file", "/a", "resolved to a non-string or empty value", id="number"),
        pytest.param(command(":"), "exec", "a", "returned empty stdout", id="nothing"),
        pytest.param(says([1]), "exec", "a", "response must be an object", id="list"),
        pytest.param(says({"protocolVersion": 1}), "exec", "a", 'response missing "values"', id="no values"),
        pytest.param(says(V1), "exec", "b", 'response missing id "b"', id="no such id"),
        pytest.param(
            says({**V1, "errors": {"b": {"message": "locked"}}}), "exec", "b", 'failed for id "b" (locked)', id="error"
        ),
        pytest.param(command(f"echo '{json.dumps(V1)}'; exit 7"), "exec", "a", "exited with code 7", id="code"),
        pytest.param(command("exec sleep 20", timeout=QUICK), "exec", "a", "timed out after 300ms", id="time"),
        pytest.param(
            command("exec sleep 20", no_output_timeout=QUICK), "exec", "a", "produced no output for 300ms", id="silence"
        ),
        pytest.param(
            command("head -c 5000 /dev/zero", max_output_bytes=1000),
            "exec",
            "a",
            "exceeded maxOutputBytes",
            id="output",
        ),
        pytest.param(
            lambda folder: {**says(V1)(folder), "resolution": {"max_batch_bytes": 10}},
            "exec",
            "a",
            "request exceeded maxBatchBytes",
            id="request",
        ),
    ],
)
def test_a_reason_has_the_words_that_others_look_for(
    tmp_path: Path, tables: Tables, source: str, name: str, words: str
) -> None:
    assert words in asked(tmp_path, tables, source, name)


def test_so_many_references_of_one_provider_have_their_own_words(tmp_path: Path) -> None:
    tree = {"secrets": {**says(V1)(tmp_path), "resolution": {"max_refs_per_provider": 1}}}
    settings = settings_from(tree, {}).secrets
    providers = SecretProviders(settings.providers, dict(settings.defaults), settings.resolution, {})
    refs = [read_ref({"source": "exec", "id": name}) for name in ("a", "openai/key")]
    providers.prepare(refs)
    with pytest.raises(UnresolvedRef, match="exceeded maxRefsPerProvider"):
        providers.read(refs[0])
