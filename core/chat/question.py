"""What a turn asks: the text of a message with what was sent along. Pictures go to models that look at them; text files become
part of the text; for everything else there is a sentence."""

import re
from dataclasses import dataclass, replace

from core.blotting import Redact, blot, nothing_known
from core.errors import UserError
from core.messages import File
from core.models.catalog import ModelEntry
from core.sessions.history import Image, Message, Role

PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
LONGEST_FILE = 200_000
"""Characters of one text file; more would leave no room for an answer."""
_LEFT_OUT = "[a picture that this model cannot see]"


@dataclass(frozen=True, slots=True)
class Question:
    """The message for the model, and a sentence for everything that could not become part of it."""

    message: Message
    problems: tuple[str, ...] = ()


def ask(
    text: str, files: tuple[File, ...], entry: ModelEntry | None, model: str, known: Redact = nothing_known
) -> Question:
    """Join text and files. Raises UserError: `unreadable` if nothing is left to ask, `secret_in_chat` for a file with a key in
    it. `known` takes out what is known to be confidential here."""
    images: list[Image] = []
    parts, problems = [text] if text.strip() else [], list[str]()
    for file in files:
        if file.problem:
            problems.append(file.problem)
        elif file.media_type in PICTURES:
            if takes_pictures(entry):
                images.append(Image(file.media_type, file.data))
            else:
                problems.append(f"{file.name}: {model} takes no pictures.")
        elif (content := _decoded(file.data)) is None:
            problems.append(f"{file.name}: neither a picture nor text ({file.media_type}).")
        elif len(content) > LONGEST_FILE:
            problems.append(f"{file.name}: longer than {LONGEST_FILE:,} characters.")
        elif blot(content, known)[1]:
            raise UserError(
                "secret_in_chat",
                f"{file.name} holds something that looks like a key or a password. Nothing of the message was passed on.",
                "Delete it if you still see it, and replace the key at its provider. Keys are entered on the host, with "
                "`remoteclaw models auth add`.",
            )
        else:
            parts.append(_quoted(file.name, content))
    if files and not parts and not images:
        raise UserError("unreadable", " ".join(problems), "Nothing was sent to the model. See /model for others.")
    return Question(Message(Role.USER, "\n\n".join(parts), tuple(images)), tuple(problems))


def takes_pictures(entry: ModelEntry | None) -> bool:
    """Whether the model looks at pictures. One of which nobody knows is given the benefit of the doubt."""
    return entry is None or not entry.inputs or "image" in entry.inputs


def without_pictures(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The conversation for a model that sees none: each picture becomes a remark."""
    return tuple(
        replace(m, text="\n".join([*([m.text] if m.text else []), *[_LEFT_OUT] * len(m.images)]), images=())
        if m.images
        else m
        for m in messages
    )


def _decoded(data: bytes) -> str | None:
    """The text of a file, or None if it is none."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _quoted(name: str, content: str) -> str:
    """A file as a code block, fenced by more backticks than it holds."""
    longest = max((len(run) for run in re.findall("`+", content)), default=0)
    fence = "`" * max(3, longest + 1)
    label = re.sub(r"[`\s]+", " ", name).strip() or "file"
    return f"{label}:\n{fence}\n{content.rstrip()}\n{fence}"
