"""What a user types to choose: `/model <alias | provider/model | model>[@<profileId>]`. The one place that looks for an `@`.

Facts: model-command.md 1.2 (where a directive stands and which characters it takes), 1.3 (which `@` separates), 1.5 (profile
ids of eight digits). The text is only cut here; what the parts mean is decided against the catalogue and the store.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

_RUN = r"[A-Za-z0-9_.:@-]+"
_QUOTED = r'"(?:[^"\\\n]|\\.)*"'
_LISTED_KEY = r"[A-Za-z0-9_.:@-]*@[A-Za-z0-9_.:@-]+#[0-9]+"  # env:ACME_API_KEYS#2, the only ids of ours with a #
_PATH = rf"(?:{_RUN}/)*(?:{_LISTED_KEY}|{_RUN})"
_ARGUMENT = re.compile(rf"(?P<model>{_QUOTED}|{_PATH})(?P<at>@)?(?P<profile>{_QUOTED})?")
_COMMAND = re.compile(r"(?<!\S)/model(?=$|\s|:)", re.IGNORECASE)
_COLON = re.compile(r"[^\S\n]*:?[^\S\n]*")
_DATE = re.compile(r"\d{8}(?=$|@)")
_QUANTISATION = re.compile(r"(?:i?q\d+(?:_[a-z0-9]+)*|\d+bit)(?=$|@)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Selector:
    """A model text and a profile id, either of which may be missing. `quoted` parts are meant to the letter."""

    model: str
    profile: str | None = None
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Directive:
    """A `/model …` or `/<alias>` found in a text.

    `argument` is the reference as typed, None if there is none; `tail` is what follows it on the same line; `rest` is the
    text without the directive (its reference included), `before` what stood in front of it.
    """

    argument: str | None
    selector: Selector | None
    before: str
    tail: str
    rest: str


def find_directive(text: str, aliases: Iterable[str] = ()) -> Directive | None:
    """The first `/model`, else the first `/<alias>`, or None. A `/model` whose quotes do not end is no directive."""
    command = _COMMAND.search(text)
    if command is not None:
        return _read(text, command)
    names = sorted((re.escape(alias) for alias in aliases), key=len, reverse=True)
    if not names:
        return None
    found = re.search(rf"(?<!\S)/(?P<alias>{'|'.join(names)})(?=$|\s|:)", text, re.IGNORECASE)
    if found is None:
        return None
    end = _COLON.match(text, found.end()).end() if text[found.end() : found.end() + 1] == ":" else found.end()  # type: ignore[union-attr]
    return _cut(text, found.start(), end, found["alias"], Selector(found["alias"]))


def _read(text: str, command: re.Match[str]) -> Directive | None:
    colon = _COLON.match(text, command.end())
    start = colon.end() if colon else command.end()
    if text[start : start + 1] == '"' and not re.match(_QUOTED, text[start:]):
        return None
    found = _ARGUMENT.match(text, start)
    if found is None:
        return _cut(text, command.start(), start, None, None)
    model, at, profile = found["model"], found["at"], found["profile"]
    end = found.end()
    if model.startswith('"') and at and not profile:
        bare = re.compile(_RUN).match(text, end)
        profile, end = (bare[0], bare.end()) if bare else (None, found.start("at"))
    elif at and not profile and not model.startswith('"'):
        end = found.end("model")
    elif profile and not at:
        if not model.endswith("@"):
            return None
        model = model[:-1]
    selector = _selector(model, profile)
    return None if selector is None else _cut(text, command.start(), end, text[start:end], selector)


def _selector(model: str, profile: str | None) -> Selector | None:
    quoted = model.startswith('"') or (profile or "").startswith('"')
    if not quoted:
        return split_profile(model)
    try:
        named = json.loads(model) if model.startswith('"') else model
        pinned = json.loads(profile) if profile and profile.startswith('"') else profile
    except ValueError:
        return None
    return Selector(named.strip(), (pinned or "").strip() or None, quoted=True)


def _cut(text: str, start: int, end: int, argument: str | None, selector: Selector | None) -> Directive:
    before, after = text[:start], text[end:]
    if before[-1:].isspace() and after[:1].isspace():
        after = after[1:]
    line = text[end:].split("\n", 1)[0]
    return Directive(argument, selector, before, line.strip(), (before + after).strip())


def split_profile(text: str) -> Selector:
    """Cut `model@profile`. The separator is the first `@` after the last `/` that is not at the start, where what follows is
    neither a date of eight digits nor a quantisation mark; everything behind it is the profile."""
    whole = text.strip()
    at = whole.find("@", whole.rfind("/") + 1)
    while at > 0 and (mark := _DATE.match(whole, at + 1) or _QUANTISATION.match(whole, at + 1)):
        at = whole.find("@", mark.end())
    model, profile = whole[:at].strip(), whole[at + 1 :].strip()
    if at <= 0 or not model or not profile:
        return Selector(whole)
    return Selector(model, profile)


def eight_digit_profile(selector: Selector) -> Selector | None:
    """The other reading of a text that ends in `@` and eight digits: a profile id. Right only if such a profile exists."""
    model, at, digits = selector.model.rpartition("@")
    if selector.profile is not None or selector.quoted or not at or not model or not re.fullmatch(r"\d{8}", digits):
        return None
    return Selector(model, digits)
