"""SQLAlchemy's errors as ours. The statement's parameters stay out of every message: they hold what people wrote."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from adapters.storage.failures import storage_error, unstorable
from core.errors import BotError


def translation(error: Exception, path: Path) -> Exception:
    """The error as a caller should see it: the database's as a StorageError of its own, ours and bugs as they are."""
    if isinstance(error, BotError):
        return error
    cause = error.orig if isinstance(error, DBAPIError) else error
    translated: Exception
    if isinstance(cause, sqlite3.Error):
        translated = storage_error(cause, path)
    elif isinstance(cause, (UnicodeEncodeError, OverflowError)):
        translated = unstorable(cause, path)
    elif isinstance(cause, StopIteration):
        translated = RuntimeError("a write raised StopIteration")  # which no future can carry
    else:
        return error
    translated.__cause__ = error
    return translated


@contextmanager
def translating(path: Path) -> Iterator[None]:
    """Raises the translation of what is raised inside."""
    try:
        yield
    except Exception as error:
        translated = translation(error, path)
        if translated is error:
            raise
        raise translated from error
