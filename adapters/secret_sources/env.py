"""Secrets in environment variables."""

from collections.abc import Mapping, Sequence

from adapters.secret_sources.answers import Answers
from core.auth.refs import DEFAULT_PROVIDER, UnresolvedRef
from core.auth.secret import Secret, SecretRef, clean_secret


class EnvSource:
    """Source `env`, provider `default`: every variable of the given environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def read(self, ref: SecretRef) -> Secret:
        """The variable's value without line breaks and outer blanks."""
        if ref.provider != DEFAULT_PROVIDER:
            raise UnresolvedRef(
                f"The secret provider '{ref.provider}' of source env is not configured.",
                f'Use provider = "{DEFAULT_PROVIDER}".',
            )
        return Secret(self.variable(ref.id))

    def variable(self, name: str) -> str:
        """The value of one variable. Raises UnresolvedRef where there is none."""
        value = clean_secret(self._environ.get(name, ""))
        if not value:
            raise UnresolvedRef(
                f"The environment variable {name} is missing or empty.",
                "Set it in the environment or in the .env file of the state directory.",
            )
        return value


class EnvProvider:
    """A configured provider: the variables of its allowlist, or all where that is empty."""

    def __init__(self, alias: str, allowlist: Sequence[str], environ: Mapping[str, str]) -> None:
        self._alias = alias
        self._allowed = frozenset(allowlist)
        self._source = EnvSource(environ)

    def fetch(self, ids: Sequence[str]) -> Answers:
        """See Provider. Never raises: every variable stands for itself."""
        return {name: self._one(name) for name in ids}

    def _one(self, name: str) -> str | UnresolvedRef:
        if self._allowed and name not in self._allowed:
            return UnresolvedRef(
                f"The environment variable {name} is not allowlisted in secrets.providers.{self._alias}.allowlist."
            )
        try:
            return self._source.variable(name)
        except UnresolvedRef as reason:
            return reason
