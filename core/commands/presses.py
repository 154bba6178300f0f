"""What a number, a pressed button, or the answer to a question refers to: what was shown to this sender in this session."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.commands.errors_told import ANEW
from core.commands.model import no_picker
from core.commands.parse import Invocation
from core.commands.picker_steps import PROMPT
from core.errors import UsedUp, UserError
from core.messages import Inbound, Ingress, Sender
from core.resolution.snapshot import Snapshot
from core.sessions.history import Message
from core.sessions.ports import Shown, ShownStore

NUMBERS_HOLD = timedelta(minutes=10)
"""A number means what the sender still has before their eyes."""
BUTTONS_HOLD = timedelta(days=1)
_HIDDEN = re.compile(r"/(?P<name>[a-z]+)\s*(?P<argument>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pressed:
    """A resolved choice: a command, a kept message, or both (the command first)."""

    token: str
    command: Invocation | None
    message: Message | None


async def find_number(
    store: ShownStore, snapshot: Snapshot, sender: Sender, invocation: Invocation, now: datetime
) -> Pressed | None:
    """What `/model <n>` refers to; None if it is no number, or an alias has that name. Raises number_without_picker."""
    text = invocation.argument.strip()
    if invocation.name != "model" or not re.fullmatch("[0-9]+", text) or text in snapshot.rules.catalog.aliases:
        return None
    shown = await store.last_shown(snapshot.session.key, sender.key)
    if shown is None or shown.prompt or now - shown.at > NUMBERS_HOLD or not _same_catalog(shown, snapshot):
        raise no_picker(text)
    number = int(text[:9])
    if not 1 <= number <= len(shown.commands):
        raise no_picker(text)
    command = shown.commands[number - 1]
    if not command and not shown.card:
        raise no_picker(text)
    return _pressed(shown, command)


async def find_press(store: ShownStore, snapshot: Snapshot, inbound: Inbound, now: datetime) -> Pressed:
    """What a pressed button refers to. It is bound to the sender and the session; a stale one says so, and so does one of choices
    of which one was made already."""
    shown = await store.find_shown(inbound.token)
    if shown is None or shown.session != inbound.session or now - shown.at > BUTTONS_HOLD:
        raise _stale()
    if shown.sender != inbound.sender.key:
        raise UserError(
            "not_authorised", "These buttons belong to somebody else.", "Open your own with /model.", (ANEW,)
        )
    if shown.used and not shown.card:
        raise UsedUp
    number = inbound.number
    if not 1 <= number <= max(len(shown.commands), len(shown.presses)) or not _same_catalog(shown, snapshot):
        raise _stale()
    return _pressed(shown, _at(shown.presses, number) or _at(shown.commands, number))


async def find_prompt(
    store: ShownStore, snapshot: Snapshot, inbound: Inbound, now: datetime, may_choose: bool
) -> Pressed | None:
    """The command that a message completes by replying to the question that was put to its sender last; None if it does not.
    Raises number_without_picker if it replies to a question of the picker that waits for no answer from them: what it says was
    never meant for a model."""
    quoted = inbound.quoted
    if inbound.ingress is not Ingress.MESSAGE or quoted is None or not quoted.own:
        return None
    asked, text = quoted.text.strip(), inbound.text.strip()
    shown = await store.last_shown(snapshot.session.key, inbound.sender.key)
    waits = shown is not None and shown.prompt and shown.commands and now - shown.at <= NUMBERS_HOLD
    if shown is not None and waits and may_choose and text and asked.startswith(shown.prompt.strip()):
        return _pressed(shown, f"{shown.commands[0]} {text}")
    if asked.startswith(PROMPT):
        raise UserError(
            "number_without_picker",
            "The picker's question takes no answer from you now. Nothing was changed, and nothing was passed on.",
            "Open a new picker with /model.",
            (ANEW,),
        )
    return None


def _at(commands: tuple[str, ...], number: int) -> str:
    return commands[number - 1] if number <= len(commands) else ""


def _pressed(shown: Shown, told: str) -> Pressed:
    found = _HIDDEN.fullmatch(told)
    command = Invocation(found["name"], found["argument"]) if found else None
    return Pressed(shown.token, command, shown.message)


def _same_catalog(shown: Shown, snapshot: Snapshot) -> bool:
    return shown.card or shown.catalog == snapshot.rules.catalog.fingerprint()


def _stale() -> UserError:
    return UserError(
        "number_without_picker",
        "This list is out of date. Nothing was changed.",
        "Open a new one with /model.",
        (ANEW,),
    )
