import anyio
import pytest

from msil_mcp.db.generation import bump_generation, read_generation

pytestmark = pytest.mark.anyio


async def test_generation_starts_at_nothing_and_grows_by_one(database):
    async with database.reading() as session:
        assert await read_generation(session) == 0
    for expected in (1, 2, 3):
        async with database.unit_of_work() as session:
            assert await bump_generation(session) == expected
    async with database.reading() as session:
        assert await read_generation(session) == 3


async def test_a_change_that_is_rolled_back_raises_nothing(database):
    async def change_and_fail():
        async with database.unit_of_work() as session:
            await bump_generation(session)
            raise LookupError

    with pytest.raises(LookupError):
        await change_and_fail()
    async with database.reading() as session:
        assert await read_generation(session) == 0


async def test_changes_at_the_same_moment_each_raise_the_generation(database):
    seen = []

    async def change():
        async with database.unit_of_work() as session:
            seen.append(await bump_generation(session))

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(change)

    assert sorted(seen) == list(range(1, 9))
