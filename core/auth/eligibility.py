"""May this credential be used at all? (credentials.md 2.1; codes of product.md 5.1). Health is another question."""

from datetime import UTC, datetime
from enum import StrEnum

from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.provider_names import credential_provider

LAST_EXPIRY_MS = 8_640_000_000_000_000
"""The last moment that the stores of this family can name; a larger `expires` is a mistake."""


class Eligibility(StrEnum):
    """Why a profile may be used, or not."""

    OK = "ok"
    EXCLUDED_BY_AUTH_ORDER = "excluded_by_auth_order"
    MISSING_CREDENTIAL = "missing_credential"
    INVALID_EXPIRES = "invalid_expires"
    EXPIRED = "expired"
    UNRESOLVED_REF = "unresolved_ref"
    NO_MODEL = "no_model"
    PROFILE_MISSING = "profile_missing"
    PROVIDER_MISMATCH = "provider_mismatch"
    MODE_MISMATCH = "mode_mismatch"


def judge(profile: AuthProfile | None, provider: str, now: datetime) -> Eligibility:
    """The first thing that is wrong with a profile for a provider, or OK."""
    if profile is None:
        return Eligibility.PROFILE_MISSING
    wanted = credential_provider(provider)
    if credential_provider(profile.provider) != wanted:
        return Eligibility.PROVIDER_MISMATCH
    if profile.config_provider is not None and credential_provider(profile.config_provider) != wanted:
        return Eligibility.PROVIDER_MISMATCH
    if not _mode_fits(profile):
        return Eligibility.MODE_MISMATCH
    if profile.kind is CredentialKind.NONE:
        return Eligibility.OK
    if not profile.secret and profile.ref is None:
        return Eligibility.MISSING_CREDENTIAL
    if may_expire(profile):
        expiry = _expiry(profile.expires, now)
        if expiry is not Eligibility.OK:
            return expiry
    return Eligibility.OK if profile.secret else Eligibility.UNRESOLVED_REF


def may_expire(profile: AuthProfile) -> bool:
    """Whether time alone can change the verdict on it."""
    return profile.expires is not None and profile.kind in (CredentialKind.TOKEN, CredentialKind.OAUTH)


def _mode_fits(profile: AuthProfile) -> bool:
    if profile.config_mode is None or profile.from_environment:
        return True
    if profile.config_mode == "oauth" and profile.kind is CredentialKind.TOKEN:
        return True
    return profile.config_mode == profile.kind.value


def expiry_moment(expires: object) -> datetime | None:
    """When a stored `expires` (milliseconds since the epoch) is, or None if there is none or it means nothing."""
    if isinstance(expires, bool) or not isinstance(expires, int | float):
        return None
    if not 0 < expires <= LAST_EXPIRY_MS:  # NaN and the infinities fail it too, and no number is too large to compare
        return None
    try:
        return datetime.fromtimestamp(expires / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=UTC)


def _expiry(expires: object, now: datetime) -> Eligibility:
    moment = expiry_moment(expires)
    if moment is None:
        return Eligibility.INVALID_EXPIRES
    return Eligibility.EXPIRED if now >= moment else Eligibility.OK
