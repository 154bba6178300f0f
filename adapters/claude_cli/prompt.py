"""What is given to the program on its standard input: one message of the user, as a line of stream-json.

A conversation that it does not know yet is told in front of the question, for it takes no answers from outside. Texts are
guarded: it would read the file behind an `@path`, and obey a `/command`. An invisible word joiner keeps it from both, and is
taken out of what comes back.
"""

import base64
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence

from core.sessions.history import Image, Message, Role

JOINER = "\u2060"
_MENTION = re.compile(r"(?<![A-Za-z0-9._%+-])@|@(?=[/~.\"'\\])")
"""All but the middle of an address of mail."""
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and signs by their category that show nothing."""
_MARKUP = re.compile(r"<(?=/?(?:conversation|said|system-reminder)\b)", re.IGNORECASE)
_BEFORE = "Here is our conversation so far, oldest first.\n<conversation>\n"
_AFTER = "</conversation>\nIt goes on with the message that follows. Answer that one.\n"
_Block = dict[str, object]


def guarded(text: str) -> str:
    """The text as the program takes it for nothing but words."""
    text = _MENTION.sub(f"@{JOINER}", text)
    begins = next((place for place, sign in enumerate(text) if _is_seen(sign)), 0)
    if text.startswith("/", begins):
        text = f"{text[:begins]}{JOINER}{text[begins:]}"
    return _MARKUP.sub(f"<{JOINER}", text)


def _is_seen(sign: str) -> bool:
    """Whether a text begins here at the latest, whatever is cut off its beginning: blanks, as JavaScript knows them (its `trim`
    takes U+FEFF too), and all that shows nothing by itself."""
    is_mark = unicodedata.category(sign).startswith("M")
    return sign.isprintable() and not sign.isspace() and not is_mark and sign not in _BLANK


def unguarded(text: str) -> str:
    """What came back, without the marks that a model may have copied."""
    return text.replace(JOINER, "")


def prompt_line(messages: Sequence[Message], known: bool) -> bytes:
    """The line for a question: the last message. `known`: the program holds what came before it."""
    *before, question = messages
    blocks = [] if known or not before else list(_history(before))
    blocks += [*map(_picture, question.images), *_words(guarded(question.text))]
    message = {"type": "user", "message": {"role": "user", "content": blocks}}
    return json.dumps(message).encode() + b"\n"


def _history(messages: Sequence[Message]) -> Iterator[_Block]:
    """What was said, with the pictures in their places."""
    told = _BEFORE
    for message in messages:
        who = "user" if message.role is Role.USER else "you"
        told += f'<said by="{who}">\n'
        if message.images:
            yield from _words(told)
            yield from map(_picture, message.images)
            told = ""
        told += f"{guarded(message.text)}\n</said>\n"
    yield from _words(told + _AFTER)


def _words(text: str) -> list[_Block]:
    return [{"type": "text", "text": text}] if text.strip() else []


def _picture(image: Image) -> _Block:
    data = base64.b64encode(image.data).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": data}}
