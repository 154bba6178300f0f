"""Announcements, stored in one transaction with what they tell of."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adapters.storage.engine import Database
from adapters.storage.inbox import insert_answered
from adapters.storage.sessions import store_choice
from adapters.storage.shown import store_shown
from core.announcements import Settled
from core.ports import InboxItem, Update
from core.sessions.ports import Shown


class SqlAnnouncements:
    """`core.announcements.Announcements`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def announce(
        self,
        update: Update,
        replies: Sequence[Mapping[str, Any]],
        now: datetime,
        shown: Sequence[Shown] = (),
        settled: Settled | None = None,
    ) -> InboxItem | None:
        """All of it, or nothing where the key is known or the session has changed."""

        def store(connection: Connection) -> InboxItem | None:
            item = insert_answered(connection, update, replies, now)
            if item is None:
                return None
            for choices in shown:
                store_shown(connection, choices)
            if settled is not None:
                store_choice(connection, settled.session, settled.decisions)
            return item

        return await self._database.write(store)
