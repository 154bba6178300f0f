"""How long stored credentials stay good: what `models status` shows of them and `--check` judges by (credentials.md 7.1).

Only time and form count here: a cooldown, a probe or an order says nothing about a credential's own end, and a key has none.
A login whose access has run out but that holds a refresh token is `ok`, because the next refresh makes good for it; what it
`reads` says so (`expired, refreshable`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from core.auth.eligibility import Eligibility, expiry_moment, is_kept_alive, judge
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.provider_names import provider_id

WARN_AFTER = timedelta(hours=24)
"""What ends within this is `expiring`."""
STORED_KINDS = (CredentialKind.API_KEY, CredentialKind.TOKEN, CredentialKind.OAUTH, CredentialKind.CLI)
"""Kinds that a store keeps: ours, or that of the program whose login it is."""
ENDING_KINDS = (CredentialKind.TOKEN, CredentialKind.OAUTH, CredentialKind.CLI)
"""Kinds that may have an end."""


class CredentialStatus(StrEnum):
    """`static`: without an end. `missing`: nothing that could be used, or an end that nobody can tell."""

    OK = "ok"
    STATIC = "static"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialHealth:
    """One stored credential. `lapse`: what a refresh makes good for (expired, expiring), else None."""

    profile: AuthProfile
    status: CredentialStatus
    reason: Eligibility | None = None
    expires_at: datetime | None = None
    remaining: timedelta | None = None
    lapse: CredentialStatus | None = None

    @property
    def reads(self) -> str:
        """The status in words."""
        return f"{self.lapse}, refreshable" if self.lapse is not None else self.status.value

    @property
    def may_end(self) -> bool:
        """Whether it is of a kind that `--check` looks at."""
        return self.profile.kind in ENDING_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderHealth:
    """All stored credentials of a provider, by id. `expires_at` is the earliest end among them."""

    provider: str
    status: CredentialStatus
    expires_at: datetime | None
    remaining: timedelta | None
    profiles: tuple[CredentialHealth, ...]


def credential_health(profile: AuthProfile, now: datetime) -> CredentialHealth:
    """How one credential stands. What the config says of its provider and mode is another question (`judge`)."""
    is_alone = profile.config_provider is None and profile.config_mode is None
    alone = profile if is_alone else replace(profile, config_provider=None, config_mode=None)
    verdict = judge(alone, profile.provider, now)
    end = expiry_moment(profile.expires)
    left = end - now if end is not None else None
    if profile.kind not in ENDING_KINDS:
        reason = None if verdict is Eligibility.OK else verdict
        return CredentialHealth(profile=profile, status=CredentialStatus.STATIC, reason=reason)
    is_token = profile.kind is CredentialKind.TOKEN
    status, lapse = (_token(verdict, left), None) if is_token else _login(profile, left)
    return CredentialHealth(
        profile=profile,
        status=status,
        reason=_reason(profile, status),
        expires_at=end,
        remaining=left,
        lapse=lapse,
    )


def providers_health(
    profiles: Iterable[AuthProfile], now: datetime, providers: Iterable[str] | None = None
) -> tuple[ProviderHealth, ...]:
    """The stored credentials by provider, sorted by provider and id. `providers`: these and no others, also where they have
    none (`missing`); None: all that have one."""
    found: dict[str, list[CredentialHealth]] = {}
    for profile in sorted((p for p in profiles if p.kind in STORED_KINDS), key=lambda p: p.id):
        found.setdefault(provider_id(profile.provider), []).append(credential_health(profile, now))
    wanted = found if providers is None else {provider_id(name) for name in providers}
    return tuple(_provider(name, tuple(found.get(name, ())), now) for name in sorted(wanted))


def _token(verdict: Eligibility, left: timedelta | None) -> CredentialStatus:
    if verdict is Eligibility.EXPIRED:
        return CredentialStatus.EXPIRED
    if verdict is not Eligibility.OK:
        return CredentialStatus.MISSING
    return CredentialStatus.STATIC if left is None else _by_time(left)


def _login(profile: AuthProfile, left: timedelta | None) -> tuple[CredentialStatus, CredentialStatus | None]:
    is_held_back = profile.ref is not None and not profile.secret
    if is_held_back or left is None or not (profile.secret or profile.refreshable):
        return CredentialStatus.MISSING, None
    status = _by_time(left)
    if is_kept_alive(profile) and status is not CredentialStatus.OK:
        return CredentialStatus.OK, status
    return status, None


def _by_time(left: timedelta) -> CredentialStatus:
    if left <= timedelta():
        return CredentialStatus.EXPIRED
    return CredentialStatus.EXPIRING if left <= WARN_AFTER else CredentialStatus.OK


def _reason(profile: AuthProfile, status: CredentialStatus) -> Eligibility | None:
    """Why it is expired or missing, where there is a code for it. A login that names no end at all has none."""
    if status is CredentialStatus.EXPIRED:
        return Eligibility.EXPIRED
    if status is not CredentialStatus.MISSING:
        return None
    if not profile.secret and profile.ref is None and not profile.refreshable:
        return Eligibility.MISSING_CREDENTIAL
    if profile.expires is not None and expiry_moment(profile.expires) is None:
        return Eligibility.INVALID_EXPIRES
    return Eligibility.UNRESOLVED_REF if profile.ref is not None and not profile.secret else None


def _provider(name: str, profiles: tuple[CredentialHealth, ...], now: datetime) -> ProviderHealth:
    ending = [one for one in profiles if one.may_end]
    end = min((one.expires_at for one in ending if one.expires_at is not None), default=None)
    return ProviderHealth(
        provider=name,
        status=_joined(profiles, {one.status for one in ending}),
        expires_at=end,
        remaining=end - now if end is not None else None,
        profiles=profiles,
    )


def _joined(profiles: tuple[CredentialHealth, ...], statuses: set[CredentialStatus]) -> CredentialStatus:
    """A provider is as its worst token or login; with keys alone it is static."""
    if not profiles:
        return CredentialStatus.MISSING
    if not statuses:
        return CredentialStatus.STATIC
    if statuses & {CredentialStatus.EXPIRED, CredentialStatus.MISSING}:
        return CredentialStatus.EXPIRED
    return CredentialStatus.EXPIRING if CredentialStatus.EXPIRING in statuses else CredentialStatus.OK
