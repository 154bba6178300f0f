"""Credentials that lie in the environment (credentials.md 6, product.md 6).

Order of a provider's keys: `REMOTECLAW_LIVE_<P>_KEY` (if it is set, the only one), `<P>_API_KEYS` (a list), `<P>_API_KEY`,
every `<P>_API_KEY_*` by name, for Google `GOOGLE_API_KEY`, then the names that the provider itself declares. `<P>` is the
provider id in capitals with `_` for every other sign; the Google providers share `GEMINI`. Anthropic's list may also be called
`REMOTECLAW_LIVE_ANTHROPIC_KEYS`; it comes after `ANTHROPIC_API_KEYS`.

A key's profile id is `env:NAME`, in a list `env:NAME#n` from 1. Where two providers read the same variable, the later one's
id carries its name too: `env:NAME:provider`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.secret import Secret, clean_secret
from core.auth.variables import Origin

_GOOGLE = ("google", "google-vertex")
_FURTHER_LISTS = {"anthropic": ("REMOTECLAW_LIVE_ANTHROPIC_KEYS",)}
_LIST = re.compile(r"[\s,;]+")


def base_name(provider: str) -> str:
    """`<P>` of a provider's variables."""
    return "GEMINI" if provider in _GOOGLE else re.sub(r"[^A-Z0-9]", "_", provider.upper())


def environment_keys(
    declared: Mapping[str, Sequence[str]],
    environ: Mapping[str, str],
    origins: Mapping[str, Origin] = MappingProxyType({}),
) -> tuple[AuthProfile, ...]:
    """Every provider's keys in the order in which they are tried, each value once for a provider.

    `declared` maps provider ids, as normalised, to the further variables that hold their keys. `origins` says of variables
    where they come from, for the label `source`; left out: from the process. Fingerprints are not set.
    """
    used: set[str] = set()
    profiles = []
    for provider, names in declared.items():
        seen: set[str] = set()
        for name, found, value in _keys(provider, names, environ):
            if value in seen:
                continue
            seen.add(value)
            profile = found if found not in used else f"{found}:{provider}"
            used.add(profile)
            profiles.append(
                AuthProfile(
                    id=profile,
                    provider=provider,
                    kind=CredentialKind.ENV,
                    secret=Secret(value),
                    source=f"{origins.get(name, Origin.PROCESS)}: {name}",
                    variable=name,
                )
            )
    return tuple(profiles)


def _keys(provider: str, declared: Sequence[str], environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """(variable, profile id, value) of every key that is set, in order, repetitions included."""
    base = base_name(provider)
    live = f"REMOTECLAW_LIVE_{base}_KEY"
    if value := clean_secret(environ.get(live, "")):
        yield live, f"env:{live}", value
        return
    for listed in [f"{base}_API_KEYS", *_FURTHER_LISTS.get(provider, ())]:
        parts = [clean_secret(part) for part in _LIST.split(environ.get(listed, ""))]
        for n, value in enumerate(filter(None, parts), start=1):
            yield listed, f"env:{listed}#{n}", value
    single = f"{base}_API_KEY"
    numbered = sorted(name for name in environ if name.startswith(f"{single}_"))
    google = ["GOOGLE_API_KEY"] if provider in _GOOGLE else []
    for name in dict.fromkeys([single, *numbered, *google, *declared]):
        if value := clean_secret(environ.get(name, "")):
            yield name, f"env:{name}", value
