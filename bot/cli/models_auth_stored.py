"""`models auth list`: what is stored, and how it stands."""

import argparse
from datetime import datetime
from typing import Any

from bot.cli import exit_codes
from bot.cli.models_auth import Desk, provider_named
from bot.cli.output import complain, on_one_line, say, say_json
from core.auth.eligibility import Eligibility, expiry_moment, judge
from core.auth.health import Lane, ProfileHealth, Window
from core.auth.profiles import AuthProfile
from core.auth.provider_names import credential_provider
from core.durations import iso
from core.errors import UserError


def run(args: argparse.Namespace, desk: Desk) -> int:
    """Every credential of the stores that this agent may use."""
    try:
        provider = provider_named(args.provider) if args.provider is not None else None
    except UserError as error:
        complain(str(error))
        return exit_codes.USAGE
    credentials = desk.credentials()
    wanted = credential_provider(provider) if provider is not None else None
    health, now = desk.stores.state.read(()).health, desk.stores.clock.now()
    rows = [_row(p, health, now) for p in desk.stored().values() if wanted in (None, credential_provider(p.provider))]
    rows.sort(key=lambda row: (row["provider"], row["id"]))
    folder = desk.paths.agent(desk.agent)
    if args.json:
        say_json({
            "agent": desk.agent, "agent_dir": str(folder), "auth_store_path": str(desk.stores.writer(desk.agent).path),
            "provider": provider, "profiles": rows, "problems": list(credentials.problems),
        })  # fmt: skip
        return exit_codes.OK
    say(f"Agent: {desk.agent}")
    _say_rows(rows)
    for problem in credentials.problems:
        say(f"Note: {problem}")
    return exit_codes.OK


def _say_rows(rows: list[dict[str, Any]]) -> None:
    """A table for people, a line for each in a pipe."""
    from bot.cli.colour import is_for_people

    if rows and is_for_people():
        from bot.cli.table import say_table

        columns = ("Profile", "Kind", "State", "Expires", "Fingerprint")
        say_table(columns, [(f"{r['id']}{_named(r)}", *_cells(r)) for r in rows])
        return
    say("Profiles:" if rows else "Profiles: (none)")
    for row in rows:
        say(f"- {row['id']}{_named(row)} [{'; '.join(_facts(row))}]")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    until = row["disabled_until"] or row["cooldown_until"]
    state = row["reason"] if row["state"] == "ineligible" else row["state"]
    why = f" · {row['reason']}" if row["state"] in ("cooling", "disabled") else ""
    return (
        f"{row['provider']}/{row['type']}",
        f"{state}{why}{f' until {until}' if until else ''}",
        row["expires_at"] or "-",
        row["fingerprint"] or "-",
    )


def _row(profile: AuthProfile, health: tuple[ProfileHealth, ...], now: datetime) -> dict[str, Any]:
    windows = [
        window
        for record in health
        if record.profile == profile.id and record.fingerprint == (profile.fingerprint or "")
        for window in record.windows
        if window.is_open(now)
    ]
    verdict = judge(profile, profile.provider, now)
    disabled = any(window.lane is Lane.DISABLED for window in windows)
    state, reason = "ready", None
    if verdict is not Eligibility.OK:
        state, reason = "ineligible", verdict.value
    elif windows:
        state = "disabled" if disabled else "cooling"
        reason = next(w.reason.value for w in windows if (w.lane is Lane.DISABLED) is disabled)
    return {
        "id": profile.id,
        "provider": profile.provider,
        "type": profile.kind.value,
        "label": profile.label,
        "email": profile.metadata.get("email"),
        "display_name": profile.metadata.get("display_name"),
        "state": state,
        "reason": reason,
        "expires_at": iso(expiry_moment(profile.expires)),
        "cooldown_until": _until(windows, Lane.COOLDOWN),
        "disabled_until": _until(windows, Lane.DISABLED),
        "fingerprint": profile.fingerprint,
        "source": profile.source,
    }


def _until(windows: list[Window], lane: Lane) -> str | None:
    """When the last open window of a lane ends; None also where one ends only with the credential."""
    ends: list[datetime | None] = [window.until for window in windows if window.lane is lane]
    return None if None in ends else iso(max((end for end in ends if end is not None), default=None))


def _named(row: dict[str, Any]) -> str:
    names = [row[key] for key in ("label", "display_name", "email") if row[key]]
    return f" ({on_one_line(names[0])})" if names else ""


def _facts(row: dict[str, Any]) -> list[str]:
    facts = [f"{row['provider']}/{row['type']}"]
    facts += [f"{word} {row[key]}" for word, key in _TIMES if row[key]]
    if row["state"] == "disabled" and row["disabled_until"] is None:
        facts.append("disabled until it is replaced")
    return facts + ([row["reason"]] if row["reason"] else [])


_TIMES = (("expires", "expires_at"), ("cooldown until", "cooldown_until"), ("disabled until", "disabled_until"))
