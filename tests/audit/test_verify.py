"""Whatever is changed in the stored trail, verification finds it."""

import json
from datetime import UTC, datetime

import pytest

from audit.trails import call, execute, fetch
from msil_mcp.audit.chain import canonical
from msil_mcp.audit.records import RECORD_COLUMNS, AuditRecordRow, table_of
from msil_mcp.audit.trail import Audit
from msil_mcp.audit.verify import verify
from msil_mcp.sealing import Keyring
from msil_mcp.settings import Settings

pytestmark = pytest.mark.anyio
COLUMNS = ", ".join(RECORD_COLUMNS)
FIRST = "(SELECT min(writer_id) FROM audit_records)"


@pytest.fixture
async def trail(database, keyring):
    """Two closed chains of eight records each, anchored twice."""
    for _ in range(2):
        audit = Audit(database=database, keyring=keyring, settings=Settings())
        await audit.start()
        for number in range(8):
            if number == 4:
                await audit.anchor_heads()
            await audit.write(
                call(
                    correlation_id=f"c-{number}",
                    arguments='{"registration_number":"MH12****34"}',
                    subjects={"booking_id": f"BK26030412{number:02}"},
                    policy_inputs={"service_type": "regular"},
                    details={"n": number},
                    upstream_ms=1.25,
                    upstream_status=200,
                    tool_version_id=4,
                )
            )
        await audit.close()
    return database


def check(database, keyring):
    return verify(database, keyring.mac("audit-chain"))


async def test_an_untouched_trail_is_intact(trail, keyring):
    found = check(trail, keyring)
    assert (found.records, found.chains, found.anchors, found.problems) == (16, 2, 4, ())
    assert found.intact


async def test_a_trail_still_being_written_is_intact(audit, database, keyring):
    await audit.write(call())
    assert check(database, keyring).intact
    await audit.write(call())
    await audit.anchor_heads()
    assert check(database, keyring).intact


EDITS = {
    "writer_id": "0",
    "sequence": 99,
    "at": datetime(2020, 1, 1, tzinfo=UTC),
    "idempotency": True,
    "replayed": True,
    "duration_ms": 12.501,
    "upstream_ms": None,
    "upstream_status": 500,
    "tool_version_id": 5,
    "format": 2,
}


async def test_an_edit_of_any_column_is_found(trail, keyring):
    table = table_of(AuditRecordRow)
    async with trail.reading() as session:
        (row,) = (await session.execute(table.select().limit(1))).mappings()
    for column in RECORD_COLUMNS:
        for value in (EDITS.get(column, "x"), row[column]):
            async with trail.unit_of_work() as session:
                change = table.update().where(table.c.id == row["id"]).values({column: value})
                await session.execute(change)
            assert check(trail, keyring).intact == (value == row[column]), column


def of_first(column="writer_id"):
    return f"{column} = {FIRST}"


