"""Hides what is confidential in variables, and in a config, also in one that is wrong in another place."""

from collections.abc import Mapping
from typing import Any

_SHORTEST = 12
"""Shorter values of variables that only sound confidential would blot out harmless words."""


def learn_config(tree: Mapping[str, Any]) -> None:
    """What stands in the places of secrets is never written from now on."""
    from bot.log import learn_secrets
    from bot.secret_places import secret_fields

    learn_secrets(text for place in secret_fields(tree) if (text := _plain(place.path, place.value)))


def learn_variables(environ: Mapping[str, str]) -> None:
    """The same for what is confidential by the names of variables."""
    from bot.confidential import is_confidential_variable
    from bot.log import learn_secrets

    learn_secrets(value for name, value in environ.items() if is_confidential_variable(name, value, _SHORTEST))


def _plain(path: tuple[str | int, ...], value: object) -> str:
    """What of a value is confidential as it stands there: headers and variables are so by their names."""
    from bot.confidential import is_confidential_header, is_confidential_variable
    from bot.config.substitution import variables
    from bot.database_url import password
    from core.auth.secret import Secret

    if not isinstance(value, str) or variables(value):
        return ""
    name = str(path[-1])
    if path == ("database", "url"):
        found = password(Secret(value))
        return found.reveal() if found is not None else ""
    if "headers" in path:
        return value if is_confidential_header(name) else ""
    if path[:1] == ("env",):
        return value if is_confidential_variable(name, value, _SHORTEST) else ""
    return value
