"""`models auth clear`: puts a credential that is cooling or disabled back into service, once its provider accepts it.

Its windows end, and their ladders start anew: the next failure is a first one. A gateway on the same database goes by that with
its very next request. A provider that still refuses leaves the record as it is; `--no-probe` takes the person's word instead.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from bot.cli.exit_codes import FAILED, INTERRUPTED, OK
from bot.cli.output import complain, on_one_line, say, say_json
from core.auth.health import Lane
from core.durations import iso
from core.resolution.outage import HELD

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from bot.app import Inspection
    from bot.checking import ProviderCheck, Said
    from bot.cli.models_clearing import Clearing
    from bot.config.settings import Settings
    from bot.paths import Paths
    from core.resolution.outage import Hold

_NOTHING, _CLEARED, _PARTLY, _REFUSED, _UNPROVEN = (
    "nothing_to_clear", "cleared", "partly_cleared", "refused", "unproven",
)  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """0 it may serve again or was not out, 1 it is still out. Raises BotError for what there is not."""
    from bot.cli.models_auth import agent_named
    from bot.cli.models_clearing import clearing, open_holds
    from bot.cli.models_opened import opened
    from bot.paths import Paths
    from core.sessions.key import SessionKey

    paths = Paths.of(os.environ)
    settings, inspection, _ = opened(paths)
    key = SessionKey(agent_named(args.agent, inspection.rules.agents), "main")
    wanted = clearing(inspection.snapshots.take(key), args.profile.strip(), args.model)
    if not args.json:
        _say_out(wanted)
    if not wanted.out:
        return _report(args, wanted, (), (), _NOTHING)
    said = [] if args.no_probe else _asked(args, wanted, inspection)
    ended = wanted.everything if args.no_probe else wanted.ended_by(one.model for one in said if one.accepted)
    if ended:
        _end(ended, settings, paths, inspection)
    left = open_holds(inspection.snapshots.take(key), wanted.profile, wanted.scope)
    if not left:
        outcome = _CLEARED
    elif ended:
        outcome = _PARTLY
    else:
        outcome = _REFUSED if any(one.failure for one in said) else _UNPROVEN
    return _report(args, wanted, said, left, outcome)


def _asked(args: argparse.Namespace, wanted: "Clearing", inspection: "Inspection") -> "list[Said]":
    """What the provider said: its list first, then completions where that is no proof and somebody has agreed to them."""
    from bot.cli.models_clearing import ask_answers, ask_lists, is_open, models_to_ask

    providers = inspection.providers(wanted.snapshot.rules)
    models, clock = models_to_ask(wanted, providers), inspection.clock
    said = _with_client(inspection, lambda check: ask_lists(check, clock, wanted, models, providers))
    undecided = [one for one in said if is_open(one)]
    if undecided and (args.yes or _agrees(wanted, undecided)):
        said = _with_client(inspection, lambda check: ask_answers(check, clock, wanted, said, providers))
    return said


def _with_client(
    inspection: "Inspection", ask: "Callable[[ProviderCheck], Coroutine[None, None, list[Said]]]"
) -> "list[Said]":
    from bot.app import provider_client
    from bot.checking import ProviderCheck
    from bot.interrupts import Interrupts, run_interruptible
    from bot.unwaited_threads import wait_for_no_thread

    found: list[Said] = []

    async def asking(_: Interrupts) -> int:
        wait_for_no_thread()
        client = provider_client(inspection)
        try:
            found.extend(await ask(ProviderCheck(client, inspection.clock)))
        finally:
            await client.close()
        return OK

    if run_interruptible(asking) == INTERRUPTED:
        raise KeyboardInterrupt
    return found


def _agrees(wanted: "Clearing", undecided: "Sequence[Said]") -> bool:
    """Whether the person at the terminal wants tokens spent; without one nobody does."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    count = len(undecided)
    what = "a completion of at most 8 tokens" if count == 1 else f"{count} completions of at most 8 tokens each"
    sys.stderr.write(f"{undecided[0].note} Ask it for {what} with {on_one_line(wanted.profile.id)}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.buffer.readline().strip().lower() in (b"y", b"yes")  # a terminal may send what is no text


def _end(holds: "Iterable[Hold]", settings: "Settings", paths: "Paths", inspection: "Inspection") -> None:
    import asyncio

    from bot.app import open_health
    from core.commands.checks import end_windows

    with open_health(settings, paths, inspection.credentials.environment) as store:
        asyncio.run(end_windows(store, holds))


def _report(
    args: argparse.Namespace, wanted: "Clearing", said: "Sequence[Said]", left: "Sequence[Hold]", outcome: str
) -> int:
    if args.json:
        say_json({
            "agent": wanted.snapshot.session.key.agent, "profile": wanted.profile.id,
            "provider": wanted.profile.provider, "model": wanted.scope or None, "outcome": outcome,
            "windows": [_window(hold) for hold in wanted.out], "checks": [_check(one) for one in said],
            "left": [_window(hold) for hold in left],
        })  # fmt: skip
    elif outcome == _NOTHING:
        say(f"{_named(wanted)} is not out: nothing to clear.")
    else:
        for one in (one for one in said if one.accepted):
            say(f"The provider accepts it with {one.model} ({_kind(one)}).")
        if outcome == _CLEARED:
            say(f"Cleared: {_named(wanted)} is back in service.")
    if outcome in (_NOTHING, _CLEARED):
        return OK
    complain(" ".join(_why(wanted, said, left, outcome)))
    return FAILED


def _why(wanted: "Clearing", said: "Sequence[Said]", left: "Sequence[Hold]", outcome: str) -> "Iterable[str]":
    """What keeps it out still, and the next step."""
    for one in said:
        if one.failure is not None:
            status = f" (HTTP {one.failure.status})" if one.failure.status else ""
            answered = f"{one.failure.reason}{status}"
            if one.failure.reason in HELD:
                yield f"The provider still refuses {wanted.profile.id} with {one.model}: {answered}."
            else:
                yield f"{wanted.profile.id} could not be checked with {one.model}: {answered}."
            if one.failure.detail:
                yield f"It said: {one.failure.detail.removesuffix('.')}."
        elif not one.accepted:
            yield f"{one.note} Add --yes to ask for a completion of at most 8 tokens with {one.model}."
    if outcome == _PARTLY:
        yield f"Still in force: {'; '.join(map(_words, left))}."
    else:
        yield "Nothing was cleared; --no-probe clears without asking."


def _say_out(wanted: "Clearing") -> None:
    if not wanted.out:
        return
    say(f"{_named(wanted)} is out:")
    for hold in wanted.out:
        whose = (
            "" if hold.profile.id == wanted.profile.id else f", by {on_one_line(hold.profile.id)} of the same account"
        )
        say(f"- {_words(hold)}{whose}")


def _named(wanted: "Clearing") -> str:
    name = on_one_line(wanted.profile.id)
    return f"{name} for {wanted.scope}" if wanted.scope else name


def _words(hold: "Hold") -> str:
    window = hold.window
    scope = f" · {on_one_line(window.model)}" if window.model else ""
    until = f"until {iso(window.until)}" if window.until is not None else "until the credential changes"
    return f"{_state(hold)} · {window.reason}{scope} {until}"


def _state(hold: "Hold") -> str:
    return "cooling" if hold.window.lane is Lane.COOLDOWN else "disabled"


def _kind(said: "Said") -> str:
    return "list of models" if said.check == "models" else "completion"


def _window(hold: "Hold") -> dict[str, Any]:
    window = hold.window
    return {
        "profile": hold.profile.id,
        "state": _state(hold),
        "reason": window.reason.value,
        "model_scope": window.model or None,
        "since": iso(window.since),
        "until": iso(window.until),
    }


def _check(said: "Said") -> dict[str, Any]:
    failure = said.failure
    return {
        "model": str(said.model),
        "check": said.check,
        "accepted": said.accepted,
        "reason": failure.reason.value if failure is not None else None,
        "status": failure.status if failure is not None else None,
        "error": failure.detail or None if failure is not None else None,
        "note": said.note,
        "latency_ms": round(said.latency.total_seconds() * 1000),
    }
