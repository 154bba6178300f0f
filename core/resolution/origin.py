"""Where a credential comes from and how it is meant, in the words of status and probes (credentials.md 2.2)."""

from enum import StrEnum

from core.auth.profiles import AuthProfile, CredentialKind

MODELS_JSON = "models.json"


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
    if profile.source.startswith(MODELS_JSON):
        return ProbeSource.MODELS_JSON
    return ProbeSource.ENV if profile.kind is CredentialKind.ENV else ProbeSource.CONFIG


def mode_of(profile: AuthProfile | None) -> str | None:
    """How a credential is meant: a variable for a login's token counts as oauth, any other key as api_key."""
    if profile is None:
        return None
    if profile.kind in (CredentialKind.ENV, CredentialKind.CONFIG):
        return "oauth" if "OAUTH_TOKEN" in profile.id else "api_key"
    return profile.kind.value
