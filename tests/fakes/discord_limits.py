"""What Discord refuses in a message, a command list or a set of choices, with its codes and its tree of errors."""

import re
from typing import Any

_NAME = re.compile(r"[-_'\w]{1,32}")
_EMOJI = re.compile(r"[\U0001f000-\U0001faff\u2190-\u2bff]\ufe0f?")


class Refused(Exception):
    """An answer that is not 2xx."""

    def __init__(self, status: int, code: int, message: str, errors: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"code": code, "message": message} | ({"errors": errors} if errors else {})


def _invalid(field: str, message: str) -> Refused:
    tree: dict[str, Any] = {"_errors": [{"code": "INVALID", "message": message}]}
    for part in reversed(field.split(".")):
        tree = {part: tree}
    return Refused(400, 50035, "Invalid Form Body", tree)


def check_message(body: dict[str, Any]) -> None:
    """2,000 characters, not empty, five rows of buttons or one menu, 25 options, ids of 100 characters and all distinct."""
    content = body.get("content") or ""
    if len(content) > 2000:
        raise _invalid("content", "Must be 2000 or fewer in length.")
    rows = body.get("components") or []
    if not content.strip() and not rows:
        raise Refused(400, 50006, "Cannot send an empty message")
    if len(str(body.get("nonce") or "")) > 25:
        raise _invalid("nonce", "Must be 25 or fewer in length.")
    if len(rows) > 5:
        raise _invalid("components", "Must be 5 or fewer in length.")
    seen: set[str] = set()
    for at, row in enumerate(rows):
        _check_row(row, f"components.{at}", seen)


def _check_row(row: dict[str, Any], field: str, seen: set[str]) -> None:
    parts = row.get("components") or []
    menus = [part for part in parts if part["type"] == 3]
    if row.get("type") != 1 or not parts or len(parts) > 5 or (menus and len(parts) > 1):
        raise _invalid(field, "A row holds one to five buttons or one menu.")
    for part in parts:
        custom_id = part.get("custom_id", "")
        if not 1 <= len(custom_id) <= 100:
            raise _invalid(field, "Must be between 1 and 100 in length.")
        if custom_id in seen:
            raise _invalid(field, "Component custom id cannot be duplicated")
        seen.add(custom_id)
        if part["type"] == 2 and not 1 <= len(part.get("label", "")) <= 80:
            raise _invalid(field, "Must be between 1 and 80 in length.")
        if part["type"] == 2 and part.get("style") not in (1, 2, 3, 4):
            raise _invalid(field, "Value must be one of {1, 2, 3, 4}.")
        _check_emoji(part, field)
    for menu in menus:
        _check_options(menu.get("options") or [], field)
        least, most = menu.get("min_values", 1), menu.get("max_values", 1)
        if not 0 <= least <= most <= 25 or not 1 <= most <= len(menu["options"]):
            raise _invalid(field, "min_values and max_values do not fit the options.")
        if len(menu.get("placeholder", "")) > 150:
            raise _invalid(field, "Must be 150 or fewer in length.")


def _check_options(options: list[dict[str, Any]], field: str) -> None:
    if not 1 <= len(options) <= 25:
        raise _invalid(field, "Must be between 1 and 25 in length.")
    if len({option["value"] for option in options}) != len(options):
        raise _invalid(field, "The specified option value is already used")
    if sum(bool(option.get("default")) for option in options) > 1:
        raise _invalid(field, "Too many default options.")
    for option in options:
        if not (1 <= len(option["label"]) <= 100 and 1 <= len(option["value"]) <= 100):
            raise _invalid(field, "Must be between 1 and 100 in length.")
        if "description" in option and not 1 <= len(option["description"]) <= 100:
            raise _invalid(field, "Must be between 1 and 100 in length.")
        _check_emoji(option, field)


def _check_emoji(part: dict[str, Any], field: str) -> None:
    if "emoji" in part and not _EMOJI.fullmatch(part["emoji"].get("name", "")):
        raise _invalid(field, "Invalid emoji")


def check_modal(data: dict[str, Any]) -> None:
    """A form: a title of 45 characters, one to five lines to fill in, each under a label of 45."""
    if not 1 <= len(data.get("title", "")) <= 45:
        raise _invalid("data.title", "Must be between 1 and 45 in length.")
    if not 1 <= len(data.get("custom_id", "")) <= 100:
        raise _invalid("data.custom_id", "Must be between 1 and 100 in length.")
    rows = data.get("components") or []
    if not 1 <= len(rows) <= 5:
        raise _invalid("data.components", "Must be between 1 and 5 in length.")
    for row in rows:
        line = row.get("component") if row.get("type") == 18 else next(iter(row.get("components") or ()), None)
        label = (row if row.get("type") == 18 else line or {}).get("label", "")
        if line is None or line.get("type") != 4 or line.get("style") not in (1, 2):
            raise _invalid("data.components", "Expected a text input.")
        if not 1 <= len(label) <= 45 or not 1 <= len(line.get("custom_id", "")) <= 100:
            raise _invalid("data.components", "Must be between 1 and 45 in length.")
        if len(line.get("placeholder", "")) > 100 or not 1 <= line.get("max_length", 4000) <= 4000:
            raise _invalid("data.components", "Must be 100 or fewer in length.")


def check_choices(choices: list[dict[str, Any]]) -> None:
    """Autocomplete: at most 25, names and values of 1 to 100 characters."""
    if len(choices) > 25:
        raise _invalid("data.choices", "Must be 25 or fewer in length.")
    for choice in choices:
        if not (1 <= len(choice["name"]) <= 100 and 1 <= len(choice["value"]) <= 100):
            raise _invalid("data.choices", "Must be between 1 and 100 in length.")


def check_commands(commands: list[dict[str, Any]]) -> None:
    """The command list: names, descriptions, options."""
    if len(commands) > 100:
        raise _invalid("commands", "Must be 100 or fewer in length.")
    for entry in commands:
        for thing in (entry, *(entry.get("options") or ())):
            if not _NAME.fullmatch(thing["name"]) or thing["name"] != thing["name"].lower():
                raise _invalid("name", "Command name is invalid")
            if not 1 <= len(thing["description"]) <= 100:
                raise _invalid("description", "Must be between 1 and 100 in length.")
            if thing.get("choices"):
                if thing.get("autocomplete"):
                    raise _invalid("choices", "Choices and autocomplete exclude each other.")
                check_choices(thing["choices"])


def pings_of(body: dict[str, Any]) -> list[str]:
    """Whom the body would ping: what its content names, as far as its `allowed_mentions` lets it."""
    content = body.get("content") or ""
    allowed = body.get("allowed_mentions")
    parse = ["everyone", "users", "roles"] if allowed is None else allowed.get("parse", [])
    found = []
    if "everyone" in parse and re.search(r"@(everyone|here)", content):
        found.append("everyone")
    if "users" in parse:
        found += re.findall(r"<@!?(\d+)>", content)
    if "roles" in parse:
        found += re.findall(r"<@&(\d+)>", content)
    if body.get("message_reference") and (allowed is None or allowed.get("replied_user")):
        found.append("replied user")
    return found + [str(who) for kind in ("users", "roles") for who in (allowed or {}).get(kind, [])]
