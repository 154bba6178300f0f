"""The credentials of an agent as they are now: stores, environment and config brought together (ProfileSource).

The stores are asked at every load; environment and config are those of its making, and references are asked once: a reload
makes another one. Everything that turns up and is confidential is handed to `learn`, so that logs never show it.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from bot.confidential import is_confidential_header, is_confidential_variable
from bot.database_url import password
from bot.references import STILL_ASKING, References
from core.auth.environment import environment_keys
from core.auth.oauth_guard import UNSUPPORTED, check_oauth
from core.auth.profiles import AuthProfile, CredentialKind, PinMode, ProfileSet
from core.auth.provider_names import credential_provider
from core.auth.refs import SecretSource, UnresolvedRef, describe, prepare_refs, resolve_ref
from core.auth.secret import Secret, SecretRef, fingerprint, unsendable
from core.sessions.key import DEFAULT_AGENT

if TYPE_CHECKING:
    from bot.config.settings import Profile, Settings

log = logging.getLogger(__name__)

_STORED = (CredentialKind.API_KEY, CredentialKind.TOKEN, CredentialKind.OAUTH)
_SHORTEST_VARIABLE = 12
"""Shorter values of variables that only sound confidential (`..._TOKEN_LIMIT`) would blot out harmless words."""


class ProfileFiles(Protocol):
    """The stores on disk. `load` returns the very same object while nothing has changed."""

    def load(self, agent: str) -> ProfileSet: ...

    def secrets(self) -> Iterable[Secret]: ...


class CredentialSource:
    """See core.auth.ports.ProfileSource.

    `declared` maps every provider to the variables that it declares, configured ones first. `sources` resolve references,
    by their name. `salt` makes fingerprints; without it there are none, and `problems` says why. `renewable` tells whether there
    is somewhere to refresh a login that has a refresh token.
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
        renewable: Callable[[AuthProfile], bool] = lambda _: True,
    ) -> None:
        self._settings = settings
        self._renewable = renewable
        self._files = files
        self.environment = settings.environment(environ)
        self._references = References(sources)
        self._salt = salt
        self._problems = tuple(problems)
        self._learn = learn
        around = tuple(self._around(declared))
        self._surrounding_secrets = tuple(p.secret for p in around if p.secret)
        self._surroundings = tuple(_sendable(p) for p in around)
        self._problems += tuple(_unsendable_words(p) for p in around if p.secret and unsendable(p.secret.reveal()))
        self._sets: dict[str, tuple[ProfileSet, ProfileSet, frozenset[SecretRef]]] = {}
        self._resolved: dict[SecretRef, Secret] = {}
        self._refused: dict[SecretRef, str] = {}
        self._tells = False
        self._told: set[str] = set()
        learn(self.secret_values())

    async def prepare(self, tells: bool = False) -> None:
        """Ask for every reference of all agents, providers and enabled channels, in threads. From then on `load` never waits
        long: a reference that turns up later and whose source takes its time is unavailable until it has answered.

        `tells`: from then on the log says what cannot be used, as soon as it is so.

        Raises BotError where an oauth profile holds a reference."""
        import asyncio

        agents = dict.fromkeys([DEFAULT_AGENT, *self._settings.agents.list])
        channels = [*_references_of_channels(self._settings)]
        wanted = [*channels]
        for agent in agents:
            wanted += self._wanted(self._profiles(self._files.load(agent)).values())
        await asyncio.to_thread(prepare_refs, wanted, self._references.sources)
        self._references.serving = True
        self._tells = tells
        for ref in channels:
            self._resolve(ref)
        check_oauth(self.load(agent) for agent in agents)

    def resolved_refs(self) -> frozenset[SecretRef]:
        """The references that have given a secret."""
        return frozenset(self._resolved)

    def refused_refs(self) -> Mapping[SecretRef, str]:
        """The references that gave none, each with the sentence that says why."""
        return self._refused

    def given(self, value: Secret | SecretRef | None) -> Secret | None:
        """What a secret setting gives that was asked for when this was prepared. None: nothing."""
        return self._resolved.get(value) if isinstance(value, SecretRef) else value

    def unresolved(self, agents: Iterable[str]) -> tuple[str, ...]:
        """The profiles without a secret because their reference gives none, each once, whichever agents share it."""
        return tuple(dict.fromkeys(p.id for agent in agents for p in self.load(agent).unresolved))

    def problems(self, agents: Iterable[str]) -> tuple[str, ...]:
        """What cannot be used of the stores and their surroundings, a sentence each, once whichever agents share it."""
        return tuple(dict.fromkeys(problem for agent in agents for problem in self.load(agent).problems))

    def load(self, agent: str) -> ProfileSet:
        """The agent's profiles with secrets, fingerprints and what the config says of them. The same object while neither the
        stores nor what is known of references change."""
        stored = self._files.load(agent)
        known = self._sets.get(agent)
        if known is not None and known[0] is stored and not self._references.any_known(known[2]):
            return known[1]
        profiles = self._profiles(stored)
        missing = self._references.ask(self._wanted(profiles.values()))
        broken = self._broken_headers(missing)
        complete = {name: self._complete(profile, missing, broken) for name, profile in profiles.items()}
        joined = replace(stored, profiles=complete, problems=self._problems + stored.problems)
        self._sets[agent] = (stored, joined, missing)
        self._learn(self.secret_values())
        if self._tells:
            self._tell()
        return joined

    def _tell(self) -> None:
        """What is wrong, into the log of whoever serves: once when it begins, and again after it was over."""
        wrong = {problem for _, joined, _ in self._sets.values() for problem in joined.problems}
        unresolved = (p for _, joined, _ in self._sets.values() for p in joined.unresolved)
        wrong |= {f"{p.id} does not serve: {p.ref_error}" for p in unresolved}
        for sentence in sorted(wrong - self._told):
            log.warning("%s", sentence)
        self._told = wrong

    def headers(self) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """The headers of the providers that have references among theirs, without those that gave nothing: their provider
        has no usable profile. For use after `prepare`."""
        found: dict[str, tuple[tuple[str, str], ...]] = {}
        for name, provider in self._settings.models.providers.items():
            if any(isinstance(value, SecretRef) for value in provider.headers.values()):
                resolved = ((header, self._resolve(value)) for header, value in provider.headers.items())
                found[name] = tuple((header, value.reveal()) for header, value in resolved if isinstance(value, Secret))
        return found

    def secret_values(self) -> Iterable[str]:
        """Every confidential text that is known now, for redaction: credentials, platform tokens, passwords."""
        settings = self._settings
        values = [secret.reveal() for secret in self._files.secrets()]
        values += [secret.reveal() for secret in self._surrounding_secrets]
        values += [
            value
            for name, value in self.environment.items()
            if is_confidential_variable(name, value, _SHORTEST_VARIABLE)
        ]
        values += [secret.reveal() for secret in _in_settings(settings)]
        return tuple(dict.fromkeys([*values, *(secret.reveal() for secret in self._resolved.values())]))

    def _around(self, declared: Mapping[str, Sequence[str]]) -> Iterator[AuthProfile]:
        """Keys of the environment and the config. A provider that is declared to need no key gets none."""
        providers = self._settings.models.providers
        keyless = [name for name, provider in providers.items() if provider.auth == "none"]
        names = {**dict.fromkeys(providers, ()), **declared}
        keyed = {p: names[p] for p in names if p not in keyless}
        yield from environment_keys(keyed, self.environment, self.environment.origins)
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

    def _profiles(self, stored: ProfileSet) -> dict[str, AuthProfile]:
        """All of them, with what the config says, and without the secrets of references."""
        everything = {**stored.profiles, **{p.id: p for p in self._surroundings if p.id not in stored.profiles}}
        overlays = self._settings.auth.profiles
        return {name: _overlaid(p, overlays[p.id]) if p.id in overlays else p for name, p in everything.items()}

    def _wanted(self, profiles: Iterable[AuthProfile]) -> list[SecretRef]:
        """The references that these profiles and the providers' headers need."""
        refs = [p.ref for p in profiles if p.ref is not None and p.config_mode != "oauth"]
        return refs + [ref for _, _, ref in _references_of_headers(self._settings)]

    def _complete(
        self, profile: AuthProfile, missing: frozenset[SecretRef], broken: Mapping[str, tuple[SecretRef, str]]
    ) -> AuthProfile:
        if profile.ref is not None:
            profile = self._with_secret(profile, profile.ref, missing)
        header = broken.get(credential_provider(profile.provider))
        if header is not None:
            return _without_header(profile, *header)
        if profile.secret and self._salt is not None:
            profile = replace(profile, fingerprint=fingerprint(profile.secret, self._salt))
        if profile.refreshable and not self._renewable(profile):
            profile = replace(profile, refreshable=False)
        return profile

    def _with_secret(self, profile: AuthProfile, ref: SecretRef, missing: frozenset[SecretRef]) -> AuthProfile:
        if profile.config_mode == "oauth":
            return replace(profile, secret=None, ref_error=UNSUPPORTED)
        found = STILL_ASKING if ref in missing else self._resolve(ref)
        if isinstance(found, str):
            return replace(profile, secret=None, ref_error=found)
        if (reason := unsendable(found.reveal())) is not None:
            return replace(profile, secret=None, ref_error=f"{describe(ref)} gave a text that {reason}.")
        return replace(profile, secret=found)

    def _broken_headers(self, missing: frozenset[SecretRef]) -> dict[str, tuple[SecretRef, str]]:
        """By provider of credentials: the first header whose reference gives nothing, and why."""
        broken: dict[str, tuple[SecretRef, str]] = {}
        for provider, header, ref in _references_of_headers(self._settings):
            found = STILL_ASKING if ref in missing else self._resolve(ref)
            if isinstance(found, str):
                reason = f"models.providers.{provider}.headers.{header}: {found}"
                broken.setdefault(credential_provider(provider), (ref, reason))
        return broken

    def _resolve(self, value: Secret | SecretRef) -> Secret | str:
        """The secret, or the sentence that says why there is none."""
        if isinstance(value, Secret):
            return value
        try:
            secret = resolve_ref(value, self._references.sources)
        except UnresolvedRef as error:
            self._refused[value] = str(error)
            return str(error)
        self._refused.pop(value, None)
        self._resolved[value] = secret
        return secret


