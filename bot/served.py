"""What a running gateway needs of a platform and of the application."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from core.announcements import Announcer
from core.auth.secret import Secret
from core.clock import Clock
from core.gateway import Gateway
from core.intake import Platform
from core.ports import Inbox, Update
from core.resolution.rules import Rules
from core.resolution.source import SnapshotSource
from core.watch.rounds import Watch


class ServedPlatform(Platform, Protocol):
    """A platform as the process runs it."""

    async def run(self, accept: Callable[[Sequence[Update]], Awaitable[None]], on_state: Callable[[str], None]) -> None:
        """Listen until cancelled. After that it can still deliver, until `close`. Raises BotError if it cannot go on; then it may
        be called again."""
        ...

    def take_token(self, token: Secret) -> bool:
        """Go by this token from the next `run` on, if not before; whether it is another one. Raises ConfigError for a text that
        cannot be one; then the token before stays."""
        ...

    async def close(self) -> None: ...


class ServedApp(Protocol):
    """What the process needs of the application."""

    @property
    def gateway(self) -> Gateway: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def rules(self) -> Rules: ...
    @property
    def snapshots(self) -> SnapshotSource: ...
    @property
    def platforms(self) -> Sequence[ServedPlatform]: ...
    @property
    def announcer(self) -> Announcer: ...
    @property
    def watch(self) -> Watch: ...
    @property
    def refreshes(self) -> Mapping[tuple[str, str], int]:
        """How many refreshes of logins were sent, by provider and outcome."""
        ...
