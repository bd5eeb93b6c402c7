"""Records to write, and the tables seen from outside."""

from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table, text

from msil_mcp.audit.records import AuditRecord
from msil_mcp.principal import Principal

TABLES = ("audit_subjects", "audit_records", "audit_chains", "audit_anchors")
WORK = Table(
    "audit_test_work",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("key", String(32), unique=True),
    Column("state", String(32)),
    Column("done_at", DateTime(timezone=True)),
)
CALLER = Principal(
    id="key:3", kind="key", name="Agent", roles=frozenset({"user"}), permissions=frozenset()
)


async def execute(database, *statements):
    async with database.unit_of_work() as session:
        for statement in statements:
            await session.execute(text(statement))


async def fetch(database, statement):
    async with database.reading() as session:
        return [tuple(row) for row in await session.execute(text(statement))]


def call(tool="resolve_vehicle", outcome="succeeded", **facts):
    return AuditRecord(
        kind="tool.call",
        action="tools/call",
        outcome=outcome,
        tool=tool,
        **{"principal": CALLER, "origin": "mcp", "duration_ms": 12.5} | facts,
    )
