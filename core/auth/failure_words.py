"""What a provider's sentence means, where neither its status nor a typed code says so (credentials.md 5.2, 5.3).

Every text is read in lower case with words apart by one blank, so `API_KEY_REVOKED` and `Api key revoked` are one wording. The
rules stand in order and the first that matches decides: whether an account is empty is asked before whether it is refused, and
a conversation that is too long before everything that could cost a credential its good name.

To teach it a new wording, add it to the pattern of its reason.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import FailureReason

_R = FailureReason
_LONGEST_TEXT = 4_000
_LONGEST_BILLING_PROSE = 512
"""A longer text that speaks of credits is an answer or a page about credits, not a refusal."""


def plain(text: str) -> str:
    """The text as the patterns read it."""
    return re.sub(r"[\s_-]+", " ", text[:_LONGEST_TEXT]).strip().lower()


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


_SPENT_402 = r"^(?:http )?402\b.*\bused up your points\b"
_MARKED_402 = _any(
    r"\b(?:status|code|status code)[\"']?\s*[:=]\s*[\"']?402\b",
    r"\bhttp 402\b",
    r"\berror (?:code )?402\b",
    r"\b(?:got|returned|received)(?: an?)? 402\b",
    r"^402 payment\b",
    _SPENT_402,
)
_WRAPPER_402 = re.compile(r"^(?:error:? )?(?:http )?402:? ?(?:payment required)?:? ?|^payment required:? ?")
_RATE_LIMIT = _any(
    r"rate limit",
    r"too many (?:concurrent )?requests",
    r"\b429\b",
    r"throttl(?:ing|ed)",
    r"model cooldown",
    r"exceeded your current quota",
    r"resource has been exhausted",
    r"quota exceeded",
    r"resource exhausted",
    r"usage limit",
    r"\btpm\b",
    r"tokens per (?:minute|day)",
)
_BILLING_WORDS = (
    r"payment required",
    r"insufficient (?:credits?|quota|balance|funds)",
    r"credit balance",
    r"plans & billing",
    r"insufficient usd or diem balance",
    r"requires? more credits",
    r"out of extra usage",
    r"extra usage is required",
    r"draw from your extra usage",
)
_BILLING = _any(
    *_BILLING_WORDS,
    r"^(?:billing|credit balance|insufficient credits|payment required|http 402)\b.*\b(?:upgrade|credits|payment|plan)\b",
)
_EMPTY_ACCOUNT = _any(
    r"insufficient (?:credits?|quota|balance)",
    r"credit balance",
    r"plans & billing",
    r"add more credits",
    r"\btop up\b",
    r"\b(?:upgrade (?:your )?plan|current plan|subscription)\b.*\blimit",
    r"\blimit.*\b(?:upgrade (?:your )?plan|current plan|subscription)\b",
    r"billing hard limit",
    r"hard limit reached",
    r"maximum allowed.*limit",
)
_PERIOD = r"\b(?:daily|weekly|monthly)"
_PASSING_402 = _any(
    r"(?:try again|retry|temporary|cooldown).*(?:usage limit|rate limit|organization usage)",
    r"(?:usage limit|rate limit|organization usage).*(?:try again|retry|temporary|cooldown)",
    rf"{_PERIOD}.*(?:usage limit|spend(?:ing)? limit)",
    rf"{_PERIOD}.*limit.*reset",
    r"\b(?:organization|workspace)\b.*limit.*\b(?:exceeded|reached|exhausted|billing period)\b",
    r"\b(?:organization|workspace)\b.*spend limit",
)
_ROLLING = _any(r"subscription quota limit.*(?:automatic quota refresh|rolling time window)")
_PERIODIC = re.compile(rf"{_PERIOD}(?: ?/ ?(?:daily|weekly|monthly))*(?: usage)? limits?\b")
_OVERFLOW = _any(
    r"request too large",
    r"invalid argument.*maximum number of tokens",
    r"request exceeds the maximum size",
    r"context (?:length|window|limit) exceeded",
    r"maximum context length",
    r"prompt (?:is )?too long",
    r"exceeds? (?:the )?model(?:'?s)? (?:maximum )?context",
    r"exceeds? (?:the )?(?:maximum )?context (?:window|length|limit)",
    r"model token limit",
    r"inputs? exceeds?.*maximum (?:number of )?tokens",
    r"request size exceeds.*context (?:window|length)",
    r"\bcontext overflow:",
    r"max tokens.*exceed.*context",
    r"input length.*exceed.*context",
    r"\b413\b.*too large",
    r"input (?:is )?too long for (?:the )?(?:requested )?model",
    r"input token count.*exceeds? the maximum",
    r"total tokens.*exceeds?.*limit",
    r"上下文过长|上下文超出|上下文长度超|超出最大上下文|请压缩上下文",
)
_NO_OVERFLOW = _any(r"\btpm\b", r"tokens per minute", r"reasoning is (?:mandatory|required)", r"requires reasoning")

_Test = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class _Words:
    """One rule of the list. `reason` None: the text means nothing, and no later rule is asked."""

    reason: FailureReason | None
    matches: _Test


def _says(reason: FailureReason | None, *patterns: str, provider: str = "") -> _Words:
    """A rule that holds for providers whose id has `provider` in it."""
    pattern = _any(*patterns)
    return _Words(reason, lambda text, asked: provider in asked and pattern.search(text) is not None)


def _overflows(text: str, _: str) -> bool:
    return _NO_OVERFLOW.search(text) is None and _OVERFLOW.search(text) is not None


def _bills(text: str, _: str) -> bool:
    return len(text) <= _LONGEST_BILLING_PROSE and _BILLING.search(text) is not None


_LIST = (
    _says(None, r"image dimensions exceed max allowed size", r"image exceeds \d+ ?mb"),
    _says(
        _R.SESSION_EXPIRED,
        r"\b(?:session|conversation) (?:not found|does not exist|expired|invalid|id not found)\b",
        r"no such session",
        r"invalid session",
    ),
    _says(
        _R.MODEL_NOT_FOUND,
        r"unknown model",
        r"model not found",
        r"not found error",
        r"\bmodel\b.*does not exist",
        r"does not exist.*\bmodel\b",
        r"invalid model(?! reference)",
        r"not a valid model",
        r"models/\S+ is not found",
        r"\b404\b.*not ?found",
        r"not ?found.*\b404\b",
    ),
    _Words(_R.CONTEXT_OVERFLOW, _overflows),
    _Words(_R.RATE_LIMIT, lambda text, _: _MARKED_402.search(text) is not None and of_402(text) is _R.RATE_LIMIT),
    _Words(_R.BILLING, lambda text, _: _MARKED_402.search(text) is not None),
    _says(_R.BILLING, r"key limit (?:exceeded|reached|hit)", provider="openrouter"),
    _Words(_R.BILLING, lambda text, asked: _PERIODIC.search(text) is not None and _bills(text, asked)),
    _Words(_R.RATE_LIMIT, lambda text, _: _PERIODIC.search(text) is not None),
    _Words(_R.RATE_LIMIT, lambda text, _: _RATE_LIMIT.search(text) is not None),
    _says(
        _R.OVERLOADED,
        r"overloaded",
        r"high demand",
        r"service unavailable.*(?:overload|capacity|high demand)",
        r"(?:overload|capacity|high demand).*service unavailable",
        r"^529\b",
    ),
    _says(_R.TIMEOUT, r"^(?:499|500|502|503|504|52[1-4])\b"),
    _Words(_R.BILLING, _bills),
    _says(
        _R.AUTH_PERMANENT,
        r"\bapi key (?:has been |was |is )?(?:revoked|deactivated|deleted|disabled)\b",
        r"\bkey (?:has been|was|is) (?:disabled|revoked)\b",
        r"\b(?:account|organization) (?:has been|was|is) (?:deactivated|disabled)\b",
        r"not allowed for this organization",
    ),
    _says(
        _R.AUTH,
        r"invalid api key",
        r"api key not valid",
        r"could not (?:authenticate|validate).*(?:api key|credentials)",
        r"permission error",
        r"incorrect api key",
        r"invalid token",
        r"authentication",
        r"re ?authenticate",
        r"oauth token refresh failed",
        r"unauthorized",
        r"forbidden",
        r"access denied",
        r"insufficient permissions?",
        r"missing scopes?:",
        r"expired",
        r"\b40[13]\b",
        r"no credentials found",
        r"no api key found",
        r"failed to (?:extract|parse|validate|decode).*token",
    ),
    _says(_R.TIMEOUT, r"an unknown error occurred", provider="anthropic"),
    _says(_R.TIMEOUT, r"provider returned error", provider="openrouter"),
    _says(
        _R.TIMEOUT,
        r"an error occurred while processing",
        r"internal (?:server )?error",
        r"server error",
        r"service (?:temporarily )?unavailable",
        r"bad gateway",
        r"gateway timeout",
        r"upstream (?:connect )?error",
        r"connection reset",
        r"\"type\": ?\"api error\".*(?:unknown error|backend error|try again later|unexpected error|temporarily)",
    ),
    _says(
        _R.FORMAT,
        r"string should match pattern",
        r"tool use[. ]id",
        r"invalid request format",
        r"tool call id was .* must be",
    ),
    _says(
        _R.TIMEOUT,
        r"timeout",
        r"timed out",
        r"deadline exceeded",
        r"connection error",
        r"network (?:error|request failed)",
        r"fetch failed",
        r"socket hang up",
        r"\beconn(?:refused|reset|aborted)\b",
        r"enetunreach|ehostunreach|ehostdown|enetreset|e(?:socket)?timed ?out|epipe|enotfound|eai again",
        r"without sending (?:any )?chunks?",
        r"\breason: (?:abort|error|malformed response|network error)\b",
        r"operation was aborted",
        r"stream (?:was )?(?:closed|aborted)",
    ),
    _says(_R.RATE_LIMIT, r"concurrency limit (?:has been )?reached", r"workers ai.*quota limit exceeded"),
    _says(_R.OVERLOADED, r"modelnotreadyexception"),
    _says(_R.MODEL_NOT_FOUND, r"model (?:is |has been )?deactivated"),
)


def by_words(text: str, provider: str = "") -> FailureReason | None:
    """The reason that a `plain` text gives, or None."""
    rule = next((rule for rule in _LIST if rule.matches(text, provider)), None)
    return rule.reason if rule is not None else None


def of_402(text: str) -> FailureReason:
    """A payment is required: because the account is empty, or only until a period is over. `text` is `plain`."""
    said = _WRAPPER_402.sub("", text, count=1)
    if _ROLLING.search(said):
        return _R.RATE_LIMIT
    if _EMPTY_ACCOUNT.search(said):
        return _R.BILLING
    return _R.RATE_LIMIT if _RATE_LIMIT.search(said) or _PASSING_402.search(said) else _R.BILLING
