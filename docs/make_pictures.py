"""`python docs/make_pictures.py` draws docs/pictures/*.svg anew: real conversations with the demo, as its terminal shows them.

The gateway, the store, the demo's provider and the terminal's display are the real ones. Only what would differ from run to
run is held still: the clock, the fingerprints of the demo's random keys, the provider's port and the name of the person.
"""

import asyncio
import io
import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from adapters.terminal.conversation import Conversation  # noqa: E402
from adapters.terminal.inbound import Speaker, local_sender, session_of  # noqa: E402
from adapters.terminal.screen import ScreenDisplay  # noqa: E402
from bot.app import build_app  # noqa: E402
from bot.config import load_settings  # noqa: E402
from bot.demo.setup import demo_environment  # noqa: E402
from bot.paths import Paths  # noqa: E402
from core.messages import Event, Reply  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
WIDTH = 100
CONVERSATIONS: Mapping[str, tuple[str, Sequence[str]]] = {
    "session.svg": (
        "remoteclaw demo",
        ("/model big@work", "What can you do?", "/model status"),
    ),
    "rotation.svg": (
        "remoteclaw demo: the fourth question meets a rate limit",
        ("one", "two", "three", "four", "/model why"),
    ),
    "pin.svg": (
        "remoteclaw demo: a pinned credential is out",
        ("/model @work", "one", "two", "three", "four", "1"),
    ),
}
_QUIET = {"rotation.svg": 3, "pin.svg": 4}
"""How many of a conversation's first messages are said without being drawn."""
_PORT = re.compile(r"127\.0\.0\.1:\d+")
_FINGERPRINT = re.compile(r"#[0-9a-f]{8}\b")
_DRAWN_FINGERPRINTS = ("#5f3b8dc5", "#0e91c7aa", "#b24d60f3")
_FONTS = re.compile(r"@font-face \{\{.*?\}\}\n?", re.DOTALL)


class StandingClock:
    """It is always noon; waiting takes its time."""

    def now(self) -> datetime:
        return datetime(2026, 5, 4, 12, 0, tzinfo=UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Replies:
    """A display that leaves out what moves: a picture shows every reply as it stands in the end."""

    def __init__(self, screen: ScreenDisplay) -> None:
        self._screen = screen

    def show(self, event: Event) -> None:
        if isinstance(event, Reply):
            self._screen.show(event)

    def end(self, interrupted: bool = False) -> None:
        self._screen.end(interrupted)


async def converse(messages: Sequence[str], quiet: int) -> str:
    """Hold a conversation with the demo; returns what the terminal shows of it, colours included."""
    out = io.StringIO()
    async with demo_environment() as environ:
        paths = Paths.of(environ)
        settings = load_settings(paths.config, environ)
        sender = local_sender("ann")
        async with build_app(
            settings, paths, environ=environ, extra_owner=sender.key, clock=StandingClock(), platforms=()
        ) as app:
            session = session_of(None, agent=None, sender=sender, dm_scope=app.rules.dm_scope)
            speaker = Speaker(sender=sender, session=session)
            screen = ScreenDisplay(out)
            conversation = Conversation(app.gateway, speaker, Replies(screen))
            for number, message in enumerate(messages):
                if number == quiet:
                    out.seek(0)
                    out.truncate()
                out.write(f"\x1b[1;32m>\x1b[0m \x1b[1m{message}\x1b[0m\n")
                await conversation.say(f"/model {message}" if message.isdecimal() else message)
    shown = _PORT.sub("127.0.0.1:9000", out.getvalue()).rstrip()
    for fingerprint, drawn in zip(dict.fromkeys(_FINGERPRINT.findall(shown)), _DRAWN_FINGERPRINTS, strict=False):
        shown = shown.replace(fingerprint, drawn)
    return shown


def draw(shown: str, title: str, name: str) -> str:
    """The terminal as SVG. The fonts are the viewer's own: a picture must not fetch anything."""
    console = Console(width=WIDTH, record=True, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"{shown}\n"))
    fontless = _FONTS.sub("", CONSOLE_SVG_FORMAT)
    return console.export_svg(title=title, theme=DIMMED_MONOKAI, code_format=fontless, unique_id=name)


def main() -> None:
    """Draw every picture."""
    os.environ |= {"COLUMNS": str(WIDTH), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    PICTURES.mkdir(exist_ok=True)
    for name, (title, messages) in CONVERSATIONS.items():
        shown = asyncio.run(converse(messages, _QUIET.get(name, 0)))
        (PICTURES / name).write_text(draw(shown, title, name.removesuffix(".svg")))
        sys.stdout.write(f"docs/pictures/{name}\n")


if __name__ == "__main__":
    main()
