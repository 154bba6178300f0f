"""What the user sees when a turn cannot be served: who is out, why, until when, and what to do about it.

The message is kept: it runs when a choice is made (product.md 5.2). A number or a press does the choice.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from core.auth.profiles import AuthProfile, PinMode
from core.chat.attempts import Attempt, Attempts
from core.durations import format_duration, iso
from core.errors import FailureReason
from core.messages import Block, Button, Reply, ReplyKind, Row, Tone
from core.models.lookup import quote
from core.resolution import words
from core.resolution.labels import tone_of
from core.resolution.outage import check_choices
from core.resolution.resolver import SUBSCRIPTION, Pinned, Resolution, costs, pin_is_out
from core.resolution.rules import CrossBilling
from core.resolution.snapshot import Snapshot
from core.resolution.view import Sees, standing

_RETRY = ("Try again", "")
_KEPT = "Your message is kept and runs when you choose"
_HOW = "Answer with a button or /model <number>."
_PRICE = " (metered)"
_SHORTEST_LOAN = timedelta(minutes=1)
_MOST_LINES = 10
"""Credentials or attempts named on a card; it is read on a phone."""
_HINTS = {
    FailureReason.CONTEXT_OVERFLOW: "The conversation is longer than the model can read.",
    FailureReason.FORMAT: "The provider did not accept the request.",
    FailureReason.MODEL_NOT_FOUND: "The provider does not know this model; choose another with /model.",
    FailureReason.SESSION_EXPIRED: "The provider no longer knows this conversation.",
    FailureReason.OVERLOADED: "The provider is overloaded.",
    FailureReason.TIMEOUT: "The provider did not answer in time, or failed by itself.",
    FailureReason.NETWORK: "The provider could not be reached, or the connection broke.",
    FailureReason.AUTH: "The provider refused the credential.",
    FailureReason.AUTH_PERMANENT: "The provider has withdrawn the credential.",
    FailureReason.BILLING: "The account behind the credential has no credit.",
    FailureReason.RATE_LIMIT: "The credential is at its rate limit.",
    FailureReason.UNKNOWN: "The provider failed.",
}


def unserved(snapshot: Snapshot, resolution: Resolution, attempts: Sequence[Attempt], sees: Sees, owner: bool) -> Reply:
    """The reply to a message that nothing could serve. `snapshot` is taken after the attempts. An `owner` may have the provider
    of what is out asked again."""
    pinned = resolution.pinned
    is_prefer = pinned is not None and pinned.mode is PinMode.PREFER
    if resolution.withheld and not resolution.candidates and is_prefer:
        return _money_card(snapshot, resolution, attempts, sees)
    if pinned is not None and pinned.pin is not None and pin_is_out(pinned) and not resolution.candidates:
        return _pin_card(snapshot, resolution, pinned, attempts, sees, owner)
    if resolution.withheld and not resolution.candidates:
        return _money_card(snapshot, resolution, attempts, sees)
    last = attempts[-1].failure if attempts else None
    if last is not None and (resolution.candidates or not resolution.placed):
        return _failed(snapshot, attempts)
    return _nobody(snapshot, resolution, attempts, sees, owner)


def _pin_card(
    snapshot: Snapshot, resolution: Resolution, pinned: Pinned, attempts: Sequence[Attempt], sees: Sees, owner: bool
) -> Reply:
    placed, now = pinned.placed, snapshot.now
    _, reason, until, _ = standing(placed)
    if placed.profile is None:
        told = f"{pinned.profile} is pinned here, but there is no such profile any more."
        rows = [Row(pinned.profile, "there is no such profile any more", Tone.BAD)]
    else:
        told = f"{pinned.profile} is pinned here and out: {words.state(placed, now)}."
        rows = [Row(pinned.profile, words.state(placed, now), Tone(tone_of(placed)))]
        if until is not None:
            told += f" It returns at {words.moment(until, now)}."
            rows.append(Row("Returns", words.moment(until, now)))
    ref = resolution.selected.ref
    choices = [
        (f"Use {p.id} once{_PRICE if _is_new_cost(pinned, p.profile) else ''}", f"/model {quote(str(ref), p.id)} once")
        for p in resolution.placed
        if p.usable and p.id != pinned.profile and p.profile is not None and sees(p.profile)
    ][:3]
    choices += [("Prefer instead", "/model prefer")] if pinned.mode is PinMode.STRICT else []
    choices += [("Release pin", "/model auto"), _RETRY, *(check_choices([placed]) if owner else ())]
    data = {"profile": pinned.profile, "reason": reason, "until": iso(until)}
    lead = [told, *_account(attempts), f"{_KEPT}:"]
    block = Block(
        "The pinned credential is out", (Row("Model", str(ref)), *rows, *_tried(attempts), Row("", f"{_KEPT}."))
    )
    return _card("pinned_unavailable", lead, choices, data, block)


def _is_new_cost(pinned: Pinned, instead: AuthProfile) -> bool:
    """Whether this one costs, and the pinned one does not."""
    return costs(instead) and pinned.placed.profile is not None and pinned.placed.profile.billing == SUBSCRIPTION


def _money_card(snapshot: Snapshot, resolution: Resolution, attempts: Sequence[Attempt], sees: Sees) -> Reply:
    """A subscription is out and the next credential costs money: nobody spends it without a person's word (product.md 6)."""
    until, now = resolution.next.until, snapshot.now
    back = f" until {words.moment(until, now)}" if until is not None else ""
    offered = [c for c in resolution.withheld if sees(c.profile)][:3]
    told = f"The subscription for {resolution.selected.ref} is out{back}."
    choices: list[tuple[str, str]] = []
    if snapshot.rules.cross_billing is CrossBilling.NEVER:
        told += " What is left is metered, and failover.cross_billing forbids to go on with it."
    else:
        told += " What is left is metered: each message costs."
        choices += [(f"Use {c.profile.id} once", f"/model {quote(str(c.model), c.profile.id)} once") for c in offered]
        if offered and until is not None:
            span = format_duration(max(until - now, _SHORTEST_LOAN))
            pinned = quote(str(offered[0].model), offered[0].profile.id)
            choices.append((
                f"Use {offered[0].profile.id} for {span}", f"/model {pinned} for {span.replace(' ', '')}"
            ))  # fmt: skip
    choices.append(_RETRY)
    lead = [told, *_account(attempts), f"{_KEPT}:"]
    rows = (Row("", told, Tone.WAITING), *_tried(attempts), Row("", f"{_KEPT}."))
    data = {"profile": offered[0].profile.id if offered else None, "reason": "cross_billing", "until": iso(until)}
    return _card("cross_billing", lead, choices, data, Block("The subscription is out", rows))


