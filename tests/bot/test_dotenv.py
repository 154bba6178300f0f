"""`.env` of the state directory."""

from pathlib import Path

import pytest

from bot.dotenv import apply_dotenv, parse_dotenv
from core.errors import StoreError


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=x", "x"),
        ("export A=x", "x"),
        ("  A = x  ", "x"),
        ("A=x # note", "x"),
        ("A=x#y", "x#y"),
        ("A=", ""),
        ("A= # note", ""),
        ('A="x # y" # note', "x # y"),
        ("A='x $HOME'", "x $HOME"),
        (r'A="a\"b\\c\nd"', 'a"b\\c\nd'),
        ("A=a=b==", "a=b=="),
        ('A="not closed', '"not closed'),
        ("A=ä", "ä"),
    ],
)
def test_a_line_gives_its_value(line: str, value: str):
    assert parse_dotenv(f"# first\n\n{line}\nnonsense\n1A=no\n") == {"A": value}


@pytest.fixture
def dotenv(state_dir: Path) -> Path:
    path = state_dir / ".env"
    path.write_text("A=file\nB=file\nC=file\nREMOTECLAW_STATE_DIR=/elsewhere\n")
    path.chmod(0o600)
    return path


def test_nothing_that_is_set_is_changed_not_even_an_empty_value(dotenv: Path):
    environ = {"A": "process", "B": ""}
    apply_dotenv(dotenv, environ)
    assert environ == {"A": "process", "B": "", "C": "file"}


def test_without_a_file_nothing_happens(state_dir: Path):
    environ: dict[str, str] = {}
    apply_dotenv(state_dir / ".env", environ)
    assert environ == {}


def test_a_file_that_others_can_only_read_is_used(dotenv: Path):
    dotenv.chmod(0o644)
    environ: dict[str, str] = {}
    apply_dotenv(dotenv, environ)
    assert environ["A"] == "file"


@pytest.mark.parametrize("mode", [0o660, 0o606])
def test_a_file_that_others_can_write_is_refused(dotenv: Path, mode: int):
    dotenv.chmod(mode)
    with pytest.raises(StoreError, match="chmod 600"):
        apply_dotenv(dotenv, {})


def test_what_is_no_text_is_refused(dotenv: Path):
    dotenv.write_bytes(b"A=\xff")
    with pytest.raises(StoreError, match="UTF-8"):
        apply_dotenv(dotenv, {})
    dotenv.unlink()
    dotenv.mkdir(mode=0o700)
    with pytest.raises(StoreError, match="not a file"):
        apply_dotenv(dotenv, {})
