"""The models of an installation by what its config says, for commands that change it: also where no model is chosen yet."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bot.config.catalogue import build_catalog
from bot.config.checks import configured_aliases
from bot.config.problems import InvalidConfig, Problem
from bot.config.rules import build_rules
from core.errors import BotError
from core.models.catalog import Catalog
from core.sessions.key import DEFAULT_AGENT

if TYPE_CHECKING:
    from adapters.providers.builtin import BuiltinProvider
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
    """Every reference of the config that leads nowhere. That no model is chosen yet is no mistake."""
    from adapters.providers.builtin import builtin_providers
    from bot.models_wiring import models_documents

    try:
        build_rules(settings, builtin_providers(), models_documents(settings, paths))
    except InvalidConfig as error:
        return error.problems
    except BotError as error:
        if error.code != "no_provider":
            raise
        return mistakes(_with_a_model(settings, builtin_providers()), paths)
    return ()


def _with_a_model(settings: "Settings", builtin: Mapping[str, "BuiltinProvider"]) -> "Settings":
    """The settings with a default that there is in any case, so that what else they name can be followed."""
    from bot.config.settings import AgentDefaults, Agents, ModelChoice, Settings

    name, model = next((name, p.default_model) for name, p in builtin.items() if p.default_model is not None)
    defaults = AgentDefaults(**{**dict(settings.agents.defaults), "model": ModelChoice(primary=f"{name}/{model}")})
    return Settings(**{**dict(settings), "agents": Agents(**{**dict(settings.agents), "defaults": defaults})})
