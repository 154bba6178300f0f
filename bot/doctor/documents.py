"""The credential stores as they stand in their files, for what the program itself does not take from them."""

from typing import Any

from bot.doctor.scene import Scene
from bot.secrets_files import Unreadable, json_object, read_regular
from core.auth.provider_names import credential_provider
from core.sessions.key import DEFAULT_AGENT


def read_document(agent: str, scene: Scene) -> dict[str, Any]:
    """An agent's store; nothing where there is none. Raises Unreadable."""
    content = read_regular(scene.paths.auth_store(agent))
    return {} if content is None else json_object(content)


def is_known(name: str, agent: str, scene: Scene) -> bool:
    """Whether an agent has something under this profile id, even if it cannot be used as it is. Of a store that cannot be read
    nobody knows what it lacks, so it has everything."""
    held = scene.profiles(agent)
    if held.unreadable or name in held.profiles:
        return True
    provider = credential_provider(name.partition(":")[0])
    if provider in map(credential_provider, held.damaged):
        return True
    return any(name in _entries(owner, scene) for owner in {agent, DEFAULT_AGENT})


def _entries(agent: str, scene: Scene) -> dict[str, Any]:
    try:
        found = read_document(agent, scene).get("profiles")
    except Unreadable:
        return {}
    return found if isinstance(found, dict) else {}
