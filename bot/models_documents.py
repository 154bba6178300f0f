"""What models.json is made of, and who sees that it is there: the gateway and `chat` at their start (credentials.md 8.5).

Nothing of a secret goes in: of the config's keys and headers only where they are kept.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from core.auth.markers import MANAGED, header_marker, is_variable, plain_key
from core.auth.profiles import AuthProfile, CredentialKind, ProfileSet
from core.auth.secret import Secret, SecretRef, clean_secret
from core.errors import StoreError
from core.models.catalog import ModelEntry
from core.models.document import Json, ModelsDocument, described, models_document
from core.models.merge import ProviderPart, Sources, merge
from core.models.ref import ModelRef
from core.resolution.rules import AgentRules, Rules

if TYPE_CHECKING:
    from bot.config.settings import Provider, Settings

log = logging.getLogger(__name__)

_FORMAT = 1
"""Goes up when the same sources make another file."""


class ModelsStore(Protocol):
    """The files of models.json."""

    def load(self, agent: str) -> ModelsDocument: ...

    def digest(self, agent: str) -> str | None:
        """What the file was made of, as it says itself."""
        ...

    def edit(self, agent: str, change: Callable[[Json], Json]) -> bool:
        """Change the file under its lock; whether anything differs. Raises StoreError, and then it is what it was."""
        ...


class ModelLibrary(Protocol):
    """What a library knows of models. Asking it is slow the first time."""

    @property
    def edition(self) -> str:
        """Names what would be answered."""
        ...

    def __call__(self, provider: str, base_url: str, model: str) -> ModelEntry | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Makings:
    """What every file is made of. `parts` is what the program knows of each provider, `declared` the variables that built-in
    providers declare, `environ` has the values of variables: a key of the config that came out of one is named by it."""

    settings: "Settings"
    rules: Rules
    parts: Mapping[str, ProviderPart]
    declared: Set[str]
    environ: Mapping[str, str]
    store: ModelsStore
    library: ModelLibrary


def ensure_models_files(makings: Makings, credentials: Mapping[str, ProfileSet]) -> bool:
    """Bring the file of every agent up to date; whether any has changed. `credentials` are those of each agent.

    Costs a digest and a look at each file where nothing has changed. A file that cannot be written is told in the log: it only
    adds to what the config says, so it stops nothing.
    """
    has_changed = False
    for agent, found in credentials.items():
        sources = sources_of(makings, agent, found)
        if makings.store.digest(agent) == sources.digest:
            continue
        try:
            has_changed |= write(makings, agent, sources)
        except StoreError as error:
            log.warning("models.json of %s is not up to date: %s", agent, error)
    return has_changed


def write(makings: Makings, agent: str, sources: Sources) -> bool:
    """Merge the sources into an agent's file; whether it has changed. Raises StoreError. A key that gives way is told."""
    told: list[str] = []

    def change(before: Json) -> Json:
        after = merge(sources, before)
        told[:] = _given_up(before, after, makings.declared)
        return after

    has_changed = makings.store.edit(agent, change)
    for sentence in told:
        log.warning("models.json of %s: %s", agent, sentence)
    return has_changed


def _given_up(before: Json, after: Json, declared: Set[str]) -> list[str]:
    held, now = models_document(before).providers, models_document(after).providers
    plain = [n for n, p in held.items() if p.api_key and plain_key(p.api_key.reveal(), n, declared)]
    gone = [n for n in plain if n not in now or now[n].api_key != held[n].api_key]
    return [f"the plain key of {name} was taken out; the provider has its key from elsewhere." for name in gone]


def sources_of(
    makings: Makings, agent: str, credentials: ProfileSet, listed: Mapping[str, tuple[ModelEntry, ...]] | None = None
) -> Sources:
    """Everything that an agent's file is made of. `listed` are the models that providers have just named themselves."""
    settings = makings.settings
    explicit = {name: _configured(name, provider, makings) for name, provider in settings.models.providers.items()}
    used = _used(makings.rules.agents[agent])
    serving = (profile.provider for profile in credentials.profiles.values())
    wanted = {*explicit, *(ref.provider for ref in used), *serving}
    catalogue = {
        name: _known(name, part, used, credentials.profiles.values())
        for name, part in makings.parts.items()
        if name in wanted
    }
    is_replacing = settings.models.mode == "replace"
    content = [_FORMAT, is_replacing, makings.library.edition, _shown(explicit), _shown(catalogue)]
    return Sources(
        explicit=explicit,
        catalogue=catalogue,
        declared=makings.declared,
        known=makings.library,
        digest=hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16],
        is_replacing=is_replacing,
        listed=listed or {},
    )


def _configured(name: str, provider: "Provider", makings: Makings) -> ProviderPart:
    return ProviderPart(
        base_url=provider.base_url,
        api=provider.api,
        api_key=_marker(name, provider.api_key, makings) if provider.api_key is not None else None,
        headers={header: header_marker(value) for header, value in provider.headers.items()},
        models=tuple(
            ModelEntry(
                ref=ModelRef(name, model.id),
                aliases=(model.alias,) if model.alias else (),
                context_window=model.context_window,
                max_tokens=model.max_tokens,
            )
            for model in provider.models
        ),
    )


def _marker(provider: str, value: Secret | SecretRef, makings: Makings) -> str:
    """Where a key of the config is kept: the variable that it came out of, if everybody takes its name for a variable's."""
    if isinstance(value, SecretRef):
        is_known = value.source == "env" and is_variable(value.id, provider, makings.declared)
        return value.id if is_known else MANAGED
    of_value = (name for name, text in makings.environ.items() if Secret(clean_secret(text)) == value)
    return next((name for name in sorted(of_value) if is_variable(name, provider, makings.declared)), MANAGED)


def _used(rules: AgentRules) -> list[ModelRef]:
    """The models that an agent uses, each once."""
    refs = (rules.default, *rules.fallbacks, rules.image_model, *rules.image_fallbacks)
    return list(dict.fromkeys(ref for ref in refs if ref is not None))


def _known(name: str, part: ProviderPart, used: Iterable[ModelRef], credentials: Iterable[AuthProfile]) -> ProviderPart:
    """The program's part, with the models that the agent uses and the variable that holds the provider's first key."""
    names = {model.ref.name for model in part.models}
    keys = (p.id for p in credentials if p.kind is CredentialKind.ENV and p.provider == name)
    return ProviderPart(
        base_url=part.base_url,
        api=part.api,
        api_key=next((_variable(key) for key in keys), None),
        models=(*part.models, *(ModelEntry(ref=ref) for ref in used if ref.provider == name and ref.name not in names)),
    )


def _variable(profile: str) -> str:
    """The variable of a profile that the environment gave: `env:NAME`, `env:NAME#2`, `env:NAME:provider`."""
    return profile.removeprefix("env:").partition("#")[0].partition(":")[0]


def _shown(parts: Mapping[str, ProviderPart]) -> dict[str, object]:
    return {
        name: [p.base_url, p.api, p.api_key, sorted(p.headers.items()), [described(model) for model in p.models]]
        for name, p in sorted(parts.items())
    }
