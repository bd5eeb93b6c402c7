"""Administrative changes, exports and anchors are part of the trail."""

import asyncio
import csv
import io
import json

import pytest

from audit.trails import call, fetch
from msil_mcp.audit.chain import GENESIS, canonical
from msil_mcp.audit.records import RECORD_COLUMNS
from msil_mcp.audit.trail import Audit
from msil_mcp.principal import Principal
from msil_mcp.settings import Settings

pytestmark = pytest.mark.anyio
ADMIN = Principal(
    id="user:2",
    kind="user",
    name="Admin",
    roles=frozenset({"administrator"}),
    permissions=frozenset(),
)


async def test_an_administrative_change_is_recorded_masked(audit, client):
    await audit.record_admin(
        principal=ADMIN,
        action="users.create",
        target="user:5",
        details={"username": "asha", "email": "asha@example.com", "password": "hunter2"},
        correlation_id="c-9",
    )
    (item,) = (await client.get("/api/audit", params={"kind": "admin"})).json()["items"]
    record = (await client.get(f"/api/audit/{item['id']}")).json()
    shown = {name: record[name] for name in ("action", "target", "principal_id", "correlation_id")}
    assert shown == {
        "action": "users.create",
        "target": "user:5",
        "principal_id": "user:2",
        "correlation_id": "c-9",
    }
    assert record["details"] == {"username": "asha", "email": "a***@e***", "password": "****"}


async def test_an_export_as_json_lines_can_be_verified_without_the_service(audit, client, keyring):
    for number in range(3):
        await audit.write(call(details={"n": number}, correlation_id=f"c-{number}"))
    answer = await client.get("/api/audit/export", params={"kind": "tool.call"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    records = [json.loads(line) for line in answer.text.splitlines()]
    assert [record["correlation_id"] for record in records] == ["c-2", "c-1", "c-0"]
    mac, before = keyring.mac("audit-chain"), GENESIS
    for record in reversed(records):
        record["at"] = record["at"].replace("T", " ").rstrip("Z")
        values = [record[name] for name in RECORD_COLUMNS[1:-1]]
        values = [int(value) if isinstance(value, bool) else value for value in values]
        assert mac.digest(canonical("audit-record/1", values)).hex() == record["hash"]
        assert record["prev_hash"] == before
        before = record["hash"]


async def test_an_export_as_csv_holds_no_formulas(audit, client):
    await audit.write(call(tool="=HYPERLINK(1)", correlation_id="c-1"))
    answer = await client.get(
        "/api/audit/export", params={"format": "csv", "correlation_id": "c-1"}
    )
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["tool"], row["correlation_id"], row["rule"]) == ("'=HYPERLINK(1)", "c-1", "")


async def test_a_long_export_goes_on_over_its_pages(audit, client):
    await asyncio.gather(*(audit.write(call()) for _ in range(1200)))
    answer = await client.get("/api/audit/export", params={"tool": "resolve_vehicle"})
    ids = [json.loads(line)["id"] for line in answer.text.splitlines()]
    assert len(ids) == len(set(ids)) == 1200
    assert ids == sorted(ids, reverse=True)


async def test_an_export_is_itself_recorded(audit, client):
    await client.get("/api/audit/export", params={"tool": "resolve_vehicle", "format": "csv"})
    (item,) = (await client.get("/api/audit", params={"action": "audit.export"})).json()["items"]
    record = (await client.get(f"/api/audit/{item['id']}")).json()
    assert record["principal_id"] == "user:1"
    assert record["details"] == {"format": "csv", "filters": {"tool": "resolve_vehicle"}}


async def test_anchors_are_made_only_when_heads_move(audit, database):
    assert await audit.anchor_heads() is None
    await audit.write(call())
    first = await audit.anchor_heads()
    assert await audit.anchor_heads() is None
    await audit.write(call())
    assert (first, await audit.anchor_heads()) == (1, 2)
    anchors = await fetch(database, "SELECT prev_mac, mac FROM audit_anchors ORDER BY sequence")
    assert anchors[0][0] == GENESIS
    assert anchors[1][0] == anchors[0][1]


async def test_two_processes_write_chains_of_their_own_and_anchor_both(audit, database, keyring):
    other = Audit(database=database, keyring=keyring, settings=Settings())
    await other.start()
    await audit.write(call())
    await other.write(call())
    assert await audit.anchor_heads() == 1
    assert await other.anchor_heads() == 2
    await other.close()
    found = await audit.verify()
    assert (found.chains, found.anchors, found.records, found.problems) == (2, 2, 2, ())


async def test_one_verification_runs_at_a_time(audit):
    await audit.write(call())
    answers = await asyncio.gather(*(audit.verify() for _ in range(3)), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == [
        *("AlreadyVerifying", "AlreadyVerifying", "Verification")
    ]
