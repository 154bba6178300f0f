"""Wires models.json for the composition root: who reads the files, what they are made of, and that they are up to date."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bot.system_clock import SystemClock
from core.models.document import ModelsDocument
from core.resolution.rules import Rules
from core.sessions.key import DEFAULT_AGENT

if TYPE_CHECKING:
    from adapters.storage.models_file import ModelsFiles
    from bot.config.settings import Settings
    from bot.credentials import CredentialSource
    from bot.models_credentials import ProfileFiles, StoresAndModels
    from bot.models_documents import Makings
    from bot.paths import Paths


def models_documents(settings: "Settings", paths: "Paths") -> dict[str, ModelsDocument]:
    """The models.json of every agent, as they are now."""
    files = _files(paths)
    return {agent: files.load(agent) for agent in (DEFAULT_AGENT, *settings.agents.list)}


def with_models(
    files: "ProfileFiles", settings: "Settings", paths: "Paths", environ: Mapping[str, str]
) -> "StoresAndModels":
    """The stores, and behind them what models.json has of credentials."""
    from adapters.providers.builtin import builtin_providers, declared_variables
    from bot.config.catalogue import addresses
    from bot.models_credentials import StoresAndModels

    known = addresses(settings, builtin_providers())
    return StoresAndModels(
        files, _files(paths), settings, known, frozenset(declared_variables()), settings.environment(environ)
    )


def model_makings(settings: "Settings", paths: "Paths", environ: Mapping[str, str], rules: Rules) -> "Makings":
    """What every models.json is made of."""
    from adapters.providers.builtin import builtin_providers, declared_variables
    from adapters.providers.known_models import KnownModels
    from bot.config.catalogue import catalogue_parts
    from bot.models_documents import Makings

    return Makings(
        settings=settings,
        rules=rules,
        parts=catalogue_parts(settings, builtin_providers()),
        declared=frozenset(declared_variables()),
        environ=settings.environment(environ),
        store=_files(paths),
        library=KnownModels(SystemClock()),
    )


async def bring_up_to_date(makings: "Makings", credentials: "CredentialSource") -> bool:
    """See that the file of every agent is there and fresh, without holding anybody up; whether any has changed."""
    import asyncio

    from bot.models_documents import ensure_models_files

    held = {agent: credentials.load(agent) for agent in makings.rules.agents}
    return await asyncio.to_thread(ensure_models_files, makings, held)


def _files(paths: "Paths") -> "ModelsFiles":
    from adapters.storage.models_file import ModelsFiles

    return ModelsFiles(paths.state, SystemClock())
