"""Changes to the JSON document of auth-profiles.json, pure. Whatever they do not know stays as it is (credentials.md 1.2, 1.5)."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from core.auth.provider_names import credential_provider, provider_id
from core.auth.refs import read_ref
from core.auth.secret import clean_secret, unsendable
from core.errors import StoreError

Document = dict[str, Any]
Change = Callable[[Document], Document]
Order = dict[str, tuple[str, ...]]
"""Provider to profile ids."""
_REFS = {"keyRef": ("key", "apiKey"), "tokenRef": ("token",)}
_KINDS = (("api_key", "keyRef", "key"), ("token", "tokenRef", "token"))
"""Which fields a type uses. The others stay as they are: nothing may turn a field without a meaning into one with one."""
_VALUES = ("key", "apiKey", "token", "access", "refresh", "idToken")
_SENT = ("key", "apiKey", "token", "access")
"""Those of them that requests to a provider carry."""
_DEEPEST = 100
"""Levels of a document. Writing takes time that grows with their number for everything that it writes."""
_BODY = ("type", "mode", "provider", "expires", "obtainedAt", *_VALUES, *_REFS)
"""What a new credential of the same id replaces: nothing of the old one may serve on."""


def empty() -> Document:
    """A store without anything."""
    return {"version": 1, "profiles": {}}


def with_profile(document: Document, name: str, entry: Mapping[str, object]) -> Document:
    """The profile with this credential. What else its entry says (e-mail, names, unknown fields) is kept. Raises StoreError for
    a secret that no request can carry."""
    before = profiles(document).get(name)
    kept = {k: v for k, v in before.items() if k not in _BODY} if isinstance(before, dict) else {}
    fresh = {k: _kept(k, v) if k in _VALUES and isinstance(v, str) else v for k, v in entry.items()}
    return {**document, "profiles": {**profiles(document), name: {**fresh, **kept}}}


def without_profile(document: Document, name: str) -> Document:
    """Neither the profile nor its place in any order. An order that loses its last id goes: an empty one would stop all."""
    changed = {**document, "profiles": {k: v for k, v in profiles(document).items() if k != name}}
    order = document.get("order")
    if isinstance(order, dict):
        rest = {p: [i for i in ids if i != name] if isinstance(ids, list) else ids for p, ids in order.items()}
        changed["order"] = {p: ids for p, ids in rest.items() if ids or ids == order[p]}
    return _without_empty_order(changed)


def without_place(document: Document, name: str) -> Document:
    """The id in no order, unless the store has a profile of this id."""
    return document if name in profiles(document) else without_profile(document, name)


def is_ordered(document: Document, name: str) -> bool:
    """Whether an order names this id."""
    order = document.get("order")
    return isinstance(order, dict) and any(isinstance(ids, list) and name in ids for ids in order.values())


def with_order(document: Document, provider: str, ids: Sequence[str] | None) -> Document:
    """The order of a provider, under whichever of its names it stands; None removes it."""
    wanted = credential_provider(provider)
    order = document.get("order")
    rest = order if isinstance(order, dict) else {}
    kept = {name: given for name, given in rest.items() if credential_provider(name) != wanted}
    return _without_empty_order({**document, "order": {**kept, **({provider: list(ids)} if ids is not None else {})}})


def with_orders(document: Document, orders: Mapping[str, Sequence[str]]) -> Document:
    """These orders, each in the place of the one that the store has under another spelling of the same provider."""
    given = document.get("order")
    left = dict(orders)
    joined: Document = {}
    for name, ids in (given if isinstance(given, dict) else {}).items():
        provider = provider_id(name)
        if provider not in orders:
            joined[name] = ids
        elif provider in left:
            joined[provider] = list(left.pop(provider))
    return {**document, "order": {**joined, **{provider: list(ids) for provider, ids in left.items()}}}


def read_order(document: Mapping[str, object]) -> tuple[Order, tuple[str, ...]]:
    """The usable orders under their providers' one names, and what is wrong with the others (credentials.md 1.3)."""
    raw = document.get("order")
    if raw is None:
        return {}, ()
    if not isinstance(raw, dict):
        return {}, ("'order' is not an object.",)
    order: Order = {}
    problems = []
    for provider, ids in raw.items():
        if not isinstance(ids, list):
            problems.append(f"the order of {shown_id(provider)} is not a list.")
            continue
        names = tuple(dict.fromkeys(i.strip() for i in ids if isinstance(i, str) and i.strip()))
        if names and provider.strip():
            order[provider_id(provider)] = names
    return order, tuple(problems)


