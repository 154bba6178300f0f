"""Sessions in memory."""

from collections.abc import Sequence
from dataclasses import replace

from core.chat.names import is_source
from core.errors import LostRace, UsedUp
from core.sessions.history import Message, without
from core.sessions.key import SessionKey
from core.sessions.ports import Answered, TurnRecord
from core.sessions.session import Decision, Session
from core.sessions.spending import Spent, Total
from tests.fakes.health_store import FakeHealthStore
from tests.fakes.inbox import FakeInbox


class FakeSessionStore:
    """`core.sessions.ports.SessionStore`. Look at `sessions`, `messages` (by key and epoch) and `decided` (oldest first).

    `inbox` is where `answered` items are marked; without one, an answered item is an error. `health` is where the health of a
    turn's credential is stored.
    """

    def __init__(
        self,
        inbox: FakeInbox | None = None,
        health: FakeHealthStore | None = None,
        used: dict[str, int | None] | None = None,
    ) -> None:
        """`used` is that of the FakeShownStore beside it."""
        self.used = {} if used is None else used
        self.inbox = inbox or FakeInbox()
        self.health = health or FakeHealthStore()
        self.sessions: dict[SessionKey, Session] = {}
        self.messages: dict[tuple[SessionKey, int], list[Message]] = {}
        self.decided: dict[SessionKey, list[Decision]] = {}
        self.spent: dict[SessionKey, list[Spent]] = {}
        self._all_spent: list[Spent] = []

    def session(self, key: SessionKey) -> Session:
        """As stored; an empty one for a key that is not."""
        return self.sessions.get(key, Session(key=key))

    async def save_choice(
        self, session: Session, decisions: Sequence[Decision], answered: Answered | None = None
    ) -> Session:
        if self.session(session.key).version != session.version:
            raise LostRace
        self._answer(answered)
        stored = replace(session, version=session.version + 1)
        self.sessions[session.key] = stored
        for key, epoch in list(self.messages):
            if key == session.key and epoch < session.epoch:
                del self.messages[key, epoch]
        self.decided.setdefault(session.key, []).extend(decisions)
        return stored

    async def finish_turn(self, record: TurnRecord) -> None:
        self._answer(record.answered)
        stored = self.session(record.key)
        if stored.epoch == record.epoch:
            self.sessions[record.key] = _after_turn(stored, record)
            before = [] if record.compacts else self.messages.get((record.key, record.epoch), [])
            for message in record.messages:
                before = list(without(tuple(before), message.source))
            self.messages[record.key, record.epoch] = [*before, *record.messages]
        self.decided.setdefault(record.key, []).extend(record.decisions)
        self.spent.setdefault(record.key, []).extend(record.spent)
        self._all_spent.extend(record.spent)
        if record.health is not None:
            await self.health.update_health(record.health.profile, record.health.fingerprint, record.health.change)

    async def remembers(self, key: SessionKey, source: str) -> bool:
        return any(source and message.source == source for messages in self._of(key) for message in messages)

    async def find_source(self, key: SessionKey, platform: str, message: str) -> str:
        sources = (one.source for messages in self._of(key) for one in messages)
        return next((source for source in sources if is_source(source, platform, message)), "")

    async def amend(self, key: SessionKey, source: str, text: str, answered: Answered | None = None) -> bool:
        for messages in self._of(key):
            for n, message in enumerate(messages):
                if source and message.source == source and message.text != text:
                    self._answer(answered)
                    messages[n] = replace(message, text=text)
                    return True
        return False

    async def forget(self, key: SessionKey, source: str) -> bool:
        for messages in self._of(key):
            left = without(tuple(messages), source)
            if len(left) < len(messages):
                messages[:] = left
                return True
        return False

    def _of(self, key: SessionKey) -> list[list[Message]]:
        return [messages for (named, _), messages in self.messages.items() if named == key]

    async def all_totals(self) -> tuple[Total, ...]:
        return _totals(self._all_spent)

    async def totals(self, key: SessionKey) -> tuple[Total, ...]:
        return _totals(self.spent.get(key, []))

    async def history(self, key: SessionKey, epoch: int, limit: int) -> tuple[Message, ...]:
        messages = self.messages.get((key, epoch), [])
        return tuple(messages[max(0, len(messages) - max(0, limit)) :])

    async def decisions(self, key: SessionKey, limit: int) -> tuple[Decision, ...]:
        return tuple(reversed(self.decided.get(key, [])))[: max(0, limit)]

    def _answer(self, answered: Answered | None) -> None:
        if answered is not None and answered.token:
            if answered.token in self.used:
                raise UsedUp
            self.used[answered.token] = answered.item
        if answered is not None and answered.item is not None:
            self.inbox.mark_answered(answered.item, answered.replies, answered.goes_on)


def _after_turn(stored: Session, record: TurnRecord) -> Session:
    after = record.session
    same = stored.version == record.version
    kept = replace(stored, autos=after.autos, served=after.served if same else stored.served)
    if not same or (stored.choices, stored.undo) == (after.choices, after.undo):
        return kept
    return replace(kept, choices=after.choices, undo=after.undo, version=stored.version + 1)


def _totals(spent: list[Spent]) -> tuple[Total, ...]:
    groups: dict[tuple[str, str], list[Spent]] = {}
    for one in spent:
        group = groups.pop((one.model, one.profile), [])
        groups[one.model, one.profile] = [*group, one]
    return tuple(_total(model, profile, group) for (model, profile), group in reversed(groups.items()))


def _total(model: str, profile: str, group: list[Spent]) -> Total:
    return Total(
        model=model,
        profile=profile,
        answers=len(group),
        input_tokens=sum(one.input_tokens for one in group),
        output_tokens=sum(one.output_tokens for one in group),
        cost=sum(one.cost or 0 for one in group),
        unpriced=sum(one.cost is None for one in group),
    )
