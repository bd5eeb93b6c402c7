"""Old records go, and what is left of their chains still proves itself."""

import asyncio
import itertools
from datetime import timedelta

import pytest

from audit.trails import call, execute, fetch
from commands import commands_on
from databases import settings_for
from msil_mcp.audit.retention import RETENTION, Retention
from msil_mcp.audit.trail import Audit
from msil_mcp.audit.verify import verify
from msil_mcp.db.database import Database, database_url, utc_now
from msil_mcp.sealing import Keyring
from msil_mcp.settings import Settings
from product.polling import eventually
from running import product as running_product

pytestmark = pytest.mark.anyio
FIRST = "(SELECT writer_id FROM audit_chains ORDER BY started_at LIMIT 1)"
KEPT = "SELECT sequence FROM audit_records WHERE kind = 'tool.call' ORDER BY id"
BASES = "SELECT base_sequence FROM audit_chains ORDER BY started_at"
HEADS = "SELECT writer_id, last_sequence, head_hash, closed, head_mac FROM audit_chains ORDER BY 1"


def trail_on(database, keyring):
    return Audit(database=database, keyring=keyring, settings=Settings(audit_retention_days=30))


def aged(days, number=0):
    return call(
        at=utc_now() - timedelta(days=days),
        correlation_id=f"{days}-{number}",
        subjects={"booking_id": f"BK{days:04}{number:04}", "phone": "98****10"},
    )


async def write_chain(database, keyring, *days):
    """A closed and anchored chain with a record of each age."""
    audit = trail_on(database, keyring)
    await audit.start()
    for number, age in enumerate(days):
        await audit.write(aged(age, number))
    await audit.close()


@pytest.fixture
async def audit(database, keyring):
    """The trail that prunes, beside a chain wholly past 30 days and one that is partly so."""
    await write_chain(database, keyring, 60, 59, 58)
    await write_chain(database, keyring, 40, 35, 31, 29, 5)
    trail = trail_on(database, keyring)
    await trail.start()
    yield trail
    await trail.close()


def check(audit, keyring):
    return verify(audit.database, keyring.mac("audit-chain"))


def troubles(audit, keyring):
    return {problem.trouble for problem in check(audit, keyring).problems}


async def kept(audit):
    return [sequence for (sequence,) in await fetch(audit.database, KEPT)]


async def test_old_records_go_and_the_trail_is_intact_before_and_after(audit, keyring):
    assert check(audit, keyring).intact
    heads = await fetch(audit.database, HEADS)
    pruned = await audit.prune(principal=RETENTION)
    assert (pruned.records, pruned.subjects, pruned.chains) == (6, 12, 2)
    assert (pruned.refused, pruned.complete) == (0, True)
    assert await kept(audit) == [4, 5]
    found = check(audit, keyring)
    assert (found.problems, found.records, found.chains) == ((), 3, 3)
    assert set(heads) <= set(await fetch(audit.database, HEADS))


async def test_subjects_go_with_their_records_and_no_others_do(audit):
    await audit.prune(principal=RETENTION)
    left = await fetch(audit.database, "SELECT sequence, value FROM audit_subjects ORDER BY 1, 2")
    assert left == [(4, "98****10"), (4, "BK00290003"), (5, "98****10"), (5, "BK00050004")]


async def test_a_pruning_is_recorded_with_its_counts(audit, client):
    await audit.prune(principal=RETENTION)
    (item,) = (await client.get("/api/audit", params={"action": "audit.pruned"})).json()["items"]
    record = (await client.get(f"/api/audit/{item['id']}")).json()
    assert (record["kind"], record["principal_id"]) == ("admin", "system:retention")
    before = record["details"].pop("before")
    assert before[:10] == f"{utc_now() - timedelta(days=30):%Y-%m-%d}"
    assert record["details"] == {
        "records": 6,
        "subjects": 12,
        "chains": 2,
        "refused": 0,
        "complete": True,
    }


