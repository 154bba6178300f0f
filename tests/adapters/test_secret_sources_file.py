"""Secrets in files: which files are trusted, what is read out of them, and what is said of one that gives nothing."""

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.secret_sources.file import FileProvider
from adapters.secret_sources.private_path import refuse_if_others_could
from core.auth.refs import UnresolvedRef
from tests.fakes.secret_store import FakeOptions

SECRET = "sk-in-the-file-0123456789"


def kept(folder: Path, content: str | bytes, mode: int = 0o600) -> FakeOptions:
    path = folder / "keys"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return FakeOptions(source="file", path=str(path))


def reason(options: FakeOptions, name: str = "/a") -> str:
    """Why there is no text, be it the file or the id that is wrong."""
    try:
        found = FileProvider("vault", options).fetch([name])[name]
    except UnresolvedRef as error:
        return str(error)
    assert isinstance(found, UnresolvedRef), "a text was given"
    return str(found)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        pytest.param("raw-token-value\n", "raw-token-value", id="one line feed is taken away"),
        pytest.param("raw-token-value\r\n", "raw-token-value", id="and a carriage return"),
        pytest.param("raw-token-value", "raw-token-value", id="none"),
        pytest.param("raw\n\n", "raw\n", id="one only"),
    ],
)
def test_a_single_value_is_the_whole_file(tmp_path: Path, content: str, value: str):
    options = replace(kept(tmp_path, content), mode="single_value")
    assert FileProvider("vault", options).fetch(["value"]) == {"value": value}


def test_a_single_value_has_no_other_id(tmp_path: Path):
    options = replace(kept(tmp_path, "raw-token-value\n"), mode="single_value")
    said = reason(options, "/other")
    assert "the id must be 'value', not '/other'" in said
    assert "raw-token" not in said


DOCUMENT = {"a": "1", "b": {"c/d": "2", "e~f": "3", "": "4"}, "l": ["5", {"x": "6"}], "0": "7", "n": 8, "blank": " "}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("/a", "1"), ("/b/c~1d", "2"), ("/b/e~0f", "3"), ("/b/", "4"), ("/l/0", "5"), ("/l/1/x", "6"), ("/0", "7")],
)
def test_a_pointer_leads_to_its_text(tmp_path: Path, pointer: str, value: str):
    assert FileProvider("vault", kept(tmp_path, json.dumps(DOCUMENT))).fetch([pointer]) == {pointer: value}


@pytest.mark.parametrize(
    ("pointer", "words"),
    [
        pytest.param("/nothing", "'nothing' does not exist", id="missing"),
        pytest.param("/a/b", "'b' does not exist", id="below a text"),
        pytest.param("/l/2", "out of range", id="past the list"),
        pytest.param("/l/-", "out of range", id="after the list"),
        pytest.param("/l/01", "out of range", id="leading zero"),
        pytest.param("/l/" + "9" * 5000, "out of range", id="enormous index"),
        pytest.param("/n", "resolved to a non-string or empty value", id="number"),
        pytest.param("/b", "resolved to a non-string or empty value", id="object"),
        pytest.param("/blank", "resolved to a non-string or empty value", id="blank"),
        pytest.param("value", 'must be a JSON pointer that begins with "/"', id="no pointer"),
        pytest.param("/x\nInjected: 1", r"'x\nInjected: 1' does not exist", id="line break in the id"),
    ],
)
def test_a_pointer_that_leads_to_no_text_is_named_on_one_line(tmp_path: Path, pointer: str, words: str):
    said = reason(kept(tmp_path, json.dumps(DOCUMENT)), pointer)
    assert words in said
    assert "\n" not in said


def test_one_wrong_pointer_does_not_hide_the_right_one(tmp_path: Path):
    found = FileProvider("vault", kept(tmp_path, json.dumps(DOCUMENT))).fetch(["/a", "/nothing"])
    assert found["/a"] == "1"
    assert isinstance(found["/nothing"], UnresolvedRef)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(f'{{"a": "{SECRET}"', "is not valid JSON", id="cut"),
        pytest.param("", "is not valid JSON", id="empty"),
        pytest.param(f'["{SECRET}"]', "must hold a JSON object", id="list"),
        pytest.param("[" * 200_000, "is not valid JSON", id="too deep"),
        pytest.param(b"\xff\xfe" + SECRET.encode(), "is not UTF-8 text", id="no text"),
    ],
)
def test_a_file_of_another_form_is_refused_without_a_word_of_it(tmp_path: Path, content: str | bytes, words: str):
    said = reason(kept(tmp_path, content))
    assert words in said
    assert SECRET[:6] not in said


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_a_file_that_others_could_read_or_change_is_refused(tmp_path: Path, mode: int):
    said = reason(kept(tmp_path, json.dumps({"a": SECRET}), mode))
    assert "permissions are too open" in said
    assert "chmod" in said


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_ones_own_is_read(tmp_path: Path, mode: int):
    assert FileProvider("vault", kept(tmp_path, '{"a": "1"}', mode)).fetch(["/a"]) == {"/a": "1"}


def test_an_insecure_path_can_be_allowed(tmp_path: Path):
    options = replace(kept(tmp_path, '{"a": "1"}', 0o644), allow_insecure_path=True)
    assert FileProvider("vault", options).fetch(["/a"]) == {"/a": "1"}


def _link(path: Path) -> None:
    path.rename(path.with_name("target"))
    path.symlink_to(path.with_name("target"))


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(_link, "must not be a symlink", id="link"),
        pytest.param(_folder, "is not a regular file", id="folder"),
        pytest.param(_pipe, "is not a regular file", id="pipe"),
        pytest.param(Path.unlink, "cannot be read (No such file or directory)", id="missing"),
    ],
)
def test_anything_but_a_regular_file_is_refused(tmp_path: Path, change: Callable[[Path], None], words: str):
    options = kept(tmp_path, '{"a": "1"}')
    change(Path(options.path))
    assert words in reason(options)


def test_a_relative_path_is_refused():
    assert "must be absolute" in reason(FakeOptions(source="file", path="keys"))


@pytest.mark.parametrize(
    ("owner", "owners", "is_refused"), [(1, (1,), False), (0, (1,), True), (0, (1, 0), False), (2, (1, 0), True)]
)
def test_the_owner_must_be_one_of_those_that_are_trusted(owner: int, owners: tuple[int, ...], is_refused: bool):
    found = os.stat_result((0o100600, 1, 1, 1, owner, 0, 1, 0, 0, 0))
    if not is_refused:
        return refuse_if_others_could("x", "/keys", found, 0o077, owners)
    with pytest.raises(UnresolvedRef, match="belongs to another user"):
        refuse_if_others_could("x", "/keys", found, 0o077, owners)
    return None


@pytest.mark.parametrize(("largest", "is_read"), [(10, True), (9, False)])
def test_the_size_has_a_limit(tmp_path: Path, largest: int, is_read: bool):
    options = replace(kept(tmp_path, '{"a": "1"}'), max_bytes=largest)
    if is_read:
        assert FileProvider("vault", options).fetch(["/a"]) == {"/a": "1"}
    else:
        assert "exceeded maxBytes (9)" in reason(options)


def test_a_file_system_that_hangs_holds_nobody_up():
    released = threading.Event()

    def hang(path: str, options: object) -> bytes:
        released.wait(20)
        return b"{}"

    options = FakeOptions(source="file", path="/keys", timeout=timedelta(milliseconds=50))
    with pytest.raises(UnresolvedRef, match=r"timed out after 50 ms"):
        FileProvider("vault", options, hang).fetch(["/a"])
    released.set()
