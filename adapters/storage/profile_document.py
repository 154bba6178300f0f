"""Changes to the JSON document of auth-profiles.json, pure. Whatever they do not know stays as it is (credentials.md 1.2, 1.5)."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.auth.provider_names import credential_provider
from core.auth.refs import read_ref
from core.auth.secret import clean_secret

Document = dict[str, Any]
Change = Callable[[Document], Document]
_REFS = {"keyRef": ("key", "apiKey"), "tokenRef": ("token",)}
_VALUES = ("key", "apiKey", "token", "access", "refresh", "idToken")
_BODY = ("type", "mode", "provider", "expires", *_VALUES, *_REFS)
"""What a new credential of the same id replaces: nothing of the old one may serve on."""


def empty() -> Document:
    """A store without anything."""
    return {"version": 1, "profiles": {}}


def with_profile(document: Document, name: str, entry: Mapping[str, object]) -> Document:
    """The profile with this credential. What else its entry says (e-mail, names, unknown fields) is kept."""
    before = profiles(document).get(name)
    kept = {k: v for k, v in before.items() if k not in _BODY} if isinstance(before, dict) else {}
    fresh = {k: carried(v) if k in _VALUES and isinstance(v, str) else v for k, v in entry.items()}
    return {**document, "profiles": {**profiles(document), name: {**fresh, **kept}}}


def without_profile(document: Document, name: str) -> Document:
    """Neither the profile nor its place in any order. An order that loses its last id goes: an empty one would stop all."""
    changed = {**document, "profiles": {k: v for k, v in profiles(document).items() if k != name}}
    order = document.get("order")
    if isinstance(order, dict):
        rest = {p: [i for i in ids if i != name] if isinstance(ids, list) else ids for p, ids in order.items()}
        changed["order"] = {p: ids for p, ids in rest.items() if ids or ids == order[p]}
    return _without_empty_order(changed)


def with_order(document: Document, provider: str, ids: Sequence[str] | None) -> Document:
    """The order of a provider, under whichever of its names it stands; None removes it."""
    wanted = credential_provider(provider)
    order = document.get("order")
    rest = order if isinstance(order, dict) else {}
    kept = {name: given for name, given in rest.items() if credential_provider(name) != wanted}
    return _without_empty_order({**document, "order": {**kept, **({provider: list(ids)} if ids is not None else {})}})


def tidied(document: Document) -> Document:
    """Plain text beside a valid reference removed. A broken reference removes nothing: the text may be all there is."""
    tidy = {name: _tidied(entry) if isinstance(entry, dict) else entry for name, entry in profiles(document).items()}
    return {**document, "version": document.get("version", 1), "profiles": tidy}


def profiles(document: Document) -> dict[str, Any]:
    """The table of profiles. Raises ValueError where something else stands in its place."""
    found = document.get("profiles", {})
    if not isinstance(found, dict):
        raise ValueError("'profiles' is not an object")
    return found


def encoded(document: Document) -> bytes:
    """Two-space JSON with a newline at the end, in ASCII, so that any text survives. Raises ValueError."""
    try:
        return f"{json.dumps(document, indent=2)}\n".encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def carried(secret: str) -> str:
    """A secret with only what an HTTP header can carry: no line breaks, nothing above U+00FF, no outer blanks."""
    return "".join(c for c in clean_secret(secret) if c <= "\xff").strip()


def _tidied(entry: dict[str, Any]) -> dict[str, Any]:
    doubled = {field for ref, fields in _REFS.items() if _is_valid(entry.get(ref)) for field in fields}
    return {k: v for k, v in entry.items() if k not in doubled}


def _is_valid(ref: object) -> bool:
    try:
        read_ref(ref)
    except ValueError:
        return False
    return True


def _without_empty_order(document: Document) -> Document:
    return document if document.get("order", True) else {k: v for k, v in document.items() if k != "order"}
