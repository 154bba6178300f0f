"""The rows of `models status --probe`: what was asked or was not, why, and what came of it. For JSON and as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bot.cli.output import on_one_line
from core.auth.eligibility import Eligibility, expiry_moment
from core.auth.profiles import AuthProfile
from core.durations import iso
from core.resolution.origin import ProbeSource, mode_of, source_of
from core.resolution.probe import Planned

if TYPE_CHECKING:
    from bot.probing import ProbeLimits, ProbeResult
    from core.resolution.probe import ProbeWish

UNUSABLE = "Auth profile credentials are missing or expired."
"""The first line of every reason but the two below. Scripts compare it."""
EXCLUDED = "Excluded by auth.order for this provider."
NO_MODEL = "No model available for probe"
_COMMAND = "Run: "
"""Begins a command that is meant to be copied: nothing follows it, not even a full stop."""
_HEAD = ("Model", "Profile (mode)", "Status")


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What a run came to. `duration` is of the run, by a clock that nobody sets; `blind` as in ProbePlan."""

    wish: "ProbeWish"
    limits: "ProbeLimits"
    started_at: datetime
    finished_at: datetime
    duration: timedelta
    planned: tuple["Planned", ...]
    results: tuple["ProbeResult", ...]
    blind: tuple[str, ...]


def unknown_line(provider: str) -> str:
    """For a provider whose credentials are not all known."""
    return (
        f"- {on_one_line(provider)}: not all of its credentials are known, because the store, or an entry of it, cannot be "
        "read; see the notes."
    )


def planned_row(planned: Planned) -> dict[str, Any]:
    """A credential that was not asked."""
    return {
        "provider": planned.provider,
        "model": str(planned.model) if planned.model is not None else None,
        **_credential(planned.id, planned.profile),
        "status": planned.status.value,
        "reason_code": planned.code,
        "error": _reason(planned),
        "latency_ms": None,
        "check": None,
        "proven": None,
        "note": None,
    }


def result_row(result: "ProbeResult") -> dict[str, Any]:
    """A target and its answer."""
    target = result.target
    return {
        "provider": target.provider,
        "model": str(target.model),
        **_credential(target.profile.id, target.profile),
        "status": result.status.value,
        "reason_code": None,
        "error": result.error,
        "latency_ms": round(result.latency.total_seconds() * 1000),
        "check": result.check,
        "proven": result.proven,
        "note": result.note,
    }


def _credential(name: str, profile: AuthProfile | None) -> dict[str, Any]:
    source = source_of(profile)
    own = profile.label if profile is not None and profile.label else name
    return {
        "profile_id": name,
        "label": own if source is ProbeSource.PROFILE else source.value,
        "source": source.value,
        "mode": mode_of(profile),
    }


def _reason(planned: Planned) -> str:
    match planned.reason:
        case Eligibility.NO_MODEL:
            return NO_MODEL
        case Eligibility.EXCLUDED_BY_AUTH_ORDER if planned.by_order:
            return EXCLUDED
        case Eligibility.EXCLUDED_BY_AUTH_ORDER:
            first, why = EXCLUDED, "auth.profiles of the config names other profiles, and only those are used"
        case _:
            first, why = UNUSABLE, _why(planned)
    end = "" if why.endswith(".") or _COMMAND in why else "."
    return f"{first}\n↳ Auth reason [{planned.code}]: {why}{end}"


def _why(planned: Planned) -> str:
    profile = planned.profile
    if profile is None:
        return "an order or auth.profiles names this profile, and no store has it"
    match planned.reason:
        case Eligibility.EXPIRED:
            return f"it expired at {iso(expiry_moment(profile.expires))}"
        case Eligibility.INVALID_EXPIRES:
            return "expires must be a positive Unix time in milliseconds"
        case Eligibility.UNRESOLVED_REF if profile.ref is not None:
            ref = f"{profile.ref.source}:{profile.ref.provider}:{on_one_line(profile.ref.id)}"
            told = f". {profile.ref_error}" if profile.ref_error else ""
            return f'SecretRef "{ref}" could not be resolved{told}'
        case Eligibility.PROVIDER_MISMATCH:
            return f"it is for {profile.config_provider or profile.provider}, not for {planned.provider}"
        case Eligibility.MODE_MISMATCH:
            return f"auth.profiles says {profile.config_mode}, the store holds {profile.kind.value}"
        case _:
            return "it holds no inline credential and no SecretRef"


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Columns as wide as they need to be; below a row what went wrong or has to be known about it."""
    cells = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(cell[n]) for cell in cells) for n in range(len(_HEAD))]
    lines = []
    for cell, told in zip(cells, ((), *(_told(row) for row in rows)), strict=True):
        lines.append("  ".join(f"{text:<{width}}" for text, width in zip(cell, widths, strict=True)).rstrip())
        lines += [f"  ↳ {text}" for text in told]
    return lines


def _cells(row: dict[str, Any]) -> tuple[str, str, str]:
    mode = f" ({row['mode']})" if row["mode"] else ""
    status = row["status"] if row["latency_ms"] is None else f"{row['status']} · {span(row['latency_ms'])}"
    return on_one_line(row["model"] or f"{row['provider']}/-"), on_one_line(f"{row['profile_id']}{mode}"), status


def _told(row: dict[str, Any]) -> tuple[str, ...]:
    error = (row["error"] or "").replace("↳ ", "").splitlines()
    return tuple(map(on_one_line, filter(None, [*error, row["note"]])))


def span(milliseconds: int) -> str:
    """`840ms`, `1.2s`."""
    return f"{milliseconds}ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f}s"
