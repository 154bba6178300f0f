"""Reading files that may be anything, to look for secrets in them: regular ones of a bounded size, decoded or refused."""

import json
import os
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

LARGEST = 5 * 1024 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Unreadable(Exception):
    """Why a file cannot be looked at: the text continues "it ..." and holds nothing of the file."""


def read_regular(path: Path) -> bytes | None:
    """The content of a file; None if there is none. A link is followed, a pipe not waited for. Raises Unreadable."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Unreadable("is not a regular file")
            content = file.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Unreadable(f"cannot be read ({error.strerror or 'unknown reason'})") from error
    if len(content) > LARGEST:
        raise Unreadable(f"is larger than {LARGEST // (1024 * 1024)} MiB")
    return content


def mode_for_others(path: Path) -> int | None:
    """The mode of a file that is open to other users in any way; None for a closed one."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None
    return mode if mode & _OTHERS else None


def text_of(content: bytes) -> str:
    """As text. Raises Unreadable."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("is not UTF-8 text") from None


def json_object(content: bytes) -> dict[str, Any]:
    """As a JSON object. Raises Unreadable."""
    return _object(content, json.loads, "JSON")


def toml_table(content: bytes) -> dict[str, Any]:
    """As TOML. Raises Unreadable."""
    return _object(content, tomllib.loads, "TOML")


def _object(content: bytes, loads: Callable[[str], Any], name: str) -> dict[str, Any]:
    text = text_of(content)
    try:
        found = loads(text)
    except (ValueError, RecursionError):
        # The cause quotes the file.
        raise Unreadable(f"is not valid {name}") from None
    if not isinstance(found, dict):
        raise Unreadable(f"holds no {name} object")
    return found
