"""What a provider says that it serves, in nobody's wire format. Every field but the id may be missing: few providers tell all."""

from dataclasses import dataclass

from core.models.catalog import Price


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedModel:
    """One model of a provider's own list. `context_window` and `max_tokens` (the longest answer) are in tokens; `inputs` are
    kinds of content that it takes, such as `text` and `image`; empty: the provider does not say."""

    id: str
    name: str | None = None
    context_window: int | None = None
    max_tokens: int | None = None
    inputs: tuple[str, ...] = ()
    price: Price | None = None
