"""The secret settings of the config that are needed at start: given as text, or by a reference that has to give one."""

from collections.abc import Mapping

from bot.log import learn_secrets
from core.auth.refs import SecretSource, UnresolvedRef, resolve_ref
from core.auth.secret import Secret, SecretRef
from core.errors import ConfigError


def revealed(value: Secret | SecretRef, path: str, sources: Mapping[str, SecretSource]) -> Secret:
    """A secret setting. Raises ConfigError, naming it, where its reference gives nothing."""
    if isinstance(value, Secret):
        return value
    try:
        secret = resolve_ref(value, sources)
    except UnresolvedRef as error:
        raise ConfigError(path, error.message, error.hint) from None
    learn_secrets([secret.reveal()])
    return secret
