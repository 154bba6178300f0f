"""Chats as they look on a phone and on a screen: what a person wrote, what the bot showed, what was pressed next."""

from collections.abc import Sequence
from dataclasses import dataclass

from docs.cards.canvas import Canvas, Line, Run, width_of, wrap

WIDTH = 396.0
GAP = 20.0
_SIZE, _SMALL, _STEP, _PAD = 13.0, 12.0, 18.5, 12.0


@dataclass(frozen=True)
class Control:
    """A button, or a menu with what it shows closed. `options`: (label, second line, is chosen) of an open menu."""

    label: str
    strong: bool = False
    menu: bool = False
    options: tuple[tuple[str, str, bool], ...] = ()


@dataclass(frozen=True)
class Panel:
    """One moment of a chat. `pressed` is the label of what is pressed next."""

    caption: str
    said: str
    shown: tuple[Line, ...]
    controls: tuple[tuple[Control, ...], ...] = ()
    pressed: str = ""
    private: bool = False


@dataclass(frozen=True)
class Look:
    """Colours and shapes of a platform."""

    name: str
    page: str
    sheet: str
    bubble: str
    own: str
    text: str
    dim: str
    button: str
    button_text: str
    strong: str
    mark: str
    bubbles: bool


TELEGRAM = Look(
    "Telegram", "#ffffff", "#d9e4dd", "#ffffff", "#e4fbd3", "#1c2733", "#6b7a87", "#f4f8f6", "#2a6fa8", "#f4f8f6", "#2a9d3f",
    bubbles=True,
)  # fmt: skip
DISCORD = Look(
    "Discord", "#ffffff", "#fbfbfc", "#fbfbfc", "#fbfbfc", "#2b2d31", "#6d6f78", "#e3e5e8", "#2b2d31", "#5865f2", "#5865f2",
    bubbles=False,
)  # fmt: skip


def picture(panels: Sequence[Panel], look: Look, title: str) -> str:
    """Panels two in a row, in the order of reading, as SVG."""
    drawn = [_panel(panel, look) for panel in panels]
    columns = min(2, len(drawn))
    canvas = Canvas()
    top = GAP
    for at in range(0, len(drawn), columns):
        row = drawn[at : at + columns]
        height = max(height for _, height in row)
        for column, (part, _) in enumerate(row):
            x = GAP + column * (WIDTH + GAP)
            canvas.box(x, top, WIDTH, height, look.sheet, line="#c9d2d6", radius=12)
            canvas.put(part, x, top)
        top += height + GAP
    return canvas.svg(GAP + columns * (WIDTH + GAP), top, title, look.page)


def _panel(panel: Panel, look: Look) -> tuple[Canvas, float]:
    canvas = Canvas()
    canvas.line(_PAD, 22, (Run(panel.caption, bold=True),), 12, look.dim, dim=look.dim)
    y = 34.0
    if panel.said:
        y = _said(canvas, panel.said, y, look)
    y = _shown(canvas, panel, y, look)
    for row in panel.controls:
        y = _controls(canvas, row, y, panel.pressed, look)
    return canvas, y + _PAD


def _said(canvas: Canvas, text: str, y: float, look: Look) -> float:
    if not look.bubbles:
        return _author(canvas, "ada", "#b46a3c", y, look, (Run(text),))
    (*lines,) = wrap([(Run(text),)], WIDTH * 0.7, _SIZE)
    width = max(sum(width_of(run, _SIZE) for run in line) for line in lines) + 2 * _PAD
    height = len(lines) * _STEP + 12
    canvas.box(WIDTH - width - _PAD, y, width, height, look.own, radius=12)
    for n, line in enumerate(lines):
        canvas.line(WIDTH - width, y + 19 + n * _STEP, line, _SIZE, look.text, dim=look.dim)
    return y + height + 8


def _author(canvas: Canvas, name: str, colour: str, y: float, look: Look, text: Line = ()) -> float:
    canvas.disc(28, y + 17, 15, colour)
    canvas.line(28, y + 22, (Run(name[0].upper(), bold=True),), 13, "#ffffff", dim=look.dim, anchor="middle")
    canvas.line(52, y + 13, (Run(name, bold=True),), _SIZE, look.text, dim=look.dim)
    if text:
        canvas.line(52, y + 13 + _STEP, text, _SIZE, look.text, dim=look.dim)
        return y + 44
    return y + 18


