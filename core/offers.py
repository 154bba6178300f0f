"""Remembering what was offered, so that a number or a press can be resolved, also after a restart."""

import logging
import secrets
from dataclasses import replace

from core.clock import Clock
from core.errors import StorageError
from core.messages import Inbound, Reply
from core.resolution.source import SnapshotSource
from core.sessions.history import Message
from core.sessions.ports import Shown, ShownStore

log = logging.getLogger(__name__)

_UNSTORED = "(The database cannot be written now: numbers do not work.)"


class Offers:
    """The choices under replies."""

    def __init__(self, shown: ShownStore, snapshots: SnapshotSource, clock: Clock) -> None:
        self._shown = shown
        self._snapshots = snapshots
        self._clock = clock

    async def offer(self, inbound: Inbound, reply: Reply, message: Message | None = None) -> Reply:
        """The reply with a token for its choices. `message` makes it a card: it is kept and runs after the choice. Where nothing
        can be stored the reply says so and has no buttons."""
        if not reply.buttons and not reply.prompt:
            return reply
        shown = self.made(inbound, reply, message)
        try:
            await self._shown.show(shown)
        except StorageError as error:
            log.error("choices could not be stored: %s", error)
            return replace(reply, buttons=(), text=f"{reply.text}\n{_UNSTORED}")
        return replace(reply, token=shown.token)

    def made(self, inbound: Inbound, reply: Reply, message: Message | None = None) -> Shown:
        """The choices of a reply as they are to be remembered, with a token of their own; nothing is stored."""
        commands = tuple(button.command for button in reply.buttons)
        return Shown(
            token=secrets.token_urlsafe(9),
            session=inbound.session,
            sender=inbound.sender.key,
            commands=commands if message is not None or any(commands) else (),
            catalog=self._snapshots.take(inbound.session).rules.catalog.fingerprint(),
            at=self._clock.now(),
            card=message is not None,
            message=message,
            presses=tuple(button.press for button in reply.buttons),
            prompt=reply.text.partition("\n")[0] if reply.prompt else "",
            code=(reply.code or "") if message is not None else "",
        )
