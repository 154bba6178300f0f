"""Cut a long answer into messages: each within the limit, none blank, nothing left open.

Discord counts characters and takes a run of three or more backticks as the edge of a code block wherever it stands. A block that
is cut is closed in one message and opened again, with its language, in the next; so is a spoiler, and a quoted line goes on
quoted. Links, addresses and short marks are not cut where that can be avoided.
"""

import re

LIMIT = 2000
_EDGE = re.compile(r"`{3,}")
_LANGUAGE = re.compile(r"[A-Za-z0-9_+.#-]{1,20}(?=\n|$)")
_CLOSE = "\n```"
_SPOILER = "||"
_QUOTED = re.compile(r"[ \t]*> ")
_WHOLE = re.compile(
    r"\[[^\[\]\n]{1,300}\]\([^()\s]{1,900}\)|<[^<>\s]{1,900}>|https?://[^\s<>)]{1,900}|(?<!`)`[^`\n]{1,300}`(?!`)"
    r"|\|\|[^|]{1,600}\|\||\*\*[^*\n]{1,300}\*\*"
)
"""What should stay in one piece."""
_LONGEST_WHOLE = 1300
_LEAST = 8
"""Characters of a message that ends early for the sake of the line after it."""
_STEP = re.compile(r"\n(?=[^\s])")
"""A line break before a line that is not indented: what follows begins anew."""


def split_text(text: str, limit: int = LIMIT) -> list[str]:
    """The parts in order, cut at a paragraph, else a line, else a blank, else hard. Blank text has no parts.

    `limit` is at least 100: room for an opened and closed code block with something in it.
    """
    parts: list[str] = []
    fence = ""
    rest = text.rstrip()
    while rest.strip():
        head = f"{fence}\n" if fence else ""
        room = limit - len(head)
        if len(rest) + (len(_CLOSE) if fence_after(rest, fence) else 0) <= room:
            cut = len(rest)
        else:
            cut = _cut(rest, room - len(_CLOSE), fence)
        piece, rest = rest[:cut].rstrip(), rest[cut:]
        opened, fence = fence, fence_after(piece, fence)
        if not fence and rest:
            piece, rest = _carried(piece, rest)
        rest = _next(rest)
        if fence and (closing := _EDGE.match(rest.lstrip())):
            # The block ends where the cut fell: closing it here and again in the next message would show an empty one.
            rest, after = rest.lstrip()[closing.end() :].lstrip("\n"), ""
        else:
            after = fence
        if piece.strip():
            parts.append((f"{opened}\n" if opened else "") + piece + (_CLOSE if fence else ""))
        fence = after
    return parts


def fence_after(piece: str, fence: str) -> str:
    """The opening that is in force after `piece`: three backticks with the language, or nothing."""
    for edge in _EDGE.finditer(piece):
        language = _LANGUAGE.match(piece, edge.end())
        fence = "" if fence else "```" + (language[0] if language else "")
    return fence


def _next(rest: str) -> str:
    """What follows a cut: without the line break that was cut at, with the indentation of its first line."""
    stripped = rest.lstrip("\n")
    return stripped if stripped != rest else rest.removeprefix(" ")


def _carried(piece: str, rest: str) -> tuple[str, str]:
    """Both sides of a cut outside of code: an open spoiler is closed and opened again, a line that is cut goes on quoted."""
    prose = _prose(piece)
    if prose.count(_SPOILER) % 2 and _SPOILER in rest:
        # Either it has just been opened, and goes over as a whole, or it is closed here.
        piece = piece.removesuffix(_SPOILER).rstrip() if piece.endswith(_SPOILER) else piece + _SPOILER
        rest = _SPOILER + rest.lstrip()
    line = prose[prose.rfind("\n") + 1 :]
    if not rest.startswith("\n") and _QUOTED.match(line):
        rest = "> " + rest.lstrip(" ")
    return piece, rest


def _prose(piece: str) -> str:
    """The text without its code."""
    return re.sub(r"(`+)(?:(?!\1).)+?\1(?!`)", "", piece, flags=re.DOTALL)


def _cut(rest: str, room: int, fence: str) -> int:
    """Where to end the part that begins here, 1 to `room`."""
    window = rest[:room]
    paragraph = window.rfind("\n\n")
    if paragraph >= room // 2 and not fence_after(window[:paragraph], fence):
        return paragraph
    steps = [] if fence else [at for step in _STEP.finditer(rest, 0, room + 1) if (at := step.start()) >= room // 2]
    cut = steps[-1] if steps else _border(rest, room)
    if not fence:
        # An opening line with nothing below it would show as an empty block.
        line = rest.rfind("\n", 0, cut) + 1
        if 0 < line < cut and fence_after(rest[:cut], "") and not fence_after(rest[:line], ""):
            return line
        if not fence_after(rest[:cut], ""):
            cut = _before_whole(rest, cut, room)
    return _whole_marks(rest, cut, room // 4)


def _border(rest: str, room: int) -> int:
    """The end of a line in the second half; an earlier one, if the line after it fits into a message of its own; else a blank."""
    line = rest.rfind("\n", 0, room)
    if line >= room // 2:
        return line
    end = rest.find("\n", room)
    if line >= _LEAST and (end if end >= 0 else len(rest)) - line <= room:
        return line
    blank = rest.rfind(" ", 0, room)
    return blank if blank >= room // 2 else room


def _before_whole(rest: str, cut: int, room: int) -> int:
    """The cut, or the beginning of the link or mark that it would go through. Not if that leaves little."""
    for whole in _WHOLE.finditer(rest, max(0, cut - _LONGEST_WHOLE), min(len(rest), cut + _LONGEST_WHOLE)):
        if whole.start() < cut < whole.end():
            return whole.start() if whole.start() >= room // 4 else cut
    return cut


def _whole_marks(rest: str, cut: int, least: int) -> int:
    """Step back out of a run of backticks and from behind a backslash, unless less than `least` would be left."""
    start = cut
    if start < len(rest) and rest[start] == "`":
        while start > 0 and rest[start - 1] == "`":
            start -= 1
    if start > 0 and rest[start - 1] == "\\" and (start < 2 or rest[start - 2] != "\\"):
        start -= 1
    return start if start >= max(least, 1) else cut
