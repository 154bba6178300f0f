"""Buttons of a reply as an inline keyboard. A button carries `<token>:<n>`; what that means is kept on our side."""

import logging

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from core.messages import Button, Reply

_log = logging.getLogger(__name__)
_DATA_LIMIT = 64
_LABEL_LIMIT = 60
_ACTIONS_PER_ROW = 3


def keyboard(reply: Reply) -> InlineKeyboardMarkup | None:
    """A row for each choice, then the actions side by side; None without buttons.

    A button whose data would be over Telegram's 64 bytes is left out: one such button would make Telegram refuse them all.
    """
    fitting = [button for button in reply.buttons if _fits(reply.token, button)]
    rows = [[_key(reply.token, button)] for button in fitting if button.group != "action"]
    actions = [_key(reply.token, button) for button in fitting if button.group == "action"]
    rows += [actions[at : at + _ACTIONS_PER_ROW] for at in range(0, len(actions), _ACTIONS_PER_ROW)]
    return InlineKeyboardMarkup(rows) if rows else None


def _fits(token: str, button: Button) -> bool:
    fits = len(_data(token, button).encode()) <= _DATA_LIMIT
    if not fits:
        _log.error(
            "The button %r was left out: its data is longer than Telegram's %d bytes.", button.label, _DATA_LIMIT
        )
    return fits


def _key(token: str, button: Button) -> InlineKeyboardButton:
    label = _shortened(button.label)
    return InlineKeyboardButton(f"✓ {label}" if button.selected else label, callback_data=_data(token, button))


def _shortened(label: str) -> str:
    """Cut in the middle: a label begins with what is chosen and ends with how that stands."""
    if len(label) <= _LABEL_LIMIT:
        return label
    half = _LABEL_LIMIT // 2
    return f"{label[:half]}…{label[half + 1 - _LABEL_LIMIT :]}"


def _data(token: str, button: Button) -> str:
    return f"{token}:{button.n}"
