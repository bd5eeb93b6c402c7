"""An account follows its person's provider, also while somebody administers."""

import asyncio

import pytest

from databases import Templates
from locking import on_postgresql, until_waiting
from msil_mcp.db.database import Database
from msil_mcp.identity.authentication import cli_principal
from msil_mcp.identity.people import Admitted, Person, admit
from msil_mcp.identity.roles import create_role, delete_role, ensure_roles

pytestmark = pytest.mark.anyio


def person(*roles: str) -> Person:
    return Person(
        issuer="https://provider.test",
        subject="asha",
        username="asha",
        name="Asha",
        email=None,
        roles=roles,
    )


async def sign_in(database: Database, *roles: str) -> Admitted:
    async with database.unit_of_work() as session:
        return await admit(session, person(*roles), default_role="")


async def test_a_role_that_is_deleted_at_that_moment_is_given_to_nobody(
    templates: Templates,
) -> None:
    async with on_postgresql(templates) as database:
        async with database.unit_of_work() as session:
            await ensure_roles(session)
            await create_role(
                session, name="night_shift", description="", permissions=[], by=cli_principal()
            )
        assert (await sign_in(database, "user")).made
        async with asyncio.TaskGroup() as tasks, database.unit_of_work() as session:
            await delete_role(session, name="night_shift")
            coming = tasks.create_task(sign_in(database, "user", "night_shift"))
            await until_waiting(database)
        assert coming.result().user.roles == ["user"]
