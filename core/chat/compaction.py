"""`/compact`: the conversation becomes a summary of itself, written by the session's own model."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from core.chat.attempts import Attempts
from core.chat.card import compaction_failed
from core.chat.notices import unasked_change
from core.chat.serving import Answer, Parts, Serving
from core.chat.spending import spent_on
from core.chat.stop import Stop
from core.errors import FailureReason
from core.messages import Event, Reply, ReplyKind, Working, reply_to_json
from core.resolution.resolver import resolve
from core.resolution.snapshot import Snapshot
from core.screening import Screen
from core.sessions.history import Message, Role
from core.sessions.ports import Answered, TurnRecord
from core.sessions.session import Decision

log = logging.getLogger(__name__)

_SHARES = (0.5, 0.25, 0.1)
"""Parts of the model's context that are tried, each after the one before was too long."""
_WISH = (
    "Summarise this conversation so that it can be continued from your summary alone. Keep facts, names, numbers, decisions, "
    "open questions and what I asked you to remember. Leave out greetings and what was corrected later. Write in the "
    "conversation's language, without an introduction."
)
_HEADING = "Summary of our conversation so far:"


async def compact(
    parts: Parts, first: Snapshot, screen: Screen, stop: Stop, item: int | None, wish: str
) -> AsyncGenerator[Event, None]:
    """Replace the history by its summary. `wish`: what to pay attention to. Whatever fails leaves the history as it is."""
    yield Working()
    key, epoch = first.session.key, first.session.epoch
    history = await parts.sessions.history(key, epoch, first.rules.history_messages)
    if len(history) < 2:
        yield Reply(kind=ReplyKind.NOTICE, text="There is no conversation to compact yet.")
        return
    asked = Message(Role.USER, f"{_WISH} Pay special attention to: {wish}" if wish else _WISH)
    answer, attempts = await _summary(parts, first, (*history, asked), stop)
    text = screen.text(answer.completed.text).strip() if answer is not None else ""
    if answer is None or not text:
        if attempts.success is not None:
            await attempts.remember(attempts.success)
        again = Serving(parts, first, attempts).again()
        yield screen.reply(compaction_failed(again, resolve(again), attempts))
        return
    told = unasked_change(answer.snapshot, answer.resolution, answer.candidate, attempts.made)
    replies = [] if told is None else [screen.reply(Reply(kind=ReplyKind.NOTICE, text=told[0]))]
    replies.append(Reply(kind=ReplyKind.NOTICE, text=f"{len(history)} messages became this summary:\n\n{text}"))
    decisions: tuple[Decision, ...] = () if told is None else (told[1],)
    record = TurnRecord(
        key=key,
        epoch=epoch,
        version=first.session.version,
        messages=(Message(Role.USER, f"{_HEADING}\n\n{text}"),),
        session=parts.snapshots.take(key).session,
        decisions=decisions,
        answered=None if item is None else Answered(item, tuple(reply_to_json(reply) for reply in replies)),
        spent=(spent_on(answer.snapshot, answer.candidate, answer.completed.usage, parts.clock.now()),),
        health=attempts.success,
        compacts=True,
    )
    await parts.sessions.finish_turn(record)
    for reply in replies:
        yield reply


async def _summary(
    parts: Parts, first: Snapshot, messages: tuple[Message, ...], stop: Stop
) -> tuple[Answer | None, Attempts]:
    """The answer and the account of how it came about. A conversation that is too long for the model loses its beginning."""
    for share in _SHARES:
        attempts = Attempts(parts.provider, parts.health, parts.clock, first.rules, False, stop)
        async with aclosing(Serving(parts, first, attempts, share).pieces(messages)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Answer):
                    return piece, attempts
        failure = attempts.made[-1].failure if attempts.made else None
        if failure is None or failure.reason is not FailureReason.CONTEXT_OVERFLOW:
            break
    return None, attempts
