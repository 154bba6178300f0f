"""What waits for the turns before it: a question, a summary of the conversation, or both. One at a time in a session."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import takewhile

from core.access import Action, Verdict, decide
from core.chat.card import retry_card, without_choices
from core.chat.framing import framed
from core.chat.lanes import Lanes, Ticket
from core.chat.names import is_source, source_of
from core.chat.notices import stopped_early
from core.chat.ports import TurnGuard
from core.chat.question import Question, ask
from core.chat.settle import settle
from core.chat.stop import Stop
from core.chat.turn import TurnInput, Turns
from core.chat.under_way import UnderWay
from core.commands.errors_told import error_reply
from core.commands.visibility import Reader, is_owner, readers_there, sees
from core.errors import UserError
from core.messages import Event, File, Inbound, Reply, ReplyKind, Sender, Working
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
        self._questions: list[UnderWay] = []

    def ticket(self, key: SessionKey, source: str = "") -> Ticket:
        """A place among the turns of a session, taken at once. `source`: where the question comes from that it is taken for (see
        `source_of`), so that an edit or a deletion finds it from now on."""
        ticket = self._lanes.ticket(key)
        self._questions = [one for one in self._questions if not one.is_over]
        if source:
            self._questions.append(UnderWay(key, source, ticket))
        return ticket

    def busy(self, key: SessionKey) -> bool:
        """Whether a turn of this session is running."""
        return self._lanes.busy(key)

    def stopper(self, key: SessionKey) -> Callable[[], None] | None:
        """What ends the running turn; None where none is running."""
        running = self._stops.get(key)
        return running.ask if running is not None else None

    def under_way(self, key: SessionKey, source: str) -> tuple[UnderWay, ...]:
        """The questions that came from there and wait in line or are being answered."""
        known = (one for one in self._questions if (one.session, one.source) == (key, source))
        return tuple(one for one in known if not one.is_over)

    def find_source(self, key: SessionKey, platform: str, message: str) -> str:
        """The source of the question under way that this message of the platform is, whoever wrote it; empty if there is none."""
        known = (one for one in self._questions if one.session == key and not one.is_over)
        return next((one.source for one in known if is_source(one.source, platform, message)), "")

    async def run(self, work: Work, ticket: Ticket) -> AsyncGenerator[Event, None]:
        """Do the work when its turn has come. A question that was taken back meanwhile is not asked."""
        key = work.inbound.session
        question = self._known(work, ticket)
        if ticket.must_wait:
            yield Working()
        async with ticket:
            told, snapshot = await settle(self._snapshots, self._sessions, key)
            readers = readers_there(work.inbound, snapshot.rules.access)
            for reply in map(screen_for(self._redact, readers, snapshot).reply, told):
                yield reply
            if question.dropped or decide(work.inbound, Action.CHAT, snapshot.rules.access) is not Verdict.ALLOW:
                return  # it was taken back, or whoever wrote it was, while it waited
            question.begun = True
            self._stops[key] = question.stop
            try:
                yield Working()
                async with aclosing(self._now(_as_edited(work, question), snapshot, question.stop)) as events:
                    async for event in events:
                        yield event
            finally:
                del self._stops[key]  # turns of a session never overlap

    def _known(self, work: Work, ticket: Ticket) -> UnderWay:
        """The work's question, as corrections find it. A card's is known by the message that it has kept."""
        known = next((one for one in self._questions if one.ticket is ticket), None)
        if known is None:
            known = UnderWay(work.inbound.session, "", ticket)
            self._questions.append(known)
        own = source_of(work.inbound.sender, work.inbound.message) if work.has_question else ""
        known.source = work.kept.source if work.kept is not None else own
        return known

    async def _now(self, work: Work, snapshot: Snapshot, stop: Stop) -> AsyncGenerator[Event, None]:
        inbound = work.inbound
        readers = readers_there(inbound, snapshot.rules.access)
        screen = screen_for(self._redact, readers, snapshot)
        if work.wish is not None:
            item = None if work.has_question else work.item
            async with aclosing(self._turns.compact(snapshot, screen, stop, item, work.wish)) as events:
                async for event in events:
                    yield event
            if work.kept is not None and stop.asked and not stop.forgets:
                ended = Reply(kind=ReplyKind.NOTICE, text="The question was not asked.")
                yield await self._offers.offer(inbound, retry_card(ended), work.kept)
            # What the summary met, and the conversation that it has left, hold for the question.
            snapshot = self._snapshots.take(inbound.session)
        if not work.has_question or stop.asked:
            return
        try:
            question = Question(work.kept) if work.kept is not None else await self.question(inbound, snapshot, stop)
        except TimeoutError:
            yield stopped_early(stop)
            return
        except UserError as error:
            if error.code != "secret_in_chat":
                raise
            yield replace(error_reply(error), private=True, deletes=True)
            return
        for problem in question.problems:
            yield Reply(kind=ReplyKind.NOTICE, text=problem)
        turn = TurnInput(
            question=question.message,
            sees=readers.sees,
            screen=screen,
            item=work.item,
            stream=inbound.stream,
            insists=work.insists,
            owner=is_owner(inbound.sender, snapshot.rules.access),
            stop=stop,
            footer=snapshot.footer,
        )
        async with aclosing(self._turns.run(snapshot, turn)) as events:
            async for event in events:
                if isinstance(event, Reply) and event.buttons:
                    if decide(inbound, Action.COMMAND, snapshot.rules.access) is not Verdict.ALLOW:
                        event = without_choices(event)
                    yield await self._offers.offer(inbound, event, question.message)
                else:
                    yield event

    async def question(self, inbound: Inbound, snapshot: Snapshot, stop: Stop) -> Question:
        """A message as it is asked: with what was sent along, what it quotes, and in a shared chat who wrote it. Raises UserError
        if nothing of it can be asked, TimeoutError if it is stopped while what was sent along is fetched."""
        source = source_of(inbound.sender, inbound.message)
        history: Sequence[Message] = ()
        if inbound.quoted is not None or not inbound.place.direct:
            session = snapshot.session
            history = await self._sessions.history(session.key, session.epoch, snapshot.rules.history_messages)
            history = tuple(takewhile(lambda message: not source or message.source != source, history))
        files: tuple[File, ...] = ()
        if inbound.files is not None:
            async with stop.within(None):
                files = await inbound.files()
        model = resolve(snapshot).next.model
        question = ask(inbound.text, files, snapshot.rules.catalog.entry(model), str(model), self._redact)
        text = framed(question.message.text, inbound, history)
        return replace(question, message=replace(question.message, text=text, source=source))


def _as_edited(work: Work, question: UnderWay) -> Work:
    """What a card has kept stays as it is: its text holds more than what was typed."""
    if question.text is None or work.kept is not None:
        return work
    return replace(work, inbound=replace(work.inbound, text=question.text))


def screen_for(redact: Callable[[str], str], readers: Reader, snapshot: Snapshot) -> Screen:
    """What those may read who read it: no secret, no profile that they may not see."""
    return Screen(redact, (p.id for p in snapshot.credentials.profiles.values() if not readers.sees(p)))


def error_screen(redact: Callable[[str], str], sender: Sender, readers: Reader, snapshot: Snapshot) -> Screen:
    """The same for an error. It knows only what the sender may see; the rest are words of their own, and to take a name out of
    those would tell that there is such a profile."""
    may_see = sees(sender, snapshot.rules.access)
    profiles = snapshot.credentials.profiles.values()
    return Screen(redact, (p.id for p in profiles if may_see(p) and not readers.sees(p)))
