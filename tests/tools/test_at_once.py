"""Changes of the catalogue that several people make at the same moment."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from databases import Templates, settings_for
from locking import until_done_or_waiting, until_waiting
from msil_mcp.db.database import Database, database_url
from running import Product, Reply, product
from tools.catalogues import bring, fetch
from tools.documents import garage

pytestmark = pytest.mark.anyio
Request = Coroutine[Any, Any, Reply]


@dataclass
class Desk:
    """The product on PostgreSQL, and a connection that holds rows of its database."""

    product: Product
    database: Database

    @asynccontextmanager
    async def holding(self, lock: str, **values: str) -> AsyncIterator[None]:
        """Keep what a query locks until the block ends."""
        async with self.database.sessions() as session:
            await session.execute(text(lock), values)
            yield

    def send(self, method: str, path: str, **body: Any) -> Request:
        return self.product.request(method, path, role="administrator", json=body)

    def bring(self, document: dict[str, Any], query: str) -> Request:
        path = f"/api/specs?allow_private=true&{query}"
        raw = json.dumps(document).encode()
        return self.product.request("POST", path, role="administrator", data=raw)


@pytest.fixture(scope="module")
def running(templates: Templates, booking_url: str) -> Iterator[Product]:
    with (
        templates.clone("postgresql") as url,
        product(settings_for(url, database_pool_size=6), booking_url=booking_url) as running,
    ):
        yield running


@pytest.fixture
async def desk(running: Product) -> AsyncIterator[Desk]:
    database = Database(database_url(running.settings))
    yield Desk(running, database)
    await database.close()


BUNDLE = "SELECT 1 FROM bundles WHERE name = :name FOR UPDATE"
BUNDLE_AS_READ = "SELECT 1 FROM bundles WHERE name = :name FOR KEY SHARE"
TOOL = "SELECT 1 FROM tools WHERE name = :name FOR UPDATE"
GENERATION = "SELECT 1 FROM snapshot_generation WHERE :name = '' FOR UPDATE"


def titled(name: str, **operations: dict[str, Any]) -> dict[str, Any]:
    return {**garage(**operations), "info": {"title": name, "version": "1"}}


async def both(desk: Desk, lock: str, name: str, first: Request, second: Request) -> list[int]:
    """The statuses of two requests; the second comes while the first waits for what is held."""
    async with asyncio.TaskGroup() as tasks, desk.holding(lock, name=name):
        one = tasks.create_task(first)
        await until_waiting(desk.database)
        other = tasks.create_task(second)
        await until_done_or_waiting(desk.database, other, 2)
    return [one.result().status, other.result().status]


async def test_a_bundle_is_deleted_while_a_tool_of_it_is_taken_out_of_force(desk: Desk) -> None:
    await bring(desk.product, titled("Leave", leaving={}), "bundle=leave&publish=true")
    statuses = await both(
        desk,
        BUNDLE,
        "leave",
        desk.send("DELETE", "/api/bundles/leave?tools=withdraw"),
        desk.send("PUT", "/api/tools/leaving/published", version=None),
    )
    assert statuses == [200, 200]


async def test_a_tool_is_put_into_a_bundle_while_it_is_switched_off(desk: Desk) -> None:
    await bring(desk.product, titled("Join", joining={}), "bundle=join")
    await bring(desk.product, titled("Other", other={}), "bundle=other")
    statuses = await both(
        desk,
        BUNDLE,
        "other",
        desk.send("PATCH", "/api/bundles/other", tools=["other", "joining"]),
        desk.send("PATCH", "/api/tools/joining", enabled=False),
    )
    assert statuses == [200, 200]
    held = await fetch(desk.product, "/api/bundles/other")
    assert held["tools"] == ["joining", "other"]


async def test_a_bundle_is_changed_while_an_import_adds_to_it(desk: Desk) -> None:
    await bring(desk.product, titled("Grow", small={}), "bundle=grow")
    statuses = await both(
        desk,
        BUNDLE_AS_READ,
        "grow",
        desk.send("PATCH", "/api/bundles/grow", title="Grown"),
        desk.bring(titled("Grow", small={}, tall={}), "bundle=grow"),
    )
    assert statuses == [200, 200]
    grown = await fetch(desk.product, "/api/bundles/grow")
    assert (grown["title"], grown["tools"]) == ("Grown", ["small", "tall"])


async def test_a_bundle_that_is_just_being_made_takes_what_is_imported(desk: Desk) -> None:
    await bring(desk.product, titled("Old", aged={}), "bundle=old")
    statuses = await both(
        desk,
        TOOL,
        "aged",
        desk.send("POST", "/api/bundles", name="fresh", title="Fresh", tools=["aged"]),
        desk.bring(titled("New", newborn={}), "bundle=fresh"),
    )
    assert statuses == [201, 200]
    assert (await fetch(desk.product, "/api/bundles/fresh"))["tools"] == ["aged", "newborn"]


async def test_an_import_keeps_what_is_edited_at_that_moment(desk: Desk) -> None:
    await bring(desk.product, titled("Word", worded={}), "bundle=word&publish=true")
    statuses = await both(
        desk,
        GENERATION,
        "",
        desk.send("PATCH", "/api/tools/worded", title="In other words", publish=True),
        desk.bring(
            titled("Word", worded={"description": "Says more."}), "bundle=word&publish=true"
        ),
    )
    assert statuses == [200, 200]
    tool = await fetch(desk.product, "/api/tools/worded")
    assert (tool["title"], tool["version"]) == ("In other words", 3)
