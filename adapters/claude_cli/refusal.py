"""What it means that the program gave no answer: its own result, its exit code, or what it complained about.

The result says `success` even then: `is_error` and `api_error_status` count. What Anthropic has answered is judged as everywhere
(core.auth.failure); what is told here besides is the program's own trouble, with what to do about it.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from core.auth.failure import classify
from core.auth.health import LONGEST_RESET
from core.errors import Failure, FailureReason, ProviderError

_R = FailureReason
LOG_IN = "Run `claude` on the gateway's host and log in with /login."
_LONGEST = 300
_NOT_LOGGED_IN = re.compile(
    r"\bnot logged in\b|\bplease run /login\b|\binvalid api key\b|\bfailed to authenticate\b|\boauth token (?:has )?"
    r"(?:been revoked|revoked|expired)\b|\blog ?in (?:has )?expired\b|\bsession (?:has )?expired\b.*\blog ?in\b",
    re.IGNORECASE,
)
_LOST_CONVERSATION = re.compile(r"\bno conversation found\b", re.IGNORECASE)
_TOO_LONG = re.compile(r"\bprompt is too long\b", re.IGNORECASE)
_UNREACHED = re.compile(
    r"\b(?:ECONN[A-Z]+|ENOTFOUND|EAI_AGAIN|EPIPE|EHOST[A-Z]+|ENET[A-Z]+|FailedToOpenSocket|ConnectionRefused)\b"
    r"|(?i:\bconnection (?:error|to the api was lost|closed|refused)\b|\bunable to connect\b|\bfailed to parse json\b)"
)
_TOO_SLOW = re.compile(r"\bETIMEDOUT\b|(?i:\brequest timed out\b|\bconnection timed out\b)")
_PLAN_LIMIT = re.compile(r"\busage limit reached\b|\byou'?ve hit your\b.*\blimit\b", re.IGNORECASE)
_RESET = re.compile(r"\|(\d{10})\b")
_TOO_OLD = re.compile(r"\bunknown option\b", re.IGNORECASE)
_SECRETS = re.compile(r"\bsk-ant-[\w*.…-]{3,}|(?<=\bBearer )\S{8,}", re.IGNORECASE)
_OF_THE_PLAN = ("five_hour", "seven_day", "overage")
"""Limits of everything that the login may use; the others are about one family of models."""


def is_conversation_lost(result: dict[str, Any] | None, complaint: str) -> bool:
    """Whether the program no longer has the session that it was to go on with."""
    return _LOST_CONVERSATION.search(f"{_said(result or {})} {complaint}") is not None


def refused(result: dict[str, Any], limit: dict[str, Any], now: datetime, secret: str) -> ProviderError:
    """The error for a result that is one. `limit` is what was told of the plan's limits, `secret` must not be shown."""
    said, status = _said(result), result.get("api_error_status")
    status = status if type(status) is int and 400 <= status <= 599 else None
    reason = _reason(status, said, result.get("terminal_reason"))
    detail = _plain(said, secret) or "The Claude CLI gave no answer and no reason"
    if reason in (_R.AUTH, _R.AUTH_PERMANENT):
        detail = f"{detail.rstrip('.')}. {LOG_IN}"
    is_limit = reason is _R.RATE_LIMIT
    return ProviderError(
        Failure(
            reason=reason,
            status=status,
            retry_at=_reset(limit, said, now) if is_limit else None,
            detail=detail,
            whole_profile=is_limit and (limit.get("rateLimitType") in _OF_THE_PLAN or _RESET.search(said) is not None),
        )
    )


def ended(code: int, complaint: str, noise: int, secret: str) -> ProviderError:
    """The error for a program that ended without a result."""
    first = next((line for line in complaint.splitlines() if line.strip()), "")
    said = _plain(first, secret)
    told = f": {said}" if said else "."
    if _TOO_OLD.search(complaint):
        return failed(_R.FORMAT, f"This Claude CLI is too old for RemoteClaw{told} Update it with `claude update`.")
    if _NOT_LOGGED_IN.search(complaint):
        return failed(_R.AUTH, f"The Claude CLI is not logged in{told} {LOG_IN}")
    how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    lines = f" It wrote {noise} lines that are no JSON." if noise else ""
    return failed(_R.UNKNOWN, f"The Claude CLI {how} before it had answered{told}{lines}")


def not_started(executable: str, error: Exception) -> ProviderError:
    """The error for a program that could not be started."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is no program"
    return failed(
        _R.AUTH,
        f"The Claude CLI {executable} could not be started ({reason}). Install it, or name its path in claude_cli.command.",
    )


def failed(reason: FailureReason, detail: str) -> ProviderError:
    """An error without a status."""
    return ProviderError(Failure(reason=reason, detail=detail))


def _reason(status: int | None, said: str, ending: object) -> FailureReason:
    if ending == "prompt_too_long" or _TOO_LONG.search(said):
        return _R.CONTEXT_OVERFLOW
    if status is None:
        rows = (
            (_NOT_LOGGED_IN, _R.AUTH),
            (_PLAN_LIMIT, _R.RATE_LIMIT),
            (_TOO_SLOW, _R.TIMEOUT),
            (_UNREACHED, _R.NETWORK),
        )
        own = next((reason for pattern, reason in rows if pattern.search(said)), None)
        if own is not None:
            return own
    return classify(status, (), said, "anthropic")


def _reset(limit: dict[str, Any], said: str, now: datetime) -> datetime | None:
    """When the plan's limit ends, at most seven days ahead. Older versions write it behind a bar."""
    told = _RESET.search(said)
    at = limit.get("resetsAt") if limit.get("status") == "rejected" else None
    at = int(told[1]) if at is None and told is not None else at
    if isinstance(at, bool) or not isinstance(at, int | float) or not math.isfinite(at):
        return None
    ahead = timedelta(seconds=min(max(at - now.timestamp(), 0.0), LONGEST_RESET.total_seconds()))
    return (now + ahead).astimezone(UTC) if ahead else None


def _said(result: dict[str, Any]) -> str:
    errors = result.get("errors")
    said = [result.get("result"), *(errors if isinstance(errors, list) else [])]
    return " ".join(text for text in said if isinstance(text, str))


def _plain(text: str, secret: str) -> str:
    """One printable line of at most 300 characters without a credential."""
    line = "".join(c if c.isprintable() else " " for c in text[: 10 * _LONGEST])
    line = _RESET.sub("", " ".join(line.split()))
    line = line.replace(secret, "***") if secret else line
    line = _SECRETS.sub("***", line)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1].rstrip() + "…"
