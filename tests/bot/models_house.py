"""An installation's models.json with everything around it, for the tests of what goes in and what comes out."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapters.providers.builtin import builtin_providers
from adapters.storage.models_file import ModelsFiles
from adapters.storage.profile_file import AuthProfileFiles
from bot.config.catalogue import addresses, catalogue_parts
from bot.config.load import settings_from
from bot.config.rules import build_rules
from bot.config.settings import Settings
from bot.models_credentials import StoresAndModels
from bot.models_documents import Makings, ensure_models_files
from bot.models_wiring import models_documents
from bot.paths import Paths
from core.auth.profiles import AuthProfile, CredentialKind, ProfileSet
from core.auth.secret import Secret
from core.clock import Clock
from core.models.catalog import ModelEntry, Price
from core.models.ref import ModelRef
from core.resolution.rules import Rules
from tests.fakes.model_library import FakeModelLibrary

CANARY = "sk-CANARY-0123456789"
ACME = {"base_url": "http://127.0.0.1:9/v1", "api": "openai-completions", "models": ("small",)}
PLAIN = {"models": {"providers": {"acme": ACME}}}
OPUS = ModelEntry(ref=ModelRef("", "claude-opus-4-5"), name="Opus", context_window=200_000, price=Price(input=5))


def settings_of(tree: Mapping[str, Any], **environ: str) -> Settings:
    return settings_from(tree, environ)


def acme(**changes: Any) -> dict[str, Any]:
    return {"models": {"providers": {"acme": {**ACME, **changes}}}}


class House:
    """A state directory with its models.json, and everything that has to do with it."""

    def __init__(self, state: Path, clock: Clock) -> None:
        self.state = state
        self.files = ModelsFiles(state, clock)
        self.library = FakeModelLibrary({"claude-opus-4-5": OPUS})

    def rules(self, settings: Settings) -> Rules:
        return build_rules(
            settings, builtin_providers(), models_documents(settings, Paths(self.state, self.state / "c"))
        )

    def makings(self, settings: Settings, **environ: str) -> Makings:
        builtin = builtin_providers()
        return Makings(
            settings=settings,
            rules=self.rules(settings),
            parts=catalogue_parts(settings, builtin),
            declared=frozenset(name for provider in builtin.values() for name in provider.env),
            environ=settings.environment(environ),
            store=self.files,
            library=self.library,
        )

    def ensure(self, tree: Mapping[str, Any], *profiles: AuthProfile, **environ: str) -> bool:
        held = {"main": ProfileSet(profiles={p.id: p for p in profiles})}
        return ensure_models_files(self.makings(settings_of(tree, **environ), **environ), held)

    def path(self, agent: str = "main") -> Path:
        return self.files.path(agent)

    def written(self, agent: str = "main") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path(agent).read_text())["providers"]
        return found

    def keep(self, providers: Mapping[str, Any], agent: str = "main") -> None:
        """As another program would have written it."""
        self.path(agent).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path(agent).write_text(json.dumps({"providers": providers}))
        self.path(agent).chmod(0o600)

    def credentials(self, tree: Mapping[str, Any] = PLAIN, **environ: str) -> StoresAndModels:
        settings = settings_of(tree, **environ)
        builtin = builtin_providers()
        declared = frozenset(name for provider in builtin.values() for name in provider.env)
        stores = AuthProfileFiles(self.state)
        return StoresAndModels(stores, self.files, settings, addresses(settings, builtin), declared, environ)


def env_key(name: str, provider: str) -> AuthProfile:
    return AuthProfile(id=f"env:{name}", provider=provider, kind=CredentialKind.ENV, secret=Secret(CANARY))
