"""The models that this installation knows: providers, their models, aliases."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.auth.provider_names import credential_provider, provider_id
from core.models.ref import ModelRef

__all__ = ["Catalog", "ModelEntry", "Price", "ProviderEntry", "credential_provider", "provider_id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for a million tokens: sent, answered, and read from or written to the provider's cache. None: not known."""

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One known model. `context_window` is in tokens; None where nobody said.

    `name` is for people. `inputs` are the kinds of content that it takes (`text`, `image`, `file`, ...); empty: not known.
    """

    ref: ModelRef
    aliases: tuple[str, ...] = ()
    context_window: int | None = None
    max_tokens: int | None = None
    name: str | None = None
    inputs: tuple[str, ...] = ()
    price: Price | None = None


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
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Providers by id, in the order of the config, built-in ones after them. An alias is unique and lower case."""

    providers: Mapping[str, ProviderEntry] = field(default_factory=dict)
    aliases: Mapping[str, ModelRef] = field(default_factory=dict)

    def entry(self, ref: ModelRef) -> ModelEntry | None:
        """The listed model of this name, or None. The case of the name does not matter unless two names differ by it."""
        provider = self.providers.get(ref.provider)
        if provider is None:
            return None
        exact = next((m for m in provider.models if m.ref.name == ref.name), None)
        return exact or next((m for m in provider.models if m.ref.name.lower() == ref.name.lower()), None)

    def listing(self, name: str) -> tuple[ModelEntry, ...]:
        """Every listed model with exactly this id, of whichever provider; by case first, else without regard to case."""
        models = [m for p in self.providers.values() for m in p.models]
        exact = tuple(m for m in models if m.ref.name == name)
        return exact or tuple(m for m in models if m.ref.name.lower() == name.lower())

    def refs(self) -> tuple[ModelRef, ...]:
        """Every listed model."""
        return tuple(m.ref for p in self.providers.values() for m in p.models)

    def aliases_of(self, ref: ModelRef) -> tuple[str, ...]:
        """The aliases of a model, as configured."""
        return tuple(alias for alias, target in self.aliases.items() if target == ref)

    def fingerprint(self) -> str:
        """Names this catalogue: a number chosen from a list of another one must not be obeyed."""
        lines = [str(ref) for ref in self.refs()] + [f"{alias}={ref}" for alias, ref in sorted(self.aliases.items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
