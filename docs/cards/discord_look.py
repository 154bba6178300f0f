"""A message as Discord's server received it, as lines of text in their looks: the part of its Markdown that our messages use."""

import re

from docs.cards.canvas import Line, Run

_TOKEN = re.compile(
    r"\\(?P<sign>[^0-9A-Za-z\s])|(?P<ticks>`+)(?P<code>.+?)(?P=ticks)|\*\*(?P<bold>(?:\\.|[^\\])+?)\*\*"
    r"|(?<![0-9A-Za-z])_(?P<italic>(?:\\.|[^\\_])+?)_(?![0-9A-Za-z])"
)


def lines_of(content: str) -> list[Line]:
    """The lines of a message's content."""
    lines: list[Line] = []
    in_block = False
    for line in content.split("\n"):
        if line.startswith("```"):
            in_block = not in_block
        elif in_block:
            lines.append((Run(line, block=True),))
        else:
            lines.append(_line(line))
    return lines


def _line(line: str) -> Line:
    if heading := re.match(r"(#{1,3}) ", line):
        return tuple(_runs(line[heading.end() :], bold=True, scale=1.3 - 0.08 * len(heading[1])))
    if line.startswith("-# "):
        return tuple(_runs(line[3:], dim=True, scale=0.88))
    if line.startswith("> "):
        return (Run("▎ ", dim=True), *_runs(line[2:]))
    return tuple(_runs(line))


def _runs(text: str, **look: object) -> list[Run]:
    runs: list[Run] = []
    at = 0
    for token in _TOKEN.finditer(text):
        runs.append(Run(text[at : token.start()], **look))  # type: ignore[arg-type]
        at = token.end()
        if token["sign"]:
            runs.append(Run(token["sign"], **look))  # type: ignore[arg-type]
        elif token["code"]:
            runs.append(Run(token["code"], **{**look, "code": True}))  # type: ignore[arg-type]
        elif token["bold"]:
            runs += _runs(token["bold"], **{**look, "bold": True})
        else:
            runs += _runs(token["italic"], **{**look, "italic": True})
    return [run for run in (*runs, Run(text[at:], **look)) if run.text]  # type: ignore[arg-type]
