"""A reply's buttons as Discord's components: choices as select menus, actions as buttons, at most five rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.messages import Button, Reply

PREFIX = "rc"
ROWS = 5
OPTIONS = 25
PER_ROW = 5
_LABEL = 100
_BUTTON_LABEL = 80
_ROW, _BUTTON, _SELECT = 1, 2, 3
_PRIMARY, _SECONDARY = 1, 2


def build_components(reply: Reply) -> list[dict[str, Any]]:
    """The rows under a message. Choices beyond the room of their rows are only in the text, which has them all."""
    if not reply.token:
        return []
    choices = [button for button in reply.buttons if button.group == "choice"]
    actions = [button for button in reply.buttons if button.group != "choice"]
    action_rows = min(-(-len(actions) // PER_ROW), ROWS - 1 if choices else ROWS)
    pages = [choices[at : at + OPTIONS] for at in range(0, len(choices), OPTIONS)][: ROWS - action_rows]
    rows = [_row([_select(reply.token, page, number)]) for number, page in enumerate(pages)]
    shown = actions[: action_rows * PER_ROW]
    rows += [_row([_button(reply.token, b) for b in shown[at : at + PER_ROW]]) for at in range(0, len(shown), PER_ROW)]
    return rows


def read_custom_id(custom_id: str, values: Sequence[str]) -> tuple[str, int] | None:
    """The token and the number of a press: `rc:<token>:<n>` of a button, `rc:<token>` of a select with its value."""
    parts = custom_id.split(":")
    if parts[0] != PREFIX or len(parts) not in (2, 3) or not parts[1]:
        return None
    number = values[0] if values else parts[2] if len(parts) == 3 else ""
    if not (number.isascii() and number.isdigit() and 0 < len(number) <= 4):
        return None
    return parts[1], int(number)


def fitted(label: str, limit: int) -> str:
    """The label on one line, at most `limit` characters. It is cut in the middle: its name is at its head, its state at its end."""
    words = " ".join(label.split())
    if len(words) <= limit:
        return words
    end = limit * 2 // 5
    return f"{words[: limit - end - 1]}…{words[-end:]}"


def _row(components: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"type": _ROW, "components": list(components)}


def _button(token: str, button: Button) -> dict[str, Any]:
    return {
        "type": _BUTTON,
        "style": _PRIMARY if button.selected else _SECONDARY,
        "label": fitted(button.label, _BUTTON_LABEL) or str(button.n),
        "custom_id": f"{PREFIX}:{token}:{button.n}",
    }


def _select(token: str, page: Sequence[Button], number: int) -> dict[str, Any]:
    """One menu. Discord refuses two components of one name, so the second menu and later ones carry their number."""
    options: list[dict[str, Any]] = [
        {"label": fitted(button.label, _LABEL) or str(button.n), "value": str(button.n)} for button in page
    ]
    selected = next((at for at, button in enumerate(page) if button.selected), None)
    if selected is not None:
        options[selected]["default"] = True
    return {
        "type": _SELECT,
        "custom_id": f"{PREFIX}:{token}" if number == 0 else f"{PREFIX}:{token}:menu{number + 1}",
        "placeholder": "Choose" if number == 0 and len(page) < OPTIONS else f"Choose ({page[0].n} to {page[-1].n})",
        "min_values": 1,
        "max_values": 1,
        "options": options,
    }
