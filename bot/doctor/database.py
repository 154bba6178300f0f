"""The database: whose it is, which schema it has, and whether SQLite finds it sound."""

from collections.abc import Callable, Iterator
from pathlib import Path

from bot import doctor_wiring as wiring
from bot.doctor.check import Check, Keep, Repair, error, ok, warning
from bot.doctor.scene import Scene
from bot.ops.running import running_gateway
from core.errors import StorageError

_MIB = 1024 * 1024
LARGE_LOG = 64 * _MIB
_CODES = {"db_newer": "db.newer", "db_unreadable": "db.unreadable"}


def checks(scene: Scene) -> Iterator[Check]:
    """One that cannot be opened is not asked further. None at all is fine: the first start makes it."""
    path = scene.database
    if path is None:
        failure = scene.database_error
        assert failure is not None
        yield error("db.place", "database.url", f"{failure.message}", failure.hint)
        return
    if not path.exists():
        yield ok("db.missing", path, f"There is no database at {path} yet; the first start makes it.")
        return
    if not path.is_file():
        yield error("db.unusable", path, f"{path} is not a file, so it is not opened.", "Move it away.")
        return
    try:
        revision, head = wiring.revision(path)
        unsound = [*_soundness(path)]
        found = [*unsound, *_schema(path, revision, head, not unsound, scene), *_log(path)]
    except StorageError as failure:
        yield error(_CODES.get(failure.code, "db.unusable"), path, failure.message, failure.hint)
        return
    yield from found
    if not found:
        yield ok("db", path, f"{path} is sound, of schema {head}.")


def _schema(path: Path, revision: str | None, head: str, is_sound: bool, scene: Scene) -> Iterator[Check]:
    """The upgrade of a damaged database is offered by nobody: it would copy what can be read, and the rest would be gone."""
    if revision == head:
        return
    told = f"{path} has {f'the schema {revision}' if revision else 'no schema yet'}; this version works with {head}."
    if scene.gateway is not None:
        yield warning("db.behind", path, told, "Stop the gateway, then run: remoteclaw db upgrade")
        return
    if not is_sound:
        yield warning("db.behind", path, told, "Put a sound database in its place first.")
        return
    step = "The next start upgrades it, as does: remoteclaw db upgrade"
    yield warning(
        "db.behind", path, told, step, Repair(id="db.upgrade", text=f"upgrade {path}", run=_upgrade(path, scene))
    )


def _upgrade(path: Path, scene: Scene) -> Callable[[Keep], None]:
    """Brings the schema up to date, in one transaction."""

    def run(keep: Keep) -> None:
        if running_gateway(scene.paths.state) is not None:  # started since
            raise StorageError(
                "gateway_running", f"A gateway uses {path} by now.", "Stop it first. Nothing was changed."
            )
        keep.database(path)
        wiring.upgrade(path)

    return run


def _soundness(path: Path) -> Iterator[Check]:
    look = wiring.examination(path)
    step = "Stop the gateway and restore a backup; `sqlite3 <file> .recover` saves what can be read."
    damage = look.damage()
    if damage:
        yield error("db.damaged", path, f"{path} is damaged: {'; '.join(damage[0].splitlines())}.", step)
        return
    orphans = look.orphans()
    if orphans:
        told = f"{path} has {orphans} row(s) that belong to rows which are not there: another program has changed it."
        yield error("db.orphans", path, told, step)


def _log(path: Path) -> Iterator[Check]:
    log = Path(f"{path}-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > LARGE_LOG:
        told = f"{log} has {size // _MIB} MiB: something keeps reading an old state of the database."
        yield warning("db.log", log, told, "Start the gateway and other programs that use the database anew.")
