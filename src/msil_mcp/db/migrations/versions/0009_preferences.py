"""preferences: a person's language, and sentences that are written when they are shown

Revision ID: 0009
Revises: 0008

Columns are added and dropped one by one: SQLite would make a table with children anew, and take
the children with it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("preferences", sa.JSON(), nullable=False, server_default="{}"))
    # English was everybody's without having been asked for; what differs from it was chosen.
    op.execute(
        'UPDATE users SET preferences = \'{"locale": "hi"}\' '
        "WHERE language = 'hi' OR language LIKE 'hi-%'"
    )
    op.drop_column("users", "language")

    op.alter_column("chat_sessions", "language", new_column_name="old_language")
    op.add_column("chat_sessions", sa.Column("language", sa.String(length=16), nullable=True))
    op.execute("UPDATE chat_sessions SET language = old_language WHERE old_language <> 'en'")
    op.drop_column("chat_sessions", "old_language")

    op.add_column("approvals", sa.Column("title", sa.Text(), nullable=False, server_default=""))
    # The sentence was "TITLE, for NAME."
    op.execute(
        "UPDATE approvals SET title = "
        "substr(sentence, 1, length(sentence) - length(principal_name) - 7)"
    )
    op.drop_column("approvals", "sentence")


def downgrade() -> None:
    op.add_column("approvals", sa.Column("sentence", sa.Text(), nullable=False, server_default=""))
    op.execute("UPDATE approvals SET sentence = title || ', for ' || principal_name || '.'")
    op.drop_column("approvals", "title")

    op.alter_column("chat_sessions", "language", new_column_name="chosen_language")
    op.add_column(
        "chat_sessions",
        sa.Column("language", sa.String(length=16), nullable=False, server_default="en"),
    )
    op.execute(
        "UPDATE chat_sessions SET language = chosen_language WHERE chosen_language IS NOT NULL"
    )
    op.drop_column("chat_sessions", "chosen_language")

    op.add_column(
        "users", sa.Column("language", sa.String(length=16), nullable=False, server_default="en")
    )
    op.drop_column("users", "preferences")
