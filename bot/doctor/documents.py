"""The credential stores as they stand in their files, for what the program itself does not take from them."""

from pathlib import Path
from typing import Any

from bot.doctor.scene import Scene
from bot.secrets_files import Unreadable, json_object, read_regular
from core.auth.provider_names import credential_provider
from core.sessions.key import DEFAULT_AGENT


def read_document(agent: str, scene: Scene) -> dict[str, Any]:
    """An agent's store as it is now; nothing where there is none. It is parsed again only where its file has changed, and must not
    be changed itself. Raises Unreadable."""
    path = scene.paths.auth_store(agent)
    stamp, known = _stamp(path), scene.documents.get(path)
    if known is not None and known[0] == stamp:
        return known[1]
    content = read_regular(path)
    document = {} if content is None else json_object(content)
    scene.documents[path] = (stamp, document)
    return document


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


def is_of_surroundings(name: str) -> bool:
    """Whether an id is one of a variable or a setting, which this shell may lack and a service has."""
    return name.startswith(("env:", "config:", "models.json:", "none:"))


def _entries(agent: str, scene: Scene) -> dict[str, Any]:
    try:
        found = read_document(agent, scene).get("profiles")
    except Unreadable:
        return {}
    return found if isinstance(found, dict) else {}


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
