"""From settings to the rules of core: one frozen value with every reference to a model resolved."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.config.catalogue import build_catalog, unknown_provider
from bot.config.checks import configured_aliases
from bot.config.problems import InvalidConfig, Problem, did_you_mean, dotted
from core.auth.provider_names import provider_id
from core.errors import BotError, UserError
from core.models.catalog import Catalog
from core.models.document import ModelsDocument
from core.models.lookup import Lookup
from core.models.ref import ModelRef
from core.resolution.rules import AccessRules, AgentRules, CrossBilling, OnReset, Rules
from core.sessions.key import DEFAULT_AGENT
from core.sessions.session import Footer

if TYPE_CHECKING:
    from adapters.providers.builtin import BuiltinProvider
    from bot.config.settings import Agent, ModelChoice, Settings

_NOWHERE = ModelRef("", "")
_PATTERN = re.compile(r"[^/]+/(?:\*|[^*]+(?:/\*)?)")


def build_rules(
    settings: "Settings",
    builtin: Mapping[str, "BuiltinProvider"],
    documents: Mapping[str, ModelsDocument] = MappingProxyType({}),
) -> Rules:
    """What core decides by. `builtin` are the providers that need no configuration, by id; `documents` the models.json of
    agents. An agent reads through to that of `main`.

    Raises InvalidConfig with every reference that leads nowhere, and BotError (code no_provider) where no model is
    configured and none can be told from the providers.
    """
    aliases = tuple(configured_aliases(settings))
    main = documents.get(DEFAULT_AGENT, ModelsDocument())
    plain, _ = build_catalog(settings, builtin, aliases)
    catalog, problems = build_catalog(settings, builtin, aliases, (main,))
    own_catalogs = {
        name: build_catalog(settings, builtin, aliases, (documents[name], main))[0]
        for name in settings.agents.list
        if name != DEFAULT_AGENT and documents.get(name, ModelsDocument()).providers
    }
    models = _Models(plain, catalog, problems)
    choice = settings.agents.defaults.model
    if choice is not None:
        default, fallbacks = models.choice(choice, "agents.defaults.model")
    else:
        default, fallbacks = _first_model(settings, builtin, catalog, bool(problems)), ()
    image_model, image_fallbacks = models.optional(settings.agents.defaults.image_model, "agents.defaults.image_model")
    base = AgentRules(
        id=DEFAULT_AGENT,
        default=default,
        fallbacks=fallbacks,
        image_model=image_model,
        image_fallbacks=image_fallbacks,
        allow=models.patterns(settings.model_policy.allow, "model_policy.allow"),
    )
    agents = {DEFAULT_AGENT: base}
    for name, agent in settings.agents.list.items():
        own = _Models(plain, own_catalogs[name], problems) if name in own_catalogs else models
        agents[name] = _agent(name, agent, base, own)
    if problems:
        raise InvalidConfig(problems)
    return replace(_rules(settings, catalog, agents), own_catalogs=own_catalogs)


def _rules(settings: "Settings", catalog: Catalog, agents: Mapping[str, AgentRules]) -> Rules:
    profiles: dict[str, list[str]] = {}
    for name, profile in settings.auth.profiles.items():
        profiles.setdefault(profile.provider, []).append(name)
    access = settings.access
    return Rules(
        agents=agents,
        catalog=catalog,
        order=dict(settings.auth.order),
        configured_profiles={provider: tuple(ids) for provider, ids in profiles.items()},
        access=AccessRules(
            owners=frozenset(access.owners),
            allow=frozenset(access.allow),
            groups=frozenset(access.groups),
            pairing=access.pairing,
        ),
        sticky_idle=settings.session.sticky_idle,
        on_reset=OnReset(settings.session.on_reset),
        dm_scope=settings.session.dm_scope,
        locked=frozenset(settings.session.locked),
        footer=Footer(settings.session.footer),
        alias_commands=settings.commands.alias_commands,
        deadline=settings.failover.deadline,
        silence=settings.failover.silence,
        cross_billing=CrossBilling(settings.failover.cross_billing),
    )


def _agent(name: str, agent: "Agent", base: AgentRules, models: "_Models") -> AgentRules:
    """An agent's own model comes with its own fallbacks; whatever it does not set is that of the defaults."""
    path = dotted(("agents", "list", name))
    own = agent.model is not None
    default, fallbacks = base.default, base.fallbacks
    if agent.model is not None:
        default, fallbacks = models.choice(agent.model, f"{path}.model")
    image_model, image_fallbacks = base.image_model, base.image_fallbacks
    if agent.image_model is not None:
        image_model, image_fallbacks = models.optional(agent.image_model, f"{path}.image_model")
    allow, allow_path = base.allow, base.allow_path
    if agent.model_policy is not None:
        allow_path = f"{path}.model_policy.allow"
        allow = models.patterns(agent.model_policy.allow, allow_path)
    return AgentRules(
        id=name,
        default=default,
        own_default=own,
        fallbacks=fallbacks,
        image_model=image_model,
        image_fallbacks=image_fallbacks,
        allow=allow,
        allow_path=allow_path,
    )


