"""Wires the credentials of every agent for whoever decides with them. A part of the composition root."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bot.claude_wiring import credential_files
from bot.credentials import CredentialSource
from bot.log import learn_secrets
from bot.oauth_wiring import renewable
from core.auth.refs import SecretSource

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from bot.paths import Paths


def credential_source(
    settings: "Settings",
    paths: "Paths",
    environ: Mapping[str, str],
    sources: Mapping[str, SecretSource],
    salt: bytes | None,
    problems: Sequence[str] = (),
) -> CredentialSource:
    """Stores, environment, config and logins brought together. Makes nothing; without a salt there are no fingerprints."""
    from adapters.providers.builtin import builtin_providers

    return CredentialSource(
        settings,
        credential_files(settings, paths, environ),
        environ=environ,
        declared={name: provider.env for name, provider in builtin_providers().items()},
        sources=sources,
        salt=salt,
        problems=problems,
        learn=learn_secrets,
        renewable=renewable(settings, settings.environment(environ)),
    )
