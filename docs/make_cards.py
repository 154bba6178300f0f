"""`python docs/make_cards.py` draws docs/pictures/{telegram,discord}-*.svg anew: pickers and cards as the platforms receive them.

The gateway, its stores and both platforms are the real ones. What is drawn is what the platforms' counterparts of the test suite
got over the wire: texts with their formats, buttons and menus.
"""

import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from docs.cards import on_discord, on_telegram  # noqa: E402
from docs.cards.panels import DISCORD, TELEGRAM, picture  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
_TITLES = {
    "picker": "/model: provider, model, credential, done",
    "status": "/model status: everything that decides the next message",
    "strict": "A pinned credential is out, and the message is kept",
}


async def draw() -> dict[str, str]:
    """Every picture by its file name."""
    drawn = {}
    for look, scenes in ((TELEGRAM, on_telegram), (DISCORD, on_discord)):
        for name, panels in (await scenes.draw()).items():
            title = f"{look.name}. {_TITLES[name.partition('-')[2]]}"
            drawn[f"{name}.svg"] = picture(panels, look, title)
    return drawn


def main() -> None:
    """Draw every picture."""
    PICTURES.mkdir(exist_ok=True)
    for name, content in asyncio.run(draw()).items():
        (PICTURES / name).write_text(content)
        sys.stdout.write(f"docs/pictures/{name}\n")


if __name__ == "__main__":
    main()
