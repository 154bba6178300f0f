"""The login that the Claude command line keeps for itself: what is read of it, and what it may serve (credentials.md 9.4).

It belongs to that program, which alone renews it: nothing here spends its refresh token, stores it, or sends its access token
anywhere. What is read tells whether there is a login, of which kind, and when it ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from core.auth.eligibility import MANAGED_BY, expiry_moment
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.secret import Secret, clean_secret

PROVIDER = "claude-cli"
"""The provider of models that the command line serves; also the API kind of whoever is reached through it."""
VENDOR = "anthropic"
"""Whose models they are."""
LOGIN_ID = "anthropic:claude-cli"
SUBSCRIPTION = "subscription"
_LONGEST_PLAN = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class CliLogin:
    """A login as it was found. `expires` is in milliseconds since the epoch. Without a `refresh` token it ends for good then."""

    access: Secret
    refresh: Secret | None
    expires: int | float
    plan: str

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Both tokens, for redaction."""
        return (self.access,) if self.refresh is None else (self.access, self.refresh)


def read_login(document: Mapping[str, object]) -> CliLogin | None:
    """The login in a `.credentials.json`; None where it holds none, as after a logout.

    Raises ValueError, with words that continue a sentence about the file and show nothing of it, for one that cannot be used.
    """
    entry = document.get("claudeAiOauth")
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise ValueError("claudeAiOauth is not an object")
    access, refresh, expires = entry.get("accessToken"), entry.get("refreshToken"), entry.get("expiresAt")
    if not isinstance(access, str) or not clean_secret(access):
        raise ValueError("claudeAiOauth.accessToken is missing")
    if isinstance(expires, bool) or not isinstance(expires, int | float) or expiry_moment(expires) is None:
        raise ValueError("claudeAiOauth.expiresAt is not a time in milliseconds")
    plan = entry.get("subscriptionType")
    is_word = isinstance(plan, str) and plan.isascii() and plan.replace("_", "").isalnum()
    return CliLogin(
        access=Secret(clean_secret(access)),
        refresh=Secret(clean_secret(refresh)) if isinstance(refresh, str) and clean_secret(refresh) else None,
        expires=expires,
        plan=str(plan)[:_LONGEST_PLAN] if is_word else "",
    )


def login_profile(login: CliLogin, source: str, *, runs: bool, lends: bool) -> AuthProfile:
    """The login as a credential. `runs`: the program is there; without it the login is shown and may not be used. `lends`: it
    serves Anthropic's own models too, before the credentials of that provider unless an order says otherwise.

    Such a login is a plan that is paid for, so that it is left for a metered key only with somebody's word (product.md 6).
    """
    return AuthProfile(
        id=LOGIN_ID,
        provider=PROVIDER,
        kind=CredentialKind.CLI,
        secret=login.access if runs else None,
        expires=login.expires,
        source=source,
        label=f"Claude {login.plan}" if login.plan else None,
        billing=SUBSCRIPTION if runs else None,
        lends_to=(VENDOR,) if lends else (),
        metadata={MANAGED_BY: PROVIDER} if login.refresh is not None else {},
    )