def usage_stats(document: Mapping[str, object]) -> Document:
    """What older versions kept of each credential, by profile id, unjudged."""
    stats = document.get("usageStats")
    return stats if isinstance(stats, dict) else {}


def without_stats(document: Document, ids: Collection[str] = ()) -> Document:
    """Without the older bookkeeping of these ids. With its last entry goes all of it, and `lastGood`, which serves nothing."""
    left = {name: entry for name, entry in usage_stats(document).items() if name not in ids}
    if left:
        return {**document, "usageStats": left}
    return {key: value for key, value in document.items() if key not in ("usageStats", "lastGood")}


def tidied(document: Document) -> Document:
    """Every entry as `tidied_entry` has it."""
    tidy = {name: tidied_entry(e) if isinstance(e, dict) else e for name, e in profiles(document).items()}
    return {**document, "version": document.get("version", 1), "profiles": tidy}


def tidied_entry(entry: Document) -> Document:
    """An entry in today's spelling, with its reference in the reference's field, and no plain text beside a valid reference.
    A broken reference changes nothing: what stands beside it, or is it, may be all there is."""
    tidy = dict(entry)
    if "type" not in tidy and isinstance(tidy.get("mode"), str):
        tidy = {"type": tidy.pop("mode"), **tidy}
    if tidy.get("type") == "api_key" and tidy.get("key") is None and isinstance(tidy.get("apiKey"), str):
        tidy["key"] = tidy.pop("apiKey")
    for kind, ref, field in _KINDS:
        value = tidy.get(field)
        if tidy.get("type") == kind and tidy.get(ref) is None and isinstance(value, dict) and _is_valid(value):
            tidy[ref] = value
    doubled = {field for ref, fields in _REFS.items() if _is_valid(tidy.get(ref)) for field in fields}
    return {k: v for k, v in tidy.items() if k not in doubled}


def profiles(document: Document) -> dict[str, Any]:
    """The table of profiles. Raises ValueError where something else stands in its place."""
    found = document.get("profiles", {})
    if not isinstance(found, dict):
        raise ValueError("'profiles' is not an object")
    return found


def encoded(document: Document) -> bytes:
    """Two-space JSON with a newline at the end, in ASCII, so that any text survives. Raises ValueError."""
    if _is_deeper(document, _DEEPEST):
        raise ValueError("it is nested too deeply")
    return f"{json.dumps(document, indent=2)}\n".encode()


def shown_id(name: str) -> str:
    """An id of a file in a sentence: in quotes, in ASCII, cut."""
    return ascii(name if len(name) <= 60 else f"{name[:57]}...")


def _kept(field: str, value: str) -> str:
    secret = clean_secret(value)
    if field in _SENT and (reason := unsendable(secret)) is not None:
        raise StoreError("unsendable", f"The {field} {reason}. Nothing was stored.")
    return secret


def _is_valid(ref: object) -> bool:
    try:
        read_ref(ref)
    except ValueError:
        return False
    return True


def _is_deeper(value: object, levels: int) -> bool:
    """Looked at level by level: a function that called itself would fail where this has to answer."""
    level = [value]
    for _ in range(levels):
        level = [one for outer in level for one in _inner(outer) if isinstance(one, dict | list)]
    return bool(level)


def _inner(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _without_empty_order(document: Document) -> Document:
    return document if document.get("order", True) else {k: v for k, v in document.items() if k != "order"}