def _first_model(
    settings: "Settings", builtin: Mapping[str, "BuiltinProvider"], catalog: Catalog, is_broken: bool
) -> ModelRef:
    """The default where none is set: the first model of the first configured provider."""
    for name in settings.models.providers:
        models = catalog.providers[name].models
        known = builtin.get(name)
        if known is not None and known.default_model is not None and catalog.providers[name].is_open:
            return ModelRef(name, known.default_model)
        if models:
            return models[0].ref
    if is_broken:
        return _NOWHERE
    raise BotError(
        "no_provider",
        "No model is configured: agents.defaults.model is not set, and no provider in the configuration lists one.",
        "Run `remoteclaw onboard`, or try `make demo`, which needs no configuration.",
    )


class _Models:
    """Reads model texts of the config against the catalogue; what leads nowhere becomes a problem.

    What `plain` has, the catalogue without models.json, is looked up there: a list that a provider gave later must not make a
    text mean two models.
    """

    def __init__(self, plain: Catalog, catalog: Catalog, problems: list[Problem]) -> None:
        self._catalog = catalog
        self._problems = problems
        self._lookups = [
            Lookup(catalog=known, default=_NOWHERE, offered=frozenset(known.providers)) for known in (plain, catalog)
        ]

    def choice(self, choice: "ModelChoice", path: str) -> tuple[ModelRef, tuple[ModelRef, ...]]:
        """The model and its fallbacks, each once."""
        primary = self.ref(choice.primary, path)
        fallbacks = [self.ref(text, f"{path}.fallbacks[{n}]") for n, text in enumerate(choice.fallbacks)]
        return primary, tuple(dict.fromkeys(ref for ref in fallbacks if ref != primary))

    def optional(self, choice: "ModelChoice | None", path: str) -> tuple[ModelRef | None, tuple[ModelRef, ...]]:
        """The same for a choice that may be missing."""
        return (None, ()) if choice is None else self.choice(choice, path)

    def ref(self, text: str, path: str) -> ModelRef:
        """The model that an alias, `provider/model` or a model id means."""
        try:
            found = next(filter(None, (lookup.exact(text) for lookup in self._lookups)), None)
        except UserError:
            self._problems.append(Problem(path, "is a model of several providers; write provider/model"))
            return _NOWHERE
        if found is not None:
            return found.ref
        left, slash, _ = text.partition("/")
        if slash and provider_id(left) not in self._catalog.providers:
            self._problems.append(Problem(path, unknown_provider(left, self._catalog)))
        else:
            known = [*self._catalog.aliases, *map(str, self._catalog.refs())]
            self._problems.append(Problem(path, f"names no model that is known.{did_you_mean(text, known)}"))
        return _NOWHERE

    def patterns(self, allow: Sequence[str], path: str) -> tuple[str, ...]:
        """The patterns of a model policy, their providers by their one name and aliases as the models they mean."""
        return tuple(self._pattern(text, f"{path}[{n}]") for n, text in enumerate(allow))

    def _pattern(self, text: str, path: str) -> str:
        left, slash, right = text.partition("/")
        if not slash and text.lower() in self._catalog.aliases:
            return str(self._catalog.aliases[text.lower()])
        if not _PATTERN.fullmatch(text):
            self._problems.append(Problem(path, "must be an alias, provider/model, provider/* or provider/namespace/*"))
        elif provider_id(left) not in self._catalog.providers:
            self._problems.append(Problem(path, unknown_provider(left, self._catalog)))
        return f"{provider_id(left)}/{right}"
