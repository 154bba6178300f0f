"""What is wrong with a config, in full: every problem with its dotted path, none with a value that could be a secret."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.errors import ConfigError

Location = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_MEANT = re.compile(r" (?:Did you mean |Known here: )")
"""Where in a sentence `did_you_mean` begins."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One mistake. `path` is dotted as in TOML; `message` continues the sentence that it begins. Two are the same where the same is
    wrong at the same place: what was probably meant changes with everything else that the config names."""

    path: str
    message: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Problem) and self._wrong == other._wrong

    def __hash__(self) -> int:
        return hash(self._wrong)

    @property
    def _wrong(self) -> tuple[str, str]:
        return self.path, _MEANT.split(self.message, maxsplit=1)[0]

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidConfig(ConfigError):
    """A config with one or more mistakes, each on a line of its own. `path` is that of the first."""

    def __init__(self, problems: Iterable[Problem], hint: str = "") -> None:
        found = tuple(dict.fromkeys(problems))
        first, *others = found
        super().__init__(first.path, "\n".join([first.message, *map(str, others)]), hint)
        self.problems = found


def dotted(location: Location) -> str:
    """A location as it is written in TOML: `agents.defaults.models."acme/small".alias`, `access.owners[0]`."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        # Whatever is not a bare key is quoted; control characters are escaped, so that a path stays on its line.
        shown = part if _BARE.fullmatch(part) else '"' + ascii(part)[1:-1].replace('"', '\\"') + '"'
        text += f".{shown}" if text else shown
    return text


def did_you_mean(wrong: str, known: Sequence[str]) -> str:
    """` Did you mean ...?`, or the names that there are, or nothing."""
    import difflib

    near = difflib.get_close_matches(wrong.lower(), known, n=1, cutoff=0.6)
    if near:
        return f" Did you mean {near[0]}?"
    return f" Known here: {', '.join(known)}." if 0 < len(known) <= 12 else ""
