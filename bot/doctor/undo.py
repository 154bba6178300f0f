"""Putting back what repairs have kept. A gateway must not run meanwhile, and what is there now is kept first, as by a repair.

Each file is put in place whole, with the mode and the times that it had; what was not there goes. Killed in the middle, the same
command goes on: it puts back the same again.
"""

import os
import secrets
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot import doctor_wiring as wiring
from bot.doctor.backups import FOLDER, MANIFEST, VERSION, Backup, Backups
from bot.doctor.copying import copy, sync
from bot.doctor.leftovers import is_locked
from bot.instance import only_instance
from bot.paths import Paths
from bot.secrets_files import Unreadable, json_object, read_regular
from core.clock import Clock
from core.errors import StoreError

_STORE = "auth-profiles.json"
_RENEWED = (
    "Logins that were renewed since then have another refresh token than the one that was put back, which may be spent: "
    "log in again where `remoteclaw models status --probe` says that one is refused."
)


@dataclass(frozen=True, slots=True)
class Kept:
    """One entry of a manifest. `copy` None: only its mode was kept, or, without `mode`, it was not there."""

    path: Path
    mode: int | None
    copy: Path | None

    @property
    def is_mode(self) -> bool:
        """Whether it is about the mode alone."""
        return self.copy is None and self.mode is not None

    @property
    def told(self) -> str:
        """What putting it back did, as a sentence."""
        if self.copy is not None:
            return f"Put back {self.path}."
        return f"Removed {self.path}, if it was there." if self.mode is None else f"Set {self.path} to {self.mode:04o}."


@dataclass(frozen=True, slots=True)
class Undone:
    """What was put back, in this order; the backup of what was there until now; and what else is to be known."""

    entries: Sequence[Kept]
    backup: Path | None
    notes: tuple[str, ...]


def undo(folder: str, paths: Paths, clock: Clock) -> Undone:
    """Undo the repair that has kept this folder, or all of one run, the last one first. `folder` is a path, or its part below the
    backups. Raises StoreError, and then nothing was changed, except where it says so."""
    backups = Backups(paths.state, clock.now())
    repairs = [_entries(repair, backups) for repair in _repairs(folder, paths.state)]
    entries = [kept for repair in repairs for kept in repair]
    backup = backups.of("undo")
    with only_instance(paths.state), ExitStack() as held:
        for kept in entries:
            if is_locked(kept.path, paths) and kept.path.parent.is_dir():
                held.enter_context(wiring.lock_of(Path(os.path.realpath(kept.path)), clock)[1]())
        for kept in entries:
            if not kept.is_mode:
                backup.file(kept.path)
        for kept in entries:
            if kept.is_mode:
                backup.mode(kept.path)
        _put_all_back(entries, backup)
    notes = (_RENEWED,) if any(kept.path.name == _STORE and kept.copy for kept in entries) else ()
    return Undone(entries, backup.folder, notes)


def _repairs(folder: str, state: Path) -> list[Path]:
    """The folders of single repairs, the last one first. Raises StoreError."""
    root = Path(os.path.realpath(state / FOLDER))
    found = next((one for one in (Path(folder), root / folder) if one.is_dir()), None)
    place = Path(os.path.realpath(found)) if found is not None else None
    if place is None or root not in place.parents:
        raise StoreError(
            "no_backup", f"{folder} is no folder of a backup in {root}.", "The repair has told it; or look there."
        )
    if (place / MANIFEST).exists():
        return [place]
    return sorted((one.parent for one in place.glob(f"*/{MANIFEST}")), key=_number, reverse=True)


def _number(repair: Path) -> int:
    number = repair.name.partition("-")[0]
    return int(number) if number.isdecimal() else 0


def _entries(repair: Path, backups: Backups) -> list[Kept]:
    """What a manifest names, and first what is to go: a database must not be read with another one's log. Raises StoreError where
    the manifest, or a copy that it names, is not as a repair leaves it."""
    manifest = repair / MANIFEST
    try:
        document = json_object(read_regular(manifest) or b"")
        if document.get("version") != VERSION:
            raise Unreadable(f"is not of version {VERSION}")
        found = [_entry(entry, repair, backups) for entry in document["files"]]
    except (Unreadable, KeyError, TypeError, ValueError, AttributeError) as error:
        why = str(error) if isinstance(error, Unreadable) else "is not as it was written"
        raise StoreError(
            "no_backup", f"{manifest} {why}. Nothing was changed.", "Copy its files back by hand."
        ) from None
    return sorted(found, key=lambda kept: kept.mode is not None)


def _entry(entry: dict[str, Any], repair: Path, backups: Backups) -> Kept:
    """A copy lies where its path says: in a directory that was moved it would be put back where the directory has been."""
    path, mode, inner = Path(entry["path"]), entry["mode"], entry["copy"]
    if not path.is_absolute():
        raise ValueError
    if inner is None:
        return Kept(path, None if mode is None else int(mode, 8), None)
    kept = repair / inner
    if inner != str(backups.inside(path)) or not kept.is_file() or kept.is_symlink():
        raise ValueError
    return Kept(path, int(mode, 8), kept)


def _put_all_back(entries: Sequence[Kept], backup: Backup) -> None:
    done = 0
    try:
        for kept in entries:
            _put_back(kept)
            done += 1
    except OSError as error:
        told = f"It stopped after {done} of {len(entries)} files: {error.strerror or 'unknown reason'}."
        raise StoreError(
            "undo", f"{told} What was there before is in {backup.folder}.", "Run the same command again."
        ) from error


def _put_back(kept: Kept) -> None:
    path = kept.path
    if kept.mode is None:
        path.unlink(missing_ok=True)
    elif kept.copy is None:
        path.chmod(kept.mode)
    else:
        path = Path(os.path.realpath(path))  # of a link the file that it leads to
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
        try:
            copy(kept.copy, draft)
            draft.chmod(kept.mode)
            os.replace(draft, path)
        except OSError:
            with suppress(OSError):
                draft.unlink()
            raise
    if path.parent.is_dir():
        sync(path.parent)
