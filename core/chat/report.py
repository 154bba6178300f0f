"""The machine's account of a turn: the `turn` event of interfaces.md."""

from core.auth.profiles import AuthProfile
from core.chat.attempts import Attempts
from core.chat.completion import Usage
from core.chat.serving import Answer
from core.chat.spending import spent_on
from core.models.ref import ModelRef
from core.resolution.resolver import resolve
from core.resolution.snapshot import Snapshot
from core.resolution.view import Sees
from core.screening import HIDDEN


def report(first: Snapshot, sees: Sees, attempts: Attempts, answer: Answer | None) -> dict[str, object]:
    """The machine's account. A profile that the sender may not see is `hidden`, as in the replies."""
    usage = answer.completed.usage if answer is not None else Usage()
    cost = spent_on(answer.snapshot, answer.candidate, usage, first.now).cost if answer is not None else None
    last = answer.candidate if answer is not None else attempts.made[-1] if attempts.made else None
    model, profile = (last.model, _named(last.profile, sees)) if last is not None else _expected(first, sees)
    return {
        "outcome": "ok" if answer is not None else "failed",
        "model": str(model),
        "profile": profile,
        "attempts": [{**attempt.view(), "profile": _named(attempt.profile, sees)} for attempt in attempts.made],
        "usage": {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens},
        "cost_usd": None if cost is None else cost / 1_000_000,
    }


def _expected(first: Snapshot, sees: Sees) -> tuple[ModelRef, str | None]:
    """Who would have served, where nobody was tried."""
    resolution = resolve(first)
    if resolution.pinned is None:
        return resolution.selected.ref, None
    known = resolution.pinned.placed.profile
    return resolution.selected.ref, resolution.pinned.profile if known is None else _named(known, sees)


def _named(profile: AuthProfile, sees: Sees) -> str:
    return profile.id if sees(profile) else HIDDEN
