"""`${VAR}` in the strings of the config (credentials.md 8.3).

Names are capitals, digits and `_`; `$${NAME}` stands for `${NAME}`; anything else stays as it is. What comes out of a
variable is not looked at again. A whole `${NAME}` in the place of a secret reference is one (credentials.md 3.1): where the
variable is missing it stays that, and keeps out of service what needs it and nothing else.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict

from bot.config.problems import Location, Problem, dotted
from core.auth.refs import is_ref, read_ref

_VARIABLE = re.compile(r"\$?\$\{([A-Z_][A-Z0-9_]*)\}")
_DEEPEST = 64
_LONGEST = 256 * 1024
"""Characters that variables may add to one string: texts that ask for each other could grow without end."""


class _Missing(Exception):
    """Variables that a string needs are not set."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(names)
        self.names = names


class _TooLong(Exception):
    """A string that its variables make too long."""


class Substitution:
    """Fills a whole tree and gathers what is missing. Lists become tuples on the way: settings are immutable.

    Where `ignores` says so, a value whose variable is missing counts as not written at all. `takes_reference` tells the places
    of secret references.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        ignores: Callable[[Location], bool] = lambda _: False,
        takes_reference: Callable[[Location], bool] = lambda _: False,
    ) -> None:
        self._environ = environ
        self._ignores = ignores
        self._takes_reference = takes_reference
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
            return _fill(value, lambda name: self._environ.get(name, ""))
        except _Missing as missing:
            if self._ignores(location):
                return None
            if is_ref(value) and self._takes_reference(location):
                with suppress(ValueError):
                    return asdict(read_ref(value))
            names = " and ".join(dict.fromkeys(missing.names))
            self._failed(location, f"the environment variable {names} is missing or empty")
            return None
        except _TooLong:
            self._failed(location, f"its variables make it longer than {_LONGEST} characters")
            return None

    def _failed(self, location: Location, message: str) -> None:
        self.problems.append(Problem(dotted(location), message))
        self.places.add(location)


def variables(text: str) -> set[str]:
    """The names of the variables that a text asks for."""
    return {found[1] for found in _VARIABLE.finditer(text) if not found[0].startswith("$$")}


def fill_each(texts: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Texts that may ask for each other by name, filled; what `environ` sets comes first. Without those that ask for something
    missing, or in the end for themselves."""
    filled: dict[str, str] = {}

    def own(name: str, depth: int) -> str:
        def look(asked: str) -> str:
            return environ.get(asked, "") or (own(asked, depth + 1) if asked in texts else "")

        if name not in filled:
            filled[name] = ""  # what comes back to itself finds nothing
            with suppress(_Missing, _TooLong):
                filled[name] = _fill(texts[name], look) if depth < _DEEPEST else ""
        return filled[name]

    return {name: value for name in texts if (value := own(name, 0))}


def _fill(text: str, look: Callable[[str], str]) -> str:
    missing: list[str] = []
    length = 0

    def value(found: re.Match[str]) -> str:
        nonlocal length
        if found[0].startswith("$$"):
            return found[0][1:]
        text = look(found[1])
        if not text.strip():
            missing.append(found[1])
        length += len(text)
        if length > _LONGEST:
            raise _TooLong
        return text

    filled = _VARIABLE.sub(value, text)
    if missing:
        raise _Missing(missing)
    return filled
