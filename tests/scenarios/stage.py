"""What scenarios are written in: people in chats, what they do, and what they see; the same words on every platform.

    group = stage.group()
    ada = stage.ada.enters(group)
    await ada.opens_picker()
    await ada.picks("opus")
    await ada.sees("Now opus")
    assert await ada.served_by() == "anthropic:work"

What a person does returns when the bot has shown something new to that person, unless its name says otherwise. `sees` looks at
what is new since the person's last deed.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from tests.fakes.provider_server import ThreadedProviderServer
from tests.scenarios.driver import Driver, Place
from tests.scenarios.house import GatewayHere, GatewayProcess, House
from tests.scenarios.moved_clock import MovedClock
from tests.scenarios.questions import Questions
from tests.scenarios.seat import Person

_T = TypeVar("_T")


@dataclass
class Stage:
    """An installation with a platform and a provider around it. Ada owns it, Bob may use it, Mallory is nobody to it."""

    driver: Driver
    provider: ThreadedProviderServer
    house: House
    clock: MovedClock = field(default_factory=MovedClock)

    def __post_init__(self) -> None:
        self.ada, self.bob, self.mallory = (self.person(name) for name in ("Ada", "Bob", "Mallory"))
        self.house.owners.append(self.ada.member.key)
        self.house.allow.append(self.bob.member.key)
        self.questions = Questions(self.house)
        self._gateway: GatewayHere | GatewayProcess = GatewayHere(self.house, self.clock)

    def person(self, name: str) -> Person:
        return Person(self, self.driver.member(name))

    def group(self) -> Place:
        return self.driver.group()

    def thread(self, place: Place) -> Place:
        return self.driver.thread(place)

    # -- what an operator does

    async def opens(self, *, own_process: bool = False) -> None:
        """Start the gateway; once it returns, the platform has it."""
        if own_process:
            self._gateway = GatewayProcess(self.house)
        self.house.write()
        await self._start()

    async def restarts(self) -> None:
        """Stop it in order and start it again."""
        await self.closes()
        await self._start()

    async def is_killed(self) -> None:
        """kill -9. Start it again with `comes_back`."""
        assert isinstance(self._gateway, GatewayProcess)
        await self._gateway.kill()

    async def comes_back(self) -> None:
        await self._start()

    async def reloads(self) -> None:
        """What was changed in `house` comes into force."""
        assert isinstance(self._gateway, GatewayHere)
        self.house.write()
        await self._gateway.reload()

    async def closes(self) -> None:
        await self._gateway.stop()

    def skips(self, **span: float) -> None:
        """Time passes at once: hours=2."""
        self.clock.skip(timedelta(**span))

    async def as_time_passes(self, happens: Coroutine[Any, Any, _T], **span: float) -> _T:
        """So much time passes, and then as many minutes as it takes for something to happen."""
        awaited = asyncio.ensure_future(happens)
        self.skips(**span)
        while not (await asyncio.wait({awaited}, timeout=0.3))[0]:
            self.skips(minutes=1)
        return await awaited

    # -- the provider

    def script(self, profile: str, *steps: Any) -> None:
        """What the provider does with the next requests that carry this profile's key."""
        self.provider.script[self.house.keys[profile]] = list(steps)

    async def _start(self) -> None:
        before = self.driver.connections()
        await self._gateway.start(lambda: self.driver.until(lambda: self.driver.connections() > before))
