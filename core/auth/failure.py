"""What a provider's refusal means: (status, typed codes, text) -> FailureReason. Tables and pure functions, no wire format.

The status speaks first. A typed code of the body may refine it, and after that the provider's sentence, each only towards the
reasons that the status leaves open: a 429 is a rate limit unless a typed code says that the balance is empty, whatever its
sentence says. Without a status (an error inside a stream that began with 200) codes and sentence decide alone.

To teach it a new wording, add a row to `_CODES` or `_PHRASES`; to let a status mean more, widen its row in `_STATUSES`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import FailureReason

_R = FailureReason


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a status means by itself, and what a typed code or the sentence may make of it."""

    default: FailureReason
    by_code: frozenset[FailureReason] = frozenset()
    by_text: frozenset[FailureReason] = frozenset()


_ACCOUNT = frozenset({_R.AUTH_PERMANENT, _R.BILLING})
_ANYTHING = frozenset(FailureReason)
_REQUEST = _ANYTHING - {_R.TIMEOUT, _R.NETWORK, _R.UNKNOWN}

_STATUSES = {
    400: _Rule(_R.FORMAT, by_code=_REQUEST, by_text=_REQUEST),
    401: _Rule(_R.AUTH, by_code=_ACCOUNT, by_text=_ACCOUNT),
    402: _Rule(_R.BILLING),
    403: _Rule(_R.AUTH, by_code=_ACCOUNT | {_R.MODEL_NOT_FOUND}, by_text=_ACCOUNT),
    404: _Rule(_R.MODEL_NOT_FOUND, by_code=_ACCOUNT | {_R.AUTH}),
    408: _Rule(_R.TIMEOUT),
    410: _Rule(_R.TIMEOUT, by_code=_ACCOUNT | {_R.AUTH}),
    413: _Rule(_R.CONTEXT_OVERFLOW),
    422: _Rule(_R.FORMAT, by_code=_REQUEST, by_text=_REQUEST),
    429: _Rule(_R.RATE_LIMIT, by_code=frozenset({_R.BILLING})),
    499: _Rule(_R.TIMEOUT, by_code=frozenset({_R.OVERLOADED})),
    503: _Rule(_R.OVERLOADED),
    529: _Rule(_R.OVERLOADED),
}
_SERVER_ERROR = _Rule(_R.TIMEOUT, by_code=frozenset({_R.OVERLOADED}))
_NO_STATUS = _Rule(_R.UNKNOWN, by_code=_ANYTHING, by_text=_ANYTHING)

_CODES = {
    "insufficient_quota": _R.BILLING,
    "billing_hard_limit_reached": _R.BILLING,
    "billing_not_active": _R.BILLING,
    "billing_error": _R.BILLING,
    "insufficient_balance": _R.BILLING,
    "insufficient_credits": _R.BILLING,
    "rate_limit": _R.RATE_LIMIT,
    "rate_limited": _R.RATE_LIMIT,
    "rate_limit_error": _R.RATE_LIMIT,
    "rate_limit_exceeded": _R.RATE_LIMIT,
    "resource_exhausted": _R.RATE_LIMIT,
    "too_many_requests": _R.RATE_LIMIT,
    "throttling": _R.RATE_LIMIT,
    "throttling_exception": _R.RATE_LIMIT,
    "account_deactivated": _R.AUTH_PERMANENT,
    "account_disabled": _R.AUTH_PERMANENT,
    "organization_deactivated": _R.AUTH_PERMANENT,
    "api_key_revoked": _R.AUTH_PERMANENT,
    "api_key_deleted": _R.AUTH_PERMANENT,
    "api_key_disabled": _R.AUTH_PERMANENT,
    "api_key_deactivated": _R.AUTH_PERMANENT,
    "invalid_api_key": _R.AUTH,
    "api_key_invalid": _R.AUTH,
    "authentication_error": _R.AUTH,
    "permission_error": _R.AUTH,
    "unauthenticated": _R.AUTH,
    "permission_denied": _R.AUTH,
    "context_length_exceeded": _R.CONTEXT_OVERFLOW,
    "context_window_exceeded": _R.CONTEXT_OVERFLOW,
    "model_context_window_exceeded": _R.CONTEXT_OVERFLOW,
    "request_too_large": _R.CONTEXT_OVERFLOW,
    "model_not_found": _R.MODEL_NOT_FOUND,
    "not_found_error": _R.MODEL_NOT_FOUND,
    "model_deactivated": _R.MODEL_NOT_FOUND,
    "overloaded": _R.OVERLOADED,
    "overloaded_error": _R.OVERLOADED,
    "server_overloaded": _R.OVERLOADED,
    "service_unavailable": _R.OVERLOADED,
    "unavailable": _R.OVERLOADED,
    "timeout_error": _R.TIMEOUT,
    "deadline_exceeded": _R.TIMEOUT,
    "server_error": _R.TIMEOUT,
    "internal_server_error": _R.TIMEOUT,
    "api_error": _R.TIMEOUT,
}

# The first phrase that matches and that the status allows decides. Only what no typed code of a vendor says: an empty
# balance and an overlong prompt are plain `invalid_request_error` at Anthropic, a withdrawn key is a plain 401 or 403.
_PHRASES = tuple(
    (reason, re.compile(pattern))
    for reason, pattern in (
        (
            _R.AUTH_PERMANENT,
            r"\b(?:api key|key|account|organization)(?: has been| was| is)? (?:revoked|deactivated|deleted|disabled)\b"
            r"|\bnot allowed for this organization\b",
        ),
        (_R.BILLING, r"\bcredit balance (?:is )?too low\b|\binsufficient (?:credits?|balance|quota|funds)\b"),
        (
            _R.CONTEXT_OVERFLOW,
            r"\bprompt (?:is )?too long\b|\bmaximum context length\b|\bcontext (?:length|window|limit) exceeded\b"
            r"|\bexceeds? (?:the )?(?:model'?s? )?(?:maximum )?context\b|\binput exceeds the maximum number of tokens\b"
            r"|\bmodel token limit\b",
        ),
        (_R.MODEL_NOT_FOUND, r"\bunknown model\b|\bmodel not found\b|\bnot a valid model\b"),
    )
)
_LONGEST_TEXT = 4_000


def classify(status: int | None, codes: Iterable[str] = (), text: str = "") -> FailureReason:
    """The reason for a refusal. `codes` are the body's typed fields (code, type, status) in that order; `text` its sentence.

    Never raises: an unknown status of 5xx is the server's trouble, any other unknown one is read like no status at all.
    """
    if status is not None and status not in _STATUSES and 500 <= status <= 599:
        rule = _SERVER_ERROR
    else:
        rule = _NO_STATUS if status is None else _STATUSES.get(status, _NO_STATUS)
    for code in codes:
        named = _CODES.get(_plain(code).replace(" ", "_"))
        if named in rule.by_code:
            return named
    if rule.by_text:
        plain = _plain(text[:_LONGEST_TEXT])
        for reason, pattern in _PHRASES:
            if reason in rule.by_text and pattern.search(plain):
                return reason
    return rule.default


def _plain(text: str) -> str:
    """Lower case, words apart by one blank: `API_KEY_REVOKED` and `Api key revoked` are one wording."""
    return re.sub(r"[\s_-]+", " ", text).strip().lower()
