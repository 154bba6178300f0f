"""How the tables of the config are read: each by itself, only those that are there, and everything that is wrong at once.

The checking is pydantic_core's. What it needs to know is told from a table's declaration when the first such table is read.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from bot.config.section import Section, is_section, keys_of, others_of

Finding = Mapping[str, Any]
"""What pydantic_core found wrong: its `type`, the place as `loc`, and the `ctx` that some types have."""

_Schema = dict[str, Any]
_Table = TypeVar("_Table", bound=Section)

_CONFIG: Any = {"strict": True, "extra_fields_behavior": "forbid", "hide_input_in_errors": True}
_READERS: dict[type[Section], Callable[[object], Any]] = {}


class Check:
    """Beside a type: a function that is called `after` the type's own check, `before` it, or `instead` of it. It takes the value
    and gives what shall stand for it. Raises ValueError with words that continue the path of the setting."""

    def __init__(
        self, function: Callable[[Any], object], when: Literal["after", "before", "instead"] = "after"
    ) -> None:
        self._function = function
        self._when = when

    def around(self, inner: Callable[[], _Schema]) -> _Schema:
        """The schema of a type with this check."""
        function = {"type": "no-info", "function": self._function}
        if self._when == "instead":
            return {"type": "function-plain", "function": function}
        return {"type": f"function-{self._when}", "function": function, "schema": inner()}


class Limits:
    """Beside int: more than `gt`, at least `ge`, at most `le`."""

    def __init__(self, **limits: int) -> None:
        self._limits = limits

    def around(self, inner: Callable[[], _Schema]) -> _Schema:
        """The schema of the type within these limits."""
        return {**inner(), **self._limits}


def read(section: type[_Table], value: object) -> tuple[_Table | None, list[Finding]]:
    """A table, or everything that is wrong with it: unknown keys are refused, and nothing is converted."""
    from pydantic_core import ValidationError

    try:
        return _reader(section)(value), []
    except ValidationError as error:
        return None, list[Finding](error.errors(include_url=False, include_input=False))


def read_sections(section: type[_Table], tree: Mapping[str, Any]) -> tuple[_Table, list[Finding]]:
    """A table of tables, and everything that is wrong with it, in the order and the words of `read`.

    The value counts only where nothing is wrong. A table that `tree` does not have costs nothing.
    """
    tables = keys_of(section)
    values: dict[str, Section] = {}
    findings: list[Finding] = []
    for name in filter(tree.__contains__, tables):
        table, found = read(tables[name], tree[name])
        if table is not None:
            values[name] = table
        findings += [{**finding, "loc": (name, *finding["loc"])} for finding in found]
    findings += [{"type": "extra_forbidden", "loc": (name,)} for name in tree if name not in tables]
    return section(**values), findings


def _reader(section: type[Section]) -> Callable[[object], Any]:
    from pydantic_core import SchemaValidator

    if section not in _READERS:
        schema: Any = _schema(section)
        _READERS[section] = SchemaValidator(schema, _CONFIG).validate_python
    return _READERS[section]


def _schema(kind: Any) -> _Schema:
    """What pydantic_core needs to know about a type. Raises TypeError for one that no setting has had yet."""
    if is_section(kind):
        return _table_schema(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        inner = partial(_schema, kind.__origin__)
        for mark in kind.__metadata__:
            inner = partial(mark.around, inner)
        return inner()
    if origin is Literal:
        return {"type": "literal", "expected": [*arguments]}
    if origin is tuple:
        return {"type": "tuple", "items_schema": [_schema(arguments[0])], "variadic_item_index": 0}
    if origin is Mapping:
        return {"type": "dict", "keys_schema": _schema(arguments[0]), "values_schema": _schema(arguments[1])}
    if origin in (Union, UnionType) and arguments[1:] == (NoneType,):
        return {"type": "nullable", "schema": _schema(arguments[0])}
    if kind in (str, bool, int):
        return {"type": kind.__name__}
    raise TypeError(f"no setting can be of the type {kind}")


def _table_schema(section: type[Section]) -> _Schema:
    table: _Schema = {"type": "model-fields", "model_name": section.__name__, "fields": {}}
    for name, kind in keys_of(section).items():
        schema = _schema(kind)
        if name in vars(section):
            schema = {"type": "default", "schema": schema, "default": vars(section)[name]}
        table["fields"][name] = {"type": "model-field", "schema": schema}
    others = others_of(section)
    if others is not None:
        keys, values = map(_schema, get_args(others))
        table |= {"extra_behavior": "allow", "extras_keys_schema": keys, "extras_schema": values}
    return Check(partial(_made, section)).around(lambda: table)


def _made(section: type[_Table], parts: tuple[dict[str, Any], dict[str, Any] | None, set[str]]) -> _Table:
    """The table out of what pydantic_core gives: all values by name, those without a name, and the names that were there."""
    values, others, given = parts
    present = {name: value for name, value in values.items() if name in given}
    table = section(**present, _others=others) if others else section(**present)
    table._check(given)
    return table
