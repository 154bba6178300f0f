"""The models of a provider that somebody can choose from, and what a typed text means among them."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from bot.cli.model_argument import model_meant
from core.errors import BotError, UserError
from core.models.ref import ModelRef

if TYPE_CHECKING:
    from core.models.catalog import Catalog
    from core.models.listed import ListedModel

_MOST = 40
"""As many models as a person looks through; what is not among them can be typed."""
_CLOSE = 0.7


@dataclass(frozen=True, slots=True)
class ModelOffer:
    """What the catalogue knows of a provider, and what the provider itself lists, as far as the config can name it."""

    catalog: "Catalog"
    provider: str
    listed: "tuple[ListedModel, ...]"

    @classmethod
    def of(cls, catalog: "Catalog", provider: str, listed: "Sequence[ListedModel]") -> Self:
        """A list may hold anything; what a text of the config cannot mean is left out."""
        return cls(catalog, provider, tuple(model for model in listed if _can_be_named(catalog, provider, model.id)))

    @property
    def is_open(self) -> bool:
        """Whether others can be named too."""
        return self.catalog.providers[self.provider].is_open

    def names(self, usual: str | None) -> list[str]:
        """Some to choose from, the usual one first. What is known beforehand is a choice already; a whole list is none."""
        known = [model.ref.name for model in self.catalog.providers[self.provider].models]
        if self.is_open and len(known) < 2:
            known += [model.id for model in self.listed]
        return sorted(dict.fromkeys(known), key=lambda name: name != usual)[:_MOST]

    def meant(self, text: str) -> ModelRef:
        """The model of a text: an id that is listed, an alias, or an id with its provider's name or without it. Raises BotError
        for what is no model, or one of another provider, which nothing here would have a credential for."""
        name = text.strip()
        if any(model.id == name for model in self.listed):
            return ModelRef(self.provider, name)
        entry = self.catalog.entry(ModelRef(self.provider, name))
        if entry is not None:
            return entry.ref
        alias = self.catalog.aliases.get(name.lower())
        if alias is not None and alias.provider == self.provider:
            return alias
        ref = model_meant(f"{self.provider}/{name.removeprefix(f'{self.provider}/')}", self.catalog)
        if ref.provider != self.provider:
            raise UserError("usage", f"{ref} is no model of {self.provider}.")
        return ref

    def problem(self, text: str) -> str | None:
        """Why a text means no model; None: it does."""
        try:
            self.meant(text)
        except BotError as error:
            return error.message
        return None

    def is_listed(self, ref: ModelRef) -> bool:
        """Also where there is no list that could name it."""
        from bot.probing import names

        return not self.listed or names(self.listed, ref.name)

    def near(self, ref: ModelRef) -> str | None:
        """A listed name that may have been meant."""
        ids = {model.id.lower(): model.id for model in self.listed}
        found = difflib.get_close_matches(ref.name.lower(), list(ids), n=1, cutoff=_CLOSE)
        return ids[found[0]] if found else None


def _can_be_named(catalog: "Catalog", provider: str, name: str) -> bool:
    try:
        return model_meant(f"{provider}/{name}", catalog) == ModelRef(provider, name)
    except BotError:
        return False