MUTATIONS = {
    "a record deleted in the middle": (
        [f"DELETE FROM audit_records WHERE sequence = 5 AND {of_first()}"],
        "record_missing",
    ),
    "the first record deleted": (
        [f"DELETE FROM audit_records WHERE sequence = 1 AND {of_first()}"],
        "record_missing",
    ),
    "the last record deleted": (
        [f"DELETE FROM audit_records WHERE sequence = 8 AND {of_first()}"],
        "tail_cut",
    ),
    "a tail cut": (
        [f"DELETE FROM audit_records WHERE sequence > 3 AND {of_first()}"],
        "tail_cut",
    ),
    "a tail cut with its subjects": (
        [
            "CREATE TABLE cut_writer AS SELECT min(writer_id) AS id FROM audit_records",
            (
                "DELETE FROM audit_subjects WHERE sequence > 3 AND writer_id IN "
                "(SELECT id FROM cut_writer)"
            ),
            (
                "DELETE FROM audit_records WHERE sequence > 3 AND writer_id IN "
                "(SELECT id FROM cut_writer)"
            ),
            "DROP TABLE cut_writer",
        ],
        "tail_cut",
    ),
    "all records deleted": (["DELETE FROM audit_records"], "tail_cut"),
    "a chain deleted with its records": (
        [
            "CREATE TABLE cut_writer AS SELECT min(writer_id) AS id FROM audit_records",
            *(
                f"DELETE FROM {name} WHERE writer_id IN (SELECT id FROM cut_writer)"
                for name in ("audit_subjects", "audit_records", "audit_chains")
            ),
            "DROP TABLE cut_writer",
        ],
        "chain_missing",
    ),
    "a copy inserted at the end": (
        [
            f"INSERT INTO audit_records ({COLUMNS}) SELECT "
            + COLUMNS.replace("sequence", "9")
            + f" FROM audit_records WHERE sequence = 8 AND {of_first()}"
        ],
        "record_altered",
    ),
    "a copy inserted under another writer": (
        [
            f"INSERT INTO audit_records ({COLUMNS}) SELECT "
            + COLUMNS.replace("writer_id", "'stranger'")
            + f" FROM audit_records WHERE sequence = 1 AND {of_first()}"
        ],
        "chain_missing",
    ),
    "two records swapped": (
        [
            f"UPDATE audit_records SET sequence = 100 WHERE sequence = 3 AND {of_first()}",
            f"UPDATE audit_records SET sequence = 3 WHERE sequence = 4 AND {of_first()}",
            f"UPDATE audit_records SET sequence = 4 WHERE sequence = 100 AND {of_first()}",
        ],
        "record_altered",
    ),
    "records renumbered over a gap": (
        [
            f"DELETE FROM audit_records WHERE sequence = 4 AND {of_first()}",
            (
                f"UPDATE audit_records SET sequence = sequence + 100 WHERE sequence > 4 "
                f"AND {of_first()}"
            ),
            (
                f"UPDATE audit_records SET sequence = sequence - 101 WHERE sequence > 100 "
                f"AND {of_first()}"
            ),
        ],
        "record_altered",
    ),
    "a head moved back": (
        [
            f"DELETE FROM audit_records WHERE sequence = 8 AND {of_first()}",
            (
                "UPDATE audit_chains SET last_sequence = 7, head_hash = "
                f"(SELECT hash FROM audit_records WHERE sequence = 7 AND {of_first()}) "
                f"WHERE {of_first()}"
            ),
        ],
        "chain_altered",
    ),
    "a base moved forward": (
        [
            f"DELETE FROM audit_records WHERE sequence < 3 AND {of_first()}",
            f"UPDATE audit_chains SET base_sequence = 2 WHERE {of_first()}",
        ],
        "chain_altered",
    ),
    "a chain's row deleted": (
        ["DELETE FROM audit_chains WHERE writer_id = (SELECT min(writer_id) FROM audit_chains)"],
        "chain_missing",
    ),
    "an anchor deleted": (["DELETE FROM audit_anchors WHERE sequence = 2"], "anchor_missing"),
    "the first anchor deleted": (
        ["DELETE FROM audit_anchors WHERE sequence = 1"],
        "anchor_missing",
    ),
    "the anchors deleted": (["DELETE FROM audit_anchors"], "anchor_missing"),
    "an anchor edited": (
        ["UPDATE audit_anchors SET heads = '[]' WHERE sequence = 3"],
        "anchor_altered",
    ),
    "a subject edited in the index": (
        ["UPDATE audit_subjects SET value = 'BK0000000000' WHERE sequence = 2"],
        "subjects_altered",
    ),
    "a subject removed from the index": (
        ["DELETE FROM audit_subjects WHERE sequence = 8"],
        "subjects_altered",
    ),
    "a subject added to the index": (
        ["INSERT INTO audit_subjects VALUES ('stranger', 1, 'booking_id', 'BK0000000000')"],
        "subjects_altered",
    ),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_a_change_is_found(trail, keyring, mutation):
    statements, trouble = MUTATIONS[mutation]
    await execute(trail, *statements)
    assert trouble in {problem.trouble for problem in check(trail, keyring).problems}


async def test_a_whole_trail_put_back_to_an_earlier_state_is_found_by_its_anchors(
    audit, database, keyring
):
    await audit.write(call())
    state = {
        name: await fetch(database, f"SELECT * FROM {name}")
        for name in ("audit_chains", "audit_records")
    }
    await audit.write(call())
    await audit.anchor_heads()
    await execute(database, "DELETE FROM audit_records WHERE sequence = 2")
    (chain,) = state["audit_chains"]
    columns = list(await column_names(database, "audit_chains"))
    old = dict(zip(columns, chain, strict=True))
    await execute(
        database,
        f"UPDATE audit_chains SET last_sequence = 1, head_hash = '{old['head_hash']}', "
        f"head_mac = '{old['head_mac']}', anchored = 0",
    )
    assert {p.trouble for p in check(database, keyring).problems} == {"tail_cut"}


async def column_names(database, table):
    async with database.engine.connect() as connection:
        result = await connection.exec_driver_sql(f"SELECT * FROM {table}")
        return list(result.keys())


async def test_another_key_proves_nothing(trail):
    found = check(trail, Keyring([b"z" * 32]))
    assert "key_unknown" in {problem.trouble for problem in found.problems}


async def test_records_of_a_retired_key_still_verify(trail, keyring):
    rotated = Keyring([b"n" * 32, b"k" * 32])
    audit = Audit(database=trail, keyring=rotated, settings=Settings())
    await audit.start()
    await audit.write(call())
    await audit.close()
    assert check(trail, rotated).intact
    assert not check(trail, keyring).intact


async def test_progress_is_told(trail, keyring):
    heard = []
    verify(trail, keyring.mac("audit-chain"), on_progress=heard.append)
    assert heard == [8, 16]


async def test_the_canonical_encoding_is_plain_json_and_stays_as_it_is(database, keyring):
    audit = Audit(database=database, keyring=keyring, settings=Settings())
    await audit.start()
    await audit.write(call(target='quote " \\ \n \x7f \u2028 é 🚗 </a>', duration_ms=0.001))
    await audit.close()
    table = table_of(AuditRecordRow)
    async with database.reading() as session:
        (row,) = (await session.execute(table.select())).mappings().all()
    values = ["audit-record/1"]
    for name in RECORD_COLUMNS[1:-1]:
        value = row[name]
        if name == "at":
            value = value.strftime("%Y-%m-%d %H:%M:%S.%f")
        values.append(int(value) if isinstance(value, bool) else value)
    plain = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
    assert canonical("audit-record/1", values[1:]) == plain
    assert keyring.mac("audit-chain").digest(plain).hex() == row["hash"]
