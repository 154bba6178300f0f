"""What stands in the place of a key in models.json: a name that says where the key is kept (credentials.md 3.6).

The name of a variable counts as a marker only if it is known to hold keys; any other text in capitals may well be a key.
"""

import re
from collections.abc import Set

from core.auth.environment import base_name
from core.auth.secret import Secret, SecretRef, clean_secret

MANAGED = "secretref-managed"
"""The key is kept by the config, a file or a command; this file says no more."""
_HEADER = "secretref-env:"
_NO_KEYS = frozenset(
    {
        MANAGED,
        "ollama-local",
        "custom-local",
        "minimax-oauth",
        "gcp-vertex-credentials",
        "AWS_BEARER_TOKEN_BEDROCK",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
    }
)
_OAUTH = re.compile(r"oauth:[a-z0-9][a-z0-9._-]*")


def is_marker(text: str, provider: str, declared: Set[str]) -> bool:
    """Whether a text is no key itself. `declared` are the variables that built-in providers declare."""
    plain = text.strip()
    if plain in _NO_KEYS or plain.startswith(_HEADER) or _OAUTH.fullmatch(plain):
        return True
    return is_variable(plain, provider, declared)


def is_variable(name: str, provider: str, declared: Set[str]) -> bool:
    """Whether this is the name of a variable that may hold a key of the provider."""
    base = re.escape(base_name(provider))
    own = rf"REMOTECLAW_LIVE_{base}_KEYS?|{base}_API_KEYS?|{base}_API_KEY_[A-Z0-9_]+"
    own += "|GOOGLE_API_KEY" if base == "GEMINI" else ""
    return name in declared or re.fullmatch(own, name) is not None


def is_header_marker(text: str) -> bool:
    """Whether a header's value says where the value is kept."""
    return text.strip() == MANAGED or text.strip().startswith(_HEADER)


def header_marker(value: Secret | SecretRef) -> str:
    """What stands in the place of a header's value of the config. No value is copied: which of them are secret is not known."""
    if isinstance(value, SecretRef) and value.source == "env":
        return f"{_HEADER}{value.id}"
    return MANAGED


def plain_key(text: str, provider: str, declared: Set[str]) -> Secret | None:
    """The key that stands in the place of a marker, as programs wrote it that knew none; None for a marker or nothing."""
    key = clean_secret(text)
    return Secret(key) if key and not is_marker(key, provider, declared) else None
