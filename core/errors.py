"""The error tree, split by who must act.

BotError                 code, message, hint: everything that a person may be shown
  UserError              the sender: shown as it is, nothing was stored
  ConfigError            the operator: a setting, named by its dotted path; start-up fails
  StoreError             the operator: a file of ours, named by its path
  StorageError           the operator: the database
    LostRace             nobody: a newer change of the same session won
  ProviderError          the provider's answer, classified (core.auth.failure)

Codes are stable: scripts match them. A message names the thing; the hint is the next step. Neither ever holds a secret.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

_ENDS = (".", "!", "?", ":", "…")
"""What a message may end with where another sentence follows it."""


class BotError(Exception):
    """An expected failure. `code` is stable, `message` names the thing, `hint` is the next step."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        if not self.hint:
            return self.message
        end = "" if self.message.endswith(_ENDS) else "."
        return f"{self.message}{end} {self.hint}".strip()


class UserError(BotError):
    """A wrong input of a sender (product.md 4.2). Raising it guarantees that nothing was stored.

    `choices` are commands that would be right, offered as buttons.
    """

    def __init__(self, code: str, message: str, hint: str = "", choices: tuple["Suggestion", ...] = ()) -> None:
        super().__init__(code, message, hint)
        self.choices = choices


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A command that the sender may have meant, with the words of its button."""

    command: str
    label: str


def shown(text: str, limit: int = 60) -> str:
    """Typed text as an error repeats it: in quotes, unprintable characters escaped, cut."""
    return repr(text if len(text) <= limit else f"{text[: limit - 1]}…")


class ConfigError(BotError):
    """A wrong setting. `path` is dotted, as in `models.providers.acme.base_url`."""

    def __init__(self, path: str, message: str, hint: str = "") -> None:
        super().__init__("config", f"{path}: {message}" if path else message, hint)
        self.path = path


class StoreError(BotError):
    """A file of the state directory that cannot be used, with what to do about it."""


class StorageError(BotError):
    """The database cannot be used."""


class LostRace(StorageError):
    """Another writer changed the session's choice after it was read; the newer change stands."""

    def __init__(self) -> None:
        super().__init__(
            "lost_race",
            "Somebody changed this session's model at the same time; your change was not applied.",
            "Look with /model, then choose again.",
        )


class UsedUp(UserError):
    """A choice was already made from what was shown; nothing is done twice."""

    def __init__(self) -> None:
        super().__init__("number_without_picker", "This choice was already made.", "Look with /model.")


class FailureReason(StrEnum):
    """Classes of a failed attempt (product.md 6)."""

    RATE_LIMIT = "rate_limit"
    BILLING = "billing"
    AUTH = "auth"
    AUTH_PERMANENT = "auth_permanent"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    NETWORK = "network"
    FORMAT = "format"
    CONTEXT_OVERFLOW = "context_overflow"
    MODEL_NOT_FOUND = "model_not_found"
    SESSION_EXPIRED = "session_expired"
    """Of a provider that keeps the conversation itself: it no longer knows it."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a provider's refusal means. `retry_at` is the provider's own word on when to come back."""

    reason: FailureReason
    status: int | None = None
    retry_at: datetime | None = None
    detail: str = ""
    """The provider's sentence, redacted and shortened; may be empty."""
    whole_profile: bool = False
    """Of a rate limit: the provider says that it is not about one model but about all that the credential may use."""


class ProviderError(BotError):
    """A provider call failed. Raised only by provider adapters, which translate status, body and transport once."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason.value, failure.detail or failure.reason.value.replace("_", " "))
        self.failure = failure
