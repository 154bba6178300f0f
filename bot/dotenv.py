"""Files of NAME=value lines, as systemd's EnvironmentFile and shells write them: those of the operator, and that of a project."""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.auth.variables import may_come_from_anybody
from core.errors import StoreError

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_QUOTED = re.compile(r"""(?:"((?:[^"\\]|\\.)*)"|'([^']*)')\s*(?:#.*)?""")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_LARGEST = 1024 * 1024
_OWN = ("REMOTECLAW_HOME", "REMOTECLAW_STATE_DIR")
"""They say where the state directory's own file is."""
_MISSED = r"REMOTECLAW_.*|.*_API_KEYS?(?:_.*)?|.*_TOKEN|.*_BASE_URL|.*_PROXY"
"""Refused variables that somebody may wait for in vain. The others would have had no effect here anyway."""


@dataclass(frozen=True, slots=True)
class Untrusted:
    """What was taken from a file of anybody's, and a sentence on what was not, or on why nothing was."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    note: str = ""


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


def read_dotenv(path: Path, owner: int | None = None) -> dict[str, str]:
    """The variables of the operator's own file; without a file, none. It does not say where the state directory is.

    It must belong to this user, to root, or to `owner`. Raises StoreError for one that cannot be read, that is not text, or that
    others can write: they could choose where credentials are sent.
    """
    try:
        found = path.stat()
        if found.st_uid not in (os.geteuid(), 0, owner):
            told = f"{path} belongs to another user, so nothing is started with it."
            raise StoreError("dotenv", told, f"Run this as that user, or: chown {os.geteuid()} {path}")
        if found.st_mode & 0o022:
            told = f"{path} can be written by others, so nothing is started with it."
            raise StoreError("dotenv", told, f"Run: chmod 600 {path}")
        if not path.is_file() or found.st_size > _LARGEST:
            raise StoreError("dotenv", f"{path} is not a file of NAME=value lines.")
        values = parse_dotenv(path.read_text("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return {}  # a state directory that is none is told where it is made
    except UnicodeDecodeError:
        raise StoreError("dotenv", f"{path} is not UTF-8 text.", "Write NAME=value lines, one a line.") from None
    except OSError as error:
        raise StoreError("dotenv", f"{path} cannot be read: {error.strerror or 'unknown reason'}.") from error
    return {name: value for name, value in values.items() if name not in _OWN and "\0" not in value}


def read_untrusted(path: Path, known: Mapping[str, str]) -> Untrusted:
    """The variables of a file that may be anybody's: set ones only, and none that `may_come_from_anybody` refuses.

    Never raises: a file that cannot be used is one that gives nothing. Of what was refused, that is told which somebody may
    wait for and `known` does not have.
    """
    try:
        text = _untrusted_text(path)
    except FileNotFoundError:
        return Untrusted()
    except _NotUsed as reason:
        return Untrusted(note=f"{path} is not used: it {reason}.")
    except UnicodeDecodeError:
        return Untrusted(note=f"{path} is not used: it is not UTF-8 text.")
    except OSError as error:
        return Untrusted(note=f"{path} is not used: {error.strerror or 'unknown reason'}.")
    given = {name: value for name, value in parse_dotenv(text).items() if value.strip() and "\0" not in value}
    refused = sorted(name for name in given if not may_come_from_anybody(name))
    missed = [name for name in refused if re.fullmatch(_MISSED, name.upper()) and name not in known]
    where = "set it in the environment, or in .env of the state directory"
    note = f"{path}: {', '.join(missed)} is not taken from a working directory; {where}." if missed else ""
    return Untrusted({name: value for name, value in given.items() if name not in refused}, note)


class _NotUsed(Exception):
    """Why a file is not used; the text continues "it ..."."""


def _untrusted_text(path: Path) -> str:
    """Without following a link, and without waiting for a pipe."""
    kind = path.lstat().st_mode
    if stat.S_ISLNK(kind):
        raise _NotUsed("is a link")
    if not stat.S_ISREG(kind):
        raise _NotUsed("is not a file")
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        found = os.fstat(file.fileno())
        if found.st_uid not in (os.geteuid(), 0) or found.st_mode & stat.S_IWOTH:
            raise _NotUsed("belongs to another user, or everybody can write it")
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise _NotUsed(f"is larger than {_LARGEST // (1024 * 1024)} MiB")
    return content.decode("utf-8-sig")
