"""What a provider's refusal means: (status, typed codes, text) -> FailureReason. Tables and pure functions, no wire format.

The status speaks first. A typed code of the body may refine it, and after that the provider's sentence (failure_words), each
only towards the reasons that the status leaves open: a 429 is a rate limit unless a typed code says that the balance is empty,
whatever its sentence says (product.md 6). Without a status (an error inside a stream that began with 200) codes and sentence
decide alone.

To teach it a new code, add a row to `_CODES`; to let a status mean more, widen its row in `_STATUSES`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.auth.failure_words import by_words, of_402, plain
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
_GONE = _ACCOUNT | {_R.AUTH, _R.SESSION_EXPIRED}
_BUSY = frozenset({_R.OVERLOADED})

_STATUSES = {
    400: _Rule(_R.FORMAT, by_code=_REQUEST, by_text=_REQUEST),
    401: _Rule(_R.AUTH, by_code=_ACCOUNT, by_text=_ACCOUNT),
    402: _Rule(_R.BILLING),
    403: _Rule(_R.AUTH, by_code=_ACCOUNT | {_R.MODEL_NOT_FOUND}, by_text=_ACCOUNT),
    404: _Rule(_R.MODEL_NOT_FOUND, by_code=_ACCOUNT | {_R.AUTH}, by_text=_ACCOUNT | {_R.SESSION_EXPIRED}),
    408: _Rule(_R.TIMEOUT),
    410: _Rule(_R.TIMEOUT, by_code=_GONE, by_text=_GONE),
    413: _Rule(_R.CONTEXT_OVERFLOW),
    422: _Rule(_R.FORMAT, by_code=_REQUEST, by_text=_REQUEST),
    429: _Rule(_R.RATE_LIMIT, by_code=frozenset({_R.BILLING})),
    499: _Rule(_R.TIMEOUT, by_code=_BUSY, by_text=_BUSY),
    503: _Rule(_R.TIMEOUT, by_code=_BUSY, by_text=_BUSY),
    529: _Rule(_R.OVERLOADED),
}
_SERVER_ERROR = _Rule(_R.TIMEOUT, by_code=_BUSY)
_NO_STATUS = _Rule(_R.UNKNOWN, by_code=_ANYTHING, by_text=_ANYTHING)

_CODES = {
    "insufficient quota": _R.BILLING,
    "billing hard limit reached": _R.BILLING,
    "billing not active": _R.BILLING,
    "billing error": _R.BILLING,
    "insufficient balance": _R.BILLING,
    "insufficient credits": _R.BILLING,
    "rate limit": _R.RATE_LIMIT,
    "rate limited": _R.RATE_LIMIT,
    "rate limit error": _R.RATE_LIMIT,
    "rate limit exceeded": _R.RATE_LIMIT,
    "resource exhausted": _R.RATE_LIMIT,
    "too many requests": _R.RATE_LIMIT,
    "throttled": _R.RATE_LIMIT,
    "throttling": _R.RATE_LIMIT,
    "throttlingexception": _R.RATE_LIMIT,
    "throttling exception": _R.RATE_LIMIT,
    "account deactivated": _R.AUTH_PERMANENT,
    "account disabled": _R.AUTH_PERMANENT,
    "organization deactivated": _R.AUTH_PERMANENT,
    "api key revoked": _R.AUTH_PERMANENT,
    "api key deleted": _R.AUTH_PERMANENT,
    "api key disabled": _R.AUTH_PERMANENT,
    "api key deactivated": _R.AUTH_PERMANENT,
    # What an authorisation server says of a login that is over: no refresh brings it back.
    "invalid grant": _R.AUTH_PERMANENT,
    "refresh token reused": _R.AUTH_PERMANENT,
    "token invalidated": _R.AUTH_PERMANENT,
    "token revoked": _R.AUTH_PERMANENT,
    "unauthorized client": _R.AUTH_PERMANENT,
    "invalid token": _R.AUTH,
    "invalid api key": _R.AUTH,
    "api key invalid": _R.AUTH,
    "authentication error": _R.AUTH,
    "permission error": _R.AUTH,
    "unauthenticated": _R.AUTH,
    "permission denied": _R.AUTH,
    "context length exceeded": _R.CONTEXT_OVERFLOW,
    "context window exceeded": _R.CONTEXT_OVERFLOW,
    "model context window exceeded": _R.CONTEXT_OVERFLOW,
    "request too large": _R.CONTEXT_OVERFLOW,
    "model not found": _R.MODEL_NOT_FOUND,
    "not found error": _R.MODEL_NOT_FOUND,
    "model deactivated": _R.MODEL_NOT_FOUND,
    "overloaded": _R.OVERLOADED,
    "overloaded error": _R.OVERLOADED,
    "server overloaded": _R.OVERLOADED,
    "unavailable": _R.OVERLOADED,
    "service unavailable": _R.OVERLOADED,
    "timeout error": _R.TIMEOUT,
    "deadline exceeded": _R.TIMEOUT,
    "server error": _R.TIMEOUT,
    "internal server error": _R.TIMEOUT,
    "api error": _R.TIMEOUT,
    "etimedout": _R.TIMEOUT,
    "esockettimedout": _R.TIMEOUT,
    "econnreset": _R.TIMEOUT,
    "econnaborted": _R.TIMEOUT,
    "econnrefused": _R.TIMEOUT,
    "enetunreach": _R.TIMEOUT,
    "ehostunreach": _R.TIMEOUT,
    "ehostdown": _R.TIMEOUT,
    "enetreset": _R.TIMEOUT,
    "epipe": _R.TIMEOUT,
    "eai again": _R.TIMEOUT,
}
_OWN_CODES = {("zai", "1311"): _R.BILLING, ("zai", "1113"): _R.AUTH}
"""Codes that mean this at one provider only."""

_ENTITLEMENT = re.compile(
    r"\bentitle(?:d|ment)\b|\b(?:no|not have|without) access to (?:the |this )?model\b|\bdoes not have access to\b.*\bmodel\b"
    r"|\bnot (?:included in|available (?:on|in|with)) your (?:current )?(?:plan|subscription)\b"
)
"""The credential is right and may not use this: neither a refresh nor another request with it would help."""
_MODERATED = re.compile(
    r"\b(?:input|prompt|message|content) (?:was |has been )?flagged\b|\bmoderation\b|\bcontent policy\b"
)
"""What was asked is refused, not who asked."""
_AGGREGATORS = ("openrouter", "kilocode", "vercel-ai-gateway", "litellm", "huggingface")
_UPSTREAM = re.compile(r"\bupstream\b|\bprovider returned error\b")
_PLAN_LIMIT = re.compile(
    r"\b(?:chatgpt|claude|organization|workspace|subscription|account|plan)\b.*\b(?:usage|quota|spend(?:ing)?) limit"
    r"|\busage limit\b.*\bplan\b"
)
_API_KEY = re.compile(r"\bapi key\b")
_NUMBERS = re.compile(r"\b(?:40[1-4]|429|tpm)\b")
"""In a refused request these are places and names of what was sent (`messages.429.content`), not what is wrong."""
_LEADING_STATUS = re.compile(r"http ([1-5]\d\d)\b")


def classify(status: int | None, codes: Iterable[str] = (), text: str = "", provider: str = "") -> FailureReason:
    """The reason for a refusal. `codes` are the body's typed fields (code, type, status) in that order; `text` its sentence;
    `provider` the id of who refused, for wordings that are one vendor's own.

    Never raises: an unknown status of 5xx is the server's trouble, any other unknown one is read like no status at all.
    """
    said = plain(text)
    if status is None and (leading := _LEADING_STATUS.match(said)):
        status = int(leading[1])
    rule = _rule(status)
    for code in map(plain, codes):
        named = _OWN_CODES.get((provider, code)) or _CODES.get(code)
        if named in rule.by_code:
            return named
    if status == 402:
        return of_402(said)
    if status == 429 and provider in _AGGREGATORS and _UPSTREAM.search(said):
        return _R.OVERLOADED  # the vendor behind the aggregator is busy: no other key of ours would help
    if status == 403 and _MODERATED.search(said):
        return _R.FORMAT
    is_request = status in (400, 422)
    found = by_words(_NUMBERS.sub("", said) if is_request else said, provider) if rule.by_text else None
    if is_request and found is _R.AUTH and not _API_KEY.search(said):
        found = None  # such a request was let in; its sentence speaks of a token or an expiry of another kind
    if found is not None and found in rule.by_text:
        return found
    return _R.MODEL_NOT_FOUND if status == 403 and _ENTITLEMENT.search(said) else rule.default


def is_about_the_account(headers: Mapping[str, str], text: str) -> bool:
    """Whether a rate limit holds for all models of the credential: a plan's own windows, as Anthropic's headers name them for
    subscriptions, or a sentence about the plan's usage. `headers` have lower-case names."""
    if any(name.startswith("anthropic-ratelimit-unified-") and value == "rejected" for name, value in headers.items()):
        return True
    return _PLAN_LIMIT.search(plain(text)) is not None


def _rule(status: int | None) -> _Rule:
    if status is None:
        return _NO_STATUS
    unknown = _SERVER_ERROR if 500 <= status <= 599 else _NO_STATUS
    return _STATUSES.get(status, unknown)
