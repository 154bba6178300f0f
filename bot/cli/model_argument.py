"""The model that an argument means, for commands that write it into the config: exact or not at all (product.md 4.1)."""

import difflib
import re

from bot.config.catalogue import unknown_provider
from bot.config.problems import did_you_mean
from core.auth.provider_names import provider_id
from core.errors import BotError, UserError, shown
from core.models import match
from core.models.catalog import Catalog
from core.models.lookup import Lookup
from core.models.ref import ModelRef
from core.models.selector import split_profile

NOWHERE = ModelRef("", "")
_LONGEST = 256
_NAME = re.compile(r"""[^\s"'`*\\]+""")
_CLOSE = 0.7


def model_meant(text: str, catalog: Catalog, default: ModelRef = NOWHERE) -> ModelRef:
    """The model of an alias, `provider/model`, or a model id. A provider that lists its models serves no other one.

    Raises BotError (code model_unknown) with the names that are near. Nothing inexact is taken: this is written down.
    """
    lookup = Lookup(catalog=catalog, default=default, offered=frozenset(catalog.providers))
    try:
        found = lookup.exact(text)
    except UserError as error:
        raise _invalid(text, f"{error.message} Write provider/model.") from None
    if found is not None and found.listed:
        return found.ref
    if len(text) > _LONGEST or not text.isprintable() or not _NAME.fullmatch(text.strip()):
        raise _invalid(text, "it must be one word, such as anthropic/claude-opus-4-5.")
    cut = split_profile(text)
    if cut.profile is not None:
        raise _invalid(text, "it names a credential too; which one serves is decided by auth.order and by the chats.")
    if found is not None:
        return found.ref
    left, slash, _ = text.strip().partition("/")
    provider = catalog.providers.get(provider_id(left)) if slash else None
    if provider is not None:
        names = [str(model.ref) for model in provider.models]
        raise _invalid(text, f"{provider.id} lists no such model.{did_you_mean(text.strip(), names)}")
    if slash:
        raise _invalid(text, f"it {unknown_provider(left, catalog)}")
    near = _near(text.strip(), catalog)
    own = catalog.providers.get(default.provider)
    if near is None and own is not None and own.is_open:
        return ModelRef(own.id, text.strip())
    meant = f" Did you mean {near}? If not, write" if near else " Write"
    raise _invalid(text, f"no model of that name is known.{meant} provider/model.")


def similar(ref: ModelRef, catalog: Catalog) -> str | None:
    """A model that a provider lists and whose name is so near to one that it does not list that it may have been meant."""
    provider = catalog.providers.get(ref.provider)
    names = [model.ref.name for model in provider.models] if provider is not None else []
    near = difflib.get_close_matches(ref.name.lower(), names, n=1, cutoff=_CLOSE)
    return f"{ref.provider}/{near[0]}" if near and ref.name.lower() != near[0].lower() else None


def _near(text: str, catalog: Catalog) -> str | None:
    """The alias or the model whose name is nearest, if one is near."""
    ranked = match.rank(text, catalog.refs(), {ref: catalog.aliases_of(ref) for ref in catalog.refs()}, NOWHERE)
    if ranked and ranked[0].points >= match.ACCEPT_WITH_PROVIDER:
        return str(ranked[0].ref)
    names = {ref.name.lower(): str(ref) for ref in catalog.refs()} | {alias: alias for alias in catalog.aliases}
    close = difflib.get_close_matches(text.lower(), list(names), n=1, cutoff=_CLOSE)
    return names[close[0]] if close else None


def _invalid(text: str, why: str) -> BotError:
    return BotError("model_unknown", f"Invalid model reference: {shown(text)}: {why}", "Nothing was changed.")
