"""Replies as Telegram shows them: the model's Markdown, blocks and our own words, all with formats given as places and never as
marks in the text, so that nothing that somebody wrote can become one."""

import logging

from telegramify_markdown import RenderConfig, convert

from adapters.telegram.card import card
from adapters.telegram.literal import literal, may_link
from adapters.telegram.marks import code_over_names, small
from adapters.telegram.page import Page
from adapters.telegram.sendable import sendable
from adapters.telegram.splitting import LIMIT, MOST_ENTITIES, Entity, Piece, newest, split
from core.messages import Reply, ReplyKind

_log = logging.getLogger(__name__)
_SHOWN = {"bold", "italic", "underline", "strikethrough", "spoiler", "code", "pre", "text_link"}
_SHOWN |= {"blockquote", "expandable_blockquote"}
_FOOTER_LIMIT = 300


def render(reply: Reply) -> tuple[Piece, ...]:
    """The messages that show a reply, in order. Empty if there is nothing to show."""
    if reply.kind is ReplyKind.TEXT:
        return _with_footer(markdown(reply.text), reply.footer)
    # A question is told again by the message that answers it, so it is sent as it is known to core.
    if reply.blocks and not reply.prompt:
        return _with_footer(card(reply.blocks), reply.footer)
    text = sendable(reply.text)
    return _with_footer(split(text, code_over_names(text)), reply.footer)


def markdown(text: str) -> tuple[Piece, ...]:
    """A model's Markdown, finished or not, in as many messages as it takes."""
    return split(*_converted(text))


def growing(text: str) -> Piece | None:
    """The end of a model's Markdown that is being written, as much as one message shows; None if there is nothing to show."""
    return newest(*_converted(text))


def _converted(text: str) -> tuple[str, list[Entity]]:
    """What Markdown shows, and its formats. What cannot be formatted is shown as it was written."""
    text = sendable(text)
    try:
        shown, found = convert(literal(text), config=_LOOK)
    except Exception:
        # The converter is a parser of foreign text; whatever it stumbles over, the words themselves must get through.
        _log.warning("An answer's Markdown could not be read; it is shown as plain text.", exc_info=True)
        return text, []
    if not shown.strip():
        return text, []
    return shown, [
        Entity(entity.type, entity.offset, entity.length, entity.url, entity.language or None)
        for entity in found
        if entity.type in _SHOWN and entity.length > 0 and (entity.url is None or may_link(entity.url))
    ]


def _with_footer(pieces: tuple[Piece, ...], footer: str) -> tuple[Piece, ...]:
    """The messages of an answer with a small line under the last one. What it leaves no room for moves to one more message."""
    line = " ".join(sendable(footer).split())[:_FOOTER_LIMIT]
    if not line or not pieces:
        return pieces
    below = Page()
    below.add("\n\n")
    below.add(line, small(line))
    *before, last = pieces
    *more, last = split(last.text, last.entities, LIMIT - below.units, MOST_ENTITIES - len(below.entities))
    page = Page()
    page.add(last.text, last.entities)
    page.add(below.text, below.entities)
    return (*before, *more, Piece(page.text, tuple(page.entities)))


def _look() -> RenderConfig:
    """Our look: headings are bold and carry no pictures, boxes of a list of tasks are empty or ticked."""
    look = RenderConfig.isolated()
    for level in range(1, 7):
        setattr(look.markdown_symbol, f"heading_level_{level}", "")
    look.markdown_symbol.image = ""
    look.markdown_symbol.link = ""
    look.markdown_symbol.unordered_list_item = "•"
    look.markdown_symbol.task_uncompleted = "☐"
    look.markdown_symbol.task_completed = "☑"
    return look


_LOOK = _look()
