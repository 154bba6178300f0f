"""What waits for the turns before it: a question, a summary of the conversation, or both. One at a time in a session."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from core.chat.card import retry_card
from core.chat.lanes import Lanes, Ticket
from core.chat.ports import TurnGuard
from core.chat.question import Question, ask
from core.chat.settle import settle
from core.chat.stop import Stop
from core.chat.turn import TurnInput, Turns
from core.commands.visibility import is_owner, sees
from core.messages import Event, Inbound, Reply, ReplyKind, Working
from core.offers import Offers
from core.resolution.resolver import resolve
from core.resolution.snapshot import Snapshot
from core.resolution.source import SnapshotSource
from core.screening import Screen
from core.sessions.history import Message
from core.sessions.key import SessionKey
from core.sessions.ports import SessionStore


@dataclass(frozen=True, slots=True)
class Work:
    """What a turn is to do. `wish` not None: compact the conversation first, with this in mind. `kept`: the question is one that a
    card has kept. `insists`: a person has asked to try once more."""

    inbound: Inbound
    has_question: bool
    kept: Message | None
    insists: bool
    wish: str | None
    item: int | None


class TurnWork:
    """Runs the turns of all sessions, and ends one where a person asks for it."""

    def __init__(
        self,
        snapshots: SnapshotSource,
        sessions: SessionStore,
        turns: Turns,
        offers: Offers,
        redact: Callable[[str], str],
        guard: TurnGuard,
    ) -> None:
        self._snapshots = snapshots
        self._sessions = sessions
        self._turns = turns
        self._offers = offers
        self._redact = redact
        self._lanes = Lanes(guard)
        self._stops: dict[SessionKey, Stop] = {}

    def ticket(self, key: SessionKey) -> Ticket:
        """A place among the turns of a session, taken at once."""
        return self._lanes.ticket(key)

    def busy(self, key: SessionKey) -> bool:
        """Whether a turn of this session is running."""
        return self._lanes.busy(key)

    def stopper(self, key: SessionKey) -> Callable[[], None] | None:
        """What ends the running turn; None where none is running."""
        running = self._stops.get(key)
        return running.ask if running is not None else None

    async def run(self, work: Work, ticket: Ticket) -> AsyncGenerator[Event, None]:
        """Do the work when its turn has come."""
        key = work.inbound.session
        if ticket.must_wait:
            yield Working()
        async with ticket:
            told, snapshot = await settle(self._snapshots, self._sessions, key)
            for reply in told:
                yield reply
            stop = self._stops[key] = Stop()
            try:
                async with aclosing(self._now(work, snapshot, stop)) as events:
                    async for event in events:
                        yield event
            finally:
                del self._stops[key]  # turns of a session never overlap

    async def _now(self, work: Work, snapshot: Snapshot, stop: Stop) -> AsyncGenerator[Event, None]:
        inbound = work.inbound
        screen = screen_for(self._redact, inbound, snapshot)
        if work.wish is not None:
            item = None if work.has_question else work.item
            async with aclosing(self._turns.compact(snapshot, screen, stop, item, work.wish)) as events:
                async for event in events:
                    yield event
            if work.kept is not None and stop.asked:
                ended = Reply(kind=ReplyKind.NOTICE, text="The question was not asked.")
                yield await self._offers.offer(inbound, retry_card(ended), work.kept)
            # What the summary met, and the conversation that it has left, hold for the question.
            snapshot = self._snapshots.take(inbound.session)
        if not work.has_question or stop.asked:
            return
        question = Question(work.kept) if work.kept is not None else await _question(inbound, snapshot)
        for problem in question.problems:
            yield Reply(kind=ReplyKind.NOTICE, text=problem)
        turn = TurnInput(
            question=question.message,
            sees=sees(inbound.sender, snapshot.rules.access),
            screen=screen,
            item=work.item,
            stream=inbound.stream,
            insists=work.insists,
            owner=is_owner(inbound.sender, snapshot.rules.access),
            stop=stop,
        )
        async with aclosing(self._turns.run(snapshot, turn)) as events:
            async for event in events:
                if isinstance(event, Reply) and event.buttons:
                    yield await self._offers.offer(inbound, event, question.message)
                else:
                    yield event


def screen_for(redact: Callable[[str], str], inbound: Inbound, snapshot: Snapshot) -> Screen:
    """What the sender may read: no secret, no profile that they may not pin."""
    may_see = sees(inbound.sender, snapshot.rules.access)
    return Screen(redact, (p.id for p in snapshot.credentials.profiles.values() if not may_see(p)))


async def _question(inbound: Inbound, snapshot: Snapshot) -> Question:
    """The message with what was sent along. Raises UserError if nothing of it can be asked."""
    files = await inbound.files() if inbound.files is not None else ()
    model = resolve(snapshot).next.model
    return ask(inbound.text, files, snapshot.rules.catalog.entry(model), str(model))
