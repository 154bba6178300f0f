"""What was said in a session, as a provider needs it."""

from dataclasses import dataclass, field
from enum import StrEnum

PICTURE_CHARACTERS = 4_800
"""What a picture counts for: about 1,600 tokens at the vendors, as characters of text."""


class Role(StrEnum):
    """Who said it."""

    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that somebody sent. `media_type` as in `image/png`."""

    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation. Pictures are looked at together with its text."""

    role: Role
    text: str
    images: tuple[Image, ...] = ()
    source: str = ""
    """Of a question: what its platform calls the message that it came from, with who wrote it. Empty: it came from none that
    could be edited or deleted."""


def without(messages: tuple[Message, ...], source: str) -> tuple[Message, ...]:
    """The conversation without the question that came from `source`, and without its answer."""
    kept: list[Message] = []
    dropping = False
    for message in messages:
        if message.role is Role.USER:
            dropping = source != "" and message.source == source
        if not dropping:
            kept.append(message)
    return tuple(kept)


def trim(messages: tuple[Message, ...], budget: int) -> tuple[Message, ...]:
    """The newest messages whose characters fit the budget, beginning with one of the user. The last one always stays."""
    kept: list[Message] = []
    used = 0
    for message in reversed(messages):
        used += len(message.text) + PICTURE_CHARACTERS * len(message.images)
        if kept and used > budget:
            break
        kept.append(message)
    while len(kept) > 1 and kept[-1].role is not Role.USER:
        kept.pop()
    return tuple(reversed(kept))
