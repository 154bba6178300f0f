"""All configured providers of secrets, behind one source that asks each reference once (credentials.md 3.3)."""

import threading
from collections.abc import Mapping, Sequence

from adapters.secret_sources.answers import Answers, Provider
from adapters.secret_sources.options import Limits, ProviderOptions
from core.auth.refs import DEFAULT_PROVIDER, UnresolvedRef, describe
from core.auth.secret import Secret, SecretRef, clean_secret

_ENV = "env"
_Outcome = Secret | UnresolvedRef


class SecretProviders:
    """A KeepingSource for references of every kind.

    `defaults` says, by source, which provider the name `default` stands for. A provider of variables is there under that
    name without being configured. What was answered, a refusal too, is kept: values that have changed are found by
    making another one. May be used by several threads.
    """

    def __init__(
        self,
        providers: Mapping[str, ProviderOptions],
        defaults: Mapping[str, str],
        limits: Limits,
        environ: Mapping[str, str],
    ) -> None:
        self._options = providers
        self._defaults = defaults
        self._limits = limits
        self._environ = environ
        self._kept: dict[SecretRef, _Outcome] = {}
        self._guard = threading.Lock()
        self._asking: dict[str, threading.Lock] = {}

    def read(self, ref: SecretRef) -> Secret:
        """The secret, asked for unless it is known. Blocks for as long as the provider may take. Raises UnresolvedRef."""
        found = self._kept.get(ref)
        if found is None:
            found = self._ask(ref.source, self._alias(ref), (ref,))[ref]
        if isinstance(found, UnresolvedRef):
            # A new one each time: raising the kept one would let its traceback grow for ever.
            raise UnresolvedRef(found.message, found.hint)
        return found

    def prepare(self, refs: Sequence[SecretRef]) -> None:
        """Ask for all that is not known: one call for each provider, several providers at a time."""
        groups: dict[tuple[str, str], list[SecretRef]] = {}
        for ref in dict.fromkeys(refs):
            if ref not in self._kept:
                groups.setdefault((ref.source, self._alias(ref)), []).append(ref)
        if len(groups) < 2:
            for (source, alias), group in groups.items():
                self._ask(source, alias, group)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(self._limits.max_provider_concurrency, "secrets") as pool:
            waiting = [pool.submit(self._ask, source, alias, group) for (source, alias), group in groups.items()]
            for one in waiting:
                one.result()

    def holds(self, ref: SecretRef) -> bool:
        """Whether `read` answers at once."""
        return ref in self._kept

    def _alias(self, ref: SecretRef) -> str:
        """Which provider a reference means: `default` stands for the one that the config names for its source."""
        return self._defaults.get(ref.source, ref.provider) if ref.provider == DEFAULT_PROVIDER else ref.provider

    def _ask(self, source: str, alias: str, refs: Sequence[SecretRef]) -> Mapping[SecretRef, _Outcome]:
        """The outcome of references of one provider, which is asked by one thread at a time."""
        with self._guard:
            turn = self._asking.setdefault(alias, threading.Lock())
        with turn:
            wanted = [ref for ref in refs if ref not in self._kept]
            if wanted:
                self._kept.update(self._outcomes(source, alias, wanted))
            return {ref: self._kept[ref] for ref in refs}

    def _outcomes(self, source: str, alias: str, refs: Sequence[SecretRef]) -> dict[SecretRef, _Outcome]:
        try:
            # One id may be asked for by two names of its provider.
            found = self._fetch(source, alias, list(dict.fromkeys(ref.id for ref in refs)))
        except UnresolvedRef as reason:
            return dict.fromkeys(refs, reason)
        return {ref: _outcome(ref, found[ref.id]) for ref in refs}

    def _fetch(self, source: str, alias: str, ids: Sequence[str]) -> Answers:
        known = self._provider(source, alias)
        most = self._limits.max_refs_per_provider
        if len(ids) > most:
            raise UnresolvedRef(
                f"The secret provider '{alias}' ({source}) exceeded maxRefsPerProvider ({most}).",
                "The limit is secrets.resolution.max_refs_per_provider.",
            )
        return known.fetch(ids)

    def _provider(self, source: str, alias: str) -> Provider:
        options = self._options.get(alias)
        if options is None and source == _ENV and alias == self._defaults.get(_ENV, DEFAULT_PROVIDER):
            return _env(alias, (), self._environ)
        if options is None:
            raise UnresolvedRef(
                f"The secret provider '{alias}' of source {source} is not configured.",
                f"Add the table [secrets.providers.{alias}] to the configuration.",
            )
        if options.source != source:
            raise UnresolvedRef(
                f'The secret provider \'{alias}\' has source "{options.source}" but ref requests "{source}".'
            )
        if source == _ENV:
            return _env(alias, options.allowlist, self._environ)
        if source == "file":
            from adapters.secret_sources.file import FileProvider

            return FileProvider(alias, options)
        from adapters.secret_sources.exec import ExecProvider

        return ExecProvider(alias, options, self._environ, self._limits.max_batch_bytes)


def _env(alias: str, allowlist: Sequence[str], environ: Mapping[str, str]) -> Provider:
    from adapters.secret_sources.env import EnvProvider

    return EnvProvider(alias, allowlist, environ)


def _outcome(ref: SecretRef, found: str | UnresolvedRef) -> _Outcome:
    """A credential is one line: a line break in it would end a header and begin another."""
    if isinstance(found, UnresolvedRef):
        return found
    value = clean_secret(found)
    return Secret(value) if value else UnresolvedRef(f"{describe(ref)} resolved to a non-string or empty value.")
