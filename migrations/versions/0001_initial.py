"""The first schema.

Revision: 0001_initial, after nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001_initial"
down_revision = None
branch_labels = None
depends_on = None

_COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "credentials",
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("last_used", sa.BigInteger()),
        sa.Column("touched_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("profile", "fingerprint", name=op.f("pk_credentials")),
    )
    op.create_table(
        "inbox",
        sa.Column("id", _COUNTED, nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("replies", sa.Text(), nullable=False),
        sa.Column("delivery", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("platform", "account", "key", name=op.f("uq_inbox_platform_account_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_inbox_state_received_at"), "inbox", ["state", "received_at"])
    op.create_table(
        "marks",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "account", name=op.f("pk_marks")),
    )
    op.create_table(
        "sessions",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("has_undo", sa.Boolean(), nullable=False),
        sa.Column("auto_pins", sa.Text(), nullable=False),
        sa.Column("served_model", sa.Text()),
        sa.Column("served_profile", sa.Text()),
        sa.Column("served_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sessions")),
    )
    op.create_table(
        "shown",
        sa.Column("id", _COUNTED, nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("commands", sa.Text(), nullable=False),
        sa.Column("catalog", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("card", sa.Boolean(), nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("used_by", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shown")),
        sa.UniqueConstraint("token", name=op.f("uq_shown_token")),
    )
    op.create_index(op.f("ix_shown_at"), "shown", ["at"])
    op.create_index(op.f("ix_shown_session_sender_id"), "shown", ["session", "sender", "id"])
    op.create_table(
        "choices",
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text()),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("turns_left", sa.Integer()),
        sa.Column("pin_profile", sa.Text()),
        sa.Column("pin_mode", sa.Text()),
        sa.Column("pin_set_by", sa.Text()),
        sa.Column("pin_set_at", sa.BigInteger()),
        sa.Column("pin_order", sa.Text()),
        sa.ForeignKeyConstraint(["session"], ["sessions.key"], name=op.f("fk_choices_sessions"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("session", "slot", "position", name=op.f("pk_choices")),
    )
    op.create_table(
        "decisions",
        sa.Column("id", _COUNTED, nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["session"], ["sessions.key"], name=op.f("fk_decisions_sessions"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index(op.f("ix_decisions_session_id"), "decisions", ["session", "id"])
    op.create_table(
        "history",
        sa.Column("id", _COUNTED, nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["session"], ["sessions.key"], name=op.f("fk_history_sessions"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
    )
    op.create_index(op.f("ix_history_session_epoch_id"), "history", ["session", "epoch", "id"])
    op.create_table(
        "windows",
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger()),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile", "fingerprint"],
            ["credentials.profile", "credentials.fingerprint"],
            name=op.f("fk_windows_credentials"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("profile", "fingerprint", "lane", "model", name=op.f("pk_windows")),
    )


def downgrade() -> None:
    op.drop_table("windows")
    op.drop_index(op.f("ix_history_session_epoch_id"), table_name="history")
    op.drop_table("history")
    op.drop_index(op.f("ix_decisions_session_id"), table_name="decisions")
    op.drop_table("decisions")
    op.drop_table("choices")
    op.drop_index(op.f("ix_shown_session_sender_id"), table_name="shown")
    op.drop_index(op.f("ix_shown_at"), table_name="shown")
    op.drop_table("shown")
    op.drop_table("sessions")
    op.drop_table("marks")
    op.drop_index(op.f("ix_inbox_state_received_at"), table_name="inbox")
    op.drop_table("inbox")
    op.drop_table("credentials")
