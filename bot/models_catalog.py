"""The models of an installation by what its config says, for commands that change it: also where no model is chosen yet."""

from typing import TYPE_CHECKING

from bot.config.catalogue import build_catalog
from bot.config.checks import configured_aliases
from bot.config.problems import InvalidConfig, Problem
from bot.config.rules import build_rules
from core.errors import BotError
from core.models.catalog import Catalog
from core.sessions.key import DEFAULT_AGENT

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from bot.paths import Paths


def configured_models(settings: "Settings", paths: "Paths", agent: str = DEFAULT_AGENT) -> Catalog:
    """The catalogue of an agent, with what its models.json adds. What leads nowhere in the config is left out."""
    from adapters.providers.builtin import builtin_providers
    from bot.models_wiring import models_documents

    documents = models_documents(settings, paths)
    found = [documents[name] for name in dict.fromkeys((agent, DEFAULT_AGENT)) if name in documents]
    return build_catalog(settings, builtin_providers(), tuple(configured_aliases(settings)), found)[0]


def mistakes(settings: "Settings", paths: "Paths") -> tuple[Problem, ...]:
    """Every reference of the config that leads nowhere."""
    from adapters.providers.builtin import builtin_providers
    from bot.models_wiring import models_documents

    try:
        build_rules(settings, builtin_providers(), models_documents(settings, paths))
    except InvalidConfig as error:
        return error.problems
    except BotError as error:
        if error.code != "no_provider":
            raise
    return ()
