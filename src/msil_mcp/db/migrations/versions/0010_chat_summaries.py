"""conversations: summaries beside the messages

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from msil_mcp.db.database import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chat_summaries",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("until_id", sa.String(length=40), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("tools", sa.JSON(), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("cached_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_nanos", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["chat_sessions.id"],
            name=op.f("fk_chat_summaries_session_id_chat_sessions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_summaries")),
        sa.UniqueConstraint(
            "session_id", "until_id", name=op.f("uq_chat_summaries_session_id_until_id")
        ),
    )
    op.drop_index("ix_chat_messages_summaries", table_name="chat_messages")
    _allow_roles("'user', 'assistant', 'system'")


def downgrade() -> None:
    _allow_roles("'user', 'assistant', 'system', 'summary'")
    op.create_index(
        "ix_chat_messages_summaries",
        "chat_messages",
        ["session_id", "sequence"],
        unique=False,
        postgresql_where=sa.text("role = 'summary'"),
        sqlite_where=sa.text("role = 'summary'"),
    )
    op.drop_table("chat_summaries")


def _allow_roles(roles: str) -> None:
    name = op.f("ck_chat_messages_role")
    with op.batch_alter_table("chat_messages") as table:
        table.drop_constraint(name, type_="check")
        table.create_check_constraint(name, f"role IN ({roles})")
