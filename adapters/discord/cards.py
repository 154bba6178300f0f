"""Facts as Discord shows them best: titles, bold heads, ids as code, a dot for the state. Split between facts, never within one
that fits into a message."""

from collections.abc import Sequence

from adapters.discord.components import DOTS, fitted
from adapters.discord.plain import one_line, plain_code, plain_text
from adapters.discord.splitting import LIMIT, split_text
from core.messages import Block, Row, Tone

_SMALL = "-# "
_FOOTER = 300


def card_parts(blocks: Sequence[Block], limit: int = LIMIT) -> list[str]:
    """The blocks as messages. A title stays with the first fact below it."""
    parts: list[str] = []
    for piece in (piece for chunk in _chunks(blocks) for piece in split_text(chunk, limit)):
        if parts and len(parts[-1]) + 1 + len(piece) <= limit:
            parts[-1] += f"\n{piece}"
        else:
            parts.append(piece)
    return parts


def with_footer(parts: Sequence[str], footer: str, limit: int = LIMIT) -> list[str]:
    """The messages of an answer with a small line at the end of the last one; where that has no room, it is split once more."""
    line = "\n" + _SMALL + plain_text(fitted(footer, _FOOTER))
    last = split_text(parts[-1], limit - len(line)) if parts else []
    return [*parts[:-1], *last[:-1], (last[-1] if last else "") + line]


def _chunks(blocks: Sequence[Block]) -> list[str]:
    """What belongs together on one page: a fact, the first one of a block with its title."""
    chunks: list[str] = []
    for block in blocks:
        rows = [_fact(row) for row in block.rows]
        if block.title.strip():
            title = f"### {plain_text(one_line(block.title))}"
            rows[:1] = ["\n".join([title, *rows[:1]])]
        chunks += rows
    return chunks


def _fact(row: Row) -> str:
    """One fact on one line. One without a head and without a state is a small remark."""
    text = plain_text(one_line(row.text))
    if not row.head.strip():
        return f"{DOTS[row.tone]} {text}" if row.tone in DOTS else f"{_SMALL}{text}"
    head = plain_code(row.head) if row.number else f"**{plain_text(one_line(row.head))}**"
    place = f"**{row.number}.** " if row.number else ""
    dot = f"{DOTS[row.tone]} " if row.tone is not Tone.PLAIN else ""
    return f"{dot}{place}{head} {text}".rstrip()
