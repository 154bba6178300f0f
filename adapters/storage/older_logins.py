"""Credentials of older layouts (credentials.md 1.8): `auth.json` beside a store, and one `oauth.json` for all agents.

Both map a provider to its credential, which is the profile `<provider>:default` of the store. An id that the store has wins
over theirs. Loaded by `models status`, so it needs nothing but the standard library.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapters.storage.profile_document import Document, tidied_entry

AUTH = "auth.json"
OAUTH = "oauth.json"
DEFAULT_NAME = ":default"
_SET_ASIDE = "imported"
"""A field of the store: by file, the ids whose credentials still lie in that file and are never taken from it again."""


@dataclass(frozen=True, slots=True)
class OlderLogin:
    """One credential of an older file: under which key it stands there, and id and entry as the store would have them."""

    key: str
    id: str
    entry: object

    @property
    def provider(self) -> str:
        """The provider that it is for, as far as one can tell."""
        named = self.entry.get("provider") if isinstance(self.entry, dict) else None
        return named if isinstance(named, str) and named.strip() else self.key


def is_newer_layout(data: Mapping[str, object]) -> bool:
    """Whether a file that should map providers to credentials is laid out as the store is."""
    return "profiles" in data


def older_logins(file: str, data: Mapping[str, object]) -> Iterator[OlderLogin]:
    """What an older file holds, unjudged."""
    if is_newer_layout(data):
        return
    for key, raw in data.items():
        if key == "version" and isinstance(raw, int):
            continue
        yield OlderLogin(key, f"{key}{DEFAULT_NAME}", _entry(file, key, raw) if isinstance(raw, dict) else raw)


def _entry(file: str, key: str, raw: Document) -> Document:
    entry = tidied_entry(raw)
    if file == OAUTH:
        entry = {"type": "oauth", **entry}
    provider = entry.get("provider")
    if provider is None or (isinstance(provider, str) and not provider.strip()):
        entry = {**entry, "provider": key}
    return entry


def set_aside(document: Mapping[str, object], file: str) -> frozenset[str]:
    """The ids of an older file that are not to be taken from it (again)."""
    files = document.get(_SET_ASIDE)
    ids = files.get(file) if isinstance(files, dict) else None
    return frozenset(i for i in ids if isinstance(i, str)) if isinstance(ids, list) else frozenset()


def with_set_aside(document: Document, file: str, ids: Sequence[str]) -> Document:
    """The store that remembers these ids of an older file, besides those that it remembers already."""
    files = document.get(_SET_ASIDE)
    known = files if isinstance(files, dict) else {}
    return {**document, _SET_ASIDE: {**known, file: sorted(set_aside(document, file) | set(ids))}}
