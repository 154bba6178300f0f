"""The models that this installation knows: providers, their models, aliases."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.models.ref import ModelRef

_PROVIDER_ALIASES = {
    "z.ai": "zai",
    "z-ai": "zai",
    "opencode-zen": "opencode",
    "opencode-go-auth": "opencode-go",
    "modelstudio": "qwen",
    "qwencloud": "qwen",
    "kimi-code": "kimi",
    "kimi-coding": "kimi",
    "bedrock": "amazon-bedrock",
    "aws-bedrock": "amazon-bedrock",
    "bytedance": "volcengine",
    "doubao": "volcengine",
}
_CREDENTIAL_ALIASES = {"volcengine-plan": "volcengine", "byteplus-plan": "byteplus"}


def provider_id(text: str) -> str:
    """The one name of a provider: trimmed, lower case, through the provider aliases (credentials.md 1.8)."""
    lowered = text.strip().lower()
    return _PROVIDER_ALIASES.get(lowered, lowered)


def credential_provider(text: str) -> str:
    """The provider whose credentials serve this one: some products share their vendor's keys."""
    provider = provider_id(text)
    return _CREDENTIAL_ALIASES.get(provider, provider)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One known model. `context_window` is in tokens; None where nobody said."""

    ref: ModelRef
    aliases: tuple[str, ...] = ()
    context_window: int | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEntry:
    """One known provider. `is_open`: it serves more models than are listed (no list was configured), so any id is accepted.

    `is_configured`: named in the config; a built-in one that is not is offered only when it has a credential.
    `is_keyless`: the config says `auth = "none"`.
    """

    id: str
    base_url: str
    api: str
    models: tuple[ModelEntry, ...] = ()
    is_open: bool = False
    is_configured: bool = True
    is_keyless: bool = False
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """Providers by id, in the order of the config, built-in ones after them. An alias is unique and lower case."""

    providers: Mapping[str, ProviderEntry] = field(default_factory=dict)
    aliases: Mapping[str, ModelRef] = field(default_factory=dict)
