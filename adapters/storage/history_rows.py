"""The conversation in rows: a message each, its pictures in a table of their own."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, delete, insert, literal, select, update

from adapters.storage.columns import storable
from adapters.storage.tables import history, images
from core.sessions.history import Image, Message, Role
from core.sessions.key import SessionKey
from core.sessions.ports import TurnRecord

_HISTORY = (
    select(history.c.id, history.c.role, history.c.text, history.c.source)
    .where(history.c.session == bindparam("named"), history.c.epoch == bindparam("in_epoch"))
    .order_by(history.c.id.desc())
    .limit(bindparam("at_most"))
)
_IMAGES = (
    select(images.c.message, images.c.media_type, images.c.data)
    .join(history, history.c.id == images.c.message)
    .where(
        history.c.session == bindparam("named"),
        history.c.epoch == bindparam("in_epoch"),
        images.c.message >= bindparam("first"),
    )
    .order_by(images.c.message, images.c.position)
)
_QUESTION = (
    select(history.c.id, history.c.text)
    .where(history.c.session == bindparam("named"), history.c.source == bindparam("from_source"))
    .order_by(history.c.id.desc())
    .limit(1)
)
_NEXT_QUESTION = (
    select(history.c.id)
    .where(
        history.c.session == bindparam("named"),
        history.c.role == Role.USER.value,
        history.c.id > bindparam("after"),
    )
    .order_by(history.c.id)
    .limit(1)
)


def read_history(connection: Connection, bound: dict[str, Any]) -> tuple[Message, ...]:
    """The messages of `named` in the epoch `in_epoch`, the newest `at_most`, oldest first."""
    rows = connection.execute(_HISTORY, bound).all()
    if not rows:
        return ()
    shown: dict[int, list[Image]] = {}
    sought = {"named": bound["named"], "in_epoch": bound["in_epoch"], "first": rows[-1].id}
    for number, media_type, data in connection.execute(_IMAGES, sought):
        shown.setdefault(number, []).append(Image(media_type, data))
    return tuple(
        Message(Role(row.role), row.text, tuple(shown.get(row.id, ())), row.source or "") for row in reversed(rows)
    )


def amend_question(connection: Connection, key: SessionKey, source: str, text: str) -> bool:
    """Let the question read so. False: there is none, or it reads so already."""
    found, reads = find_question(connection, key, source), storable(text)
    if found is None or found[1] == reads:
        return False
    connection.execute(update(history).where(history.c.id == found[0]).values(text=reads))
    return True


def forget_question(connection: Connection, key: SessionKey, source: str) -> bool:
    """Erase the question and what answers it, up to the next question."""
    found = find_question(connection, key, source)
    if found is None:
        return False
    following = connection.execute(_NEXT_QUESTION, {"named": str(key), "after": found[0]}).scalar()
    gone = delete(history).where(history.c.session == str(key), history.c.id >= found[0])
    connection.execute(gone if following is None else gone.where(history.c.id < following))
    return True


def find_question(connection: Connection, key: SessionKey, source: str) -> tuple[int, str] | None:
    """The question that came from there: its number and its text. None: there is none."""
    row = connection.execute(_QUESTION, {"named": str(key), "from_source": source}).first()
    return None if row is None else (row.id, row.text)


def from_message(source: ColumnElement[Any], platform: str, message: str) -> ColumnElement[bool]:
    """Whether a source names this message of the platform, whoever wrote it (`core.chat.names.is_source`)."""
    written = source.startswith(f"{platform}:", autoescape=True)
    return and_(literal(bool(message)), written, source.endswith(f"/{message}", autoescape=True))


def store_history(connection: Connection, record: TurnRecord, kept: int) -> None:
    """Add a turn's messages; the session keeps its newest `kept`."""
    key = str(record.key)
    if record.compacts:
        connection.execute(delete(history).where(history.c.session == key))
    for message in record.messages:
        if message.source:
            forget_question(connection, record.key, message.source)
    rows = [
        {
            "session": key,
            "epoch": record.epoch,
            "role": message.role.value,
            "text": storable(message.text),
            "source": message.source or None,
        }
        for message in record.messages
    ]
    if any(message.images for message in record.messages):
        for message, row in zip(record.messages, rows, strict=True):
            key_of = connection.execute(insert(history), row).inserted_primary_key
            assert key_of is not None, "one row was inserted"
            _store_images(connection, key_of[0], message.images)
    elif rows:
        connection.execute(insert(history), rows)
    if record.messages:
        keep_newest(connection, history, key, kept)


def _store_images(connection: Connection, message: int, pictures: tuple[Image, ...]) -> None:
    rows = [
        {"message": message, "position": n, "media_type": image.media_type, "data": image.data}
        for n, image in enumerate(pictures)
    ]
    if rows:
        connection.execute(insert(images), rows)


def keep_newest(connection: Connection, table: Table, session: str, kept: int) -> None:
    """Forget all but the newest rows of a session."""
    numbers = select(table.c.id).where(table.c.session == session).order_by(table.c.id.desc())
    oldest_lost = numbers.offset(kept).limit(1).scalar_subquery()
    connection.execute(delete(table).where(table.c.session == session, table.c.id <= oldest_lost))
