"""Auth profiles: what an installation has to prove who it is at a provider.

A profile id is opaque. By convention it is `provider:name`, but the provider is a field and is never read out of the id.
Credentials from the environment and from the config are profiles too, with ids of their own (`env:ACME_API_KEY`,
`config:acme`), so that they can be ordered, pinned and shown like any other.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from core.auth.secret import Secret, SecretRef

T = TypeVar("T")


class CredentialKind(StrEnum):
    """What a candidate is, as interfaces.md names it."""

    API_KEY = "api_key"
    TOKEN = "token"
    OAUTH = "oauth"
    CLI = "cli"
    ENV = "env"
    CONFIG = "config"
    NONE = "none"


class PinMode(StrEnum):
    """strict: only this credential is tried. prefer: it is tried first."""

    STRICT = "strict"
    PREFER = "prefer"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthProfile:
    """One credential with what the store and the config say about it.

    `expires` is what the store holds, unjudged (milliseconds since the epoch if it is right): `eligibility` judges it. `obtained`
    is the same for the moment at which a login's token was given. `refreshable`: there is a refresh token, and somewhere to use it.
    `ref_error` says why `ref` gave no secret; then `secret` is None. `variable` is the name of the environment variable that
    holds a credential of the environment, empty for every other one.
    """

    id: str
    provider: str
    kind: CredentialKind
    secret: Secret | None = None
    ref: SecretRef | None = None
    ref_error: str = ""
    expires: object = None
    obtained: object = None
    refreshable: bool = False
    source: str = ""
    variable: str = ""
    fingerprint: str | None = None
    label: str | None = None
    account: str | None = None
    billing: str | None = None
    pin_mode: PinMode = PinMode.STRICT
    lends_to: tuple[str, ...] = ()
    """Other providers that it serves too, before their own credentials, unless an order says otherwise."""
    pin_allow: tuple[str, ...] | None = None
    """Who may pin and see it: `owners`, sender keys. None: whoever may command."""
    config_provider: str | None = None
    config_mode: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_unresolved(self) -> bool:
        """Whether its reference gives no secret."""
        return self.ref is not None and self.secret is None

    @property
    def from_environment(self) -> bool:
        """Keys of the environment and the config serve only where a provider has no profile, or where an order names them."""
        return self.kind in (CredentialKind.ENV, CredentialKind.CONFIG, CredentialKind.NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSet:
    """What one agent's store and its surroundings hold, at one moment.

    `order` is the agent's own order override (provider -> profile ids). `problems` are sentences about files and entries
    that could not be used; one broken entry never hides another.
    """

    profiles: Mapping[str, AuthProfile] = field(default_factory=dict)
    order: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    unreadable: bool = False
    """There is a store and it cannot be used: nobody knows what it holds, so no key of the surroundings takes its place."""
    oauth_references: tuple[tuple[str, str], ...] = ()
    """(profile id, field) of every oauth entry that holds a reference: see core.auth.oauth_guard."""
    damaged: frozenset[str] = frozenset()
    """Providers of entries that cannot be used: the same holds for each of them."""
    _found: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def unresolved(self) -> tuple[AuthProfile, ...]:
        """The profiles without a secret because their reference gives none."""
        return self.once("unresolved", lambda: tuple(p for p in self.profiles.values() if p.is_unresolved))

    def once(self, question: Hashable, answer: Callable[[], T]) -> T:
        """The answer to a question about this set and nothing else, found once. Nothing in a set changes, and it is the same
        one for every message until a store does."""
        if question not in self._found:
            self._found[question] = answer()
        found: T = self._found[question]
        return found
