"""`remoteclaw gateway` as a process with a platform in memory: `python -m tests.fakes.gateway_process [TEXT ...]`.

Each TEXT arrives on the platform. Says on standard output what happens: `asked` when the provider has a question, then what
is delivered. A text with `hold` in it is answered only after the platform has stopped listening, one with `never` never.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace

from bot.cli.gateway import serve_installation
from bot.config import load_settings
from bot.log import set_up_logging
from bot.paths import Paths
from core.chat.completion import Completed, CompletionRequest, Counted, TextDelta
from core.messages import Inbound, Place, Reply
from core.ports import InboxItem, Update
from tests.fakes.chat_platform import FakePlatform


def say(line: str) -> None:
    """Flushed, since a test waits for it."""
    print(line, flush=True)


class Provider:
    """`core.chat.ports.ProviderClient`"""

    def __init__(self, platform: FakePlatform) -> None:
        self._platform = platform

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[TextDelta | Counted | Completed, None]:
        text = request.messages[-1].text
        say("asked")
        if "hold" in text:
            await self._platform.deaf.wait()
        if "never" in text:
            await asyncio.Event().wait()
        yield Completed(f"answer to {text}")


class TellingPlatform(FakePlatform):
    """Prints what it delivers. Its one chat is somebody's private one."""

    def read(self, update: Update) -> Inbound | None:
        inbound = super().read(update)
        return inbound and replace(inbound, place=Place(direct=True))

    async def deliver(self, item: InboxItem, inbound: Inbound, events: AsyncGenerator[object, None]) -> None:  # type: ignore[override]
        async for event in events:
            if isinstance(event, Reply):
                say(f"delivered {event.text}")


async def main(texts: list[str]) -> int:
    """Serve the installation of the environment with this platform and provider."""
    paths = Paths.of(os.environ)
    settings = load_settings(paths.config, os.environ)
    set_up_logging("info", traces=True)
    platform = TellingPlatform("telegram")

    async def speak() -> None:
        for text in texts:
            await platform.say(text)

    speaking = asyncio.create_task(speak())
    try:
        return await serve_installation(settings, paths, os.environ, platforms=(platform,), provider=Provider(platform))
    finally:
        speaking.cancel()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
