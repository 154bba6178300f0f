"""The scenes on Telegram, as its counterpart saw them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from docs.cards.panels import Control, Panel
from docs.cards.stage import OUT, STEPS, begins, gateway
from docs.cards.telegram_look import lines_of
from tests.fakes.telegram_server import TelegramServer
from tests.fakes.telegram_world import Chat, ChatMessage, Person


class Scene:
    """Ada's private chat with the bot. Each of its verbs gives the panel of what is shown then."""

    def __init__(self, server: TelegramServer, ada: Person, chat: Chat) -> None:
        self._server, self._ada, self._chat = server, ada, chat
        self._said = ""

    async def says(self, text: str) -> None:
        """Write, and wait for the whole answer."""
        before = len(self._chat.answers)
        self._ada.says(self._chat, text)
        self._ada.says(self._chat, "/whoami")
        await self._server.wait_for(lambda: any("You are" in m.text for m in self._chat.answers[before:]))
        self._said = text

    async def asks(self, text: str, answer: str) -> None:
        """Write a question, and wait for what holds these words."""
        before = len(self._chat.answers)
        self._ada.says(self._chat, text)
        await self._server.wait_for(lambda: any(answer in m.text for m in self._chat.answers[before:]))
        self._said = text

    def shown(self, caption: str, pressed: str = "") -> Panel:
        """The newest message that is not about who somebody is. `pressed`: how the button begins that is pressed next."""
        message = self._newest
        now = message.history[-1]
        rows = tuple(tuple(Control(label) for label, _ in row) for row in now.keyboard)
        return Panel(caption, self._said, tuple(lines_of(now.text, now.entities)), rows, self._label(pressed))

    async def presses(self, words: str) -> None:
        """Press the last button that begins so, and wait for what comes of it."""
        message = self._newest
        before = len(message.history)
        self._ada.presses(message, self._label(words))
        await self._server.wait_for(lambda: len(message.history) > before)
        self._said = ""

    @property
    def _newest(self) -> ChatMessage:
        return [m for m in self._chat.answers if "You are" not in m.text][-1]

    def _label(self, words: str) -> str:
        labels = [label for row in self._newest.labels for label in row]
        return [label for label in labels if begins(words, label)][-1] if words else ""


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    """A chat in which `opus` was used, and its first credential is out for four minutes."""
    with TelegramServer() as server:
        ada = server.person(1001)
        chat = server.private(ada)
        config = ("[channels.telegram]", f'token = "{server.token}"', f'api_base_url = "{server.url}"')
        async with gateway(config, "telegram:1001") as provider:
            stage = Scene(server, ada, chat)
            provider.script["anthropic:work"] = [OUT]
            provider.script["anthropic:home"] = ["Good morning."]
            await stage.says("/model opus")
            await stage.asks("Good morning!", "Good morning.")
            yield stage


async def draw() -> dict[str, list[Panel]]:
    """The panels of each picture."""
    pictures = {}
    async with scene() as stage:
        await stage.says("/model")
        panels = []
        for caption, pressed in STEPS:
            panels.append(stage.shown(caption, pressed))
            await stage.presses(pressed)
        pictures["telegram-picker"] = [*panels, stage.shown("4  Done")]
        await stage.says("/model status")
        pictures["telegram-status"] = [stage.shown("/model status")]
        await stage.says("/model opus@work")
        await stage.asks("Is it raining?", "message is kept")
        pictures["telegram-strict"] = [stage.shown("A strict pin whose credential is out")]
    return pictures
