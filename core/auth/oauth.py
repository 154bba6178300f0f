"""OAuth as data, and what is known of a login without asking anybody: when it wants a refresh, what a token server's answer means.

Providers differ in addresses and names and in nothing else (RFC 6749, 7636, 8252, 8628, OpenID Connect). Which login is whose is
told by its profile; nothing here knows a provider by name.
"""

import base64
import binascii
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum

from core.auth.eligibility import expiry_moment
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.secret import Secret, clean_secret, unsendable
from core.errors import Failure, FailureReason

ADVISORY = timedelta(minutes=15)
"""Before its end a login may be refreshed: one caller tries, the others go on with what there is (product.md 5.4)."""
MANDATORY = timedelta(minutes=5)
"""Before its end a login must be refreshed: all wait."""
_ADVISORY_SHARE, _MANDATORY_SHARE = 2, 6
"""The windows are at most this part of a token's whole life: one of five minutes is not refreshed for every message."""
_LONGEST_LIFE = timedelta(days=3650)
_LOST = frozenset({
    "invalid_grant", "expired_token", "refresh_token_expired", "refresh_token_reused", "refresh_token_invalidated",
    "invalid_refresh_token", "bad_refresh_token", "token_expired", "token_revoked", "token_invalidated",
})  # fmt: skip
"""What token servers say of a refresh token that they will never take again."""
_REFUSALS = (200, 400, 401, 403)
"""The statuses of a refusal that says by its code what it means. Some servers send it with 200."""
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}")


class Need(IntEnum):
    """How much a login wants a refresh."""

    NONE = 0
    ADVISORY = 1
    MANDATORY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthProvider:
    """Where and as whom a provider's logins are made and refreshed. An address that is empty is not known.

    `client_auth` is how a client with a secret proves itself: `basic` (header) or `post` (form). `redirect_port` 0: any.
    `bare_code`: whether a pasted code counts without the state that it came with. `slow_down` is what a server that asks for
    slower polling adds to the interval.
    """

    id: str
    authorize_url: str = ""
    token_url: str = ""
    device_url: str = ""
    userinfo_url: str = ""
    issuer: str = ""
    client_id: str = ""
    client_secret: Secret | None = None
    client_auth: str = "post"
    scopes: tuple[str, ...] = ()
    authorize_parameters: tuple[tuple[str, str], ...] = ()
    token_parameters: tuple[tuple[str, str], ...] = ()
    device_parameters: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    redirect_host: str = "127.0.0.1"
    redirect_port: int = 0
    redirect_path: str = "/callback"
    bare_code: bool = True
    slow_down: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a token server gave. `expires` None: it did not say. `obtained` is when it was asked, so that no end is too late."""

    access: Secret
    refresh: Secret | None
    expires: datetime | None
    obtained: datetime
    id_token: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose login it is, as far as the provider tells."""

    id: str | None = None
    email: str | None = None


def need_of(profile: AuthProfile, now: datetime) -> Need:
    """How much a profile wants a refresh now. One whose end nobody knows is refreshed after a refusal and never before."""
    if profile.kind is not CredentialKind.OAUTH or not profile.refreshable:
        return Need.NONE
    if not profile.secret:
        return Need.MANDATORY
    end = expiry_moment(profile.expires)
    if end is None:
        return Need.NONE
    began = expiry_moment(profile.obtained)
    life = end - began if began is not None and began < end else _LONGEST_LIFE
    left = end - now
    if left <= min(MANDATORY, life / _MANDATORY_SHARE):
        return Need.MANDATORY
    return Need.ADVISORY if left <= min(ADVISORY, life / _ADVISORY_SHARE) else Need.NONE


def read_tokens(fields: Mapping[str, object], asked: datetime) -> Tokens:
    """The tokens of a token server's answer to a request of the moment `asked`. Raises ValueError with words that follow the
    server's name and show nothing of the answer."""
    access = _secret(fields.get("access_token"))
    if access is None:
        raise ValueError("gave no access token")
    if (reason := unsendable(access.reveal())) is not None:
        raise ValueError(f"gave an access token that {reason}")
    kind = fields.get("token_type", "Bearer")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise ValueError("gave a token that is no bearer token")
    life = _seconds(fields.get("expires_in"))
    return Tokens(
        access=access,
        refresh=_secret(fields.get("refresh_token")),
        expires=asked + life if life is not None else None,
        obtained=asked,
        id_token=_secret(fields.get("id_token")),
    )


def error_code(fields: Mapping[str, object]) -> str:
    """The typed code of a refusal (RFC 6749 5.2), also where a vendor wraps it; empty if there is none that can be shown."""
    error = fields.get("error")
    if isinstance(error, Mapping):
        error = error.get("code") or error.get("type")
    code = error if isinstance(error, str) else fields.get("code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def refresh_refused(status: int, fields: Mapping[str, object], place: str) -> Failure:
    """What it means that a token server at `place` did not refresh a login.

    `auth_permanent`: the refresh token is lost for good. `auth`: the server does not take the request as it is configured.
    Anything that may pass by itself is never held against the login.
    """
    code = error_code(fields)
    said = f"{place} refused to refresh the login" + (f" ({code})." if code else f" (HTTP {status}).")
    if status in _REFUSALS and code.lower() in _LOST:
        return Failure(reason=FailureReason.AUTH_PERMANENT, status=status, detail=said)
    if status == 429:
        return Failure(reason=FailureReason.OVERLOADED, status=status, detail=said)
    if status in _REFUSALS and code:
        return Failure(reason=FailureReason.AUTH, status=status, detail=said)
    reason = FailureReason.TIMEOUT if status >= 500 else FailureReason.NETWORK
    return Failure(reason=reason, status=status, detail=f"{place} did not refresh the login (HTTP {status}).")


def claims_of(id_token: Secret) -> Mapping[str, object]:
    """The claims of an id token that came straight from the token server over TLS, where its signature need not be checked
    (OpenID Connect Core 3.1.3.7). Raises ValueError."""
    parts = id_token.reveal().split(".")
    if len(parts) != 3:
        raise ValueError("gave an id token that is none")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise ValueError("gave an id token that cannot be read") from None
    if not isinstance(claims, dict):
        raise ValueError("gave an id token that cannot be read")
    return claims


def account_of(claims: Mapping[str, object]) -> Account:
    """Whose login it is. An e-mail address that the provider says is not verified names nobody."""
    mail, name = claims.get("email"), claims.get("sub")
    is_mail = isinstance(mail, str) and "@" in mail and claims.get("email_verified") is not False
    return Account(
        id=_name(name) if isinstance(name, str) else None,
        email=_name(mail.lower()) if isinstance(mail, str) and is_mail else None,
    )


def login_command(profile: AuthProfile, agent: str = "main") -> str:
    """The command that puts a login back, for the person at the host. `agent` is whose store has it."""
    whose = "" if agent == "main" else f" --agent {shlex.quote(agent)}"
    provider, name = shlex.quote(profile.provider), shlex.quote(profile.id)
    return f"remoteclaw models auth login --provider {provider} --profile-id {name}{whose}"


def _secret(value: object) -> Secret | None:
    text = clean_secret(value) if isinstance(value, str) else ""
    return Secret(text) if text else None


def _seconds(value: object) -> timedelta | None:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value.strip()[:12])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return timedelta(seconds=value) if 0 < value <= _LONGEST_LIFE.total_seconds() else None


def _name(text: str) -> str | None:
    name = text.strip()
    is_word = 0 < len(name) <= 200 and name.isprintable() and not any(c.isspace() for c in name)
    return name if is_word else None
