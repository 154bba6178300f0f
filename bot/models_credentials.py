"""Credentials out of models.json, as older programs left them there: read, told as a problem, never written (product.md 2).

A marker is no credential. A key serves like one of the config, under the id `models.json:<provider>`: where the provider has
neither a stored profile nor a key in the environment or the config. It goes to the address that stands beside it and to no other.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from core.auth.markers import is_header_marker, is_marker, is_variable
from core.auth.profiles import AuthProfile, CredentialKind, ProfileSet
from core.auth.refs import is_ref, read_ref
from core.auth.secret import Secret, SecretRef, clean_secret
from core.models.document import DocumentedProvider, ModelsDocument
from core.models.overlay import found_only_there, why_not_served
from core.sessions.key import DEFAULT_AGENT

if TYPE_CHECKING:
    from bot.config.settings import Settings

_PORTS = {"http": 80, "https": 443}


class ProfileFiles(Protocol):
    """The stores on disk. See bot.credentials."""

    def load(self, agent: str) -> ProfileSet: ...

    def secrets(self) -> Iterable[Secret]: ...


class ModelsDocuments(Protocol):
    """The files of models.json. `load` returns the very same object while nothing has changed."""

    def load(self, agent: str) -> ModelsDocument: ...


@dataclass(frozen=True, slots=True)
class _Found:
    """What the files of one agent give."""

    profiles: tuple[AuthProfile, ...] = ()
    problems: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()


class StoresAndModels:
    """The stores, and behind them what models.json has. Loads like the stores alone: the same object while nothing changes.

    `addresses` are the base URLs of the providers that are known without the files, `declared` the variables that built-in
    providers declare, `environ` has the values of variables.
    """

    def __init__(
        self,
        files: ProfileFiles,
        documents: ModelsDocuments,
        settings: "Settings",
        addresses: Mapping[str, str],
        declared: Set[str],
        environ: Mapping[str, str],
    ) -> None:
        self._files = files
        self._documents = documents
        self._environ = environ
        self._declared = declared
        self._addresses = addresses
        configured = settings.models.providers
        self._settled = {name for name, p in configured.items() if p.api_key is not None or p.auth == "none"}
        self._joined: dict[str, tuple[tuple[object, ...], ProfileSet, _Found]] = {}

    def load(self, agent: str) -> ProfileSet:
        """An agent's profiles with those of its models.json, read through to that of `main`. Never raises."""
        stored = self._files.load(agent)
        documents = tuple(self._documents.load(name) for name in dict.fromkeys((agent, DEFAULT_AGENT)))
        known = self._joined.get(agent)
        if known is not None and all(a is b for a, b in zip(known[0], (stored, *documents), strict=True)):
            return known[1]
        found = self._read(documents)
        added = {profile.id: profile for profile in found.profiles if profile.id not in stored.profiles}
        joined = stored
        if added or found.problems:
            profiles, problems = {**stored.profiles, **added}, (*stored.problems, *found.problems)
            joined = replace(stored, profiles=profiles, problems=problems)
        self._joined[agent] = ((stored, *documents), joined, found)
        return joined

    def secrets(self) -> tuple[Secret, ...]:
        """Every confidential text of the files that were loaded, for redaction."""
        own = [secret for _, _, found in self._joined.values() for secret in found.secrets]
        return (*self._files.secrets(), *own)

    def _read(self, documents: Sequence[ModelsDocument]) -> _Found:
        """Of each provider the first file that has it counts."""
        parts: list[_Found] = []
        seen: set[str] = set()
        for document in documents:
            if document.problem is not None:
                parts.append(_Found(problems=(document.problem,)))
            for name, provider in document.providers.items():
                if name not in seen:
                    seen.add(name)
                    parts.append(self._of_provider(provider, document))
        return _Found(
            profiles=tuple(profile for part in parts for profile in part.profiles),
            problems=tuple(problem for part in parts for problem in part.problems),
            secrets=tuple(secret for part in parts for secret in part.secrets),
        )

    def _of_provider(self, provider: DocumentedProvider, document: ModelsDocument) -> _Found:
        secrets = tuple(Secret(value) for _, value in provider.headers if value and not is_header_marker(value))
        if provider.id not in self._addresses:
            why = why_not_served(provider) if found_only_there(provider, document) else "the config has it no more"
            if why is not None:
                told = (f"{document.source}: the provider {provider.id} is not used: {why}.",)
                return _Found(problems=told if found_only_there(provider, document) else (), secrets=secrets)
        text = provider.api_key.reveal() if provider.api_key is not None else ""
        if not text:
            return _Found(secrets=secrets)
        if is_ref(text):
            try:
                return _Found(self._profile(provider, document, ref=read_ref(text)), secrets=secrets)
            except ValueError as error:
                told = (f"{document.source}: the key of {provider.id} is not used: {error}.",)
                return _Found(problems=told, secrets=secrets)
        if is_marker(text, provider.id, self._declared):
            return _Found(self._behind(text, provider, document), secrets=secrets)
        problems = [f"{document.source}: the key of {provider.id} is plain text; `remoteclaw secrets audit` shows it."]
        meant, served = provider.base_url, self._addresses.get(provider.id, "")
        profiles: tuple[AuthProfile, ...] = ()
        if meant and served and not _same_origin(meant, served):
            problems.append(
                f"{document.source}: the key of {provider.id} belongs to {meant} and is not sent to {served}. "
                f"Set models.providers.{provider.id}.base_url, or enter the key anew with `remoteclaw models auth`."
            )
        else:
            profiles = self._profile(provider, document, secret=Secret(text))
        return _Found(profiles, tuple(problems), (*secrets, Secret(text)))

    def _behind(self, name: str, provider: DocumentedProvider, document: ModelsDocument) -> tuple[AuthProfile, ...]:
        """The key that a marker leads to, where nobody else looks for it: variables of known providers are candidates already."""
        value = clean_secret(self._environ.get(name, ""))
        if provider.id in self._addresses or not value or not is_variable(name, provider.id, self._declared):
            return ()
        return self._profile(provider, document, secret=Secret(value))

    def _profile(
        self,
        provider: DocumentedProvider,
        document: ModelsDocument,
        secret: Secret | None = None,
        ref: SecretRef | None = None,
    ) -> tuple[AuthProfile, ...]:
        if provider.id in self._settled:
            return ()
        return (
            AuthProfile(
                id=f"models.json:{provider.id}",
                provider=provider.id,
                kind=CredentialKind.CONFIG,
                secret=secret,
                ref=ref,
                source=f"models.json: {document.source}",
            ),
        )


def _same_origin(one: str, other: str) -> bool:
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
