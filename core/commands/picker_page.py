"""One step of the picker as a reply: facts, lists of numbered choices, and the buttons beside them.

The same words go out twice: as plain text, which is complete, and as blocks and buttons. Whatever was written into a
configuration or a store is brought into one line first, and profiles that the sender may not see are not named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from core.commands.picker_choices import Choices
from core.messages import Block, Button, Reply, ReplyKind, Row, Tone
from core.resolution import words
from core.resolution.labels import one_line, shorten
from core.resolution.resolver import NextReason
from core.resolution.view import model_view, pin_view
from core.screening import Screen

T = TypeVar("T")

MOST_EARLIER = 25
"""Choices of an earlier step that are given along: what one menu holds."""
ACTION = "action"
_HINT = "Choose with a button, with /model <number> or with /model <model>@<profile>. Details: /model status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A choice that has no number yet. `command` is what its number does, `press` the step that a press leads to; `line` is what a
    list says where that is not the label. `data` describes a model or a credential."""

    label: str
    command: str
    line: str = ""
    press: str = ""
    selected: bool = False
    asks: str = ""
    detail: str = ""
    tone: Tone = Tone.PLAIN
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One list of choices."""

    name: str
    title: str
    options: Sequence[Option]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A step as it is to be shown. `note` is what the sender must know first, with its `code`; `earlier` are the lists of the steps
    before it."""

    title: str
    rows: Sequence[Row]
    groups: Sequence[Group]
    actions: Sequence[Option]
    earlier: Sequence[Group] = ()
    page: int = 1
    pages: int = 1
    note: str = ""
    code: str | None = None


def window(options: Sequence[Option], most: int = MOST_EARLIER) -> Sequence[Option]:
    """At most so many of them, around the selected one."""
    return around(options, next((n for n, option in enumerate(options) if option.selected), 0), most)


def around(items: Sequence[T], at: int, most: int = MOST_EARLIER) -> Sequence[T]:
    """At most so many of them, around one."""
    start = max(0, min(at - most // 2, len(items) - most))
    return items[start : start + most]


def page_reply(choices: Choices, page: Page) -> Reply:
    """The step as a reply. Numbers go through its choices, its actions, and the choices of earlier steps, in this order."""
    lists = [(group.name, group.options, False) for group in page.groups]
    lists += [(ACTION, page.actions, False), *((group.name, window(group.options), True) for group in page.earlier)]
    buttons: list[Button] = []
    data: list[dict[str, Any]] = []
    for name, options, earlier in lists:
        for option in options:
            n = len(buttons) + 1
            buttons.append(_button(n, name, option, earlier))
            if option.data is not None and not earlier:
                data.append({"n": n, **option.data})
    screen = screen_of(choices)
    note = [Row("", page.note, Tone.BAD)] if page.note else []
    facts = [Row(row.head, one_line(screen.text(row.text)), row.tone) for row in (*note, *page.rows)]
    title = one_line(page.title)
    return Reply(
        kind=ReplyKind.PICKER,
        code=page.code,
        text="\n".join(_lines(page, title, facts)),
        data={"current": current_data(choices), "choices": data, "page": page.page, "pages": page.pages},
        buttons=tuple(buttons),
        blocks=(Block(title, tuple(facts)),),
    )


def screen_of(choices: Choices) -> Screen:
    """Takes the names of hidden profiles out. It comes before anything is shortened: half a name would stay."""
    profiles = choices.snapshot.credentials.profiles.values()
    return Screen(lambda text: text, (profile.id for profile in profiles if not choices.may_see(profile)))


def standing_rows(choices: Choices) -> list[Row]:
    """Where the session stands: model and source, credential and mode, next and why, and for how long."""
    snapshot, resolution = choices.snapshot, choices.resolution
    selected, now = resolution.selected, snapshot.now
    model = f"{words.model_name(snapshot, selected.ref)} · {selected.source}{words.ending(selected.choice, now)}"
    rows = [Row("Model", model)]
    if selected.dropped is not None:
        gone = f"{selected.dropped} was chosen here but can no longer be used; the default serves instead."
        rows.append(Row("", gone, Tone.BAD))
    if snapshot.is_locked:
        rows.append(Row("", "The configuration fixes the model of this chat (session.locked).", Tone.WAITING))
    pinned = resolution.pinned
    credential = "automatic" if pinned is None else f"{pinned.profile} · {words.pin_words(pinned, now)}"
    return [
        *rows,
        Row("Credential", credential),
        Row("Next", words.next_words(snapshot, resolution), next_tone(choices)),
    ]


def next_tone(choices: Choices) -> Tone:
    """Whether the next message will be served, and as it was asked for."""
    upcoming = choices.resolution.next
    if upcoming.profile is None:
        return Tone.BAD
    return Tone.WAITING if upcoming.reason is NextReason.PINNED_UNAVAILABLE else Tone.GOOD


def current_data(choices: Choices) -> dict[str, Any]:
    """`picker.data.current` of interfaces.md."""
    upcoming = choices.resolution.next
    return {
        **model_view(choices.snapshot, choices.resolution),
        "profile": upcoming.profile,
        "reason": upcoming.reason.value,
        "pin": pin_view(choices.resolution.pinned),
    }


def _button(n: int, group: str, option: Option, earlier: bool) -> Button:
    return Button(
        n=n,
        label=shorten(option.label),
        command=option.command,
        group=group,
        selected=option.selected,
        press=option.press,
        asks=option.asks,
        earlier=earlier,
        detail=shorten(option.detail),
        tone=option.tone,
    )


def _lines(page: Page, title: str, facts: Sequence[Row]) -> list[str]:
    lines = [title, *(f"{fact.head}: {fact.text}" if fact.head else fact.text for fact in facts)]
    n = 0
    for group in page.groups:
        lines += ["", f"{one_line(group.title)}:"]
        for option in group.options:
            n += 1
            lines.append(f"{n:>3}. {shorten(option.line or option.label)}{' · now' if option.selected else ''}")
    return [*lines, "", _HINT]
