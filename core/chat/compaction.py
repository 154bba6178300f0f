"""`/compact`: the conversation becomes a summary of itself, written by the session's own model."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from core.chat.attempts import Attempts
from core.chat.card import compaction_failed
from core.chat.completion import StopReason
from core.chat.notices import unasked_change
from core.chat.serving import Answer, Parts, Serving
from core.chat.spending import spent_on
from core.chat.stop import Stop
from core.errors import FailureReason
from core.messages import Event, Reply, ReplyKind, reply_to_json
from core.resolution.resolver import resolve
from core.resolution.snapshot import Snapshot
from core.screening import Screen
from core.sessions.history import Message, Role
from core.sessions.ports import Answered, TurnRecord

_SHARES = (0.9, 0.5, 0.2)
"""Parts of the model's context that are tried, each after the one before was too long. The rest is for the summary."""
_WISH = (
    "Summarise this conversation so that it can be continued from your summary alone. Keep facts, names, numbers, decisions, "
    "open questions and what I asked you to remember. Leave out greetings and what was corrected later. Write in the "
    "conversation's language, without an introduction."
)
_HEADING = "Summary of our conversation so far:"
_DROPPED = "A new conversation has begun meanwhile, so the summary is dropped."


async def compact(
    parts: Parts, first: Snapshot, screen: Screen, stop: Stop, item: int | None, wish: str
) -> AsyncGenerator[Event, None]:
    """Replace the history by its summary. `wish`: what to pay attention to. Whatever fails leaves the history as it is."""
    key, epoch = first.session.key, first.session.epoch
    history = await parts.sessions.history(key, epoch, first.rules.history_messages)
    if len(history) < 2:
        yield Reply(kind=ReplyKind.NOTICE, text="There is no conversation to compact yet.")
        return
    asked = Message(Role.USER, f"{_WISH} Pay special attention to: {wish}" if wish else _WISH)
    answer, attempts, left_out = await _summary(parts, first, (*history, asked), stop)
    text = screen.text(answer.completed.text).strip() if answer is not None else ""
    whole = answer is not None and answer.completed.stop_reason not in (StopReason.LENGTH, StopReason.FILTER)
    replies: list[Reply] = []
    told = None
    if answer is not None:
        told = unasked_change(answer.snapshot, answer.resolution, answer.candidate, attempts.made)
        replies += [] if told is None else [screen.reply(Reply(kind=ReplyKind.NOTICE, text=told[0]))]
    if text and whole:
        replies.append(Reply(kind=ReplyKind.NOTICE, text=f"{_count(len(history), left_out)}:\n\n{text}"))
    else:
        again = Serving(parts, first, attempts).again()
        replies.append(screen.reply(compaction_failed(again, resolve(again), attempts, is_cut=bool(text))))
    if answer is None:
        yield replies[-1]
        return
    now = parts.snapshots.take(key).session
    if now.epoch != epoch:
        replies = [Reply(kind=ReplyKind.NOTICE, text=_DROPPED)]
    record = TurnRecord(
        key=key,
        epoch=epoch,
        version=first.session.version,
        messages=(Message(Role.USER, f"{_HEADING}\n\n{text}"),) if text and whole else (),
        session=now,
        decisions=() if told is None else (told[1],),
        answered=None if item is None else Answered(item, tuple(reply_to_json(reply) for reply in replies)),
        spent=(spent_on(answer.snapshot, answer.candidate, answer.completed.usage, parts.clock.now()),),
        health=attempts.success,
        compacts=bool(text) and whole,
    )
    await parts.sessions.finish_turn(record)
    for reply in replies:
        yield reply


def _count(messages: int, left_out: int) -> str:
    if not left_out:
        return f"{messages} messages became this summary"
    return f"{messages} messages became this summary; the oldest {left_out} had no room in it and are gone"


async def _summary(
    parts: Parts, first: Snapshot, messages: tuple[Message, ...], stop: Stop
) -> tuple[Answer | None, Attempts, int]:
    """The answer, the account of how it came about, and how many messages it knows nothing of. A conversation that is too long
    for the model loses its beginning."""
    for share in _SHARES:
        attempts = Attempts(parts.provider, parts.health, parts.clock, first.rules, False, stop)
        serving = Serving(parts, first, attempts, share)
        async with aclosing(serving.pieces(messages)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Answer):
                    return piece, attempts, serving.left_out
        failure = attempts.made[-1].failure if attempts.made else None
        if failure is None or failure.reason is not FailureReason.CONTEXT_OVERFLOW:
            break
    return None, attempts, 0
