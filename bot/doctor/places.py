"""The state directory and the files in it: whether they are there, whose they are, who else may see them, and what is left over."""

import os
import stat
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from bot.doctor.backups import FOLDER, RESERVE
from bot.doctor.check import Check, error, note, ok, warning
from bot.doctor.leftovers import leftovers
from bot.doctor.modes import CLOSED, UNWRITABLE, Guarded, look, user_name
from bot.doctor.scene import Scene
from bot.doctor.steps import chmod, typed
from bot.paths import STATE_DIR, Paths

_MIB = 1024 * 1024
LITTLE_SPACE, NO_SPACE = 200 * _MIB, RESERVE
_OLD_BACKUP = timedelta(days=30)


def checks(scene: Scene) -> Iterator[Check]:
    """The directory first: without it there is nothing else to look at."""
    state = scene.paths.state
    try:
        is_folder = stat.S_ISDIR(state.stat().st_mode)
    except FileNotFoundError:
        yield note("state.missing", state, f"There is no state directory at {state} yet.", "Run: remoteclaw onboard")
        return
    except OSError as failure:
        why = failure.strerror or "unknown reason"
        yield error("state.unreadable", state, f"The state directory {state} cannot be read: {why}.", _elsewhere())
        return
    if not is_folder:
        yield error("state.kind", state, f"{state} is not a directory.", _elsewhere())
        return
    owner = foreign_owner(scene)
    if owner is not None:
        yield _foreign(state, owner)
        return
    found = [*_directory(scene), *_files(scene), *leftovers(scene), *_backups(scene)]
    yield from found
    if not found:
        yield ok("state", state, f"{state} and its files belong to this user and are closed to others.")


def foreign_owner(scene: Scene) -> int | None:
    """The user to whom the state directory belongs, if that is another one: whose right it is to read a file, and to whom a changed
    one belongs, is another question then than it is for the gateway."""
    try:
        owner = scene.paths.state.stat().st_uid
    except OSError:
        return None
    return None if owner in (os.geteuid(), 0) else owner


def _foreign(state: Path, owner: int) -> Check:
    name, me = user_name(owner), os.geteuid()
    told = f"{state} belongs to {name or owner}, and this is {user_name(me) or me}: nothing else is looked at."
    if name or me == 0:
        other = name or f"'#{owner}'"
        return error("files.owner", state, told, f"Run it as that user: sudo -u {other} -H remoteclaw doctor")
    step = typed(f"As root: chown -R {me} {{path}}", "Give it to this user.", path=state)
    return error("files.owner", state, told, step)


def _elsewhere() -> str:
    return f"Check its owner and permissions, or name another one in {STATE_DIR}."


def _directory(scene: Scene) -> Iterator[Check]:
    state = scene.paths.state
    if state.is_symlink():
        yield note("state.link", state, f"{state} is a symbolic link to {os.path.realpath(state)}.")
    yield from look(Guarded(state, is_folder=True))
    yield from _parents(Path(os.path.realpath(state)))
    if not os.access(state, os.W_OK | os.X_OK):
        told = f"Nothing can be written in {state}: its rights or its file system do not allow it."
        yield error("state.readonly", state, told, _elsewhere())
    space = os.statvfs(state)
    yield from space_checks(state, space.f_bavail * space.f_frsize, space.f_favail if space.f_files else None)


def _parents(state: Path) -> Iterator[Check]:
    """Who can write a folder can put another one in the place of what lies in it, unless its sticky bit is set."""
    for folder in state.parents:
        try:
            found = folder.stat()
        except OSError:
            continue
        if found.st_mode & stat.S_ISVTX:
            continue
        step = chmod("go-w", folder)
        if found.st_mode & stat.S_IWOTH:
            told = f"{folder} can be written by everybody, who could put another directory in the place of {state}."
            yield warning("state.parent", folder, told, step)
        elif found.st_mode & stat.S_IWGRP and found.st_gid not in (0, os.getegid()):
            yield warning("state.parent", folder, f"{folder}, above {state}, can be written by its group.", step)
        elif found.st_uid not in (os.geteuid(), 0):
            told = f"{folder}, above {state}, belongs to another user."
            yield warning("state.parent", folder, told, _elsewhere())


def space_checks(state: Path, free: int, files: int | None) -> Iterator[Check]:
    """What the free bytes and the free files (None: without a limit) of the directory's file system mean."""
    step = "Free some space."
    if free < NO_SPACE or files == 0:
        what = f"{free // _MIB} MiB free" if free < NO_SPACE else "room for no more files"
        yield error("disk.full", state, f"The disk of {state} has {what}: nothing can be stored.", step)
    elif free < LITTLE_SPACE:
        yield warning("disk.space", state, f"The disk of {state} has only {free // _MIB} MiB free.", step)


def _files(scene: Scene) -> Iterator[Check]:
    for place in known_files(scene):
        yield from look(place)


def known_files(scene: Scene) -> Iterator[Guarded]:
    """Everything that the program keeps, folders before what lies in them, with what it refuses."""
    paths = scene.paths
    yield Guarded(paths.config, unwanted=_open_config(paths))
    yield Guarded(paths.dotenv, refused=UNWRITABLE)
    yield Guarded(paths.salt, refused=CLOSED)
    if scene.database is not None:
        for suffix in ("", "-wal", "-shm", "-journal"):
            yield Guarded(Path(f"{scene.database}{suffix}"))
    yield Guarded(paths.state / FOLDER, is_folder=True, is_replaced=True)
    logins = paths.oauth or paths.state / "credentials"
    yield Guarded(logins, unwanted=UNWRITABLE if paths.oauth else CLOSED, is_folder=True)
    yield Guarded(logins / "oauth.json", refused=CLOSED)
    yield Guarded(paths.state / "agents", is_folder=True)
    for agent in scene.agents:
        folder = paths.agent(agent)
        yield Guarded(folder.parent, is_folder=True)
        yield Guarded(folder, is_folder=True)
        yield Guarded(paths.auth_store(agent), refused=CLOSED, is_replaced=True)
        yield Guarded(folder / "auth.json", refused=CLOSED, is_replaced=True)
        yield Guarded(folder / "auth-state.json", refused=UNWRITABLE, unwanted=UNWRITABLE, is_replaced=True)
        yield Guarded(paths.models_file(agent), refused=CLOSED, is_replaced=True)


def _open_config(paths: Paths) -> int:
    """The config may be read by others where it lies in a folder that they cannot enter: it is often written by hand."""
    try:
        is_hidden = not paths.config.parent.stat().st_mode & CLOSED
    except OSError:
        is_hidden = False
    return UNWRITABLE if is_hidden else CLOSED


def _backups(scene: Scene) -> Iterator[Check]:
    """They hold what the stores held, secrets too."""
    folder = scene.paths.state / FOLDER
    try:
        old = [run for run in folder.iterdir() if time.time() - run.lstat().st_mtime > _OLD_BACKUP.total_seconds()]
    except OSError:
        return
    if old:
        told = f"{folder} has {len(old)} backup(s) older than {_OLD_BACKUP.days} days; they may hold secrets."
        yield note("backups.old", folder, told, "Remove those that are not needed any more.")
