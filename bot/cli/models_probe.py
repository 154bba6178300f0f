"""`models status --probe`: asks the providers whether each credential works, and shows what they say.

`add_probe_flags` and `probe_problem` are for the parser; `run_probe` gives a report before anything is printed, so that an
interrupt leaves no half of a table; `probe_view` is the report as JSON, `probe_lines` for people.
"""

import argparse
import math
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bot.cli.exit_codes import INTERRUPTED, OK

if TYPE_CHECKING:
    from bot.app import Inspection
    from bot.cli.models_probe_rows import ProbeReport
    from bot.interrupts import Interrupts
    from bot.probing import ProbeLimits, ProbeResult
    from core.models.catalog import ProviderEntry
    from core.resolution.probe import Target
    from core.resolution.snapshot import Snapshot

_TIMEOUT, _CONCURRENCY, _TOKENS = "8000", "2", "8"
_LONGEST_MS, _MOST = 3_600_000, 1_000_000


def add_probe_flags(parser: argparse.ArgumentParser, suppress: bool) -> None:
    """`suppress`: the flags stand a second time, behind the word `status`, and must not undo those before it."""

    def add(name: str, default: object, **how: Any) -> None:
        parser.add_argument(f"--probe{name}", default=argparse.SUPPRESS if suppress else default, **how)

    add("", False, action="store_true", help="ask the providers whether each credential works")
    add("-provider", None, metavar="P", help="only credentials of this provider")
    add(
        "-profile",
        None,
        metavar="ID",
        action="append",
        help="only this profile; may be repeated, or a list with commas",
    )
    add("-level", "list", choices=("list", "completion"),
        help="list (default): the provider's list of models, without tokens; completion: a short real request")  # fmt: skip
    add("-all", False, action="store_true", help="every configured model, not one for each provider")
    add("-timeout", _TIMEOUT, metavar="MS", help=f"milliseconds for each target (default: {_TIMEOUT})")
    add("-concurrency", _CONCURRENCY, metavar="N", help=f"targets at a time (default: {_CONCURRENCY})")
    add("-max-tokens", _TOKENS, metavar="N", help=f"longest answer to a completion (default: {_TOKENS})")


def probe_problem(args: argparse.Namespace) -> str | None:
    """What is wrong with the flags, or None."""
    if args.probe and args.plain:
        return "--probe cannot be used with --plain output."
    timeout = _number(args.probe_timeout)
    if timeout is None or not timeout > 0:
        return "--probe-timeout must be a positive number (ms)."
    if timeout > _LONGEST_MS:
        return f"--probe-timeout must be at most {_LONGEST_MS} (an hour)."
    for flag, text in (("concurrency", args.probe_concurrency), ("max-tokens", args.probe_max_tokens)):
        count = _number(text)
        if count is None or count < 1:
            return f"--probe-{flag} must be > 0."
        if count > _MOST or count != int(count):
            return f"--probe-{flag} must be a whole number of at most {_MOST}."
    return None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def run_probe(args: argparse.Namespace, snapshot: "Snapshot", inspection: "Inspection") -> "ProbeReport":
    """Ask, and wait until every target has answered or its time is over. `args` without a problem; `snapshot` is the agent's.

    Raises BotError for a provider or a profile that there is not, KeyboardInterrupt when a signal ends it. Stores nothing.
    """
    from time import monotonic

    from bot.cli.models_probe_rows import ProbeReport
    from bot.probing import ProbeLimits
    from core.resolution.probe import ProbeWish, plan_probe

    names = [name.strip() for text in args.probe_profile or () for name in text.split(",")]
    wish = ProbeWish(
        provider=args.probe_provider,
        profiles=tuple(dict.fromkeys(filter(None, names))),
        every_model=args.probe_all,
    )
    limits = ProbeLimits(
        timeout=timedelta(milliseconds=float(args.probe_timeout)),
        concurrency=int(float(args.probe_concurrency)),
        max_tokens=int(float(args.probe_max_tokens)),
        completion=args.probe_level == "completion",
    )
    plan = plan_probe(snapshot, wish)
    started, begun = inspection.clock.now(), monotonic()
    results: tuple[ProbeResult, ...] = ()
    if plan.targets:
        told = _progress(args, len(plan.targets))
        results = _ask(plan.targets, limits, inspection, inspection.providers(snapshot.rules), told)
    duration = timedelta(seconds=monotonic() - begun)
    return ProbeReport(wish, limits, started, inspection.clock.now(), duration, plan.planned, results, plan.blind)


def _ask(
    targets: tuple["Target", ...],
    limits: "ProbeLimits",
    inspection: "Inspection",
    providers: Mapping[str, "ProviderEntry"],
    told: Callable[[int | None], None],
) -> tuple["ProbeResult", ...]:
    from bot.app import provider_client
    from bot.interrupts import run_interruptible
    from bot.probing import Prober
    from bot.unwaited_threads import wait_for_no_thread

    found: list[ProbeResult] = []

    async def ask(_: "Interrupts") -> int:
        wait_for_no_thread()
        client = provider_client(inspection)
        try:
            found.extend(await Prober(client, providers, limits, inspection.clock, told).run(targets))
        finally:
            await client.close()
        return OK

    told(0)
    try:
        if run_interruptible(ask) == INTERRUPTED:
            raise KeyboardInterrupt
    finally:
        told(None)
    return tuple(found)


def _progress(args: argparse.Namespace, total: int) -> Callable[[int | None], None]:
    """One line on a terminal that is written anew each time and taken away at the end (None). Elsewhere nothing."""
    stream = sys.stderr
    if args.json or stream is None or not stream.isatty():
        return lambda _: None

    def told(done: int | None) -> None:
        stream.write("\r\x1b[K" if done is None else f"\r\x1b[KProbing: {done} of {total} done")
        stream.flush()

    return told


def probe_view(report: "ProbeReport") -> dict[str, Any]:
    """`probes` of `models status --json`."""
    from bot.cli.models_probe_rows import planned_row, result_row
    from core.durations import iso

    return {
        "started_at": iso(report.started_at),
        "finished_at": iso(report.finished_at),
        "duration_ms": _ms(report.duration),
        "total_targets": len(report.results),
        "unreadable_providers": list(report.blind),
        "options": {
            "provider": report.wish.provider,
            "profile_ids": list(report.wish.profiles),
            "timeout_ms": _ms(report.limits.timeout),
            "concurrency": report.limits.concurrency,
            "max_tokens": report.limits.max_tokens,
            "level": "completion" if report.limits.completion else "list",
            "all": report.wish.every_model,
        },
        "results": [*map(planned_row, report.planned), *map(result_row, report.results)],
    }


def probe_lines(report: "ProbeReport") -> list[str]:
    """The block `Auth probes` for people: a row for each credential, by provider and profile, what went wrong below it."""
    from bot.cli.models_probe_rows import span, table, unknown_line

    rows = probe_view(report)["results"]
    rows.sort(key=lambda row: (row["provider"], row["profile_id"]))
    count = len(report.results)
    last = f"Probed {count} target{'' if count == 1 else 's'} in {span(_ms(report.duration))}"
    shown = table(rows) if rows else [] if report.blind else ["- none"]
    return ["", "Auth probes", *map(unknown_line, report.blind), *shown, last if count else "No probe targets."]


def _ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
