"""The credentials of an agent as they are now: stores, environment and config brought together (ProfileSource).

The stores are asked at every load; environment and config are those of the process. Everything that turns up and is
confidential is handed to `learn`, so that logs never show it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from core.auth.environment import environment_keys
from core.auth.profiles import AuthProfile, CredentialKind, PinMode, ProfileSet
from core.auth.refs import SecretSource, UnresolvedRef, resolve_ref
from core.auth.secret import Secret, SecretRef, fingerprint

if TYPE_CHECKING:
    from bot.config.settings import Profile, Settings

_STORED = (CredentialKind.API_KEY, CredentialKind.TOKEN, CredentialKind.OAUTH)
_VARIABLE = re.compile(r"KEYS?(_|$)|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL")
_HEADER = re.compile(r"key|token|secret|password|auth|cookie|credential", re.IGNORECASE)
_SHORTEST_VARIABLE = 12
"""Shorter values of variables that only sound confidential (`..._TOKEN_LIMIT`) would blot out harmless words."""


class ProfileFiles(Protocol):
    """The stores on disk. `load` returns the very same object while nothing has changed."""

    def load(self, agent: str) -> ProfileSet: ...

    def secrets(self) -> Iterable[Secret]: ...


class CredentialSource:
    """See core.auth.ports.ProfileSource.

    `declared` maps every provider to the variables that it declares, configured ones first. `sources` resolve references,
    by their name. `salt` makes fingerprints; without it there are none, and `problems` says why.
    """

    def __init__(
        self,
        settings: "Settings",
        files: ProfileFiles,
        *,
        environ: Mapping[str, str],
        declared: Mapping[str, Sequence[str]],
        sources: Mapping[str, SecretSource],
        salt: bytes | None,
        problems: Sequence[str] = (),
        learn: Callable[[Iterable[str]], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._files = files
        self._environ = settings.environment(environ)
        self._sources = sources
        self._salt = salt
        self._problems = tuple(problems)
        self._learn = learn
        self._surroundings = tuple(self._around(declared))
        self._sets: dict[str, tuple[ProfileSet, ProfileSet]] = {}
        self._resolved: set[str] = set()
        learn(self.secret_values())

    def load(self, agent: str) -> ProfileSet:
        """The agent's profiles with secrets, fingerprints and what the config says of them. The same object while the stores
        are unchanged."""
        stored = self._files.load(agent)
        known = self._sets.get(agent)
        if known is not None and known[0] is stored:
            return known[1]
        everything = {**stored.profiles, **{p.id: p for p in self._surroundings if p.id not in stored.profiles}}
        profiles = {name: self._complete(profile) for name, profile in everything.items()}
        problems = self._problems + stored.problems
        joined = replace(stored, profiles=profiles, problems=problems)
        self._sets[agent] = (stored, joined)
        self._learn(self.secret_values())
        return joined

    def secret_values(self) -> Iterable[str]:
        """Every confidential text that is known now, for redaction: credentials, platform tokens, passwords."""
        settings = self._settings
        values = [secret.reveal() for secret in self._files.secrets()]
        values += [profile.secret.reveal() for profile in self._surroundings if profile.secret]
        values += [
            value
            for name, value in self._environ.items()
            if _VARIABLE.search(name.upper()) and len(value) >= _SHORTEST_VARIABLE
        ]
        values += [secret.reveal() for secret in _in_settings(settings)]
        return tuple(dict.fromkeys([*values, *self._resolved]))

    def _around(self, declared: Mapping[str, Sequence[str]]) -> Iterator[AuthProfile]:
        """Keys of the environment and the config. A provider that is declared to need no key gets none."""
        providers = self._settings.models.providers
        keyless = [name for name, provider in providers.items() if provider.auth == "none"]
        names = {**dict.fromkeys(providers, ()), **declared}
        yield from environment_keys({p: names[p] for p in names if p not in keyless}, self._environ)
        for name, provider in providers.items():
            given = provider.api_key
            if given is not None:
                yield AuthProfile(
                    id=f"config:{name}",
                    provider=name,
                    kind=CredentialKind.CONFIG,
                    secret=given if isinstance(given, Secret) else None,
                    ref=given if isinstance(given, SecretRef) else None,
                    source=f"models.providers.{name}.api_key",
                )
        for name in keyless:
            yield AuthProfile(id=f"none:{name}", provider=name, kind=CredentialKind.NONE, source="no key needed")

    def _complete(self, profile: AuthProfile) -> AuthProfile:
        overlay = self._settings.auth.profiles.get(profile.id)
        if overlay is not None:
            profile = _overlaid(profile, overlay)
        if profile.ref is not None:
            profile = self._with_secret(profile, profile.ref)
        if profile.secret and self._salt is not None:
            profile = replace(profile, fingerprint=fingerprint(profile.secret, self._salt))
        return profile

    def _with_secret(self, profile: AuthProfile, ref: SecretRef) -> AuthProfile:
        if profile.config_mode == "oauth":
            return replace(profile, secret=None, ref_error="OAuth + SecretRef is not supported.")
        try:
            secret = resolve_ref(ref, self._sources)
        except UnresolvedRef as error:
            return replace(profile, secret=None, ref_error=str(error))
        self._resolved.add(secret.reveal())
        return replace(profile, secret=secret)


def _overlaid(profile: AuthProfile, overlay: "Profile") -> AuthProfile:
    is_stored = profile.kind in _STORED
    notes = {"email": overlay.email, "display_name": overlay.display_name}
    return replace(
        profile,
        label=overlay.label,
        account=overlay.account,
        billing=overlay.billing,
        pin_mode=PinMode(overlay.pin_mode),
        pin_allow=overlay.pin_allow,
        config_provider=overlay.provider,
        config_mode=overlay.mode if is_stored else None,
        metadata={**profile.metadata, **{key: value for key, value in notes.items() if value is not None}},
    )


def _in_settings(settings: "Settings") -> Iterator[Secret]:
    """Every plain secret of the config, and every header that carries one by its name."""
    telegram, discord = settings.channels.telegram, settings.channels.discord
    given: list[Secret | SecretRef | None] = [provider.api_key for provider in settings.models.providers.values()]
    given += [channel.token for channel in (telegram, discord) if channel is not None]
    if telegram is not None and telegram.webhook is not None:
        given.append(telegram.webhook.secret_token)
    given.append(settings.database.password())
    for provider in settings.models.providers.values():
        given += [value for name, value in provider.headers.items() if _HEADER.search(name)]
    yield from (secret for secret in given if isinstance(secret, Secret))
