"""From pydantic's findings to sentences: the dotted path, what is wrong, and the key that was probably meant."""

import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from bot.config.problems import Location, Problem, did_you_mean, dotted

_KEY = "[key]"
_SENTENCES = {
    "missing": "is missing",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "mapping_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "greater_than": "must be at least 1",
    "greater_than_equal": "must not be negative",
    "less_than_equal": "is too large",
    "string_unicode": "holds characters that no text has",
}


def explain(error: ValidationError, model: type[BaseModel], silent: Iterable[Location]) -> list[Problem]:
    """Every finding as a Problem, without those at or below the `silent` places, which were explained already."""
    quiet = tuple(silent)
    problems = []
    for finding in error.errors(include_url=False, include_input=False):
        place = tuple(part for part in finding["loc"] if part != _KEY)
        if not any(place[: len(known)] == known for known in quiet):
            problems.append(Problem(dotted(place), _sentence(finding, place, model)))
    return problems


def _sentence(finding: Mapping[str, Any], place: Location, model: type[BaseModel]) -> str:
    kind = finding["type"]
    if kind == "extra_forbidden":
        return f"is not a setting.{did_you_mean(str(place[-1]), _keys_beside(place, model))}"
    if kind == "value_error":
        return str(finding["ctx"]["error"])
    if kind == "literal_error":
        return f"must be {finding['ctx']['expected']}"
    return _SENTENCES.get(kind, "has a wrong value")


def _keys_beside(place: Location, model: type[BaseModel]) -> list[str]:
    """The keys that the table at `place` may have."""
    current: object = model
    for part in place[:-1]:
        current = _step(current, part)
    return sorted(current.model_fields) if _is_model(current) else []


def _step(annotation: object, part: str | int) -> object:
    """The type behind one key or index."""
    if _is_model(annotation):
        field = annotation.model_fields.get(str(part))
        return _core(field.annotation) if field is not None else None
    arguments = get_args(annotation)
    if not arguments:
        return None
    return _core(arguments[0 if isinstance(part, int) else -1])


def _core(annotation: object) -> object:
    """A type without Annotated and without None."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        choices = [choice for choice in get_args(annotation) if choice is not type(None)]
        return _core(choices[0])
    return annotation


def _is_model(annotation: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
