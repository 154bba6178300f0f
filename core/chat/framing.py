"""What stands around a question for the model: above it what the message replies to, before it who speaks in a shared chat."""

from collections.abc import Sequence

from core.chat.names import SHARED, clean_name, source_of, speaker
from core.messages import Inbound, Quoted
from core.sessions.history import Message, Role

LONGEST_QUOTE = 1_000
_LONGEST_FOOTER = 120
"""Letters that a platform's message may have after the answer."""


def framed(text: str, inbound: Inbound, history: Sequence[Message]) -> str:
    """The question as the model reads it after this history. That several people write is told once."""
    quote = quote_block(inbound.quoted, history)
    if inbound.place.direct:
        return "\n\n".join(filter(None, (quote, text)))
    told = any(message.text.startswith(SHARED) for message in history)
    name = speaker(inbound.sender, source_of(inbound.sender, inbound.message), history)
    return "\n\n".join(filter(None, ("" if told else SHARED, quote, f"{name}: {text}".rstrip())))


def quote_block(quoted: Quoted | None, history: Sequence[Message]) -> str:
    """Lines that begin with `> `, the first with the author; empty where nothing is to be told. The bot's last answer is before the
    model's eyes anyway."""
    if quoted is None or not quoted.text.strip() or (quoted.own and _is_last_answer(quoted.text, history)):
        return ""
    text = quoted.text.strip()
    if len(text) > LONGEST_QUOTE:
        text = text[: LONGEST_QUOTE - 1] + "…"
    author = "You" if quoted.own else clean_name(quoted.author)
    first, *rest = text.splitlines()
    return "\n".join([f"> {author}: {first}", *(f"> {line}" for line in rest)])


def _is_last_answer(text: str, history: Sequence[Message]) -> bool:
    """Whether this is the newest answer as the platform has shown it: without the marks of its Markdown, perhaps with a footer."""
    newest = next((message.text for message in reversed(history) if message.role is Role.ASSISTANT), "")
    shown, said = _letters(text), _letters(newest)
    return said != "" and shown.startswith(said) and len(shown) - len(said) <= _LONGEST_FOOTER


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