def _sendable(profile: AuthProfile) -> AuthProfile:
    """A key of the surroundings, without one that no request can carry."""
    is_bad = profile.secret is not None and unsendable(profile.secret.reveal()) is not None
    return replace(profile, secret=None) if is_bad else profile


def _unsendable_words(profile: AuthProfile) -> str:
    return f"{profile.source}: the key {unsendable(profile.secret.reveal() if profile.secret else '')}."


def _without_header(profile: AuthProfile, ref: SecretRef, reason: str) -> AuthProfile:
    """A profile whose requests would lack a header. One that needs no key counts as one of the config, which does."""
    kind = CredentialKind.CONFIG if profile.kind is CredentialKind.NONE else profile.kind
    return replace(profile, kind=kind, secret=None, ref=ref, ref_error=reason, fingerprint=None)


def _references_of_headers(settings: "Settings") -> Iterator[tuple[str, str, SecretRef]]:
    for name, provider in settings.models.providers.items():
        for header, value in provider.headers.items():
            if isinstance(value, SecretRef):
                yield name, header, value


def _references_of_channels(settings: "Settings") -> Iterator[SecretRef]:
    for channel in (settings.channels.telegram, settings.channels.discord):
        if channel is not None and channel.enabled and isinstance(channel.token, SecretRef):
            yield channel.token


def _overlaid(profile: AuthProfile, overlay: "Profile") -> AuthProfile:
    is_stored = profile.kind in _STORED
    notes = {"email": overlay.email, "display_name": overlay.display_name}
    return replace(
        profile,
        label=overlay.label,
        account=overlay.account,
        billing=overlay.billing or profile.billing,
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
    given += [login.client_secret for login in settings.auth.oauth.values()]
    for login in settings.auth.oauth.values():
        given += [value for name, value in login.headers.items() if is_confidential_header(name)]
    if telegram is not None and telegram.webhook is not None:
        given.append(telegram.webhook.secret_token)
    if isinstance(settings.database.url, Secret):
        given.append(password(settings.database.url))
    for provider in settings.models.providers.values():
        given += [value for name, value in provider.headers.items() if is_confidential_header(name)]
    for store in settings.secrets.providers.values():
        given += [value for name, value in store.env.items() if is_confidential_variable(name, value.reveal())]
    yield from (secret for secret in given if isinstance(secret, Secret))
