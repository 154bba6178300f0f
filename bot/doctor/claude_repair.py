"""Carrying out the conversion: the config first, then the stores, each whole and under its own lock.

Stopped in between, the config names the new ids and the stores have the old ones; the next run finds these and goes on.
"""

from typing import Any

from bot import doctor_wiring as wiring
from bot.doctor.check import Keep
from bot.doctor.claude_config import conversion, in_config
from bot.doctor.claude_store import ANTHROPIC, CLI_PROFILE, converted, stale_profiles
from bot.doctor.documents import read_document
from bot.doctor.edits import edit_config, edit_store
from bot.doctor.scene import Scene
from bot.secrets_files import Unreadable
from core.auth.profiles import CredentialKind
from core.auth.provider_names import credential_provider
from core.errors import StoreError


class Conversion:
    """`bot.doctor.check.Repair.run`. Every agent is converted, whichever are looked at: they read through to `main`."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __call__(self, keep: Keep) -> None:
        documents = {agent: self._document(agent) for agent in self._scene.every_agent}
        renamed: dict[str, str | None] = {CLI_PROFILE: None}
        for document in reversed(list(documents.values())):
            renamed.update(stale_profiles(document))
        has_credential = any(renamed.values()) or self._has_anthropic(renamed)
        if any(in_config(self._scene.tree)):
            models = wiring.known_models(ANTHROPIC)
            edit_config(self._scene, conversion(renamed, models, has_credential), keep)
        for agent, document in documents.items():
            if converted(document, renamed) != document:
                edit_store(self._scene, agent, lambda stored: converted(stored, renamed), keep)

    def _document(self, agent: str) -> dict[str, Any]:
        path = self._scene.paths.auth_store(agent)
        try:
            return read_document(agent, self._scene)
        except Unreadable as error:
            raise StoreError(
                "store_unusable", f"{path} {error}. Nothing was changed.", "Mend that file first."
            ) from error

    def _has_anthropic(self, renamed: dict[str, str | None]) -> bool:
        """Whether some other credential would serve Anthropic's models."""
        return any(
            credential_provider(profile.provider) == ANTHROPIC
            and profile.kind is not CredentialKind.CLI
            and profile.id not in renamed
            for agent in self._scene.every_agent
            for profile in self._scene.profiles(agent).profiles.values()
        )