def _shown(canvas: Canvas, panel: Panel, y: float, look: Look) -> float:
    left = 2 * _PAD if look.bubbles else 52.0
    lines = wrap(panel.shown, WIDTH - left - 1.6 * _PAD, _SIZE)
    height = len(lines) * _STEP + 14
    if look.bubbles:
        canvas.box(_PAD, y, WIDTH - 2 * _PAD, height, look.bubble, radius=12)
        y += 2
    else:
        y = _author(canvas, "RemoteClaw", "#c9473b", y, look) - 2
    for n, line in enumerate(lines):
        if any(run.block for run in line):
            canvas.box(left - 4, y + 5 + n * _STEP, WIDTH - left - _PAD, _STEP, "#eef1f3", radius=0)
        canvas.line(left, y + 18 + n * _STEP, line, _SIZE, look.text, dim=look.dim)
    y += len(lines) * _STEP + 16
    if panel.private:
        canvas.line(left, y + 12, (Run("Only you can see this"),), 11, look.dim, dim=look.dim)
        y += 22
    return y


def _controls(canvas: Canvas, row: Sequence[Control], y: float, pressed: str, look: Look) -> float:
    left = _PAD if look.bubbles else 52.0
    room = WIDTH - left - _PAD
    if row[0].menu:
        return _menu(canvas, row[0], left, y, room, pressed, look)
    step = 31.0
    if look.bubbles:
        wide = [(room - 4 * (len(row) - 1)) / len(row)] * len(row)
    else:
        wide = [width_of(Run(control.label, bold=True), 12) + 24 for control in row]
    x = left
    for control, width in zip(row, wide, strict=True):
        if x > left and x + width > left + room + 1:
            x, y = left, y + step
        fill = look.strong if control.strong else look.button
        if control.label == pressed:
            canvas.box(x - 2, y - 2, width + 4, step, look.mark, radius=10)
        canvas.box(x, y, width, step - 4, fill, radius=8)
        colour = "#ffffff" if control.strong and not look.bubbles else look.button_text
        label = _fitted(control.label, width - 10, bold=True)
        canvas.line(x + width / 2, y + 18, (Run(label, bold=True),), 12, colour, dim=look.dim, anchor="middle")
        x += width + (4 if look.bubbles else 8)
    return y + step


def _menu(canvas: Canvas, control: Control, x: float, y: float, room: float, pressed: str, look: Look) -> float:
    canvas.box(x, y, room, 30, "#ffffff", line="#c4c9ce", radius=6)
    label = _fitted(control.label, room - 50)
    canvas.line(x + 10, y + 20, (Run(label, dim=not control.strong),), 12.5, look.text, dim=look.dim)
    canvas.line(x + room - 18, y + 20, (Run("▾"),), 12, look.dim, dim=look.dim)
    y += 33
    if not control.options:
        return y + 3
    heights = [38.0 if detail else 24.0 for _, detail, _ in control.options]
    canvas.box(x, y, room, sum(heights) + 8, "#ffffff", line="#c4c9ce", radius=6)
    y += 4
    for (name, detail, chosen), height in zip(control.options, heights, strict=True):
        if pressed and name.endswith(pressed):
            canvas.box(x + 3, y, room - 6, height, "#eceefe", line=look.mark, radius=5)
        mark = (Run("  ✓"),) if chosen else ()
        canvas.line(x + 10, y + 16, (Run(_fitted(name, room - 30)), *mark), 12.5, look.text, dim=look.dim)
        if detail:
            canvas.line(x + 10, y + 31, (Run(_fitted(detail, room - 30), dim=True),), 11, look.text, dim=look.dim)
        y += height
    return y + 8


def _fitted(label: str, room: float, *, bold: bool = False) -> str:
    """The label as far as there is room for it; what is lost stands in the text, or in the menu when it is open."""
    if width_of(Run(label, bold=bold), _SMALL) <= room:
        return label
    while label and width_of(Run(f"{label}…", bold=bold), _SMALL) > room:
        label = label[:-1]
    return f"{label.rstrip()}…"
