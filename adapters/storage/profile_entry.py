"""One entry of auth-profiles.json: from untrusted JSON to an AuthProfile (credentials.md 1.2, 1.4).

Tolerant where older writers differ (`mode` for `type`, `apiKey` for `key`, a reference in the place of the value), strict
where a guess could let the wrong credential serve.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.provider_names import provider_id
from core.auth.refs import is_ref, read_ref
from core.auth.secret import Secret, SecretRef, clean_secret

_VALUE_FIELD = {"api_key": "key", "token": "token", "oauth": "access"}
_CONFIDENTIAL = ("key", "apiKey", "token", "access", "refresh", "idToken")
_NOTES = {
    "email": "email",
    "displayName": "display_name",
    "accountId": "account_id",
    "projectId": "project_id",
    "enterpriseUrl": "enterprise_url",
    "clientId": "client_id",
    "managedBy": "managed_by",
}
_NO_REFS = ("access", "refresh", "key", "keyRef", "token", "tokenRef")
_LONGEST_ID = 256


@dataclass(frozen=True, slots=True)
class Entry:
    """A profile and every confidential text that its entry holds, for redaction."""

    profile: AuthProfile
    secrets: tuple[Secret, ...]


def read_entry(name: str, raw: object, source: str) -> Entry:
    """Read one entry. Raises ValueError with the reason, in words that hold nothing of the entry's values."""
    if not name.strip() or len(name) > _LONGEST_ID or not name.isprintable():
        raise ValueError("its id is empty, too long or holds unprintable characters")
    if not isinstance(raw, Mapping):
        raise ValueError("it is not an object")
    kind = raw.get("type", raw.get("mode"))
    if not isinstance(kind, str) or kind not in _VALUE_FIELD:
        raise ValueError("its type is not one of api_key, token, oauth")
    provider = raw.get("provider")
    if not isinstance(provider, str) or not provider.strip() or not provider.isprintable():
        raise ValueError("it names no provider")
    value, ref = _oauth_value(raw) if kind == "oauth" else _value(raw, _VALUE_FIELD[kind])
    profile = AuthProfile(
        id=name,
        provider=provider_id(provider),
        kind=CredentialKind(kind),
        secret=Secret(value) if value and ref is None else None,
        ref=ref,
        expires=None if kind == "api_key" else raw.get("expires"),
        obtained=raw.get("obtainedAt") if kind == "oauth" else None,
        refreshable=kind == "oauth" and bool(_text(raw, "refresh")),
        source=source,
        metadata=_metadata(raw),
    )
    return Entry(profile, tuple(Secret(text) for text in _confidential(raw)))


def _value(raw: Mapping[str, object], field: str) -> tuple[str, SecretRef | None]:
    """The plain text and the reference of an api_key or token entry; an explicit reference wins over all else."""
    given = raw.get(field)
    if given is None and field == "key":
        given = raw.get("apiKey")
    pointer = raw.get(f"{field}Ref")
    if pointer is None and is_ref(given):
        pointer = given
    ref = read_ref(pointer) if pointer is not None else None
    if given is not None and not isinstance(given, str | Mapping):
        raise ValueError(f"its {field} is not a string")
    return clean_secret(given) if isinstance(given, str) else "", ref


def _oauth_value(raw: Mapping[str, object]) -> tuple[str, None]:
    """An oauth entry is rewritten at every refresh, so it must hold its tokens itself."""
    for field in oauth_references(raw):
        raise ValueError(f"OAuth + SecretRef is not supported: its {field} is a reference")
    return _text(raw, "access"), None


def oauth_references(raw: object) -> Iterator[str]:
    """The fields of an oauth entry that hold a reference."""
    if isinstance(raw, Mapping) and raw.get("type", raw.get("mode")) == "oauth":
        yield from (field for field in _NO_REFS if is_ref(raw.get(field)))


def _text(raw: Mapping[str, object], field: str) -> str:
    value = raw.get(field)
    return clean_secret(value) if isinstance(value, str) else ""


def _confidential(raw: Mapping[str, object]) -> Iterator[str]:
    for field in _CONFIDENTIAL:
        if text := _text(raw, field):
            yield text


def _metadata(raw: Mapping[str, object]) -> dict[str, str]:
    own = raw.get("metadata")
    notes = {k: v for k, v in own.items() if isinstance(v, str)} if isinstance(own, Mapping) else {}
    for field, key in _NOTES.items():
        value = raw.get(field)
        if isinstance(value, str) and value.strip():
            notes[key] = value.strip()
    return notes
