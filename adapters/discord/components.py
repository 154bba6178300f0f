"""A reply's buttons as Discord's components: lists of choices as select menus, actions as buttons, at most five rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.messages import Button, Reply, Tone

PREFIX = "rc"
ROWS = 5
OPTIONS = 25
PER_ROW = 5
_ACTION, _UNNAMED = "action", "choice"
_LABEL, _DETAIL, _BUTTON_LABEL, _TITLE, _ID, _PLACEHOLDER = 100, 100, 80, 45, 100, 150
_ROW, _BUTTON, _SELECT, _LINE, _FIELD = 1, 2, 3, 4, 18
_PRIMARY, _SECONDARY = 1, 2
_TYPED = 200
_QUESTION = "?"
DOTS = {Tone.GOOD: "🟢", Tone.WAITING: "🟡", Tone.BAD: "🔴"}
"""How a state looks. What has none has no dot."""


def build_components(reply: Reply) -> list[dict[str, Any]]:
    """The rows under a message: earlier steps, the present choices, actions. Choices of a step before are left out where there
    is no room, the first step first; present ones beyond the room are only in the text, which has them all."""
    if not reply.token:
        return []
    actions = [button for button in reply.buttons if button.group == _ACTION]
    lists = _lists(reply.buttons)
    present = [page for choices in lists if not _is_earlier(choices) for page in _pages(choices)]
    action_rows = min(-(-len(actions) // PER_ROW), ROWS - 1 if present else ROWS)
    present = present[: ROWS - action_rows]
    room = ROWS - action_rows - len(present)
    earlier = [_page_in_force(choices) for choices in lists if _is_earlier(choices)]
    shown = [*earlier[max(0, len(earlier) - room) :], *present]
    rows = [_row([_select(reply.token, page, number, _title(page, lists))]) for number, page in enumerate(shown)]
    buttons = [_button(reply.token, button) for button in actions[: action_rows * PER_ROW]]
    return rows + [_row(buttons[at : at + PER_ROW]) for at in range(0, len(buttons), PER_ROW)]


def read_custom_id(custom_id: str, values: Sequence[str]) -> tuple[str, int] | None:
    """The token and the number of a press: `rc:<token>:<n>` of a button, `rc:<token>` of a menu with its value. A number may be
    followed by `?` and the question that it asks."""
    parts = custom_id.split(":", 2)
    if parts[0] != PREFIX or len(parts) < 2 or not parts[1]:
        return None
    number = (values[0] if values else parts[2] if len(parts) == 3 else "").partition(_QUESTION)[0]
    if not (number.isascii() and number.isdigit() and 0 < len(number) <= 4):
        return None
    return parts[1], int(number)


def build_form(custom_id: str, values: Sequence[str]) -> dict[str, Any] | None:
    """The form that a press opens, if it asks something: one line under its question. It is known without any store, since a
    press has to be answered before one is asked. Its id reads as the press that it completes."""
    pressed = read_custom_id(custom_id, values)
    _, asks, question = (values[0] if values else custom_id).partition(_QUESTION)
    if pressed is None or not asks:
        return None
    title = fitted(question, _TITLE) or "?"
    line = {"type": _LINE, "custom_id": "text", "style": 1, "required": True, "min_length": 1, "max_length": _TYPED}
    token, number = pressed
    return {
        "custom_id": f"{PREFIX}:{token}:{number}",
        "title": title,
        "components": [{"type": _FIELD, "label": title, "component": line}],
    }


def fitted(label: str, limit: int) -> str:
    """The label on one line, at most `limit` characters. It is cut in the middle: its name is at its head, its state at its end."""
    words = " ".join(label.split())
    if len(words) <= limit:
        return words
    end = limit * 2 // 5
    return f"{words[: limit - end - 1]}…{words[-end:]}"


def _lists(buttons: Sequence[Button]) -> list[list[Button]]:
    """The choices by their group, in the order in which the groups begin."""
    found: dict[str, list[Button]] = {}
    for button in buttons:
        if button.group != _ACTION:
            found.setdefault(button.group, []).append(button)
    return list(found.values())


def _is_earlier(choices: Sequence[Button]) -> bool:
    return all(button.earlier for button in choices)


def _pages(choices: Sequence[Button]) -> list[Sequence[Button]]:
    return [choices[at : at + OPTIONS] for at in range(0, len(choices), OPTIONS)]


def _page_in_force(choices: Sequence[Button]) -> Sequence[Button]:
    """Of an earlier step the menu that holds what was chosen: it has one row."""
    pages = _pages(choices)
    return next((page for page in pages if any(button.selected for button in page)), pages[0])


def _row(components: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"type": _ROW, "components": list(components)}


def _button(token: str, button: Button) -> dict[str, Any]:
    return {
        "type": _BUTTON,
        "style": _PRIMARY if button.selected else _SECONDARY,
        "label": fitted(button.label, _BUTTON_LABEL) or str(button.n),
        "custom_id": f"{PREFIX}:{token}:{_number(button)}"[:_ID],
    }


def _number(button: Button) -> str:
    """A press as its id names it, with the question that is put before it counts."""
    return f"{button.n}{_QUESTION}{fitted(button.asks, _TITLE)}" if button.asks else str(button.n)


def _select(token: str, page: Sequence[Button], number: int, title: str) -> dict[str, Any]:
    """One menu. Discord refuses two components of one name, so the second menu and later ones carry their number.

    Only a choice of an earlier step is shown as chosen: such a one cannot be chosen again, Discord tells nobody.
    """
    options = [_option(button) for button in page]
    if (
        _is_earlier(page)
        and (chosen := next((n for n, button in enumerate(page) if button.selected), None)) is not None
    ):
        options[chosen]["default"] = True
    return {
        "type": _SELECT,
        "custom_id": f"{PREFIX}:{token}" if number == 0 else f"{PREFIX}:{token}:menu{number + 1}",
        "placeholder": title,
        "min_values": 1,
        "max_values": 1,
        "options": options,
    }


def _title(page: Sequence[Button], lists: Sequence[Sequence[Button]]) -> str:
    """What an unused menu says: what is chosen in it, and where a list needs several menus, which part of it."""
    name = fitted(page[0].group, _PLACEHOLDER - 20)
    title = "Choose" if name in ("", _UNNAMED) else name[0].upper() + name[1:]
    whole = next(choices for choices in lists if choices[0].group == page[0].group)
    return title if len(page) == len(whole) else f"{title} ({page[0].n} to {page[-1].n})"


def _option(button: Button) -> dict[str, Any]:
    """A choice, with its state as a dot and what more is known of it below."""
    option: dict[str, Any] = {"label": fitted(button.label, _LABEL) or str(button.n), "value": _number(button)}
    now = button.selected and not button.earlier
    if detail := fitted(" · ".join(filter(None, ("now" if now else "", button.detail))), _DETAIL):
        option["description"] = detail
    if button.tone in DOTS:
        option["emoji"] = {"name": DOTS[button.tone]}
    return option
