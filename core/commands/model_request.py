"""The forms of `/model` (product.md 4): text -> ModelRequest. Raises UserError and never replies."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from core.auth.profiles import PinMode
from core.durations import parse_duration
from core.errors import UserError, shown
from core.models.ref import ModelRef
from core.models.selector import Selector, find_directive

USAGE = "Usage: /model [<model>][@<profile>] [for <2h> | once] [strict | prefer], or list, status, auto, default, undo, why."


class Form(StrEnum):
    """What is asked for."""

    PICKER = "picker"
    LIST = "list"
    STATUS = "status"
    WHY = "why"
    AUTO = "auto"
    DEFAULT = "default"
    UNDO = "undo"
    MODE = "mode"
    NUMBER = "number"
    SELECT = "select"


RESERVED = {
    "list": Form.LIST,
    "status": Form.STATUS,
    "why": Form.WHY,
    "auto": Form.AUTO,
    "default": Form.DEFAULT,
    "undo": Form.UNDO,
    "-": Form.UNDO,
    "strict": Form.MODE,
    "prefer": Form.MODE,
}
_CHANGES = (Form.SELECT, Form.AUTO, Form.DEFAULT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One parsed `/model …`. `words` are the free arguments of `list` and `status`; `span` and `once` limit the change.

    `ref` is the model itself where it was chosen from a list: nothing is looked up then. `release`: no credential in particular,
    whatever is pinned.
    """

    form: Form
    selector: Selector | None = None
    number: int = 0
    words: tuple[str, ...] = ()
    span: timedelta | None = None
    once: bool = False
    mode: PinMode | None = None
    ref: ModelRef | None = None
    release: bool = False


def parse_request(argument: str) -> ModelRequest:
    """Parse what follows `/model`. Codes: usage, bad_duration, profile_needs_model."""
    directive = find_directive(f"/model {argument}")
    if directive is None or "\n" in argument.strip():
        raise UserError("usage", "The quotes of that reference do not end, or it has a second line.", USAGE)
    if directive.selector is None:
        if directive.tail:
            raise UserError("usage", f"{shown(directive.tail)} is not a model reference.", USAGE)
        return ModelRequest(form=Form.PICKER)
    selector = directive.selector
    if (
        directive.tail
        and not argument[argument.find(directive.argument or "") + len(directive.argument or "") :][:1].isspace()
    ):
        raise UserError(
            "usage",
            f"{shown(argument.split()[0])} has characters that a reference may not have.",
            'Put the odd part in quotes: /model "…"@profile, /model @"…".',
        )
    words = directive.tail.split()
    word = None if selector.quoted else selector.model.lower()
    if word in RESERVED:
        if selector.profile is not None:
            raise UserError("profile_needs_model", f"@{selector.profile[:60]} needs a model or stands alone.", USAGE)
        return _reserved(RESERVED[word], word, words)
    if word is not None and re.fullmatch("[0-9]+", word) and selector.profile is None:
        if words:
            raise UserError("usage", f"A number takes nothing after it, but {shown(' '.join(words))} follows.", USAGE)
        return ModelRequest(form=Form.NUMBER, number=int(word[:9]), selector=selector)
    return _options(Form.SELECT, selector, words)


def _reserved(form: Form, word: str, words: list[str]) -> ModelRequest:
    if form in (Form.LIST, Form.STATUS):
        return ModelRequest(form=form, words=tuple(words))
    if form is Form.MODE:
        if words:
            raise UserError(
                "usage", f"/model {word} takes nothing after it, but {shown(' '.join(words))} follows.", USAGE
            )
        return ModelRequest(form=form, mode=PinMode(word))
    return _options(form, None, words)


def _options(form: Form, selector: Selector | None, words: list[str]) -> ModelRequest:
    span, once, mode = None, False, None
    rest = [word.lower() for word in words]
    while rest and form in _CHANGES:
        word = rest.pop(0)
        if word == "for" and span is None and not once:
            span = _span(rest)
        elif word == "once" and span is None and not once:
            once = True
        elif word in ("strict", "prefer") and mode is None and form is Form.SELECT:
            mode = PinMode(word)
        else:
            rest = [word, *rest]
            break
    if rest:
        raise UserError("usage", f"{shown(' '.join(rest))} was not understood. Nothing was changed.", USAGE)
    return ModelRequest(form=form, selector=selector, span=span, once=once, mode=mode)


def _span(rest: list[str]) -> timedelta:
    text = rest.pop(0) if rest else ""
    try:
        return parse_duration(text)
    except ValueError:
        raise UserError(
            "bad_duration",
            f"{shown(text)} is not a duration. Nothing was changed."
            if text
            else "`for` needs a duration. Nothing was changed.",
            "Write it as 90s, 45m, 2h, 1h30m or 2d.",
        ) from None
