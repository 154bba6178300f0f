"""Sessions and decisions as rows, and back. Shared by both readers, so without SQLAlchemy."""

import json
from collections.abc import Iterable
from typing import Any

from adapters.storage.columns import (
    Row,
    from_micros,
    maybe_from_micros,
    maybe_to_micros,
    senseless,
    storable,
    to_json,
    to_micros,
)
from core.auth.profiles import PinMode
from core.models.ref import ModelRef
from core.sessions.key import SessionKey
from core.sessions.session import AutoPin, Choice, Decision, Footer, Pin, Served, Session

CURRENT, UNDO = "current", "undo"


def read_key(text: str) -> SessionKey:
    """The key that `str` made this text of: unlike `SessionKey.parse` it takes whatever was stored. Raises ValueError."""
    _, agent, place = text.split(":", 2)
    chat, _, thread = place.partition(":thread:")
    return SessionKey(agent, chat, thread or None)


def session_values(session: Session) -> dict[str, Any]:
    """The row of `sessions`, all but its choices."""
    served = session.served
    return {
        "key": str(session.key),
        "epoch": session.epoch,
        "version": session.version,
        "has_undo": session.undo is not None,
        "auto_pins": to_json([_auto_values(pin) for pin in session.autos]),
        "served_model": str(served.model) if served else None,
        "served_profile": served.profile if served else None,
        "served_at": to_micros(served.at) if served else None,
        "footer": session.footer.value if session.footer is not None else None,
    }


def choice_values(session: Session) -> list[dict[str, Any]]:
    """The rows of `choices`: the stack in force and the one that undo brings back, bottom first."""
    stacks = ((CURRENT, session.choices), (UNDO, session.undo or ()))
    return [
        {"session": str(session.key), "slot": slot, "position": position, **_choice_values(choice)}
        for slot, stack in stacks
        for position, choice in enumerate(stack)
    ]


def _choice_values(choice: Choice) -> dict[str, Any]:
    pin = choice.pin
    return {
        "model": None if choice.model is None else str(choice.model),
        "set_by": choice.set_by,
        "set_at": to_micros(choice.set_at),
        "expires_at": maybe_to_micros(choice.expires_at),
        "turns_left": choice.turns_left,
        "pin_profile": pin.profile if pin else None,
        "pin_mode": pin.mode.value if pin else None,
        "pin_set_by": pin.set_by if pin else None,
        "pin_set_at": to_micros(pin.set_at) if pin else None,
        "pin_order": pin.order_fingerprint if pin else None,
    }


def read_session(key: SessionKey, row: Row | None, choices: Iterable[Row]) -> Session:
    """The session of a row (None: an empty one) and its choices in their order. Raises StorageError for rows that make no sense."""
    if row is None:
        return Session(key=key)
    stacks: dict[str, list[Choice]] = {CURRENT: [], UNDO: []}
    try:
        for choice in choices:
            stacks[choice["slot"]].append(_read_choice(choice))
        return Session(
            key=key,
            choices=tuple(stacks[CURRENT]),
            undo=tuple(stacks[UNDO]) if row["has_undo"] else None,
            autos=tuple(_read_auto(pin) for pin in json.loads(row["auto_pins"])),
            served=_read_served(row),
            epoch=row["epoch"],
            version=row["version"],
            footer=_read_footer(row),
        )
    except (ValueError, LookupError, OverflowError, TypeError) as error:
        raise senseless(f"session {key}", error) from error


def _read_choice(row: Row) -> Choice:
    pin = None
    if row["pin_profile"] is not None:
        pin = Pin(
            profile=row["pin_profile"],
            mode=PinMode(row["pin_mode"]),
            set_by=row["pin_set_by"],
            set_at=from_micros(row["pin_set_at"]),
            order_fingerprint=row["pin_order"],
        )
    return Choice(
        model=None if row["model"] is None else ModelRef.parse(row["model"]),
        pin=pin,
        set_by=row["set_by"],
        set_at=from_micros(row["set_at"]),
        expires_at=maybe_from_micros(row["expires_at"]),
        turns_left=row["turns_left"],
    )


def _auto_values(pin: AutoPin) -> dict[str, Any]:
    return {
        "profile": pin.profile,
        "provider": pin.provider,
        "set_at": to_micros(pin.set_at),
        "used_at": to_micros(pin.used_at),
        "order": pin.order_fingerprint,
    }


def _read_auto(stored: dict[str, Any]) -> AutoPin:
    return AutoPin(
        profile=stored["profile"],
        provider=stored["provider"],
        set_at=from_micros(stored["set_at"]),
        used_at=from_micros(stored["used_at"]),
        order_fingerprint=stored["order"],
    )


def _read_footer(row: Row) -> Footer | None:
    """A database that was not migrated yet has no such column, and reads as what it has."""
    value = row["footer"] if "footer" in row.keys() else None  # noqa: SIM118 (sqlite3's rows look for values)
    return None if value is None else Footer(value)


def _read_served(row: Row) -> Served | None:
    if row["served_model"] is None:
        return None
    return Served(ModelRef.parse(row["served_model"]), row["served_profile"], from_micros(row["served_at"]))


def decision_values(key: SessionKey, decision: Decision) -> dict[str, Any]:
    """The row of `decisions`."""
    return {
        "session": str(key),
        "at": to_micros(decision.at),
        "actor": storable(decision.actor),
        "action": storable(decision.action),
        "before": storable(decision.before),
        "after": storable(decision.after),
        "reason": storable(decision.reason),
    }


def read_decision(row: Row) -> Decision:
    """The decision of a row."""
    words = {name: row[name] for name in ("actor", "action", "before", "after", "reason")}
    return Decision(at=from_micros(row["at"]), **words)
