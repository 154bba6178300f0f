"""May this credential be used at all? (credentials.md 2.1; codes of product.md 5.1). Health is another question."""

from datetime import UTC, datetime
from enum import StrEnum

from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.provider_names import credential_provider

MANAGED_BY = "managed_by"
"""In a profile's metadata: the program that keeps this login and renews it by itself."""
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
    if not serves(profile, provider):
        return Eligibility.PROVIDER_MISMATCH
    if profile.config_provider is not None and not _is_meant_for(profile, profile.config_provider, provider):
        return Eligibility.PROVIDER_MISMATCH
    if not _mode_fits(profile):
        return Eligibility.MODE_MISMATCH
    if profile.kind is CredentialKind.NONE:
        return Eligibility.OK
    if profile.kind is CredentialKind.OAUTH and profile.refreshable:
        return Eligibility.OK  # a refresh makes good for an end and for an access token that is not there
    if not profile.secret and profile.ref is None:
        return Eligibility.MISSING_CREDENTIAL
    if may_expire(profile):
        expiry = _expiry(profile.expires, now)
        if expiry is not Eligibility.OK:
            return expiry
    return Eligibility.OK if profile.secret else Eligibility.UNRESOLVED_REF


def may_expire(profile: AuthProfile) -> bool:
    """Whether time alone can change the verdict on it."""
    kinds = (CredentialKind.TOKEN, CredentialKind.OAUTH, CredentialKind.CLI)
    return profile.expires is not None and profile.kind in kinds and not is_kept_alive(profile)


def is_kept_alive(profile: AuthProfile) -> bool:
    """Whether the end of its access token is not its own end: we refresh it, or the program that keeps it does."""
    if profile.kind is CredentialKind.CLI:
        return MANAGED_BY in profile.metadata
    return profile.kind is CredentialKind.OAUTH and profile.refreshable


def serves(profile: AuthProfile, provider: str) -> bool:
    """Whether it is a credential of this provider, its own or one that is lent to it."""
    wanted = credential_provider(provider)
    return credential_provider(profile.provider) == wanted or wanted in profile.lends_to


def _is_meant_for(profile: AuthProfile, named: str, provider: str) -> bool:
    """Whether the provider that the config names is the one that it is asked for; one that lends may be named by either."""
    is_same = credential_provider(named) == credential_provider(provider)
    return is_same or (bool(profile.lends_to) and serves(profile, named))


def has_lapsed(profile: AuthProfile | None, now: datetime) -> bool:
    """Whether a login has to be refreshed before it can serve: its access token has ended, or there is none."""
    if profile is None or profile.kind is not CredentialKind.OAUTH or not profile.refreshable:
        return False
    moment = expiry_moment(profile.expires)
    return not profile.secret or (moment is not None and now >= moment)


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
