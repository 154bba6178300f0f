"""One turn: a message in, an answer out, by the credential that the resolver names; everything that changed is told."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from core.auth.order import order_fingerprint
from core.auth.ports import HealthStore
from core.chat.attempts import Attempts
from core.chat.card import unserved
from core.chat.compaction import compact
from core.chat.completion import StopReason, TextDelta
from core.chat.footer import footer_line, with_footer
from core.chat.notices import ended, stopped_early, unasked_change
from core.chat.ports import ProviderClient
from core.chat.report import report
from core.chat.serving import Answer, Parts, Serving
from core.chat.spending import spent_on
from core.chat.stop import Stop
from core.clock import Clock
from core.errors import StorageError
from core.messages import Delta, Event, Reply, ReplyKind, TurnReport, reply_to_json
from core.resolution import words
from core.resolution.resolver import resolve
from core.resolution.snapshot import Snapshot
from core.resolution.source import SnapshotSource
from core.resolution.view import Sees
from core.screening import Screen, ScreenedStream
from core.sessions.history import Message, Role, without
from core.sessions.ports import Answered, SessionStore, TurnRecord
from core.sessions.session import AutoPin, Decision, Footer, Served, Session
from core.sessions.spending import Spent

_UNSTORED = "The database cannot be written now: this answer will not be remembered in the conversation."
_CUT: dict[str, str] = {
    StopReason.LENGTH: "The answer is cut at the longest that the model may give. Say “go on” for the rest.",
    StopReason.FILTER: "The provider's content filter has cut the answer.",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnInput:
    """What a turn is about. `item` is the inbox item that it answers. `insists`: a person has asked to try once more, so that a
    strict pin is tried although it is out. `sees`: which profiles those may see who read the answer."""

    question: Message
    sees: Sees
    screen: Screen
    item: int | None
    stream: bool
    insists: bool = False
    owner: bool = False
    """Whether the sender may have a credential checked that is out."""
    stop: Stop = field(default_factory=Stop)
    footer: Footer = Footer.OFF


class Turns:
    """Runs turns. One instance for the process; it holds no state of its own."""

    def __init__(
        self,
        snapshots: SnapshotSource,
        sessions: SessionStore,
        health: HealthStore,
        provider: ProviderClient,
        clock: Clock,
    ) -> None:
        self._parts = Parts(snapshots, sessions, health, provider, clock)
        self._snapshots = snapshots
        self._sessions = sessions
        self._clock = clock

    def compact(
        self, first: Snapshot, screen: Screen, stop: Stop, item: int | None, wish: str
    ) -> AsyncGenerator[Event, None]:
        """Replace the conversation by a summary of itself; see compaction."""
        return compact(self._parts, first, screen, stop, item, wish)

    async def run(self, first: Snapshot, turn: TurnInput) -> AsyncGenerator[Event, None]:
        """Serve one message. `first` is the snapshot that the turn begins with; a choice made meanwhile holds from the next."""
        parts = self._parts
        attempts = Attempts(parts.provider, parts.health, parts.clock, first.rules, turn.stream, turn.stop)
        serving = Serving(parts, first, attempts)
        question = turn.question
        history = await self._sessions.history(first.session.key, first.session.epoch, first.rules.history_messages)
        # A question that is asked again takes the place of its first asking.
        history = without(history, question.source)
        answer: Answer | None = None
        shown = ScreenedStream(turn.screen)
        async with aclosing(serving.pieces((*history, question), turn.insists)) as pieces:
            async for piece in pieces:
                if not isinstance(piece, TextDelta):
                    answer = piece
                elif ready := shown.feed(piece.text):
                    yield Delta(ready)
        if ready := shown.rest():
            yield Delta(ready)
        record, replies = self._replies(serving, first, turn, attempts, answer)
        if record is not None:
            try:
                await self._sessions.finish_turn(record)
            except StorageError as error:
                # The answer was made and may have been paid for: it is shown, and what failed is said.
                log.error("a turn of %s could not be stored: %s", first.session.key, error)
                replies.append(Reply(kind=ReplyKind.NOTICE, text=_UNSTORED))
        for reply in replies:
            yield reply
        yield TurnReport(data=report(first, turn.sees, attempts, answer))

    def _replies(
        self, serving: Serving, first: Snapshot, turn: TurnInput, attempts: Attempts, answer: Answer | None
    ) -> tuple[TurnRecord | None, list[Reply]]:
        screened, question = turn.screen.reply, turn.question
        if answer is None and attempts.stopped:
            return self._stopped(first, turn, attempts, question)
        if answer is None:
            latest = serving.again()
            partial = [self._footed(first, turn, attempts)] if attempts.shown else []
            card = unserved(latest, resolve(latest), attempts.made, turn.sees, turn.owner)
            return self._paid(first, attempts), [screened(reply) for reply in (*partial, card)]
        text = turn.screen.text(answer.completed.text)
        paid = spent_on(answer.snapshot, answer.candidate, answer.completed.usage, self._clock.now())
        line = footer_line(turn.footer, answer.snapshot, answer.candidate, paid, turn.sees)
        served = with_footer(Reply(kind=ReplyKind.TEXT, text=text), line)
        if not text.strip():
            served = Reply(kind=ReplyKind.NOTICE, text="The model gave an empty answer.")
        replies, decisions = [], list[Decision]()
        told = unasked_change(answer.snapshot, answer.resolution, answer.candidate, attempts.made)
        if told is not None:
            data = {"to": told[1].after, "reason": told[1].reason}
            replies.append(screened(Reply(kind=ReplyKind.NOTICE, text=told[0], data=data)))
            decisions.append(told[1])
        replies.append(served)
        if text.strip() and (cut := _CUT.get(answer.completed.stop_reason)):
            replies.append(Reply(kind=ReplyKind.NOTICE, text=cut))
        session, ending, ends = self._session_after(first, answer)
        if ending:
            replies.append(screened(Reply(kind=ReplyKind.NOTICE, text=ending)))
        record = TurnRecord(
            key=first.session.key,
            epoch=first.session.epoch,
            version=session.version,
            messages=(question, Message(Role.ASSISTANT, text)) if text.strip() else (),
            session=session,
            decisions=(*decisions, *ends),
            answered=None if turn.item is None else Answered(turn.item, tuple(reply_to_json(r) for r in replies)),
            spent=(*self._unfinished(first, attempts), paid),
            health=attempts.success,
        )
        return record, replies

    def _stopped(
        self, first: Snapshot, turn: TurnInput, attempts: Attempts, question: Message
    ) -> tuple[TurnRecord | None, list[Reply]]:
        """A person has ended the turn. What the model had said is part of the conversation; without it nothing is, and neither
        where the question was taken back."""
        text = turn.screen.text(attempts.shown)
        said = [self._footed(first, turn, attempts)] if text.strip() else []
        if not said and not turn.stop.forgets:
            return self._paid(first, attempts), [stopped_early(turn.stop)]
        replies = [*said, stopped_early(turn.stop, is_begun=bool(said))]
        messages = () if turn.stop.forgets else (question, Message(Role.ASSISTANT, text))
        answered = None if turn.item is None else Answered(turn.item, tuple(reply_to_json(r) for r in replies))
        return self._unanswered(first, attempts, messages, answered), replies

    def _footed(self, first: Snapshot, turn: TurnInput, attempts: Attempts) -> Reply:
        """What was said of an answer that has no end, with what the provider had counted by then."""
        text = turn.screen.text(attempts.shown)
        reply = Reply(kind=ReplyKind.TEXT, text=text)
        if not attempts.unfinished or not text.strip():
            return reply
        candidate, usage = attempts.unfinished[-1]
        paid = spent_on(first, candidate, usage, self._clock.now())
        return with_footer(reply, footer_line(turn.footer, first, candidate, paid, turn.sees))

    def _unfinished(self, first: Snapshot, attempts: Attempts) -> tuple[Spent, ...]:
        """What answers have cost that nobody has read to the end."""
        return tuple(spent_on(first, candidate, usage, self._clock.now()) for candidate, usage in attempts.unfinished)

    def _paid(self, first: Snapshot, attempts: Attempts) -> TurnRecord | None:
        """The record of a turn of which only the cost is left; None where nothing was counted."""
        return self._unanswered(first, attempts) if attempts.unfinished else None

    def _unanswered(
        self,
        first: Snapshot,
        attempts: Attempts,
        messages: tuple[Message, ...] = (),
        answered: Answered | None = None,
    ) -> TurnRecord:
        """The record of a turn that changes nothing of the session."""
        return TurnRecord(
            key=first.session.key,
            epoch=first.session.epoch,
            version=first.session.version,
            messages=messages,
            session=self._snapshots.take(first.session.key).session,
            decisions=(),
            answered=answered,
            spent=self._unfinished(first, attempts),
        )

    def _session_after(self, first: Snapshot, answer: Answer) -> tuple[Session, str, tuple[Decision, ...]]:
        """The session as the turn leaves it, and what is told of a choice that was for this turn only.

        It begins with the session as it is stored now: what was chosen while the provider answered stands, and a choice for
        one turn that lies below it is used up all the same.
        """
        latest = self._snapshots.take(first.session.key)
        used = first.session.choices[-1:] if first.session.choices and first.session.choices[-1].turns_left else ()
        session = self._stuck(latest.session, first, answer)
        if latest.session.version == first.session.version:
            served = Served(answer.candidate.model, answer.candidate.profile.id, self._clock.now())
            session = replace(session, served=served)
        if not used or latest.session.epoch != first.session.epoch:
            return session, "", ()
        spent = (used[0].set_at, used[0].set_by)
        left = tuple(c for c in session.choices if c.turns_left is None or (c.set_at, c.set_by) != spent)
        if len(left) == len(session.choices):
            return session, "", ()
        session = replace(session, choices=left, served=None)
        after = resolve(replace(latest, session=session))
        name = words.choice_name(after.selected.choice, first.agent.default)
        line, ends = ended(latest, used, name)
        return session, line, ends

    def _stuck(self, session: Session, first: Snapshot, answer: Answer) -> Session:
        """Without a user's pin, who served becomes the provider's automatic pin."""
        pinned, candidate = answer.resolution.pinned, answer.candidate
        if pinned is not None and pinned.pin is not None:
            return session
        now, held = self._clock.now(), session.auto(candidate.model.provider)
        auto = AutoPin(
            profile=candidate.profile.id,
            provider=candidate.model.provider,
            set_at=held.set_at if held is not None and held.profile == candidate.profile.id else now,
            used_at=now,
            order_fingerprint=order_fingerprint(first.order(candidate.model.provider)),
        )
        return session.sticking(auto)
