"""What answers have cost, the images that belong to a message, and when a window was failed in again.

Revision: 0002_spending, after 0001_initial.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002_spending"
down_revision = "0001_initial"
branch_labels = None
depends_on = None

_COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "spending",
        sa.Column("id", _COUNTED, nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger()),
        sa.ForeignKeyConstraint(["session"], ["sessions.key"], name=op.f("fk_spending_sessions"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spending")),
    )
    op.create_index(op.f("ix_spending_session_at"), "spending", ["session", "at"])
    op.create_table(
        "images",
        sa.Column("message", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["history.id"], name=op.f("fk_images_history"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("message", "position", name=op.f("pk_images")),
    )
    op.add_column("shown", sa.Column("images", sa.Text()))
    op.add_column("windows", sa.Column("failed_at", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("windows", "failed_at")
    op.drop_column("shown", "images")
    op.drop_table("images")
    op.drop_index(op.f("ix_spending_session_at"), "spending")
    op.drop_table("spending")
