"""Buttons of a reply as an inline keyboard. A button carries `<token>:<n>`; what that means is kept on our side."""

import logging
from collections.abc import Iterable, Sequence

from telegram import ForceReply, InlineKeyboardButton, InlineKeyboardMarkup

from adapters.telegram.card import DOTS
from adapters.telegram.sendable import sendable
from core.messages import Button, Reply, Tone

_log = logging.getLogger(__name__)
MOST_BUTTONS = 100
_DATA_LIMIT = 64
_LABEL_LIMIT = 60
_PLACEHOLDER_LIMIT = 64
_ROOM = {3: 12, 2: 20}
"""How many labels of how many characters have room side by side on a phone."""
_PAIRED = "provider"
"""How the lists are called whose choices may stand side by side: mere names, without a state that belongs to them."""

Keys = InlineKeyboardMarkup | ForceReply


def keyboard(reply: Reply) -> tuple[InlineKeyboardMarkup | None, bool]:
    """A row for each choice, then the actions side by side; None without buttons. And whether every choice is on it.

    Choices of an earlier step are left out: the step back leads to them. A button whose data would be over Telegram's 64 bytes
    is left out too, and what is more than 100: with one such button Telegram would refuse them all.
    """
    wanted = [button for button in reply.buttons if not button.earlier]
    fitting = [button for button in wanted if len(_data(reply.token, button).encode()) <= _DATA_LIMIT]
    actions = [button for button in fitting if button.group == "action"][:MOST_BUTTONS]
    choices = [button for button in fitting if button.group != "action"][: MOST_BUTTONS - len(actions)]
    missing = len(wanted) - len(actions) - len(choices)
    if missing:
        _log.error(
            "%d of %d buttons were left out: Telegram takes %d, with %d bytes of data each.",
            missing, len(wanted), MOST_BUTTONS, _DATA_LIMIT,
        )  # fmt: skip
    rows = [*_rows(reply.token, choices), *_beside(reply.token, actions, 3)]
    return (InlineKeyboardMarkup(rows) if rows else None), not missing


def prompt(reply: Reply) -> ForceReply:
    """What makes the client of the person asked open an answer to the message, with the question in the empty field."""
    first = next((line for line in sendable(reply.text).splitlines() if line.strip()), "")
    return ForceReply(selective=True, input_field_placeholder=_cut(first.strip(), _PLACEHOLDER_LIMIT) or None)


def _rows(token: str, choices: Sequence[Button]) -> Iterable[list[InlineKeyboardButton]]:
    """The rows of each list of choices, in their order."""
    for group in dict.fromkeys(button.group for button in choices):
        members = [button for button in choices if button.group == group]
        yield from _beside(token, members, 2 if group.casefold().startswith(_PAIRED) else 1)


def _beside(token: str, buttons: Sequence[Button], most: int) -> Iterable[list[InlineKeyboardButton]]:
    """Rows of as many buttons as have room, and at most so many."""
    at = 0
    while at < len(buttons):
        row = buttons[
            at : at + next((count for count in range(most, 1, -1) if _have_room(buttons[at : at + count])), 1)
        ]
        yield [_key(token, button) for button in row]
        at += len(row)


def _have_room(buttons: Sequence[Button]) -> bool:
    return all(len(button.label) <= _ROOM.get(len(buttons), _LABEL_LIMIT) for button in buttons)


def _key(token: str, button: Button) -> InlineKeyboardButton:
    label = _shortened(sendable(button.label).strip() or str(button.n))
    # What is well needs no sign; what is not is to be seen before it is read.
    dot = "" if button.tone is Tone.GOOD else DOTS.get(button.tone, "")
    return InlineKeyboardButton(f"{'✓ ' if button.selected else ''}{dot}{label}", callback_data=_data(token, button))


def _shortened(label: str) -> str:
    """Cut in the middle: a label begins with what is chosen and ends with how that stands."""
    if len(label) <= _LABEL_LIMIT:
        return label
    half = _LABEL_LIMIT // 2
    return f"{label[:half]}…{label[half + 1 - _LABEL_LIMIT :]}"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _data(token: str, button: Button) -> str:
    return f"{token}:{button.n}"
