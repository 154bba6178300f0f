"""Next steps that can be pasted into a shell. What stands in a store or a database may be any text: it is quoted, and where it
cannot be typed at all there is no command."""

import shlex
from pathlib import Path

from core.errors import shown

_LONGEST = 200
_LONGEST_NAME = 120


def typed(template: str, otherwise: str, **words: object) -> str:
    """The template with each word quoted for a shell; `otherwise` where one of them cannot be typed."""
    texts = {name: str(word) for name, word in words.items()}
    if not all(map(_can_be_typed, texts.values())):
        return otherwise
    return template.format(**{name: shlex.quote(text) for name, text in texts.items()})


def chmod(mode: str, path: Path) -> str:
    """The step that sets a mode, in chmod's words."""
    return typed(f"Run: chmod {mode} {{path}}", f"Set its mode to {mode}.", path=path)


def named(text: str) -> str:
    """A name in a sentence: as it is, but for what would not be printed or would fill a screen."""
    return text if text.isprintable() and len(text) <= _LONGEST_NAME else shown(text, _LONGEST_NAME)


def _can_be_typed(text: str) -> bool:
    return text.isprintable() and len(text) <= _LONGEST and not text.startswith("-")
