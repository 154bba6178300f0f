"""Running commands: one at a time in a session, what they change stored together with what is told of it."""

import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace

from core.chat.card import card_again, retry_card
from core.chat.lanes import Lanes
from core.chat.settle import settle
from core.commands.checks import Checks
from core.commands.command import Change, CommandContext, Outcome
from core.commands.errors_told import error_reply
from core.commands.parse import Invocation
from core.commands.presses import Pressed
from core.commands.registry import BY_NAME
from core.commands.visibility import is_owner, reader, readers_there
from core.errors import BotError, StorageError, UsedUp
from core.messages import Event, Inbound, Ingress, Working, reply_to_json
from core.offers import Offers
from core.pairing import Pairing
from core.resolution.resolver import resolve
from core.resolution.source import SnapshotSource
from core.sessions.history import Message
from core.sessions.key import SessionKey
from core.sessions.ports import Answered, SessionStore, ShownStore, TurnRecord, Use
from core.turn_work import TurnWork, error_screen, screen_for

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person has asked for: a command, a message for the model, or both (the command first).

    `text` is a message that was written, `kept` one that a card has kept; `insists` asks to try that once more. `token` names the
    shown choices that a change uses up, `wish` (not None) asks for a summary of the conversation first.
    """

    command: Invocation | None = None
    text: str | None = None
    kept: Message | None = None
    insists: bool = False
    token: str = ""
    wish: str | None = None

    def has_question(self, inbound: Inbound) -> bool:
        """Whether the model is asked something."""
        if self.kept is not None:
            return True
        return self.text is not None and (self.text.strip() != "" or inbound.files is not None)


class CommandWork:
    """Runs the commands of all sessions. Nothing waits for a provider here but what a command does `later`."""

    def __init__(
        self,
        snapshots: SnapshotSource,
        sessions: SessionStore,
        shown: ShownStore,
        offers: Offers,
        turns: TurnWork,
        checks: Checks,
        pairing: Pairing,
        redact: Callable[[str], str],
    ) -> None:
        self._snapshots = snapshots
        self._sessions = sessions
        self._shown = shown
        self._offers = offers
        self._turns = turns
        self._checks = checks
        self._pairing = pairing
        self._redact = redact
        self._lanes = Lanes()

    async def pressed(self, pressed: Pressed, inbound: Inbound, item: int | None) -> Asked:
        """What a resolved choice asks for: its command, then its kept message. A card can be used once; what an earlier process
        has begun with the same press goes on."""
        once = pressed.token if inbound.ingress is Ingress.BUTTON and pressed.message is None else ""
        if pressed.message is None:
            return Asked(pressed.command, token=once)
        use = await self._shown.use_shown(pressed.token, item)
        if use is Use.TAKEN:
            raise UsedUp
        return Asked(pressed.command, kept=pressed.message, insists=pressed.command is None)

    async def run(self, inbound: Inbound, asked: Asked, item: int | None, says: "Said") -> AsyncGenerator[Event, None]:
        """Tell of choices that have ended, run the command of `asked`, and give what it says. `says.on` tells whether the message
        that goes with it may be asked now; a change is stored with the inbox item, so that it is not made again for that message
        after a restart."""
        assert asked.command is not None, "whoever asks for no command does not come here"
        told, snapshot = await settle(self._snapshots, self._sessions, inbound.session)
        there = readers_there(inbound, snapshot.rules.access)
        screen = screen_for(self._redact, there, snapshot)
        for reply in map(screen.reply, told):
            yield reply
        try:
            outcome = await self._command(inbound, asked, asked.command, item)
            if outcome.later is not None:
                yield Working()
                outcome = await self._stored(inbound, await outcome.later(), asked, item)
        except BotError as error:
            if asked.kept is None:
                raise
            # The card is used up, but its message is not lost.
            says.on = False
            told_error = error_screen(self._redact, inbound.sender, there, snapshot).reply(error_reply(error))
            yield await self._offers.offer(inbound, retry_card(told_error), asked.kept)
            return
        for reply in outcome.replies:
            yield reply
        says.on = asked.kept is None or outcome.goes_on

    async def _command(self, inbound: Inbound, asked: Asked, invocation: Invocation, item: int | None) -> Outcome:
        async with self._lanes.ticket(inbound.session):
            snapshot = self._snapshots.take(inbound.session)
            context = CommandContext(
                snapshot=snapshot,
                sender=inbound.sender,
                reader=reader(inbound, snapshot.rules.access),
                readers_there=readers_there(inbound, snapshot.rules.access),
                sessions=self._sessions,
                checks=self._checks,
                pairing=self._pairing,
                busy=self._turns.busy(inbound.session),
                stop=self._turns.stopper(inbound.session),
                on_card=asked.kept is not None,
                rows=inbound.rows,
                text=inbound.text if inbound.ingress is Ingress.BUTTON else "",
            )
            handler = BY_NAME[invocation.name].handler
            assert handler is not None, "a command without a handler is a turn"
            outcome = await handler(context, invocation.argument)
            return outcome if outcome.later is not None else await self._stored(inbound, outcome, asked, item)

    async def _stored(self, inbound: Inbound, outcome: Outcome, asked: Asked, item: int | None) -> Outcome:
        """The outcome as it is told, its change stored. A kept message that may not run yet stands below it on a card."""
        snapshot = self._snapshots.take(inbound.session)
        access, told, message = snapshot.rules.access, outcome.replies, None
        readers = reader(inbound, access) if outcome.change is None else readers_there(inbound, access)
        if asked.kept is not None and not outcome.goes_on:
            owner = is_owner(inbound.sender, access)
            told, message = (card_again(told[0], snapshot, resolve(snapshot), readers.sees, owner),), asked.kept
        screen = screen_for(self._redact, readers, snapshot)
        replies = [await self._offers.offer(inbound, screen.reply(reply), message) for reply in told]
        if inbound.ingress is Ingress.BUTTON and replies:
            replies[0] = replace(replies[0], replaces=not replies[0].prompt)
        if outcome.change is not None:
            replies = [replace(reply, shared=True) for reply in replies]
            # What only happened, and changed nothing of the session, may be asked for again.
            token = asked.token if outcome.change.session is not None else ""
            goes_on = asked.has_question(inbound) and outcome.goes_on
            answered = Answered(item, tuple(reply_to_json(reply) for reply in replies), token, goes_on)
            await self._save(inbound.session, outcome.change, answered)
        return replace(outcome, replies=tuple(replies))

    async def _save(self, key: SessionKey, change: Change, answered: Answered) -> None:
        if change.session is not None:
            await self._sessions.save_choice(change.session, change.decisions, answered)
            return
        session = self._snapshots.take(key).session
        record = TurnRecord(
            key=key,
            epoch=session.epoch,
            version=session.version,
            messages=(),
            session=session,
            decisions=change.decisions,
            answered=answered,
        )
        try:
            await self._sessions.finish_turn(record)
        except StorageError as error:
            # What it tells of has happened, and is told all the same.
            log.error("a decision in %s could not be stored: %s", key, error)


@dataclass(slots=True)
class Said:
    """What is known of a command once it has run."""

    on: bool = True
