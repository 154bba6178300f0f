"""Where a credential comes from and how it is meant, in the words of status and probes (credentials.md 2.2)."""

from enum import StrEnum

from core.auth.profiles import AuthProfile, CredentialKind

_LOGIN_TOKEN = "OAUTH_TOKEN"
"""What the variables of login tokens have in their names (`ANTHROPIC_OAUTH_TOKEN`)."""


class ProbeSource(StrEnum):
    """Where a credential comes from."""

    PROFILE = "profile"
    ENV = "env"
    CONFIG = "config"
    MODELS_JSON = "models.json"


def source_of(profile: AuthProfile | None) -> ProbeSource:
    """Where a credential comes from; one that is only named somewhere counts as a profile."""
    if profile is None or not profile.from_environment:
        return ProbeSource.PROFILE
    if profile.id == f"{ProbeSource.MODELS_JSON}:{profile.provider}":
        return ProbeSource.MODELS_JSON  # the one id that a key out of such a file has
    return ProbeSource.ENV if profile.kind is CredentialKind.ENV else ProbeSource.CONFIG


def mode_of(profile: AuthProfile | None) -> str | None:
    """How a credential is meant: a variable for a login's token counts as oauth, any other key as api_key."""
    if profile is None:
        return None
    if profile.kind in (CredentialKind.ENV, CredentialKind.CONFIG):
        return "oauth" if _LOGIN_TOKEN in profile.variable else "api_key"
    return profile.kind.value
