"""Secrets in environment variables."""

from collections.abc import Mapping

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
        value = clean_secret(self._environ.get(ref.id, ""))
        if not value:
            raise UnresolvedRef(
                f"The environment variable {ref.id} is missing or empty.",
                "Set it in the environment or in the .env file of the state directory.",
            )
        return Secret(value)
