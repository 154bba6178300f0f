"""From pydantic_core's findings to sentences: the dotted path, what is wrong, and the key that was probably meant."""

from collections.abc import Iterable

from bot.config.problems import Location, Problem, did_you_mean, dotted
from bot.config.reading import Finding
from bot.config.section import Section, inside, is_section, keys_of, kinds_of

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


def explain(findings: Iterable[Finding], model: type[Section], silent: Iterable[Location]) -> list[Problem]:
    """Every finding as a Problem, without those at or below the `silent` places, which were explained already."""
    quiet = tuple(silent)
    problems = []
    for finding in findings:
        place = tuple(part for part in finding["loc"] if part != _KEY)
        if not any(place[: len(known)] == known for known in quiet):
            problems.append(Problem(dotted(place), _sentence(finding, place, model)))
    return problems


def _sentence(finding: Finding, place: Location, model: type[Section]) -> str:
    kind = finding["type"]
    if kind == "extra_forbidden":
        return f"is not a setting.{did_you_mean(str(place[-1]), _keys_beside(place, model))}"
    if kind == "value_error":
        return str(finding["ctx"]["error"])
    if kind == "literal_error":
        return f"must be {finding['ctx']['expected']}"
    return _SENTENCES.get(kind, "has a wrong value")


def _keys_beside(place: Location, model: type[Section]) -> list[str]:
    """The keys that the table at `place` may have."""
    current: object = model
    for part in place[:-1]:
        current = inside(current, part)
    return sorted(key for kind in kinds_of(current) if is_section(kind) for key in keys_of(kind))
