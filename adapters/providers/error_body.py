"""What a vendor's error body says: typed codes and one sentence, whatever its shape."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from adapters.providers import json_fields
from core.auth.failure import classify
from core.auth.reset_time import reset_time
from core.errors import Failure, ProviderError

_LONGEST_CODE = 100
_NOISE = re.compile(r"^\s*[<{\[]|<(?:!doctype|html|head|body)\b", re.IGNORECASE)
"""A page or a data structure where a sentence should be: nothing that a person should be shown."""


@dataclass(frozen=True, slots=True, repr=False)
class ErrorBody:
    """`codes` are the typed fields as strings, `status` a numeric code that stands for one. No repr: it may echo a key."""

    codes: tuple[str, ...] = ()
    sentence: str = ""
    status: int | None = None
    payload: object = None


class RefusedInBody(Exception):
    """An answer that began with 200 says that it failed. Caught by the provider client, never seen outside."""

    def __init__(self, body: ErrorBody) -> None:
        super().__init__("the answer holds an error")
        self.body = body


def read_error(payload: object) -> ErrorBody | None:
    """The error in a parsed body, or None if it holds none.

    Known: `{"error": {...}}` (OpenAI, Anthropic, Google; Google's may lie in a list), `{"error": "text"}`, and bodies that
    are the error themselves with `message` or `detail`.
    """
    outer = json_fields.mapping(payload[0] if isinstance(payload, list) and payload else payload)
    error = outer.get("error")
    if isinstance(error, str) and error:
        return ErrorBody(sentence=json_fields.text(outer.get("message")) or error, codes=(error,), payload=payload)
    inner = json_fields.mapping(error)
    return _typed(inner, payload) if inner else None


def read_refusal(raw: bytes) -> ErrorBody:
    """What the body of a 4xx or 5xx says. What is not JSON is its own sentence."""
    payload = json_fields.parse(raw)
    if payload is None:
        return ErrorBody(sentence=raw.decode("utf-8", "replace").strip())
    outer = json_fields.mapping(payload)
    sentence = outer.get("detail")
    flat = {**outer, "message": sentence} if isinstance(sentence, str) and "message" not in outer else outer
    return read_error(payload) or _typed(flat, payload)


def _typed(error: Mapping[str, object], payload: object) -> ErrorBody:
    fields = [error.get(name) for name in ("code", "type", "status")]
    codes = tuple(field[:_LONGEST_CODE] for field in fields if isinstance(field, str))
    status = next((field for field in fields if type(field) is int and 400 <= field <= 599), None)
    return ErrorBody(codes, json_fields.text(error.get("message")), status, payload)


def refusal(
    status: int | None, headers: Mapping[str, str], body: ErrorBody, now: datetime, place: str
) -> ProviderError:
    """The classified error for a refusal. `status` None: the error came inside an answer, whose own code then counts."""
    status = body.status if status is None else status
    fallback = f"{place} answered with an error" if status is None else f"{place} answered with status {status}"
    return ProviderError(
        Failure(
            reason=classify(status, body.codes, body.sentence),
            status=status,
            retry_at=reset_time(headers, body.payload, now, body.sentence),
            detail=fallback if not body.sentence or _NOISE.search(body.sentence) else body.sentence,
        )
    )
