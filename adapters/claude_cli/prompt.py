"""What is given to the program on its standard input: one message of the user, as a line of stream-json.

A conversation that it does not know yet is told in front of the question, for it takes no answers from outside. Texts are
guarded: it would read the file behind an `@path`, and obey a `/command`. An invisible word joiner keeps it from both, and is
taken out of what comes back.
"""

import base64
import json
import re
from collections.abc import Iterator, Sequence

from core.sessions.history import Image, Message, Role

JOINER = "\u2060"
_MENTION = re.compile(r"(?<![A-Za-z0-9._%+-])@|@(?=[/~.\"'\\])")
"""All but the middle of an address of mail."""
_COMMAND = re.compile(r"\A(\s*)/")
_MARKUP = re.compile(r"<(?=/?(?:conversation|said|system-reminder)\b)", re.IGNORECASE)
_BEFORE = "Here is our conversation so far, oldest first.\n<conversation>\n"
_AFTER = "</conversation>\nIt goes on with the message that follows. Answer that one.\n"
_Block = dict[str, object]


def guarded(text: str) -> str:
    """The text as the program takes it for nothing but words."""
    text = _MENTION.sub(f"@{JOINER}", text)
    text = _COMMAND.sub(rf"\1{JOINER}/", text)
    return _MARKUP.sub(f"<{JOINER}", text)


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
