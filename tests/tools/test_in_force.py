"""What is in force is what callers see, whatever else the catalogue holds."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text

from commands import Commands
from databases import Templates, settings_for
from msil_mcp.bus import MemoryBus
from msil_mcp.db.database import Database, database_url
from msil_mcp.tools.snapshot import SnapshotStore
from running import Product, Reply
from tools.documents import garage

pytestmark = pytest.mark.anyio


async def bring(product: Product, document: dict[str, Any], query: str) -> Reply:
    path = f"/api/specs?allow_private=true&{query}"
    raw = json.dumps(document).encode()
    return await product.request("POST", path, role="administrator", data=raw)


@pytest.mark.parametrize(
    "server",
    [
        "http://[bad/x",
        "https://example.org:99999",
        "https://:pw@example.org",
        "https://example.org/a/../b",
        "https://example.org/a b",
    ],
)
def test_a_server_address_that_cannot_be_called_is_refused(cli: Commands, server: str) -> None:
    path = cli.write("garage.json", {**garage(), "servers": [{"url": server}]})
    said = cli.run("import", path, "--bundle", "garage", "--publish", code=1)
    assert said.count("\n") == 1
    assert "garage.json" in said
    assert "pw" not in said
    assert cli.json("tools", "list") == []


async def test_a_stored_tool_that_cannot_be_used_leaves_the_others_in_force(
    shared_product: Product,
) -> None:
    await bring(shared_product, garage(), "bundle=garage&publish=true")
    change(
        shared_product,
        "UPDATE tool_versions SET definition = '{}' WHERE tool_id = "
        "(SELECT id FROM tools WHERE name = 'get_lift')",
    )
    off = await shared_product.request(
        "PATCH", "/api/tools/list_lifts", role="administrator", json={"enabled": False}
    )
    assert off.status == 200, off.body
    # Every version is compiled anew by a process that starts.
    database = Database(database_url(shared_product.settings))
    store = SnapshotStore(database=database, bus=MemoryBus())
    await store.start()
    assert "resolve_vehicle" in store.current().tools
    assert "get_lift" not in store.current().tools
    await store.close()
    await database.close()


def change(product: Product, statement: str) -> None:
    url = database_url(product.settings)
    sync = "sqlite+pysqlite" if product.settings.is_sqlite else "postgresql+psycopg"
    engine = create_engine(url.set(drivername=sync))
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


async def test_a_draft_is_shown_to_those_who_may_publish_alone(shared_product: Product) -> None:
    drawn = garage(paint_lift={"summary": "Paint a lift"})
    await bring(shared_product, drawn, "bundle=service_booking&publish=true")
    secret = garage(paint_lift={"summary": "Paint it in the colour of next year"})
    await bring(shared_product, secret, "bundle=service_booking")
    seen = await shared_product.request("GET", "/api/tools/paint_lift")
    assert seen.status == 200, seen.body
    assert "next year" not in seen.body.decode()
    assert seen.json["version"] == 1
    whole = await shared_product.request("GET", "/api/tools/paint_lift", role="administrator")
    assert (whole.json["version"], whole.json["published_version"]) == (2, 1)


@pytest.fixture
def postgresql(templates: Templates) -> Iterator[Any]:
    with templates.clone("postgresql") as url:
        yield settings_for(url)


async def test_a_snapshot_shows_one_moment_even_while_a_change_is_committed(
    postgresql: Any, booking_url: str
) -> None:
    database = Database(database_url(postgresql))
    beside = create_engine(database.url)
    done: list[str] = []

    def meanwhile(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM bundle_tools" in statement and not done:
            done.append(statement)
            with beside.begin() as other:
                other.execute(text("INSERT INTO specs (name, created_at) VALUES ('s', now())"))
                other.execute(
                    text(
                        "INSERT INTO tools (spec_id, operation_id, name, enabled, created_at) "
                        "VALUES (1, 'o', 'o', true, now())"
                    )
                )
                other.execute(
                    text(
                        "INSERT INTO bundles (name, title, description, created_at) "
                        "VALUES ('b', 'b', '', now())"
                    )
                )
                other.execute(text("INSERT INTO bundle_tools (bundle_id, tool_id) VALUES (1, 1)"))

    event.listen(database.engine.sync_engine, "before_cursor_execute", meanwhile)
    store = SnapshotStore(database=database, bus=MemoryBus())
    await store.refresh()
    assert done
    assert store.current().bundles == {}
    beside.dispose()
    await database.close()


async def test_imports_at_the_same_time_all_succeed(shared_product: Product) -> None:
    documents = [garage(**{f"lift_{number}": {}}) for number in range(4)]
    replies = await asyncio.gather(
        *(
            bring(
                shared_product,
                {**document, "info": {"title": f"Shed {number % 2}", "version": "1"}},
                "bundle=shed&publish=true",
            )
            for number, document in enumerate(documents)
        )
    )
    assert [reply.status for reply in replies] == [200] * 4, [r.body for r in replies]
    bundles = await shared_product.request("GET", "/api/bundles", role="administrator")
    assert "shed" in {bundle["name"] for bundle in bundles.json}


async def test_a_bundle_name_is_one_line(shared_product: Product) -> None:
    reply = await bring(shared_product, garage(), "bundle=garage%0A")
    assert reply.status == 422
