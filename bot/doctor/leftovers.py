"""What programs that were killed leave behind: drafts of files, which may hold secrets, and locks."""

import re
from collections.abc import Iterator
from pathlib import Path

from bot import doctor_wiring as wiring
from bot.doctor.check import Check, Keep, Repair, note
from bot.doctor.scene import Scene
from core.errors import StoreError

_DRAFT = re.compile(r"\.(?P<target>.+)\.[0-9]+\.[0-9a-f]{8}(?:\.tmp)?")
_LOCK = re.compile(r"(?P<target>.+)\.lock")
_LOCKED = (".env", "auth-profiles.json", "auth-state.json", "models.json")
"""Files that are changed under a lock beside them, as the config is. Other locks are the kernel's, and their files stay."""
_SETTLED = 3600.0
"""Seconds after which no program is writing a draft any more."""


def leftovers(scene: Scene) -> Iterator[Check]:
    """In the folders of the installation, not below others."""
    folders = [scene.paths.state, scene.paths.config.parent, *map(scene.paths.agent, scene.agents)]
    for folder in dict.fromkeys(folders):
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            continue
        for path in entries:
            if (found := _DRAFT.fullmatch(path.name)) and _is_old(path, scene):
                yield _draft(path, folder / found["target"], scene)
            elif (found := _LOCK.fullmatch(path.name)) and found["target"] in (*_LOCKED, scene.paths.config.name):
                yield from _lock(path, folder / found["target"], scene)


def _is_old(path: Path, scene: Scene) -> bool:
    try:
        return scene.now.timestamp() - path.lstat().st_mtime > _SETTLED
    except OSError:
        return False


def _draft(path: Path, target: Path, scene: Scene) -> Check:
    def run(keep: Keep) -> None:
        with wiring.lock_of(target, scene.clock)[1]():
            if path.exists():
                keep.file(path)
                _remove(path)

    told = f"{path} is a draft of {target.name} that a killed program left behind; it may hold secrets."
    repair = Repair(id="files.remove_draft", text=f"remove {path}", run=run)
    return note("files.leftover", path, told, "Remove it.", repair)


def _lock(path: Path, target: Path, scene: Scene) -> Iterator[Check]:
    is_left_behind, held = wiring.lock_of(target, scene.clock)
    if not is_left_behind():
        return

    def run(keep: Keep) -> None:
        if is_left_behind():
            keep.file(path)
            with held():
                pass  # taking a dead program's lock removes it, and giving it back leaves none

    told = f"{path} is the lock of a program that has ended; the next change takes it over."
    yield note(
        "files.stale_lock",
        path,
        told,
        "Nothing has to be done.",
        Repair(id="files.unlock", text=f"remove {path}", run=run),
    )


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as failure:
        why = failure.strerror or "unknown reason"
        raise StoreError("store_write", f"{path} cannot be removed: {why}.", "Remove it by hand.") from failure