async def test_what_is_left_still_leads_to_its_neighbours(audit, client):
    await audit.prune(principal=RETENTION)
    params = {"kind": "tool.call"}
    newer, older = (await client.get("/api/audit", params=params)).json()["items"]
    chain = (await client.get(f"/api/audit/{older['id']}")).json()["chain"]
    assert (chain["intact"], chain["previous"], chain["next"]["id"]) == (True, None, newer["id"])


async def test_pruning_again_changes_nothing(audit, keyring):
    await audit.prune(principal=RETENTION)
    before = await fetch(audit.database, "SELECT id, hash FROM audit_records ORDER BY id")
    again = await audit.prune(principal=RETENTION)
    assert (again.records, again.subjects, again.chains, again.refused) == (0, 0, 0, 0)
    assert await fetch(audit.database, "SELECT id, hash FROM audit_records ORDER BY id") == before
    assert check(audit, keyring).intact


async def test_a_dry_run_tells_and_removes_nothing(audit):
    told = await audit.prune(principal=RETENTION, dry_run=True, batch=2)
    assert (told.records, told.chains) == (6, 2)
    assert len(await fetch(audit.database, "SELECT 1 FROM audit_records")) == 8
    assert await fetch(audit.database, BASES) == [(0,), (0,)]


async def test_batches_remove_the_same_and_each_leaves_an_intact_trail(audit, keyring):
    mac = keyring.mac("audit-chain")
    run = Retention(audit.database, mac, before=utc_now() - timedelta(days=30), batch=2)
    running = asyncio.create_task(run.prune())
    seen = set()
    while not running.done():
        seen.add(run.pruned.records)
        found = await asyncio.to_thread(check, audit, keyring)
        assert found.problems == ()
    await running
    assert seen <= {0, 2, 3, 5, 6}
    assert (run.pruned.records, run.pruned.chains) == (6, 2)
    assert await fetch(audit.database, BASES) == [(3,), (3,)]


async def test_a_run_that_is_cut_short_is_recorded_and_the_next_goes_on(audit, keyring):
    running = asyncio.create_task(audit.prune(principal=RETENTION, batch=1))
    while await fetch(audit.database, BASES) == [(0,), (0,)]:
        assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    recorded = "SELECT count(*) FROM audit_records WHERE action = 'audit.pruned'"
    assert running.cancelled()
    assert await fetch(audit.database, recorded) == [(1,)]
    assert check(audit, keyring).intact
    await audit.prune(principal=RETENTION)
    assert await kept(audit) == [4, 5]
    assert check(audit, keyring).intact


async def test_a_run_over_its_time_leaves_the_rest_to_the_next(audit, keyring, monkeypatch):
    monkeypatch.setattr("msil_mcp.audit.retention.RUN_SECONDS", -1.0)
    assert not (await audit.prune(principal=RETENTION)).complete
    assert len(await kept(audit)) == 8


async def test_an_older_record_after_a_newer_one_waits_for_it(database, keyring):
    await write_chain(database, keyring, 40, 5, 40, 5)
    audit = trail_on(database, keyring)
    await audit.start()
    assert (await audit.prune(principal=RETENTION)).records == 1
    assert await kept(audit) == [2, 3, 4]
    await audit.close()


async def test_the_newest_record_of_all_stays_so_that_no_id_comes_twice(database, keyring):
    await write_chain(database, keyring, 60, 59, 58)
    ids = [number for (number,) in await fetch(database, "SELECT id FROM audit_records")]
    audit = trail_on(database, keyring)
    await audit.start()
    assert (await audit.prune(principal=RETENTION)).records == 2
    assert (await audit.prune(principal=RETENTION)).records == 1
    left = [number for (number,) in await fetch(database, "SELECT id FROM audit_records")]
    assert min(left) > max(ids)
    assert check(audit, keyring).intact
    await audit.close()


