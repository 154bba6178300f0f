"""Pairing requests as rows, and back. Shared by both readers, so without SQLAlchemy."""

from typing import Any

from adapters.storage.columns import (
    Row,
    from_micros,
    maybe_from_micros,
    maybe_to_micros,
    senseless,
    storable,
    to_micros,
)
from core.pairing import PairingRequest, PairingState


def pairing_values(request: PairingRequest) -> dict[str, Any]:
    """The row of `pairings`."""
    return {
        "person": request.person,
        "account": request.account,
        "name": storable(request.name),
        "chat": request.chat,
        "code": request.code,
        "asked_at": to_micros(request.asked_at),
        "expires_at": to_micros(request.expires_at),
        "state": request.state.value,
        "decided_by": request.decided_by,
        "decided_at": maybe_to_micros(request.decided_at),
    }


def read_pairing(row: Row) -> PairingRequest:
    """The request of a row. Raises StorageError for one that no version of this program can have written."""
    try:
        return PairingRequest(
            person=row["person"],
            account=row["account"],
            name=row["name"],
            chat=row["chat"],
            code=row["code"],
            asked_at=from_micros(row["asked_at"]),
            expires_at=from_micros(row["expires_at"]),
            state=PairingState(row["state"]),
            decided_by=row["decided_by"],
            decided_at=maybe_from_micros(row["decided_at"]),
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise senseless("people who ask to be let in", error) from error
