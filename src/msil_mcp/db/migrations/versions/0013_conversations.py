"""conversations: an index for lists over all owners

Revision ID: 0013
Revises: 0012
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_chat_sessions_active_at_id"), "chat_sessions", ["active_at", "id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_chat_sessions_active_at_id"), table_name="chat_sessions")