async def test_a_chain_whose_records_are_all_gone_goes_on(database, keyring):
    audit = trail_on(database, keyring)
    await audit.start()
    for age in (60, 50):
        await audit.write(aged(age))
    await write_chain(database, keyring, 1)
    mac = keyring.mac("audit-chain")
    run = Retention(database, mac, before=utc_now() - timedelta(days=30))
    await run.prune()
    assert await fetch(database, BASES) == [(2,), (0,)]
    assert check(audit, keyring).intact
    await audit.write(call())
    await audit.anchor_heads()
    assert check(audit, keyring).intact
    await audit.close()
    assert check(audit, keyring).intact


LATER = {
    "a record edited": ("UPDATE audit_records SET tool = 'x' WHERE sequence = 4", "record_altered"),
    "the oldest record left deleted": (
        "DELETE FROM audit_records WHERE sequence = 4",
        "record_missing",
    ),
    "the newest record deleted": ("DELETE FROM audit_records WHERE sequence = 5", "tail_cut"),
    "a base moved back": (
        "UPDATE audit_chains SET base_sequence = base_sequence - 1 WHERE base_sequence = 3",
        "chain_altered",
    ),
    "a base moved on with its record": (
        (
            "UPDATE audit_chains SET base_sequence = 4, base_hash = "
            "(SELECT hash FROM audit_records WHERE sequence = 4) WHERE writer_id = "
            "(SELECT writer_id FROM audit_records WHERE sequence = 4)"
        ),
        "chain_altered",
    ),
    "the row of a pruned chain deleted": (
        f"DELETE FROM audit_chains WHERE writer_id = {FIRST}",
        "chain_missing",
    ),
    "an anchor deleted": ("DELETE FROM audit_anchors WHERE sequence = 1", "anchor_missing"),
    "a subject deleted": ("DELETE FROM audit_subjects WHERE sequence = 4", "subjects_altered"),
}


@pytest.mark.parametrize("change", LATER)
async def test_a_change_after_pruning_is_found(audit, keyring, change):
    statement, trouble = LATER[change]
    await audit.prune(principal=RETENTION)
    await execute(audit.database, statement)
    assert trouble in troubles(audit, keyring)


async def test_old_records_deleted_without_moving_the_base_are_found(audit, keyring):
    await execute(
        audit.database,
        f"DELETE FROM audit_subjects WHERE writer_id = {FIRST} AND sequence = 1",
        f"DELETE FROM audit_records WHERE writer_id = {FIRST} AND sequence = 1",
    )
    assert troubles(audit, keyring) == {"record_missing"}


EARLIER = {
    "a young record made to look old": (
        "UPDATE audit_records SET at = '2020-01-01 00:00:00.000000' WHERE sequence = 4",
        "record_altered",
        [4, 5],
    ),
    "an old record edited": (
        f"UPDATE audit_records SET tool = 'x' WHERE sequence = 2 AND writer_id <> {FIRST}",
        "record_altered",
        [2, 3, 4, 5],
    ),
    "an old record deleted": (
        f"DELETE FROM audit_records WHERE sequence = 2 AND writer_id <> {FIRST}",
        "record_missing",
        [3, 4, 5],
    ),
    "the oldest record deleted": (
        f"DELETE FROM audit_records WHERE sequence = 1 AND writer_id <> {FIRST}",
        "record_missing",
        [2, 3, 4, 5],
    ),
    "a base moved": (
        f"UPDATE audit_chains SET base_sequence = 1 WHERE writer_id <> {FIRST}",
        "chain_altered",
        [1, 2, 3, 4, 5],
    ),
}


@pytest.mark.parametrize("change", EARLIER)
async def test_pruning_does_not_tidy_a_change_away(audit, keyring, change):
    statement, trouble, left = EARLIER[change]
    await execute(audit.database, statement)
    for _ in range(2):
        assert (await audit.prune(principal=RETENTION)).refused == 1
        assert trouble in troubles(audit, keyring)
    assert await kept(audit) == left


async def test_records_of_a_key_that_is_gone_stay(audit, keyring):
    other = Keyring([b"z" * 32])
    run = Retention(audit.database, other.mac("audit-chain"), before=utc_now() - timedelta(days=30))
    await run.prune()
    assert (run.pruned.records, run.pruned.refused) == (0, 2)
    assert check(audit, keyring).intact


