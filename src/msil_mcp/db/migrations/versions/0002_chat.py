"""conversations: sessions, messages and runs

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from msil_mcp.db.database import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chat_sessions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner_id", sa.String(length=500), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("folded_title", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=True),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("head_id", sa.String(length=40), nullable=True),
        sa.Column("next_sequence", sa.Integer(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("active_at", UtcDateTime(), nullable=False),
        sa.Column("last_message_at", UtcDateTime(), nullable=True),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_sessions")),
        sa.UniqueConstraint("owner_id", "key", name=op.f("uq_chat_sessions_owner_id_key")),
    )
    op.create_index(
        "ix_chat_sessions_deleted",
        "chat_sessions",
        ["deleted_at"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
        sqlite_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_index(
        "ix_chat_sessions_listing",
        "chat_sessions",
        ["owner_id", "pinned", "active_at", "id", "archived"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
        sqlite_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "chat_messages",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.String(length=40), nullable=True),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("folded_text", sa.Text(), nullable=True),
        sa.Column("model", sa.String(length=200), nullable=True),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("cached_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_nanos", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.String(length=40), nullable=True),
        sa.Column("rating", sa.String(length=4), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("rated_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "role IN ('user', 'assistant', 'system', 'summary')", name=op.f("ck_chat_messages_role")
        ),
        sa.CheckConstraint(
            "status IN ('complete', 'partial', 'interrupted', 'stopped')",
            name=op.f("ck_chat_messages_status"),
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["chat_sessions.id"],
            name=op.f("fk_chat_messages_session_id_chat_sessions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_messages")),
        sa.UniqueConstraint(
            "session_id", "sequence", name=op.f("uq_chat_messages_session_id_sequence")
        ),
    )
    op.create_index(
        op.f("ix_chat_messages_session_id_parent_id"),
        "chat_messages",
        ["session_id", "parent_id"],
        unique=False,
    )
    op.create_index(
        "ix_chat_messages_summaries",
        "chat_messages",
        ["session_id", "sequence"],
        unique=False,
        postgresql_where=sa.text("role = 'summary'"),
        sqlite_where=sa.text("role = 'summary'"),
    )
    op.create_table(
        "chat_runs",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("owner", sa.String(length=40), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("user_message_id", sa.String(length=40), nullable=False),
        sa.Column("assistant_message_id", sa.String(length=40), nullable=True),
        sa.Column("limit_hit", sa.String(length=40), nullable=True),
        sa.Column("error", sa.String(length=64), nullable=True),
        sa.Column("model", sa.String(length=200), nullable=True),
        sa.Column("model_requests", sa.Integer(), nullable=False),
        sa.Column("tool_calls", sa.Integer(), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("cached_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_nanos", sa.BigInteger(), nullable=False),
        sa.Column("stop_requested_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'waiting_approval', 'succeeded', 'failed', 'stopped', "
            "'interrupted')",
            name=op.f("ck_chat_runs_state"),
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["chat_sessions.id"],
            name=op.f("fk_chat_runs_session_id_chat_sessions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_runs")),
    )
    op.create_index(op.f("ix_chat_runs_session_id"), "chat_runs", ["session_id"], unique=False)
    op.create_index(
        op.f("ix_chat_runs_state_lease_until"), "chat_runs", ["state", "lease_until"], unique=False
    )
    op.create_index(
        "uq_chat_runs_active",
        "chat_runs",
        ["session_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('queued', 'running', 'waiting_approval')"),
        sqlite_where=sa.text("state IN ('queued', 'running', 'waiting_approval')"),
    )


def downgrade() -> None:
    op.drop_index(
        "uq_chat_runs_active",
        table_name="chat_runs",
        postgresql_where=sa.text("state IN ('queued', 'running', 'waiting_approval')"),
        sqlite_where=sa.text("state IN ('queued', 'running', 'waiting_approval')"),
    )
    op.drop_index(op.f("ix_chat_runs_state_lease_until"), table_name="chat_runs")
    op.drop_index(op.f("ix_chat_runs_session_id"), table_name="chat_runs")
    op.drop_table("chat_runs")
    op.drop_index(
        "ix_chat_messages_summaries",
        table_name="chat_messages",
        postgresql_where=sa.text("role = 'summary'"),
        sqlite_where=sa.text("role = 'summary'"),
    )
    op.drop_index(op.f("ix_chat_messages_session_id_parent_id"), table_name="chat_messages")
    op.drop_table("chat_messages")
    op.drop_index(
        "ix_chat_sessions_listing",
        table_name="chat_sessions",
        postgresql_where=sa.text("deleted_at IS NULL"),
        sqlite_where=sa.text("deleted_at IS NULL"),
    )
    op.drop_index(
        "ix_chat_sessions_deleted",
        table_name="chat_sessions",
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
        sqlite_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.drop_table("chat_sessions")
