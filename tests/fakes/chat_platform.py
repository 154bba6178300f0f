"""A chat platform in memory: a test speaks on it and reads what was delivered."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from core.auth.secret import Secret
from core.errors import ConfigError
from core.messages import Event, Inbound, Ingress, Place, Reply, Sender
from core.ports import InboxItem, Update
from core.sessions.key import chat_key, direct_key

Accept = Callable[[Sequence[Update]], Awaitable[None]]


class FakePlatform:
    """`bot.served.ServedPlatform`. `fails` ends `run` as soon as `fail` is set; without one it returns by itself. While it
    is `refused` it neither connects nor delivers."""

    def __init__(self, name: str = "fake", *, fails: Exception | None = None, journal: list[str] | None = None) -> None:
        self.name = name
        self.account = "default"
        self.delivered: list[str] = []
        self.listening = asyncio.Event()
        self.deaf = asyncio.Event()
        self.fail = asyncio.Event()
        self.closed = False
        self.refused: Exception | None = None
        self.tried = 0
        """How often it was run."""
        self.tokens: list[str] = []
        """Those that it was given, in their order."""
        self.gone = asyncio.Event()
        """It is closed."""
        self.on_state: Callable[[str], None] = lambda state: None
        self._fails = fails
        self._journal = journal if journal is not None else []
        self._accept: Accept | None = None
        self._said = 0
        self._answered = asyncio.Condition()

    async def run(self, accept: Accept, on_state: Callable[[str], None]) -> None:
        self._accept, self.on_state = accept, on_state
        self.tried += 1
        if self.refused is not None:
            raise self.refused
        on_state("connected")
        self.listening.set()
        try:
            await self.fail.wait()
        finally:
            self._journal.append(f"{self.name} no longer listens")
            self.deaf.set()
        if self._fails is not None:
            raise self._fails

    async def say(self, text: str) -> None:
        """An update arrives. Returns when it is accepted."""
        await self.listening.wait()
        assert self._accept is not None
        self._said += 1
        await self._accept([self.update(str(self._said), text)])

    def update(self, key: str, text: str) -> Update:
        return Update(platform=self.name, account=self.account, key=key, lane="room", payload={"text": text})

    def announcement(self, chat: str, key: str) -> Update:
        if not chat:
            raise ValueError("no chat")
        return Update(platform=self.name, account=self.account, key=key, lane=chat, payload={"text": "", "chat": chat})

    def read(self, update: Update) -> Inbound | None:
        chat = str(update.payload.get("chat", "room"))
        kind, _, person = chat.partition(":")
        if kind == "person":
            return Inbound(
                ingress=Ingress.MESSAGE,
                sender=Sender(self.name, person),
                session=direct_key("main", self.name, self.account, person),
                place=Place(direct=True, ids=(f"{self.name}:{person}",)),
            )
        return Inbound(
            ingress=Ingress.MESSAGE,
            sender=Sender(self.name, "1"),
            session=chat_key("main", self.name, self.account, "group", chat),
            place=Place(direct=False, ids=(f"{self.name}:{chat}",)),
            text=str(update.payload["text"]),
            chat=chat,
            mentioned=True,
        )

    async def deliver(self, item: InboxItem, inbound: Inbound, events: AsyncIterator[Event]) -> None:
        assert not self.closed
        async for event in events:
            if isinstance(event, Reply):
                if self.refused is not None:
                    raise self.refused
                self._journal.append(f"{self.name} delivers")
                async with self._answered:
                    self.delivered.append(event.text)
                    self._answered.notify_all()

    async def has_delivered(self, count: int) -> list[str]:
        """What was delivered, once it is that much."""
        async with self._answered:
            await self._answered.wait_for(lambda: len(self.delivered) >= count)
        return self.delivered

    def take_token(self, token: Secret) -> bool:
        if ":" not in token.reveal():
            raise ConfigError(f"channels.{self.name}.token", "This is not a bot token.")
        is_new = token.reveal() not in self.tokens[-1:]
        self.tokens.append(token.reveal())
        return is_new

    async def close(self) -> None:
        self._journal.append(f"{self.name} closed")
        self.closed = True
        self.gone.set()