async def test_a_base_is_proved_by_the_newest_key(audit):
    rotated = Keyring([b"n" * 32, b"k" * 32])
    run = Retention(
        audit.database, rotated.mac("audit-chain"), before=utc_now() - timedelta(days=30)
    )
    await run.prune()
    assert run.pruned.records == 6
    assert check(audit, rotated).intact


async def test_a_writer_on_the_chain_being_pruned_is_not_disturbed(audit, keyring):
    for number in range(40):
        await audit.write(aged(45, number))
    await audit.write(call())
    running = asyncio.create_task(audit.prune(principal=RETENTION, batch=5))
    written = 0
    for written in itertools.count():
        if running.done() and written > 10:
            break
        await audit.write(call(correlation_id=f"now-{written}"))
    assert running.result().records == 46
    assert audit.healthy
    now = "SELECT count(*) FROM audit_records WHERE correlation_id LIKE 'now-%'"
    assert await fetch(audit.database, now) == [(written,)]
    assert await fetch(audit.database, "SELECT count(*) FROM audit_chains") == [(3,)]
    await audit.anchor_heads()
    assert check(audit, keyring).intact


async def test_two_prunings_at_once_remove_each_record_once(audit, keyring):
    runs = await asyncio.gather(
        *(audit.prune(principal=RETENTION, batch=1) for _ in range(2)),
    )
    assert sum(run.records for run in runs) <= 6
    await audit.prune(principal=RETENTION)
    assert await kept(audit) == [4, 5]
    assert check(audit, keyring).intact


@pytest.fixture
def aged_url(templates):
    """A whole database, with its own keys, whose trail is partly past 30 days."""
    with templates.clone("sqlite") as url:
        asyncio.run(fill(settings_for(url)))
        yield url


async def fill(settings):
    database = Database(database_url(settings))
    await write_chain(database, Keyring.from_settings(settings), 40, 35, 5)
    await database.close()


def test_the_command_tells_first_and_then_removes(aged_url, tmp_path, monkeypatch):
    monkeypatch.setenv("MSIL_AUDIT_RETENTION_DAYS", "30")
    for cli in commands_on(aged_url, tmp_path, monkeypatch):
        told = cli.run("audit", "prune", "--dry-run")
        assert "2 records of 1 chains would be removed." in told
        assert cli.json("audit", "verify")["records"] == 3
        assert "2 records of 1 chains removed." in cli.run("audit", "prune")
        pruned, kept = cli.json("audit", "search")
        assert (pruned["action"], pruned["principal_id"]) == ("audit.pruned", "system:cli")
        assert kept["correlation_id"] == "5-2"
        assert "intact" in cli.run("audit", "verify")


def test_the_command_says_that_a_chain_could_not_be_pruned(aged_url, tmp_path, monkeypatch):
    monkeypatch.setenv("MSIL_AUDIT_RETENTION_DAYS", "30")
    asyncio.run(edit(aged_url))
    for cli in commands_on(aged_url, tmp_path, monkeypatch):
        said = cli.run("audit", "prune", code=1)
        assert "1 chains were not pruned to the end; see msil-mcp audit verify" in said


async def edit(url):
    database = Database(database_url(settings_for(url)))
    await execute(database, "UPDATE audit_records SET tool = 'x' WHERE sequence = 1")
    await database.close()


def test_a_server_prunes_by_itself(aged_url, booking_url):
    settings = settings_for(aged_url, audit_retention_days=30)
    with running_product(settings, booking_url=booking_url) as product:
        trail = "SELECT principal_id FROM audit_records WHERE action = 'audit.pruned'"

        async def pruned():
            return len(product.query(trail)) == 1

        asyncio.run(eventually(pruned, within=10, every=0.05))
        assert product.query(trail)[0].principal_id == "system:retention"
        old = "SELECT 1 FROM audit_records WHERE correlation_id IN ('40-0', '35-1')"
        assert product.query(old) == []
        [job] = product.query("SELECT interval_seconds FROM jobs WHERE kind = 'audit.prune'")
        assert job.interval_seconds == 21_600
