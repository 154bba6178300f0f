"""The chat around it: footers, where a question came from, steps of a picker, where chats are, by which roles people are let in
there, and who is paired.

Revision: 0003_chat, after 0002_spending.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003_chat"
down_revision = "0002_spending"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("footer", sa.Text()))
    op.add_column("history", sa.Column("source", sa.Text()))
    op.add_column("shown", sa.Column("presses", sa.Text()))
    op.add_column("shown", sa.Column("prompt", sa.Text()))
    op.add_column("shown", sa.Column("source", sa.Text()))
    op.add_column("shown", sa.Column("code", sa.Text()))
    op.create_index(op.f("ix_shown_code_used_by_at"), "shown", ["code", "used_by", "at"])
    op.create_index(op.f("ix_choices_slot_expires_at"), "choices", ["slot", "expires_at"])
    op.create_index(op.f("ix_choices_slot_pin_profile"), "choices", ["slot", "pin_profile"])
    op.create_index(op.f("ix_history_session_source"), "history", ["session", "source"])
    op.create_table(
        "chats",
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("chat", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session", name=op.f("pk_chats")),
    )
    op.create_table(
        "members",
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("session", "person", name=op.f("pk_members")),
    )
    op.create_table(
        "pairings",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("chat", sa.Text(), nullable=False),
        sa.Column("code", sa.Text()),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text()),
        sa.Column("decided_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_pairings")),
        sa.UniqueConstraint("code", name=op.f("uq_pairings_code")),
    )


def downgrade() -> None:
    op.drop_table("pairings")
    op.drop_table("members")
    op.drop_table("chats")
    op.drop_index(op.f("ix_history_session_source"), "history")
    op.drop_index(op.f("ix_choices_slot_pin_profile"), "choices")
    op.drop_index(op.f("ix_choices_slot_expires_at"), "choices")
    op.drop_index(op.f("ix_shown_code_used_by_at"), "shown")
    op.drop_column("shown", "code")
    op.drop_column("shown", "source")
    op.drop_column("shown", "prompt")
    op.drop_column("shown", "presses")
    op.drop_column("history", "source")
    op.drop_column("sessions", "footer")
