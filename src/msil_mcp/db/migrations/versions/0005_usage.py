"""usage: what models took by day and user; time to the first token; rated answers

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

RATED = sa.text("rating IS NOT NULL")
SUMS = ("input_tokens", "cached_tokens", "output_tokens", "cost_nanos")
COUNTS = ("turns", "requests", *SUMS, "unpriced_requests")
USAGE = sa.table("model_usage", *map(sa.column, ("day", "user_id", "model", "door", *COUNTS)))
RUNS = sa.table(
    "chat_runs",
    *map(sa.column, ("user_id", "model", "created_at", "finished_at", "model_requests", *SUMS)),
)


def upgrade() -> None:
    op.create_table(
        "model_usage",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("user_id", sa.String(length=500), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("door", sa.String(length=10), nullable=False),
        sa.Column("turns", sa.Integer(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_nanos", sa.BigInteger(), nullable=False),
        sa.Column("unpriced_requests", sa.Integer(), nullable=False),
        sa.CheckConstraint("door IN ('chat', 'openai')", name=op.f("ck_model_usage_door")),
        sa.PrimaryKeyConstraint("day", "user_id", "model", "door", name=op.f("pk_model_usage")),
    )
    op.create_index(
        op.f("ix_model_usage_user_id_day"), "model_usage", ["user_id", "day"], unique=False
    )
    op.create_index(
        "ix_chat_messages_rated",
        "chat_messages",
        ["created_at", "id"],
        unique=False,
        sqlite_where=RATED,
        postgresql_where=RATED,
    )
    with op.batch_alter_table("chat_runs") as runs:
        runs.add_column(sa.Column("user_id", sa.String(length=500), nullable=True))
        runs.add_column(sa.Column("first_token_ms", sa.Double(), nullable=True))
    op.execute(
        "UPDATE chat_runs SET user_id ="
        " (SELECT owner_id FROM chat_sessions WHERE chat_sessions.id = chat_runs.session_id)"
    )
    with op.batch_alter_table("chat_runs") as runs:
        runs.alter_column("user_id", existing_type=sa.String(length=500), nullable=False)
    op.execute(_what_runs_took())


def _what_runs_took() -> sa.Insert:
    run = RUNS.c
    utc = op.get_bind().dialect.name == "sqlite"
    day = sa.func.date(run.created_at if utc else sa.func.timezone("UTC", run.created_at))
    model = sa.func.coalesce(run.model, "")
    sums = [sa.func.sum(run[name]) for name in SUMS]
    counts = [sa.func.count(run.finished_at), sa.func.sum(run.model_requests), *sums, sa.literal(0)]
    columns = [day, run.user_id, model, sa.literal("chat"), *counts]
    taken = sa.select(*columns).group_by(sa.text("1"), sa.text("2"), sa.text("3"))
    return sa.insert(USAGE).from_select([column.name for column in USAGE.columns], taken)


def downgrade() -> None:
    with op.batch_alter_table("chat_runs") as runs:
        runs.drop_column("first_token_ms")
        runs.drop_column("user_id")
    op.drop_index("ix_chat_messages_rated", table_name="chat_messages")
    op.drop_table("model_usage")
