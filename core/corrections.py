"""Messages that were edited or taken back after they had been sent: the conversation follows.

What waits in line is asked as it reads now, or not at all. What is being answered is finished before an edit counts; taken
back, it ends. What was answered is corrected in the history, or erased from it with its answer. Only the author's own message is
ever meant: the source by which it is looked for holds both. A deletion may come without its author, which the source then tells.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from core.chat.lanes import Lanes
from core.chat.names import source_of
from core.chat.stop import Stop
from core.commands.parse import parse
from core.errors import UserError
from core.messages import Button, Inbound, Ingress, Reply, ReplyKind, reply_to_json
from core.offers import Offers
from core.resolution.snapshot import Snapshot
from core.sessions.history import Message, Role
from core.sessions.ports import Answered, SessionStore, ShownStore
from core.turn_work import TurnWork

_AGAIN = "Answer again"
_CORRECTED = f"""The question was corrected; the answer is still the one to what it said before.
  1. {_AGAIN}
Press the button, or answer with /model 1."""


class Corrections:
    """Carries out edits and deletions. It may wait for a turn: see `waits`."""

    def __init__(self, sessions: SessionStore, shown: ShownStore, offers: Offers, turns: TurnWork) -> None:
        self._sessions = sessions
        self._shown = shown
        self._offers = offers
        self._turns = turns
        self._lanes = Lanes()

    def waits(self, inbound: Inbound) -> bool:
        """Whether `apply` may return only when a turn is over. While one is running the message may be on its way into the line:
        what comes behind the correction in its chat must not wait for it."""
        is_known = bool(self._turns.under_way(inbound.session, self._source_under_way(inbound)))
        return is_known or self._turns.busy(inbound.session)

    async def apply(self, inbound: Inbound, snapshot: Snapshot, item: int | None) -> tuple[Reply, ...]:
        """Carry out one of them, by somebody who may chat here. What cannot be found any more is nobody's business.

        It is done when this returns; before that the inbox item must stay, for a restart repeats it from the start.
        """
        source = self._source_under_way(inbound) or await self._source_remembered(inbound)
        if not source:
            return ()
        if inbound.ingress is Ingress.DELETION:
            await self._take_back(inbound, source)
            return ()
        aliases = tuple(snapshot.rules.catalog.aliases) if snapshot.rules.alias_commands else ()
        return await self._edit(inbound, snapshot, source, item) if _is_question(inbound.text, aliases) else ()

    def _source_under_way(self, inbound: Inbound) -> str:
        """Where the message comes from, if that is known without asking a store."""
        if inbound.sender.id:
            return source_of(inbound.sender, inbound.message)
        return self._turns.find_source(inbound.session, inbound.sender.platform, inbound.message)

    async def _source_remembered(self, inbound: Inbound) -> str:
        if inbound.sender.id or not inbound.message:
            return ""
        named = inbound.session, inbound.sender.platform, inbound.message
        return await self._sessions.find_source(*named) or await self._shown.find_source(*named)

    async def _take_back(self, inbound: Inbound, source: str) -> None:
        under_way = self._turns.under_way(inbound.session, source)
        for question in under_way:
            question.take_back()
        async with self._lanes.ticket(inbound.session):
            await asyncio.gather(*(question.over() for question in under_way))
            await self._sessions.forget(inbound.session, source)
            await self._shown.drop_kept(inbound.session, source)

    async def _edit(self, inbound: Inbound, snapshot: Snapshot, source: str, item: int | None) -> tuple[Reply, ...]:
        under_way = self._turns.under_way(inbound.session, source)
        mine = [question.edit(inbound.text) for question in under_way]
        async with self._lanes.ticket(inbound.session):
            await asyncio.gather(*(question.over() for question in under_way))
            if [question.edits for question in under_way] != mine:
                return ()  # it was edited once more meanwhile, and that edit will be carried out
            return await self._corrected(inbound, snapshot, source, item)

    async def _corrected(
        self, inbound: Inbound, snapshot: Snapshot, source: str, item: int | None
    ) -> tuple[Reply, ...]:
        """What was answered, or is kept on a card, reads as it was edited."""
        key, epoch = inbound.session, snapshot.session.epoch
        is_kept = await self._shown.keeps(key, source)
        if not is_kept and not await self._sessions.remembers(key, source):
            return ()  # known before anything is fetched: most of what people edit in a group was never a question
        history = await self._sessions.history(key, epoch, snapshot.rules.history_messages)
        found = next((message for message in history if message.source == source), None)
        text = (await self._turns.question(inbound, snapshot, Stop())).message.text
        if found is None or found.text == text:
            await self._shown.amend_kept(key, source, text)
            return ()
        await self._shown.drop_kept(key, source)  # an earlier button would ask what it said before
        replies = await self._offered(inbound, replace(found, text=text)) if _newest(history) == source else ()
        answered = None if item is None else Answered(item, tuple(reply_to_json(reply) for reply in replies))
        return replies if await self._sessions.amend(key, source, text, answered) else ()

    async def _offered(self, inbound: Inbound, question: Message) -> tuple[Reply, ...]:
        button = Button(n=1, label=_AGAIN, command="", group="action")
        reply = Reply(kind=ReplyKind.NOTICE, text=_CORRECTED, buttons=(button,))
        return (await self._offers.offer(inbound, reply, question),)


def _newest(history: Sequence[Message]) -> str:
    return next((message.source for message in reversed(history) if message.role is Role.USER), "")


def _is_question(text: str, aliases: Sequence[str]) -> bool:
    """An edit never commands anything, and what reads like a command now, or like nothing, was not asked as a question."""
    try:
        return text.strip() != "" and parse(text, aliases) is None
    except UserError:
        return False
