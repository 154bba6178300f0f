"""Replies as Telegram shows them: the model's Markdown with entities, everything else as plain text."""

import logging

from telegramify_markdown import RenderConfig, convert

from adapters.telegram.splitting import Entity, Piece, split
from core.messages import Reply, ReplyKind

_log = logging.getLogger(__name__)
_SHOWN = {"bold", "italic", "underline", "strikethrough", "spoiler", "code", "pre", "text_link"}
_SHOWN |= {"blockquote", "expandable_blockquote"}
_SCHEMES = ("http://", "https://", "mailto:")


def render(reply: Reply) -> tuple[Piece, ...]:
    """The messages that show a reply, in order. Empty if there is nothing to show."""
    return markdown(reply.text) if reply.kind is ReplyKind.TEXT else split(_sendable(reply.text))


def markdown(text: str) -> tuple[Piece, ...]:
    """A model's Markdown, finished or not. What cannot be formatted is shown as it was written."""
    text = _sendable(text)
    try:
        shown, found = convert(text, config=_LOOK)
    except Exception:
        # The converter is a parser of foreign text; whatever it stumbles over, the words themselves must get through.
        _log.warning("An answer's Markdown could not be read; it is shown as plain text.", exc_info=True)
        return split(text)
    if not shown.strip():
        return split(text)
    entities = [
        Entity(entity.type, entity.offset, entity.length, entity.url, entity.language or None)
        for entity in found
        if entity.type in _SHOWN and entity.length > 0 and (entity.url is None or entity.url.startswith(_SCHEMES))
    ]
    return split(shown, entities)


def _sendable(text: str) -> str:
    """Without lone surrogates and NULs, which no request can carry."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


def _look() -> RenderConfig:
    """Our look: headings are bold and carry no pictures."""
    look = RenderConfig.isolated()
    for level in range(1, 7):
        setattr(look.markdown_symbol, f"heading_level_{level}", "")
    look.markdown_symbol.image = ""
    look.markdown_symbol.link = ""
    look.markdown_symbol.unordered_list_item = "•"
    return look


_LOOK = _look()
