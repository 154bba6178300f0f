"""A login as an entry of auth-profiles.json has it (credentials.md 1.2)."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adapters.storage.profile_document import Document, profiles
from core.auth.logins import StoredLogin
from core.auth.oauth import Tokens
from core.auth.provider_names import provider_id
from core.auth.secret import Secret, clean_secret


def stored_login(entry: Mapping[str, Any]) -> StoredLogin:
    """The login that an entry holds."""
    client = entry.get("clientId")
    return StoredLogin(
        access=_secret(entry, "access"),
        refresh=_secret(entry, "refresh"),
        expires=entry.get("expires"),
        obtained=entry.get("obtainedAt"),
        client_id=client.strip() if isinstance(client, str) and client.strip() else None,
        version=_version(entry),
    )


def fields_of(tokens: Tokens) -> Document:
    """What an entry says of these tokens. A refresh that gave no refresh token leaves the one that there is."""
    found: Document = {"access": tokens.access.reveal(), "obtainedAt": _ms(tokens.obtained)}
    if tokens.refresh is not None:
        found["refresh"] = tokens.refresh.reveal()
    if tokens.expires is not None:
        found["expires"] = _ms(tokens.expires)
    return found


def with_login(document: Document, name: str, entry: Mapping[str, object]) -> Document:
    """Nothing of the login before may stay with this one, but what people wrote beside it."""
    before = profiles(document).get(name)
    display = {k: before[k] for k in ("displayName",) if k in before} if isinstance(before, dict) else {}
    return {**document, "profiles": {**profiles(document), name: {**display, **entry}}}


def is_foreign(entry: Mapping[str, Any], provider: str) -> bool:
    """Whether the id holds another provider's credential by now: its tokens are nothing for this one's server."""
    named = entry.get("provider")
    return isinstance(named, str) and provider_id(named) != provider_id(provider)


def is_before(entry: Mapping[str, Any], left: Mapping[str, Any]) -> bool:
    """Whether an entry has the very tokens that a refresh has replaced."""
    return not is_foreign(entry, left["provider"]) and _version(entry) == left["before"]


def _version(entry: Mapping[str, Any]) -> str:
    """Names the tokens of an entry without showing them."""
    tokens = "\n".join(_text(entry, field) for field in ("access", "refresh"))
    return hashlib.sha256(tokens.encode(errors="surrogatepass")).hexdigest()


def _secret(entry: Mapping[str, Any], field: str) -> Secret | None:
    return Secret(text) if (text := _text(entry, field)) else None


def _text(entry: Mapping[str, Any], field: str) -> str:
    value = entry.get(field)
    return clean_secret(value) if isinstance(value, str) else ""


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
