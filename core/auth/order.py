"""In which order a provider's credentials are tried (credentials.md 4.1, product.md 5.1).

The base is the first of: the agent's own order, the config's order, the profiles that the config names, the stored
profiles; keys from the environment and the config only where the provider has no profile at all, or where an order names
them. An explicit order is kept as given; otherwise by kind (oauth, token, api key), then least recently used. Whatever is
cooling comes last, soonest back first.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.auth.eligibility import Eligibility, judge
from core.auth.health import Window
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.provider_names import credential_provider

_KINDS = (CredentialKind.OAUTH, CredentialKind.CLI, CredentialKind.TOKEN, CredentialKind.API_KEY)
_NEVER = datetime.min.replace(tzinfo=UTC)
_FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Placed:
    """One credential of a provider. `position` counts from 1; None: it is not in the order, and `eligibility` says why."""

    id: str
    profile: AuthProfile | None
    eligibility: Eligibility
    block: Window | None
    position: int | None

    @property
    def usable(self) -> bool:
        """In the order and not out."""
        return self.position is not None and self.block is None


def explicit_order(provider: str, *orders: Mapping[str, Sequence[str]]) -> tuple[str, ...] | None:
    """The first order that has this provider, under whichever of its names."""
    wanted = credential_provider(provider)
    for order in orders:
        for name, ids in order.items():
            if credential_provider(name) == wanted:
                return tuple(ids)
    return None


def order_fingerprint(explicit: Sequence[str] | None) -> str:
    """Names an explicit order, so that a pin can tell whether it changed. Without one: `implicit`."""
    if explicit is None:
        return "implicit"
    return hashlib.sha256("\n".join(explicit).encode()).hexdigest()[:12]


def place(
    provider: str,
    profiles: Mapping[str, AuthProfile],
    explicit: Sequence[str] | None,
    configured: Sequence[str],
    block: Callable[[AuthProfile], Window | None],
    last_used: Callable[[AuthProfile], datetime | None],
    now: datetime,
    surroundings: bool = True,
) -> tuple[Placed, ...]:
    """Every credential of a provider: those in the order first, with positions; then the others, each with its reason.

    `surroundings` false: keys of the environment and the config do not stand in for missing profiles, because what the store
    holds is not known.
    """
    wanted = credential_provider(provider)
    own = {name: p for name, p in profiles.items() if credential_provider(p.provider) == wanted}
    base = _base(own, profiles, explicit, configured, provider, now, surroundings)
    verdicts = {name: judge(profiles.get(name), provider, now) for name in base}
    eligible = [profiles[name] for name, verdict in verdicts.items() if verdict is Eligibility.OK]
    if not explicit:
        eligible.sort(key=lambda p: (_rank(p), _NEVER if p.from_environment else last_used(p) or _NEVER))
    windows = {profile.id: block(profile) for profile in eligible}
    eligible.sort(key=lambda profile: _return(windows[profile.id]))
    placed = [Placed(p.id, p, Eligibility.OK, windows[p.id], n) for n, p in enumerate(eligible, start=1)]
    placed += [
        Placed(name, profiles.get(name), v, None, None) for name, v in verdicts.items() if v is not Eligibility.OK
    ]
    placed += [_left_out(profile, provider, block, now) for name, profile in own.items() if name not in verdicts]
    return tuple(placed)


def _return(window: Window | None) -> datetime:
    return _NEVER if window is None else window.until or _FOREVER


def _base(
    own: Mapping[str, AuthProfile],
    profiles: Mapping[str, AuthProfile],
    explicit: Sequence[str] | None,
    configured: Sequence[str],
    provider: str,
    now: datetime,
    surroundings: bool,
) -> list[str]:
    stored = [name for name, profile in own.items() if not profile.from_environment]
    if explicit is not None:
        base = _unique(explicit)
    elif configured:
        base = _unique(configured)
    else:
        base = stored or (_first_kind(own.values()) if surroundings else [])
    if configured and base and not any(name in profiles for name in base):
        # Every id that the operator wrote is gone from the store, as after a renaming: what is stored is what is meant.
        return [name for name in stored if judge(own[name], provider, now) is Eligibility.OK] or base
    return base


def _first_kind(profiles: Iterable[AuthProfile]) -> list[str]:
    surroundings = [p for p in profiles if p.from_environment]
    for kind in (CredentialKind.ENV, CredentialKind.CONFIG, CredentialKind.NONE):
        ids = [p.id for p in surroundings if p.kind is kind]
        if ids:
            return ids
    return []


def _left_out(
    profile: AuthProfile, provider: str, block: Callable[[AuthProfile], Window | None], now: datetime
) -> Placed:
    verdict = judge(profile, provider, now)
    reason = Eligibility.EXCLUDED_BY_AUTH_ORDER if verdict is Eligibility.OK else verdict
    return Placed(profile.id, profile, reason, block(profile), None)


def _unique(ids: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(ids))


def _rank(profile: AuthProfile) -> int:
    return _KINDS.index(profile.kind) if profile.kind in _KINDS else len(_KINDS)
