"""`${VAR}` in the strings of the config (credentials.md 8.3).

Names are capitals, digits and `_`; `$${NAME}` stands for `${NAME}`; anything else stays as it is. What comes out of a
variable is not looked at again.
"""

import re
from collections.abc import Callable, Mapping

from bot.config.problems import Location, Problem, dotted

_VARIABLE = re.compile(r"\$?\$\{([A-Z_][A-Z0-9_]*)\}")
_DEEPEST = 64


class _Missing(Exception):
    """Variables that a string needs are not set."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(names)
        self.names = names


class Substitution:
    """Fills a whole tree and gathers what is missing. Lists become tuples on the way: settings are immutable.

    Where `ignores` says so, a value whose variable is missing counts as not written at all.
    """

    def __init__(self, environ: Mapping[str, str], ignores: Callable[[Location], bool] = lambda _: False) -> None:
        self._environ = environ
        self._ignores = ignores
        self.problems: list[Problem] = []
        self.places: set[Location] = set()
        """Where something is wrong already, so that nothing else is said about it."""

    def fill(self, value: object, location: Location = ()) -> object:
        """The value with every string filled; None for one that cannot be filled, which `problems` then names."""
        if len(location) > _DEEPEST:
            self._failed(location[:4], f"is nested deeper than {_DEEPEST} levels")
            return None
        if isinstance(value, dict):
            filled = {key: self.fill(part, (*location, key)) for key, part in value.items()}
            return {key: part for key, part in filled.items() if part is not None}
        if isinstance(value, list):
            return tuple(self.fill(part, (*location, n)) for n, part in enumerate(value))
        if not isinstance(value, str):
            return value
        try:
            return _fill(value, self._environ)
        except _Missing as missing:
            if not self._ignores(location):
                names = " and ".join(dict.fromkeys(missing.names))
                self._failed(location, f"the environment variable {names} is missing or empty")
            return None

    def _failed(self, location: Location, message: str) -> None:
        self.problems.append(Problem(dotted(location), message))
        self.places.add(location)


def variables(text: str) -> set[str]:
    """The names of the variables that a text asks for."""
    return {found[1] for found in _VARIABLE.finditer(text) if not found[0].startswith("$$")}


def _fill(text: str, environ: Mapping[str, str]) -> str:
    missing: list[str] = []

    def value(found: re.Match[str]) -> str:
        if found[0].startswith("$$"):
            return found[0][1:]
        text = environ.get(found[1], "")
        if not text.strip():
            missing.append(found[1])
        return text

    filled = _VARIABLE.sub(value, text)
    if missing:
        raise _Missing(missing)
    return filled
