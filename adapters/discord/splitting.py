"""Cut a long answer into messages: each within the limit, none blank, no code block left open.

Discord counts characters and takes a run of three or more backticks as the edge of a code block wherever it stands. A block that
is cut is closed in one message and opened again, with its language, in the next.
"""

import re

LIMIT = 2000
_EDGE = re.compile(r"`{3,}")
_LANGUAGE = re.compile(r"[A-Za-z0-9_+.#-]{1,20}(?=\n|$)")
_CLOSE = "\n```"


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
        piece, rest = rest[:cut].rstrip(), _next(rest[cut:])
        opened, fence = fence, fence_after(piece, fence)
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


def _cut(rest: str, room: int, fence: str) -> int:
    """Where to end the part that begins here, 1 to `room`."""
    window = rest[:room]
    paragraph = window.rfind("\n\n")
    if paragraph >= room // 2 and not fence_after(window[:paragraph], fence):
        return paragraph
    cut = next((at for mark in ("\n", " ") if (at := window.rfind(mark)) >= room // 2), room)
    if not fence:
        # An opening line with nothing below it would show as an empty block.
        line = rest.rfind("\n", 0, cut) + 1
        if 0 < line < cut and fence_after(rest[:cut], "") and not fence_after(rest[:line], ""):
            return line
    return _whole_marks(rest, cut)


def _whole_marks(rest: str, cut: int) -> int:
    """Step back out of a run of backticks and from behind a backslash, unless nothing would be left."""
    start = cut
    if start < len(rest) and rest[start] == "`":
        while start > 0 and rest[start - 1] == "`":
            start -= 1
    if start > 0 and rest[start - 1] == "\\" and (start < 2 or rest[start - 2] != "\\"):
        start -= 1
    return start or cut
