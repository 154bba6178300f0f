"""The tables. A moment is microseconds since 1970 in UTC, JSON is text; no column ever holds a secret.

Sessions are rows of few columns: their choices are rows of their own, so that a question about pins needs no parsing.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy import UniqueConstraint as Unique

_Moment = BigInteger
_Counted = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only where the type is spelled INTEGER."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

sessions = Table(
    "sessions",
    metadata,
    Column("key", Text, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("has_undo", Boolean, nullable=False),
    Column("auto_pins", Text, nullable=False),
    Column("served_model", Text),
    Column("served_profile", Text),
    Column("served_at", _Moment),
    Column("footer", Text),
)

choices = Table(
    "choices",
    metadata,
    Column("session", Text, ForeignKey("sessions.key", ondelete="CASCADE"), primary_key=True),
    Column("slot", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("model", Text),
    Column("set_by", Text, nullable=False),
    Column("set_at", _Moment, nullable=False),
    Column("expires_at", _Moment),
    Column("turns_left", Integer),
    Column("pin_profile", Text),
    Column("pin_mode", Text),
    Column("pin_set_by", Text),
    Column("pin_set_at", _Moment),
    Column("pin_order", Text),
    Index(None, "slot", "expires_at"),
    Index(None, "slot", "pin_profile"),
)

history = Table(
    "history",
    metadata,
    Column("id", _Counted, primary_key=True),
    Column("session", Text, ForeignKey("sessions.key", ondelete="CASCADE"), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("role", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("source", Text),
    Index(None, "session", "epoch", "id"),
    Index(None, "session", "source"),
)

images = Table(
    "images",
    metadata,
    Column("message", BigInteger, ForeignKey("history.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("media_type", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

spending = Table(
    "spending",
    metadata,
    Column("id", _Counted, primary_key=True),
    Column("session", Text, ForeignKey("sessions.key", ondelete="CASCADE"), nullable=False),
    Column("at", _Moment, nullable=False),
    Column("model", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cache_read_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("cost", BigInteger),
    Index(None, "session", "at"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", _Counted, primary_key=True),
    Column("session", Text, ForeignKey("sessions.key", ondelete="CASCADE"), nullable=False),
    Column("at", _Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index(None, "session", "id"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("profile", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("last_used", _Moment),
    Column("touched_at", _Moment, nullable=False),
)

windows = Table(
    "windows",
    metadata,
    Column("profile", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("lane", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", _Moment, nullable=False),
    Column("until", _Moment),
    Column("step", Integer, nullable=False),
    Column("failed_at", _Moment),
    ForeignKeyConstraint(
        ["profile", "fingerprint"], ["credentials.profile", "credentials.fingerprint"], ondelete="CASCADE"
    ),
)

shown = Table(
    "shown",
    metadata,
    Column("id", _Counted, primary_key=True),
    Column("token", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("commands", Text, nullable=False),
    Column("catalog", Text, nullable=False),
    Column("at", _Moment, nullable=False),
    Column("card", Boolean, nullable=False),
    Column("message", Text),
    Column("images", Text),
    Column("used_by", BigInteger),
    Column("presses", Text),
    Column("prompt", Text),
    Column("source", Text),
    Column("code", Text),
    Unique("token"),
    Index(None, "session", "sender", "id"),
    Index(None, "at"),
    Index(None, "code", "used_by", "at"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", _Counted, primary_key=True),
    Column("platform", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("received_at", _Moment, nullable=False),
    Column("replies", Text, nullable=False),
    Column("delivery", Text, nullable=False),
    Unique("platform", "account", "key"),
    Index(None, "state", "received_at"),
    sqlite_autoincrement=True,  # an erased item's number must never name another
)

marks = Table(
    "marks",
    metadata,
    Column("platform", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("mark", Text, nullable=False),
)

chats = Table(
    "chats",
    metadata,
    Column("session", Text, primary_key=True),
    Column("platform", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("chat", Text, nullable=False),
    Column("seen_at", _Moment, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("session", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("roles", Text, nullable=False),
)

pairings = Table(
    "pairings",
    metadata,
    Column("person", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("chat", Text, nullable=False),
    Column("code", Text),
    Column("asked_at", _Moment, nullable=False),
    Column("expires_at", _Moment),
    Column("state", Text, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", _Moment),
    Unique("code"),
)
