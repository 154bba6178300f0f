"""The scenes on Discord, as its counterpart saw them."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from docs.cards.canvas import Line
from docs.cards.discord_look import lines_of
from docs.cards.panels import Control, Panel
from docs.cards.stage import OUT, STEPS, begins, gateway
from tests.fakes.discord_server import DiscordServer, User
from tests.fakes.discord_world import Channel, Interaction, Message

_SELECT, _PRIMARY = 3, 1
_ID = re.compile(r"[0-9]{17,20}")
"""Ids that the counterpart makes anew in every run."""


class Scene:
    """Ada in a channel with the bot. `shown` gives the panel of what she sees then."""

    def __init__(self, server: DiscordServer, ada: User, channel: Channel) -> None:
        self._server, self._ada, self._channel = server, ada, channel
        self._said = ""
        self._message: Message | None = None

    async def slash(self, text: str = "") -> None:
        """Use `/model`, and wait for its answer."""
        used = self._ada.slash(self._channel, "model", text or None)
        self._said = f"/model {text}".strip()
        self._message = await self._server.wait_for(lambda: _last_answer(used))

    async def asks(self, text: str, answer: str) -> None:
        """Write a question to the bot, and wait for what holds these words."""
        before = len(self._channel.messages)
        self._ada.asks(self._channel, text)
        self._said = f"@RemoteClaw {text}"
        bot = self._server.bot
        self._message = await self._server.wait_for(
            lambda: next((m for m in self._channel.messages[before:] if m.author is bot and answer in m.content), None)
        )

    def shown(self, caption: str, pressed: str = "") -> Panel:
        """What the last answer shows now. `pressed`: how that begins which is chosen next; its menu stands open."""
        assert self._message is not None
        message = self._message
        kind, label = _part(message, pressed) if pressed else (0, "")
        rows = tuple(_row(row["components"], label if kind == _SELECT else "") for row in message.components)
        return Panel(caption, self._said, _lines(message.content), rows, label, private=message.ephemeral)

    async def presses(self, words: str) -> None:
        """Choose or press what begins so, and wait for what comes of it."""
        assert self._message is not None
        message = self._message
        before = len(message.history)
        kind, label = _part(message, words)
        (self._ada.selects if kind == _SELECT else self._ada.presses)(message, label)
        await self._server.wait_for(lambda: len(message.history) > before)
        self._said = ""


def _last_answer(used: Interaction) -> Message | None:
    """The answer, once it is there: not the ellipsis that a private one follows."""
    answers = [message for message in used.answers if message.content != "…"]
    return answers[-1] if answers else None


def _lines(content: str) -> tuple[Line, ...]:
    return tuple(lines_of(_ID.sub("2002", content)))


def _part(message: Message, words: str) -> tuple[int, str]:
    """(kind, label) of the last component or option that begins so: the newest step stands last."""
    found: list[tuple[int, str]] = []
    for row in message.components:
        for part in row["components"]:
            labels = [option["label"] for option in part.get("options", ())] or [part.get("label", "")]
            found += [(part["type"], label) for label in labels if begins(words, label)]
    return found[-1]


def _row(parts: list[dict[str, Any]], opened: str) -> tuple[Control, ...]:
    return tuple(_control(part, opened) for part in parts)


def _control(part: dict[str, Any], opened: str) -> Control:
    if part["type"] != _SELECT:
        return Control(f"{_emoji(part)}{part['label']}", strong=part.get("style") == _PRIMARY)
    options = tuple(
        (f"{_emoji(o)}{o['label']}", o.get("description", ""), bool(o.get("default"))) for o in part["options"]
    )
    chosen = next((label for label, _, is_chosen in options if is_chosen), "")
    is_open = bool(opened) and any(label.endswith(opened) for label, _, _ in options)
    label = chosen or part.get("placeholder", "Choose")
    return Control(label, strong=bool(chosen), menu=True, options=options if is_open else ())


def _emoji(part: dict[str, Any]) -> str:
    name = (part.get("emoji") or {}).get("name", "")
    return f"{name} " if name else ""


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    """A channel in which `opus` was used, and its first credential is out for four minutes."""
    with DiscordServer() as server:
        channel = server.channel(server.guild())
        ada = server.user("ada")
        config = (
            "[channels.discord]",
            f'token = "{server.token}"',
            f'api_base_url = "{server.api_base_url}"',
            f'gateway_url = "{server.gateway_url}"',
        )
        async with gateway(config, f"discord:{ada.id}") as provider:
            await server.wait_for(lambda: server.commands and server.gateway.sessions)
            stage = Scene(server, ada, channel)
            provider.script["anthropic:work"] = [OUT]
            provider.script["anthropic:home"] = ["Good morning."]
            await stage.slash("opus")
            await stage.asks("Good morning!", "Good morning.")
            yield stage


async def draw() -> dict[str, list[Panel]]:
    """The panels of each picture."""
    pictures = {}
    async with scene() as stage:
        await stage.slash()
        panels = []
        for caption, pressed in STEPS:
            panels.append(stage.shown(caption, pressed))
            await stage.presses(pressed)
        pictures["discord-picker"] = [*panels, stage.shown("4  Done")]
        await stage.slash("status")
        pictures["discord-status"] = [stage.shown("/model status")]
        await stage.slash("opus@work")
        await stage.asks("Is it raining?", "message is kept")
        pictures["discord-strict"] = [stage.shown("A strict pin whose credential is out")]
    return pictures
