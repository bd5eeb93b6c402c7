"""Records are durable when their write returns, in one chain without gaps, whatever fails."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from audit.trails import WORK, call, execute, fetch
from locking import until_waiting
from msil_mcp.audit.errors import AuditUnavailable, RecordRejected, RowConflict
from msil_mcp.audit.rows import Insert, Update
from msil_mcp.audit.trail import Audit
from msil_mcp.audit.verify import verify
from msil_mcp.audit.writer import HOLD_SECONDS, GroupCommitWriter
from msil_mcp.db.database import Database
from msil_mcp.settings import Settings

pytestmark = pytest.mark.anyio
on_postgresql = pytest.mark.parametrize("made_database", ["postgresql"], indirect=True)


async def sequences(database):
    return [
        row[0] for row in await fetch(database, "SELECT sequence FROM audit_records ORDER BY 1")
    ]


async def test_a_record_is_stored_when_its_write_returns(audit, database):
    at = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
    await audit.write(call(at=at, correlation_id="c-1", subjects={"booking_id": "BK2603041234"}))
    row = await fetch(
        database,
        "SELECT sequence, tool, outcome, principal_id, roles, correlation_id, duration_ms, "
        "subjects FROM audit_records",
    )
    assert row == [
        (
            *(1, "resolve_vehicle", "succeeded", "key:3", '["user"]', "c-1", 12.5),
            '{"booking_id":"BK2603041234"}',
        )
    ]
    assert await fetch(database, "SELECT sequence, name, value FROM audit_subjects") == [
        (1, "booking_id", "BK2603041234")
    ]


async def test_records_written_at_once_share_batches_and_form_one_chain(database, keyring):
    sizes = []
    writer = GroupCommitWriter(
        database, keyring.mac("audit-chain"), on_batch=lambda size, _: sizes.append(size)
    )
    await writer.start()
    await asyncio.gather(*(writer.write(call(correlation_id=str(n))) for n in range(300)))
    assert writer.pending == 0
    await writer.close()
    assert sum(sizes) == 300
    assert len(sizes) < 100
    assert max(sizes) <= 256
    assert await sequences(database) == list(range(1, 301))
    assert verify(database, keyring.mac("audit-chain")).intact


async def test_rows_of_other_tables_are_committed_with_the_record(audit, database):
    await audit.write(call(), [Insert(WORK, {"id": 7, "key": "a", "state": "intended"})])
    done = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    changes = {"state": "done", "done_at": done}
    await audit.write(call(), [Update(WORK, {"id": 7}, changes)])
    assert await fetch(database, "SELECT id, key, state FROM audit_test_work") == [(7, "a", "done")]
    async with database.reading() as session:
        (stored,) = (await session.execute(WORK.select())).all()
    assert stored.done_at.replace(tzinfo=UTC) == done


@on_postgresql
async def test_rows_of_a_batch_are_locked_in_the_order_of_their_keys(audit, database):
    await audit.write(call(), [Insert(WORK, {"id": n, "key": f"k{n}"}) for n in (1, 2)])
    done = [Update(WORK, {"id": n}, {"state": "done"}) for n in (2, 1)]
    lock = text("SELECT 1 FROM audit_test_work WHERE id = :id FOR UPDATE NOWAIT")
    async with asyncio.TaskGroup() as tasks, database.sessions() as other:
        await other.execute(lock, {"id": 1})
        tasks.create_task(audit.write(call(), done))
        await until_waiting(database)
        await other.execute(lock, {"id": 2})
    states = await fetch(database, "SELECT state FROM audit_test_work ORDER BY id")
    assert states == [("done",), ("done",)]


async def test_a_conflicting_row_fails_its_own_write_alone(audit, database, keyring):
    await audit.write(call(), [Insert(WORK, {"id": 1, "key": "taken"})])
    answers = await asyncio.gather(
        *(audit.write(call(), [Insert(WORK, {"id": n, "key": f"k{n}"})]) for n in range(2, 6)),
        audit.write(call(), [Insert(WORK, {"id": 6, "key": "taken"})]),
        audit.write(call()),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [type(None)] * 4 + [RowConflict, type(None)]
    assert audit.healthy
    assert await sequences(database) == list(range(1, 7))
    assert verify(database, keyring.mac("audit-chain")).intact


async def test_a_record_that_cannot_be_stored_fails_alone(audit, database, keyring):
    answers = await asyncio.gather(
        audit.write(call()),
        audit.write(call(details={"no": object()})),
        audit.write(call(tool_version_id=1 << 80)),
        audit.write(call()),
        return_exceptions=True,
    )
    kinds = [type(answer) for answer in answers]
    assert kinds == [type(None), RecordRejected, RecordRejected, type(None)]
    assert await sequences(database) == [1, 2]
    assert verify(database, keyring.mac("audit-chain")).intact


async def test_text_that_no_database_can_hold_is_stored_without_it(audit, database, keyring):
    await audit.write(call(target="nul \x00 here", details={"lone": "\x00"}))
    await audit.write(call(target="lone \ud800 surrogate"))
    targets = await fetch(database, "SELECT target FROM audit_records ORDER BY sequence")
    assert targets == [("nul \ufffd here",), ("lone ? surrogate",)]
    assert verify(database, keyring.mac("audit-chain")).intact


async def test_a_failed_commit_refuses_effects_until_one_succeeds(
    audit, database, keyring, troubles
):
    await audit.write(call())
    await execute(database, "ALTER TABLE audit_records RENAME TO audit_records_away")
    try:
        answers = await asyncio.gather(
            *(audit.write(call()) for _ in range(5)), return_exceptions=True
        )
    finally:
        await execute(database, "ALTER TABLE audit_records_away RENAME TO audit_records")
    assert {type(answer) for answer in answers} == {AuditUnavailable}
    assert not audit.healthy
    assert sum(rows for _, rows in troubles) == 5
    with pytest.raises(AuditUnavailable):
        audit.ensure_writable()
    await audit.write(call())
    audit.ensure_writable()
    assert audit.healthy
    assert HOLD_SECONDS > 0
    assert await sequences(database) == [1, 2]
    assert verify(database, keyring.mac("audit-chain")).intact


async def test_a_caller_that_stops_waiting_does_not_take_its_record_back(audit, database):
    task = asyncio.create_task(audit.write(call(correlation_id="gone")))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await audit.write(call(correlation_id="after"))
    found = await fetch(database, "SELECT correlation_id FROM audit_records ORDER BY sequence")
    assert found == [("gone",), ("after",)]


async def test_closing_writes_what_is_queued_and_closes_the_chain(database, keyring):
    audit = Audit(database=database, keyring=keyring, settings=Settings())
    await audit.start()
    tasks = [asyncio.create_task(audit.write(call())) for _ in range(20)]
    await asyncio.sleep(0)
    await audit.close()
    await asyncio.gather(*tasks)
    chains = await fetch(database, "SELECT last_sequence, closed FROM audit_chains")
    assert [(last, bool(closed)) for last, closed in chains] == [(20, True)]
    with pytest.raises(AuditUnavailable):
        await audit.write(call())
    assert verify(database, keyring.mac("audit-chain")).intact


async def test_a_listener_that_fails_does_not_stop_the_writer(database, keyring):
    def listen(size, seconds):
        heard.append(size)
        raise ValueError("a broken listener")

    heard = []
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    writer = GroupCommitWriter(database, keyring.mac("audit-chain"), on_batch=listen)
    await writer.start()
    await writer.write(call())
    await writer.write(call())
    await writer.close()
    asyncio.get_running_loop().set_exception_handler(None)
    assert heard == [1, 1]
    assert len(told) == 2
    assert await sequences(database) == [1, 2]


async def test_nothing_can_be_written_before_the_start(database, keyring):
    audit = Audit(database=database, keyring=keyring, settings=Settings())
    with pytest.raises(AuditUnavailable):
        audit.ensure_writable()
    with pytest.raises(AuditUnavailable):
        await audit.write(call())


async def test_a_chain_whose_row_was_changed_is_left_and_a_new_one_begun(
    audit, database, keyring, troubles
):
    await audit.write(call())
    await execute(database, f"UPDATE audit_chains SET head_hash = '{'0' * 64}'")
    await audit.write(call())
    assert len(await fetch(database, "SELECT writer_id FROM audit_chains")) == 2
    found = {p.trouble for p in verify(database, keyring.mac("audit-chain")).problems}
    assert found == {"chain_altered", "record_foreign"}
    assert troubles == [("altered",)]
    await audit.verify()
    assert troubles == [("altered",)] * 2


@on_postgresql
async def test_idle_connections_that_were_cut_are_replaced(audit, database):
    await audit.write(call())
    await execute(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    await audit.write(call())
    assert await sequences(database) == [1, 2]


@on_postgresql
async def test_a_commit_whose_answer_is_lost_neither_breaks_nor_forks_the_chain(database, keyring):
    async with cutting_proxy() as (port, arm):
        away = Database(database.url.set(port=port))
        writer = GroupCommitWriter(away, keyring.mac("audit-chain"))
        await writer.start()
        await writer.write(call())
        arm()
        with pytest.raises(AuditUnavailable):
            await writer.write(call())
        await writer.write(call())
        await writer.close()
        await away.close()
    assert await sequences(database) == [1, 2, 3]
    found = verify(database, keyring.mac("audit-chain"))
    assert (found.problems, found.chains) == ((), 1)


@asynccontextmanager
async def cutting_proxy():
    """A TCP proxy to PostgreSQL that, once armed, lets one COMMIT through and not its answer."""
    armed = asyncio.Event()
    cut = asyncio.Event()

    async def forward(reader, writer, *, from_client):
        while data := await reader.read(65536):
            if from_client and armed.is_set() and b"COMMIT" in data:
                armed.clear()
                cut.set()
            elif not from_client and cut.is_set():
                cut.clear()
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader, writer):
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", 5432)
        await asyncio.gather(
            forward(reader, upstream_writer, from_client=True),
            forward(upstream_reader, writer, from_client=False),
        )
        upstream_writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], armed.set


@on_postgresql
async def test_a_stuck_database_fails_its_waiters_and_what_queues_behind(
    audit, database, keyring, monkeypatch
):
    monkeypatch.setattr("msil_mcp.audit.writer.STALL_SECONDS", 0.1)
    await audit.write(call())
    async with database.unit_of_work() as session:
        await session.execute(text("LOCK TABLE audit_records IN ACCESS EXCLUSIVE MODE"))
        answers = await asyncio.gather(
            *(audit.write(call()) for _ in range(3)), return_exceptions=True
        )
        assert {type(answer) for answer in answers} == {AuditUnavailable}
        with pytest.raises(AuditUnavailable):
            audit.ensure_writable()
    monkeypatch.undo()
    await audit.write(call())
    assert audit.healthy
    assert verify(database, keyring.mac("audit-chain")).intact
