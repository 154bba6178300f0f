"""models.json of every agent: read as it is now, and changed whole (product.md 2, credentials.md 8.5).

It holds markers in the place of keys. Files of other programs may hold keys, so it is guarded like a store. Standard library
only, and what writing needs is loaded for writing: `models status` reads it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from adapters.storage.guarded_file import GuardedFile, Read
from core.clock import Clock
from core.models.document import Json, ModelsDocument, models_document
from core.sessions.key import agent_id

MODELS = "models.json"


@dataclass(slots=True)
class _Known:
    """One agent's file with what was made of it last."""

    file: GuardedFile
    seen: Read | None = None
    document: ModelsDocument = field(default_factory=ModelsDocument)


class ModelsFiles:
    """The files of a state directory."""

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        self._root = state_dir
        self._clock = clock
        self._agents: dict[str, _Known] = {}

    def path(self, agent: str) -> Path:
        """Where an agent's file is."""
        return self._root / "agents" / agent_id(agent) / "agent" / MODELS

    def load(self, agent: str) -> ModelsDocument:
        """An agent's own file. Never raises: one that is there and cannot be used is empty and says why in `problem`. The very
        same object while the file has not changed."""
        known = self._known(agent)
        read = known.file.read()
        if known.seen is not read:
            source = str(known.file.path)
            document = models_document(read.data or {}, source)
            known.document = document if read.error is None else ModelsDocument(source=source, problem=read.error)
            known.seen = read
        return known.document

    def digest(self, agent: str) -> str | None:
        """What the file was made of, as this program wrote it there."""
        generated = (self._known(agent).file.read().data or {}).get("generated")
        digest = generated.get("digest") if isinstance(generated, dict) else None
        return digest if isinstance(digest, str) else None

    def edit(self, agent: str, change: Callable[[Json], Json], attempts: int = 3) -> bool:
        """Put a pure change of the content in its place, as it is once the lock is held; whether anything differs. `attempts`
        is how often somebody else's lock is tried.

        Raises StoreError, and then the file is what it was. One that cannot be read is never written over.
        """
        from adapters.storage.profile_disk import CLOSED, make_private_folders, read_document, write_document
        from adapters.storage.sidecar_lock import SidecarLock

        path = self.path(agent)
        make_private_folders(self._root, path.parent)
        with SidecarLock(path, self._clock, attempts=attempts).held() as check:
            before = read_document(path, CLOSED)
            after = dict(change(before or {}))
            if after == before:
                return False
            write_document(path, before or {}, after, check)
        return True

    def _known(self, agent: str) -> _Known:
        path = self.path(agent)
        return self._agents.setdefault(path.parts[-3], _Known(GuardedFile(path)))
