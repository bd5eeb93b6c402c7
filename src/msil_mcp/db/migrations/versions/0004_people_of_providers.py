"""people whom an identity provider knows, and the sign-ins they have used

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("issuer", sa.String(length=500), nullable=True))
    op.add_column("users", sa.Column("subject", sa.String(length=255), nullable=True))
    op.create_index("uq_users_issuer_subject", "users", ["issuer", "subject"], unique=True)
    op.create_table(
        "used_sign_ins",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_used_sign_ins")),
    )
    op.create_index(
        op.f("ix_used_sign_ins_expires_at"), "used_sign_ins", ["expires_at"], unique=False
    )


def downgrade() -> None:
    op.drop_table("used_sign_ins")
    op.drop_index("uq_users_issuer_subject", table_name="users")
    with op.batch_alter_table("users") as users:
        users.drop_column("subject")
        users.drop_column("issuer")
