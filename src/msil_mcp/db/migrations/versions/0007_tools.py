"""tools: what lists show and search beside each version, and what people edit

Revision ID: 0007
Revises: 0006
"""

import json
import math
from typing import Any

import sqlalchemy as sa
from alembic import op

from msil_mcp.db.database import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

FACTS: dict[str, sa.types.TypeEngine[Any]] = {
    "title": sa.Text(),
    "risk": sa.String(length=12),
    "method": sa.String(length=10),
    "path": sa.Text(),
    "tokens": sa.Integer(),
    "searched": sa.Text(),
}
SHOWN = {
    "name": "name",
    "title": "title",
    "description": "description",
    "inputSchema": "input_schema",
    "outputSchema": "output_schema",
    "annotations": "annotations",
}


def upgrade() -> None:
    op.create_table(
        "tool_edits",
        sa.Column("tool_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("risk", sa.String(length=12), nullable=True),
        sa.Column("confirmation", sa.String(length=12), nullable=True),
        sa.Column("imported", sa.Text(), nullable=False),
        sa.Column("edited_by", sa.String(length=500), nullable=False),
        sa.Column("edited_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tool_id"], ["tools.id"], name=op.f("fk_tool_edits_tool_id_tools")
        ),
        sa.PrimaryKeyConstraint("tool_id", name=op.f("pk_tool_edits")),
    )
    for name, kind in FACTS.items():
        op.add_column("tool_versions", sa.Column(name, kind, nullable=True))
    fill(op.get_bind())
    with op.batch_alter_table("tool_versions") as batch:
        for name, kind in FACTS.items():
            batch.alter_column(name, existing_type=kind, nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("tool_versions") as batch:
        for name in FACTS:
            batch.drop_column(name)
    op.drop_table("tool_edits")


def fill(connection: sa.Connection) -> None:
    """What follows from the definitions that are there."""
    versions = sa.table(
        "tool_versions",
        sa.column("id"),
        sa.column("definition"),
        *(sa.column(name) for name in FACTS),
    )
    rows = connection.execute(sa.select(versions.c.id, versions.c.definition)).all()
    for version_id, stored in rows:
        connection.execute(
            versions.update().where(versions.c.id == version_id).values(facts(json.loads(stored)))
        )


def facts(definition: dict[str, Any]) -> dict[str, Any]:
    request = definition.get("request", {})
    shown = {key: definition.get(name) for key, name in SHOWN.items()}
    encoded = json.dumps(
        {key: value for key, value in shown.items() if value is not None},
        ensure_ascii=False,
        separators=(",", ":"),
    )
    words = [
        definition.get("name", ""),
        definition.get("title", ""),
        definition.get("operation_id", ""),
        request.get("path", ""),
        *definition.get("tags", ()),
        definition.get("description", ""),
    ]
    return {
        "title": definition.get("title", ""),
        "risk": definition.get("risk", "write"),
        "method": request.get("method", ""),
        "path": request.get("path", ""),
        "tokens": math.ceil(len(encoded.encode()) / 4),
        "searched": " ".join(words).casefold()[:2_000],
    }
