"""`.env` of the state directory: the daemon's environment, as systemd's EnvironmentFile and shells write it."""

import os
import re
from collections.abc import MutableMapping
from pathlib import Path

from core.errors import StoreError

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_QUOTED = re.compile(r"""(?:"((?:[^"\\]|\\.)*)"|'([^']*)')\s*(?:#.*)?""")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_LARGEST = 1024 * 1024
_OWN = ("REMOTECLAW_HOME", "REMOTECLAW_STATE_DIR")
"""They say where this very file is."""


def parse_dotenv(text: str) -> dict[str, str]:
    """The variables of NAME=value lines. Comments, `export`, and both kinds of quotes are understood; `$` means nothing."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        found = _LINE.fullmatch(line.strip())
        if found is not None:
            values[found[1]] = _value(found[2])
    return values


def _value(text: str) -> str:
    quoted = _QUOTED.fullmatch(text)
    if quoted is None:
        return re.split(r"\s#", f" {text}", maxsplit=1)[0].strip()
    if quoted[1] is not None:
        return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), quoted[1])
    return quoted[2]


def apply_dotenv(path: Path, environ: MutableMapping[str, str]) -> None:
    """Add the file's variables to an environment. What is set there already stays, an empty value included.

    Without a file nothing happens. Raises StoreError for one that cannot be read, that is not text, or that others can write:
    they could choose where credentials are sent.
    """
    try:
        found = path.stat()
        if found.st_mode & 0o022 or found.st_uid not in (os.geteuid(), 0):
            raise StoreError("dotenv", f"{path} can be written by others, so it is not used.", f"Run: chmod 600 {path}")
        if not path.is_file() or found.st_size > _LARGEST:
            raise StoreError("dotenv", f"{path} is not a file of NAME=value lines.")
        values = parse_dotenv(path.read_text("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return  # a state directory that is none is told where it is made
    except UnicodeDecodeError:
        raise StoreError("dotenv", f"{path} is not UTF-8 text.", "Write NAME=value lines, one a line.") from None
    except OSError as error:
        raise StoreError("dotenv", f"{path} cannot be read: {error.strerror or 'unknown reason'}.") from error
    for name, value in values.items():
        if name not in environ and name not in _OWN and "\0" not in value:
            environ[name] = value