def _nobody(snapshot: Snapshot, resolution: Resolution, attempts: Sequence[Attempt], sees: Sees, owner: bool) -> Reply:
    ref = resolution.selected.ref
    visible = [p for p in resolution.placed if p.profile is not None and sees(p.profile)]
    states = _some([f"  {p.id}: {words.state(p, snapshot.now)}" for p in visible])
    until = resolution.next.until
    if any(p.position is not None for p in resolution.placed):
        back = f" The first returns at {words.moment(until, snapshot.now)}." if until is not None else ""
        told, code = f"Every credential for {ref} is out.{back}", "all_unavailable"
    else:
        told = f"{ref.provider} has no credential that may be used, so {ref} cannot answer."
        if snapshot.is_blind(ref.provider):
            told += " The profile store, or an entry of it, could not be read; `remoteclaw models status` says why."
        code = "no_credentials"
    lead = [told, *states, *_account(attempts), "Your message is kept. Choose another model with /model, or:"]
    listed = [Row(p.id, words.state(p, snapshot.now), Tone(tone_of(p))) for p in visible]
    last = Row("", "Your message is kept. Choose another model with /model.")
    rows = (Row("", told, Tone.BAD), *_some_rows(listed), *_tried(attempts), last)
    choices = [_RETRY, *(check_choices(visible) if owner else ())]
    data = {"profile": None, "reason": code, "until": iso(until)}
    return _card(code, lead, choices, data, Block("Nobody can answer now", rows))


def _failed(snapshot: Snapshot, attempts: Sequence[Attempt]) -> Reply:
    last = attempts[-1]
    failure = last.failure
    reason = failure.reason if failure else FailureReason.UNKNOWN
    status = f" (HTTP {failure.status})" if failure and failure.status else ""
    told = f"{last.model} with {last.profile.id} failed: {reason}{status}. {_HINTS[reason]}"
    lead = [told]
    if len(attempts) > 1:
        lead += _account(attempts)
    elif failure and failure.detail:
        lead.append(f"It said: {failure.detail}")
    choices = [_RETRY]
    if reason is FailureReason.CONTEXT_OVERFLOW:
        choices = [
            ("Compact the conversation and ask again", "/compact"),
            ("Start a new conversation and ask again", "/fresh"),
        ]
    lead.append(f"{_KEPT}:")
    said = [Row("It said", failure.detail)] if failure and failure.detail and len(attempts) == 1 else []
    rows = (Row("", told, Tone.BAD), *(_tried(attempts) if len(attempts) > 1 else said), Row("", f"{_KEPT}."))
    data = {"profile": last.profile.id, "reason": reason.value, "until": iso(failure.retry_at if failure else None)}
    return _card(reason.value, lead, choices, data, Block("There is no answer", rows))


