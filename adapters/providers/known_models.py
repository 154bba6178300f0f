"""What the genai-prices library knows of models: display name, context window, prices. Its data come with the package.

The library is loaded when a model is asked for and never before: it brings an HTTP client with it. Nothing here lets it fetch
newer data.
"""

import re
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from adapters.providers.builtin import builtin_providers
from core.clock import Clock
from core.models.catalog import ModelEntry, Price
from core.models.ref import ModelRef

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

_NAMES = {
    "anthropic": "anthropic",
    "openai": "openai",
    "openrouter": "openrouter",
    "groq": "groq",
    "cerebras": "cerebras",
    "mistral": "mistral",
    "deepseek": "deepseek",
    "zai": "zai",
    "minimax": "minimax",
    "minimax-cn": "minimax",
    "moonshot": "moonshotai",
    "together": "together",
    "fireworks": "fireworks",
    "google": "google",
    "xai": "x-ai",
}
"""Our providers by the library's names. Those that are paid by subscription are left out: their tokens have no price."""


class KnownModels:
    """See core.models.document.Known. Prices are those of the day that the clock says, for an ordinary request: short enough
    for the first tier, not in a batch, and at no particular hour."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @property
    def edition(self) -> str:
        """Names what would be answered: the library's version and the day, because prices begin on a day."""
        return f"{version('genai-prices')} {self._clock.now():%Y-%m-%d}"

    def __call__(self, provider: str, base_url: str, model: str) -> ModelEntry | None:
        """What is known of a model. A provider of one's own is found by its address."""
        vendor = _vendor(provider, base_url)
        found = vendor.find_model(model) if vendor is not None else None
        if found is None:
            return None
        return ModelEntry(
            ref=ModelRef(provider, model),
            name=found.name,
            context_window=found.context_window,
            price=_price(_in_force(found, self._clock.now())),
        )


def _vendor(provider: str, base_url: str) -> "Provider | None":
    from genai_prices.data import providers

    name = _NAMES.get(provider)
    if name is not None:
        return next((vendor for vendor in providers if vendor.id == name), None)
    if provider in builtin_providers():
        return None
    return next((vendor for vendor in providers if _is_at(vendor.api_pattern, base_url)), None)


def _is_at(pattern: str, base_url: str) -> bool:
    """Whether a pattern of the library fits an address, and not just the beginning of somebody else's host name."""
    found = re.match(pattern, base_url)
    rest = base_url[found.end() :] if found is not None else ""
    return found is not None and (rest[:1] in ("", "/", ":") or found[0][-1:] in ("/", "."))


def _in_force(model: "ModelInfo", now: datetime) -> "ModelPrice":
    """The price of the day. One that holds for some hours of the day only is no price to plan with."""
    from genai_prices.types import ModelPrice, StartDateConstraint

    if isinstance(model.prices, ModelPrice):
        return model.prices
    begun = [
        dated.prices
        for dated in model.prices
        if dated.constraint is None
        or (isinstance(dated.constraint, StartDateConstraint) and dated.constraint.active(now))
    ]
    return begun[-1] if begun else model.prices[0].prices


def _price(price: "ModelPrice") -> Price | None:
    known = Price(
        input=_dollars(price.input_mtok),
        output=_dollars(price.output_mtok),
        cache_read=_dollars(price.cache_read_mtok),
        cache_write=_dollars(price.cache_write_mtok),
    )
    return known if known != Price() else None


def _dollars(price: object) -> float | None:
    """For a million tokens; of prices in tiers that of the first."""
    from genai_prices.types import TieredPrices

    if isinstance(price, TieredPrices):
        price = price.base
    return None if price is None else float(str(price))
