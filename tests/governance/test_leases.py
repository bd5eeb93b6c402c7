"""Who may work on an execution: its owner while it lives, and then exactly one other."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from databases import Templates, settings_for
from locking import on_postgresql
from msil_mcp.db.database import Database, database_url, utc_now
from msil_mcp.governance.executions import Execution, Executions, StillRunning, ToolExecution
from product.polling import eventually
from upstream.calls import PRINCIPAL, call, tool

pytestmark = pytest.mark.anyio

LEASE = 0.8
KEY = "order-7"
Owner = Callable[[str], Executions]


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, templates: Templates) -> AsyncIterator[Database]:
    with templates.clone(request.param) as url:
        database = Database(database_url(settings_for(url)))
        yield database
        await database.close()


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Owner]:
    """Makes the executions of one process; its leases are short."""
    made: list[Executions] = []

    def make(name: str) -> Executions:
        made.append(Executions(database=database, owner=name, lease_seconds=LEASE))
        return made[-1]

    yield make
    for executions in made:
        await executions.close()


async def intend(executions: Executions, *, key: str = KEY) -> str:
    write = call(tool("http://127.0.0.1:9", write=True))
    return await executions.intend(write, key=key, approval_id=None)


async def found(executions: Executions, *, key: str = KEY) -> Execution:
    execution = await executions.find(principal_id=PRINCIPAL.id, key=key)
    assert execution is not None
    return execution


async def abandoned(executions: Executions) -> Execution:
    async def over() -> bool:
        return not (await found(executions)).is_alive(utc_now())

    await eventually(over, within=LEASE * 5)
    return await found(executions)


async def test_a_lease_lasts_while_its_owner_lives_and_ends_with_it(owner: Owner) -> None:
    living, other = owner("living"), owner("other")
    await living.start(alone=False)
    await intend(living)
    first = (await found(other)).lease_until
    assert first is not None

    async def renewed_twice() -> bool:
        execution = await found(other)
        assert execution.is_alive(utc_now()), "the lease ran out under a living owner"
        assert execution.lease_until is not None
        return (execution.lease_until - first).total_seconds() > LEASE

    await eventually(renewed_twice, within=LEASE * 10)
    await living.close()
    assert (await abandoned(other)).owner == "living"


async def test_a_released_lease_is_not_renewed(owner: Owner) -> None:
    living = owner("living")
    await living.start(alone=False)
    living.release(await intend(living))
    assert (await abandoned(living)).state == "intended"


async def test_a_key_is_intended_once_however_many_try(owner: Owner) -> None:
    processes = [owner(f"process {number}") for number in range(8)]
    results = await asyncio.gather(*map(intend, processes), return_exceptions=True)
    lost = [result for result in results if isinstance(result, StillRunning)]
    assert len(lost) == 7, results


async def test_an_abandoned_execution_is_taken_over_by_one(owner: Owner) -> None:
    dead = owner("dead")
    await dead.dispatched(await intend(dead))
    execution = await abandoned(dead)
    assert execution.state == "dispatched"
    processes = [owner(f"process {number}") for number in range(8)]
    results = await asyncio.gather(
        *(process.take_over(execution) for process in processes), return_exceptions=True
    )
    assert results.count(None) == 1, results
    winner = processes[results.index(None)]
    taken = await found(winner)
    assert (taken.owner, taken.attempts) == (winner.owner, 2)
    assert taken.is_alive(utc_now())


async def test_an_owner_that_was_thought_dead_does_not_send(owner: Owner) -> None:
    slow, quick = owner("slow"), owner("quick")
    execution_id = await intend(slow)
    await quick.take_over(await abandoned(quick))
    with pytest.raises(StillRunning):
        await slow.dispatched(execution_id)
    await quick.dispatched(execution_id)
    assert (await found(quick)).state == "dispatched"


async def test_a_process_that_serves_alone_ends_the_leases_of_the_dead_at_once(
    owner: Owner,
) -> None:
    dead, restarted = owner("dead"), owner("restarted")
    await dead.dispatched(await intend(dead))
    await restarted.start(alone=True)
    execution = await found(restarted)
    assert execution.lease_until is None
    await restarted.take_over(execution)


async def test_a_lease_is_renewed_while_another_call_is_recorded(templates: Templates) -> None:
    async with on_postgresql(templates) as database:
        living = Executions(database=database, owner="living", lease_seconds=LEASE)
        ids = [await intend(living, key=key) for key in ("one", "two", "three")]
        async with database.sessions() as recording:
            await recording.get(ToolExecution, ids[1], with_for_update=True)
            await living.start(alone=False)
            for key in ("one", "three"):
                before = await found(living, key=key)

                async def renewed(key: str = key, before: Execution = before) -> bool:
                    now = await found(living, key=key)
                    assert now.lease_until is not None
                    assert before.lease_until is not None
                    return now.lease_until > before.lease_until

                await eventually(renewed, within=LEASE * 5)
        await living.close()