def compaction_failed(snapshot: Snapshot, resolution: Resolution, attempts: Attempts, is_cut: bool = False) -> Reply:
    """Why there is no summary. The conversation is as it was."""
    if attempts.stopped:
        return Reply(kind=ReplyKind.NOTICE, text="Stopped. The conversation is as it was.")
    last = attempts.made[-1].failure if attempts.made else None
    if is_cut:
        why = "the summary was cut, so it would have lost a part of the conversation."
    elif last is not None:
        why = f"{attempts.made[-1].model} with {attempts.made[-1].profile.id} failed: {last.reason}. {_HINTS[last.reason]}"
    elif attempts.made:
        why = "the model gave an empty answer."
    else:
        why = f"{words.next_words(snapshot, resolution)}."
    reason = last.reason.value if last is not None else "not_compacted"
    text = f"Not compacted: {why}\nThe conversation is as it was; /new begins a new one."
    return Reply(kind=ReplyKind.ERROR, code=reason, text=text)


def _account(attempts: Sequence[Attempt]) -> list[str]:
    """What was tried in this turn, a line each, and what the last provider said."""
    lines = []
    for attempt in attempts:
        failure = attempt.failure
        if failure is not None:
            status = f" (HTTP {failure.status})" if failure.status else ""
            lines.append(f"  tried {attempt.model} with {attempt.profile.id}: {failure.reason}{status}")
    last = attempts[-1].failure if attempts else None
    said = [f"It said: {last.detail}"] if last is not None and last.detail else []
    return [*_some(list(dict.fromkeys(lines))), *said]


def _tried(attempts: Sequence[Attempt]) -> list[Row]:
    """The same as facts."""
    rows = []
    for attempt in attempts:
        failure = attempt.failure
        if failure is not None:
            status = f" (HTTP {failure.status})" if failure.status else ""
            rows.append(Row("Tried", f"{attempt.model} with {attempt.profile.id}: {failure.reason}{status}", Tone.BAD))
    last = attempts[-1].failure if attempts else None
    said = [Row("It said", last.detail)] if last is not None and last.detail else []
    return [*_some_rows(list(dict.fromkeys(rows))), *said]


def _some_rows(rows: list[Row]) -> list[Row]:
    more = len(rows) - _MOST_LINES
    return [*rows[:_MOST_LINES], Row("", f"and {more} more; see /model status")] if more > 0 else rows


def _some(lines: list[str]) -> list[str]:
    more = len(lines) - _MOST_LINES
    return [*lines[:_MOST_LINES], f"  and {more} more; see /model status"] if more > 0 else lines


def _card(code: str, lead: list[str], choices: list[tuple[str, str]], data: dict[str, Any], block: Block) -> Reply:
    buttons = tuple(
        Button(n=n, label=label, command=command, group="action") for n, (label, command) in enumerate(choices, start=1)
    )
    lines = [*lead, *map(_numbered, buttons), _HOW]
    listed = [{"n": b.n, "label": b.label, "command": b.command or None} for b in buttons]
    return Reply(
        kind=ReplyKind.ERROR,
        code=code,
        text="\n".join(lines),
        data={**data, "choices": listed},
        buttons=buttons,
        blocks=(block,),
    )


def card_again(told: Reply, snapshot: Snapshot, resolution: Resolution, sees: Sees, owner: bool) -> Reply:
    """The card once more, after a choice on it that did not help: what came of that, then who is out now and what can be done."""
    if resolution.candidates:
        return retry_card(replace(told, buttons=()))
    card = unserved(snapshot, resolution, (), sees, owner)
    before = Block("", tuple(Row("", line) for line in told.text.splitlines()))
    return replace(card, text=f"{told.text}\n{card.text}", blocks=(before, *card.blocks))


def without_choices(card: Reply) -> Reply:
    """The card for somebody who may chat here and choose nothing: the kept message can be tried again, no more."""
    plain = (button for button in card.buttons if not button.command and not button.press)
    buttons = tuple(replace(button, n=n) for n, button in enumerate(plain, start=1))
    gone = {_HOW, *map(_numbered, card.buttons)}
    lines = [line for line in card.text.splitlines() if line not in gone]
    lines += [f"Press the button to have it tried again: {button.label}." for button in buttons]
    data = {key: value for key, value in card.data.items() if key != "choices"}
    return replace(card, text="\n".join(lines), data=data, buttons=buttons)


def _numbered(button: Button) -> str:
    return f"{button.n:>3}. {button.label}"


def retry_card(reply: Reply) -> Reply:
    """An error in answer to a card's choice, with a way to run the kept message after all."""
    label, command = _RETRY
    button = Button(n=1, label=label, command=command, group="action")
    text = f"{reply.text}\nYour message is still kept.\n  1. {label}"
    return Reply(kind=reply.kind, code=reply.code, text=text, data=reply.data, buttons=(button,))
