"""A reply's blocks as formatted text: titles and what a fact is about in bold, ids as code, a coloured dot for how it stands."""

from collections.abc import Sequence

from adapters.telegram.marks import code_in_facts, emphasised, is_named
from adapters.telegram.page import Page
from adapters.telegram.sendable import sendable
from adapters.telegram.splitting import Piece, split
from core.messages import Block, Row, Tone

DOTS = {Tone.GOOD: "🟢 ", Tone.WAITING: "🟡 ", Tone.BAD: "🔴 "}


def card(blocks: Sequence[Block]) -> tuple[Piece, ...]:
    """The messages that show the blocks: a line for each fact, cut between facts."""
    page = Page()
    for block in blocks:
        if page.text:
            page.add("\n\n")
        title = sendable(block.title)
        page.add(title, emphasised(title))
        for at, row in enumerate(block.rows):
            page.add("\n" if at or title else "")
            _add_row(page, row)
    return split(page.text, page.entities)


def _add_row(page: Page, row: Row) -> None:
    head, text = sendable(row.head), sendable(row.text)
    page.add(f"{row.number}. " if row.number else "")
    page.add(DOTS.get(row.tone, ""))
    page.add(head, emphasised(head))
    if head and text:
        page.add(" · " if is_named(head) else " " if head.endswith(":") else ": ")
    page.add(text, code_in_facts(text))
