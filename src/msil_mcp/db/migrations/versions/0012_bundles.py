"""bundles: prompts of their own, and tools that people took out

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("bundles", sa.Column("prompts", sa.JSON(), nullable=True))
    op.add_column(
        "bundle_tools",
        sa.Column("excluded", sa.Boolean(), server_default=sa.false(), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("bundle_tools", "excluded")
    op.drop_column("bundles", "prompts")
