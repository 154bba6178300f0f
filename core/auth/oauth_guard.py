"""OAuth profiles hold their tokens themselves (credentials.md 2.4): a refresh rewrites them, which a reference does not allow."""

from collections.abc import Iterable, Iterator

from core.auth.profiles import CredentialKind, ProfileSet
from core.errors import BotError

UNSUPPORTED = "OAuth + SecretRef is not supported."
_FIELD = {CredentialKind.API_KEY: "keyRef", CredentialKind.TOKEN: "tokenRef"}


def check_oauth(agents: Iterable[ProfileSet]) -> None:
    """Raises BotError (code oauth_secret_ref) with a line for each profile that breaks the rule, of whichever agent."""
    lines = list(dict.fromkeys(line for credentials in agents for line in oauth_violations(credentials)))
    if lines:
        raise BotError(
            "oauth_secret_ref",
            "\n".join([f"Auth profile policy validation failed: {UNSUPPORTED}", *(f"- {line}" for line in lines)]),
        )


def oauth_violations(credentials: ProfileSet) -> Iterator[str]:
    """`profiles.<id>.<field>: why` of every profile that is oauth, by itself or by the config, and holds a reference."""
    for name, field in credentials.oauth_references:
        yield f"profiles.{name}.{field}: an oauth profile holds its tokens itself, so this cannot be a reference"
    for profile in credentials.profiles.values():
        if profile.config_mode == "oauth" and profile.ref is not None:
            field = _FIELD.get(profile.kind, "ref")
            yield f'profiles.{profile.id}.{field}: auth.profiles."{profile.id}".mode is "oauth", and this is a reference'
