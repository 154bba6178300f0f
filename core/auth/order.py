"""In which order a provider's credentials are tried (credentials.md 4.1, product.md 5.1).

The base is the first of: the agent's own order, the config's order, the profiles that the config names, the stored
profiles; keys from the environment and the config only where the provider has no profile at all, or where an order names
them. Where the config names profiles and nothing of the base is here, what is stored here is meant, or else those keys.

A login that is lent to the provider (of the Claude command line, to Anthropic) joins that base wherever nobody gave an order.

An explicit order is kept as given; otherwise by kind (login of a command line, oauth, token, api key), then least recently
used. Whatever is cooling comes last, soonest back first.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.auth.eligibility import Eligibility, has_lapsed, judge, may_expire, serves
from core.auth.health import Window
from core.auth.profiles import AuthProfile, CredentialKind, ProfileSet
from core.auth.provider_names import credential_provider

_KINDS = (CredentialKind.CLI, CredentialKind.OAUTH, CredentialKind.TOKEN, CredentialKind.API_KEY)
_NEVER = datetime.min.replace(tzinfo=UTC)
_LAST = (len(_KINDS), _NEVER)
_FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Placed:
    """One credential of a provider. `position` counts from 1; None: it is not in the order, and `reason` says why; or nobody
    asked where it stands (`Line.find`).

    `eligibility` is its own, whatever the order is: a pin may name what is left out, but nothing that may not be used.
    """

    id: str
    profile: AuthProfile | None
    eligibility: Eligibility
    block: Window | None
    position: int | None
    left_out: bool = False
    """An order, or the rule that stands in for one, does not have it."""
    lapsed: bool = False
    """A login that a refresh brings back before it serves."""

    @property
    def reason(self) -> Eligibility:
        """Why it does not serve by itself, or OK: that it is left out comes before what else is wrong with it."""
        return Eligibility.EXCLUDED_BY_AUTH_ORDER if self.left_out else self.eligibility

    @property
    def usable(self) -> bool:
        """In the order and not out."""
        return self.reason is Eligibility.OK and self.block is None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """A provider's own profiles in a set, with what neither time nor health changes of them: found once for each set."""

    profiles: Mapping[str, AuthProfile]
    stored: Mapping[str, AuthProfile]
    lent: Mapping[str, AuthProfile]
    """Those of another provider that serve this one too."""
    verdicts: Mapping[str, Eligibility]
    """Of those that time changes nothing of."""
    ranks: Mapping[str, int]
    """By kind; whatever comes from the surroundings has none, and is never ordered by its use."""

    @classmethod
    def of(cls, credentials: ProfileSet, provider: str, now: datetime) -> "_Own":
        own = {name: profile for name, profile in credentials.profiles.items() if serves(profile, provider)}
        wanted = credential_provider(provider)
        lent = {name: profile for name, profile in own.items() if credential_provider(profile.provider) != wanted}
        stored = {name: p for name, p in own.items() if not p.from_environment and name not in lent}
        return cls(
            profiles=own,
            stored=stored,
            lent=lent,
            verdicts={name: judge(p, provider, now) for name, p in own.items() if not may_expire(p)},
            ranks={name: _KINDS.index(profile.kind) for name, profile in {**stored, **lent}.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A provider's credentials at one moment. Each stands in it as it would if it were asked for alone, and a line of many costs
    only what is asked of it: a turn whose credential is known needs no order of the others."""

    provider: str
    credentials: ProfileSet
    own: _Own
    base: Collection[str]
    """The ids that the order is made of, each once."""
    is_explicit: bool
    block: Callable[[AuthProfile], Window | None]
    last_used: Callable[[AuthProfile], datetime | None]
    now: datetime

    def usable(self) -> tuple[AuthProfile, ...]:
        """Those that can serve now, in order."""
        return tuple(self._sorted(p for p in self._eligible(self._verdicts()) if self.block(p) is None))

    def placed(self) -> tuple[Placed, ...]:
        """Every credential of the provider: those in the order first, with positions; then the others, each with its reason."""
        verdicts = self._verdicts()
        ordered = [(profile, self.block(profile)) for profile in self._sorted(self._eligible(verdicts))]
        ordered.sort(key=lambda one: _return(one[1]))
        others = [name for name, verdict in verdicts.items() if verdict is not Eligibility.OK]
        others += [name for name in self.own.profiles if name not in verdicts]
        return (
            *(
                Placed(p.id, p, Eligibility.OK, window, n, lapsed=has_lapsed(p, self.now))
                for n, (p, window) in enumerate(ordered, start=1)
            ),
            *(self._stands(name) for name in others),
        )

    def find(self, name: str) -> Placed | None:
        """One of them as it stands, without its position. None: the provider has no such credential, and no order names it."""
        return self._stands(name) if name in self.own.profiles or name in self.base else None

    def _verdicts(self) -> Mapping[str, Eligibility]:
        return {name: self._verdict(name) for name in self.base}

    def _verdict(self, name: str) -> Eligibility:
        known = self.own.verdicts.get(name)
        return judge(self.credentials.profiles.get(name), self.provider, self.now) if known is None else known

    def _stands(self, name: str) -> Placed:
        verdict, profile = self._verdict(name), self.credentials.profiles.get(name)
        is_left_out = name not in self.base
        # What stands in the order and may not be used has no block: whether it is out is no question then.
        asks = is_left_out or verdict is Eligibility.OK
        block = self.block(profile) if profile is not None and asks else None
        return Placed(name, profile, verdict, block, None, is_left_out, has_lapsed(profile, self.now))

    def _eligible(self, verdicts: Mapping[str, Eligibility]) -> Iterable[AuthProfile]:
        profiles = self.credentials.profiles
        return (profiles[name] for name, verdict in verdicts.items() if verdict is Eligibility.OK)

    def _sorted(self, profiles: Iterable[AuthProfile]) -> Iterable[AuthProfile]:
        """An explicit order as it is; else by kind, then the least recently used first."""
        ranks = self.own.ranks
        if self.is_explicit:
            return profiles
        return sorted(profiles, key=lambda p: (ranks[p.id], self.last_used(p) or _NEVER) if p.id in ranks else _LAST)


def line(
    provider: str,
    credentials: ProfileSet,
    explicit: Sequence[str] | None,
    configured: Sequence[str],
    block: Callable[[AuthProfile], Window | None],
    last_used: Callable[[AuthProfile], datetime | None],
    now: datetime,
    surroundings: bool = True,
) -> Line:
    """The line of a provider's credentials.

    `surroundings` false: keys of the environment and the config do not stand in for missing profiles, because what the store
    holds is not known.
    """
    own = credentials.once(("own", provider), lambda: _Own.of(credentials, provider, now))
    return Line(
        provider=provider,
        credentials=credentials,
        own=own,
        base=_base(credentials, own, explicit, configured, surroundings),
        is_explicit=bool(explicit),
        block=block,
        last_used=last_used,
        now=now,
    )


def _base(
    credentials: ProfileSet,
    own: _Own,
    explicit: Sequence[str] | None,
    configured: Sequence[str],
    surroundings: bool,
) -> Collection[str]:
    """An order is the operator's word on every credential; without one what is lent comes before what is here."""
    base = _base_of_its_own(credentials, own, explicit, configured, surroundings)
    return _unique([*own.lent, *base]) if own.lent and explicit is None else base


def _base_of_its_own(
    credentials: ProfileSet,
    own: _Own,
    explicit: Sequence[str] | None,
    configured: Sequence[str],
    surroundings: bool,
) -> Collection[str]:
    if explicit is None and not configured:
        return own.stored or (_first_kind(own.profiles.values()) if surroundings else ())
    base = _unique(configured if explicit is None else explicit)
    if not configured or not base or any(name in credentials.profiles for name in base):
        return base
    # Nothing that the operator wrote is here, as after a renaming, or where it was written for another agent: what is here is
    # what is meant. A stored profile that may not be used lets no other key slip in, and no order is what keeps it out.
    if own.stored:
        return _unique([*own.stored, *base])
    return (_first_kind(own.profiles.values()) if surroundings else ()) or base


def _return(window: Window | None) -> datetime:
    return _NEVER if window is None else window.until or _FOREVER


def _first_kind(profiles: Iterable[AuthProfile]) -> Collection[str]:
    surroundings = [p for p in profiles if p.from_environment]
    for kind in (CredentialKind.ENV, CredentialKind.CONFIG, CredentialKind.NONE):
        ids = [p.id for p in surroundings if p.kind is kind]
        if ids:
            return ids
    return ()


def _unique(ids: Iterable[str]) -> Collection[str]:
    return dict.fromkeys(ids)
