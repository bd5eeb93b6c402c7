"""analytics: summaries of hours and days, and an index that counts calls without reading them

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from msil_mcp.db.database import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COUNTED = [
    "at", "tool", "outcome", "duration_ms", "error", "rule", "principal_id", "origin",
]  # fmt: skip
CALLS = sa.text("kind = 'tool.call'")


def upgrade() -> None:
    op.create_table(
        "analytics_summaries",
        sa.Column("start", UtcDateTime(), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("start", "seconds", name=op.f("pk_analytics_summaries")),
    )
    op.create_index(
        "ix_audit_records_calls",
        "audit_records",
        COUNTED,
        unique=False,
        sqlite_where=CALLS,
        postgresql_where=CALLS,
    )


def downgrade() -> None:
    op.drop_index("ix_audit_records_calls", table_name="audit_records")
    op.drop_table("analytics_summaries")
