"""What programs that were killed leave behind: drafts of files, which may hold secrets, and locks."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot import doctor_wiring as wiring
from bot.doctor.check import Check, Keep, Repair, changed, note
from bot.doctor.scene import Scene
from bot.doctor.steps import typed
from bot.paths import Paths
from core.errors import StoreError

_DRAFT = re.compile(r"\.(?P<target>.+)\.[0-9]+\.[0-9a-f]{8}(?:\.tmp)?")
_LOCK = re.compile(r"(?P<target>.+)\.lock")
_OF_THE_STATE = (".env", "fingerprint.salt", "remoteclaw.db")
_OF_AN_AGENT = ("auth-profiles.json", "auth-state.json", "auth.json", "models.json")
_UNLOCKED = ("fingerprint.salt", "remoteclaw.db", "auth.json")
_SETTLED = 3600.0
"""Seconds after which no program is writing a draft any more."""


def leftovers(scene: Scene) -> Iterator[Check]:
    """In the folders of the installation, not below others, and only of files that this program writes there."""
    for folder, targets in _folders(scene).items():
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            continue
        for path in entries:
            if (found := _DRAFT.fullmatch(path.name)) and found["target"] in targets and _is_old(path, scene):
                yield _draft(path, folder / found["target"], scene)
            elif (found := _LOCK.fullmatch(path.name)) and found["target"] in targets:
                target = folder / found["target"]
                yield from _lock(path, target, scene) if is_locked(target, scene.paths) else ()


def is_locked(path: Path, paths: Paths) -> bool:
    """Whether a file is changed under a lock beside it. Other locks are the kernel's, and their files stay."""
    return path == paths.config or path.name in {*_OF_THE_STATE, *_OF_AN_AGENT} - {*_UNLOCKED}


def _folders(scene: Scene) -> Mapping[Path, set[str]]:
    """The folders, each with the names of the files that are written there: others may lie there too, and are nobody's business."""
    found: dict[Path, set[str]] = {scene.paths.state: {*_OF_THE_STATE}}
    found.setdefault(scene.paths.config.parent, set()).add(scene.paths.config.name)
    for agent in scene.agents:
        found[scene.paths.agent(agent)] = {*_OF_AN_AGENT}
    return found


def _is_old(path: Path, scene: Scene) -> bool:
    """Whether it is a file that nobody is writing any more. What is no regular file is no draft."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and scene.now.timestamp() - found.st_mtime > _SETTLED


def _draft(path: Path, target: Path, scene: Scene) -> Check:
    def run(keep: Keep) -> None:
        with wiring.lock_of(target, scene.clock)[1]():
            if not os.path.lexists(path):
                return  # a change of its file has removed it
            if not _is_old(path, scene):
                raise changed(f"{path} is another file by now.")
            keep.file(path)
            _remove(path)

    told = f"{path} is a draft of {target.name} that a killed program left behind; it may hold secrets."
    repair = Repair(id="files.remove_draft", text=f"remove {path}", run=run)
    return note("files.leftover", path, told, typed("Remove it: rm {path}", "Remove it.", path=path), repair)


def _lock(path: Path, target: Path, scene: Scene) -> Iterator[Check]:
    is_left_behind, held = wiring.lock_of(target, scene.clock)
    if not is_left_behind():
        return

    def run(keep: Keep) -> None:
        if is_left_behind():  # else another change has taken it over
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
