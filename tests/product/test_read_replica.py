"""What may be behind is asked of the read replica, and of the primary while there is none."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from databases import Templates, settings_for
from msil_mcp.db.database import BadDatabaseUrl, Database, database_url, read_url
from product.polling import eventually
from product.relays import Relay, relay_to
from running import Product
from running import product as running_product

pytestmark = pytest.mark.anyio

VEHICLE = {"registration_number": "MH12AB1234"}


@pytest.fixture
def with_replica(templates: Templates, booking_url: str) -> Iterator[tuple[Product, Relay]]:
    """The product whose replica, behind a relay, lags as far as can be: it has no record yet."""
    with (
        templates.clone("postgresql") as primary,
        templates.clone("postgresql") as behind,
        relay_to("127.0.0.1", 5432) as relay,
    ):
        replica = behind.replace("@127.0.0.1/", f"@127.0.0.1:{relay.port}/")
        settings = settings_for(primary, database_read_url=replica)
        with running_product(settings, booking_url=booking_url) as product:
            yield product, relay


async def tools_called(product: Product) -> list[str]:
    found = await product.request("GET", "/api/audit?kind=tool.call", role="auditor")
    assert found.status == 200, found.body
    return [record["tool"] for record in found.json["items"]]


async def exported(product: Product) -> int:
    answer = await product.request("GET", "/api/audit/export", role="auditor")
    assert answer.status == 200, answer.body
    return len(answer.body.splitlines())


async def calls_counted(product: Product) -> int:
    answer = await product.request("GET", "/api/analytics", role="operator")
    assert answer.status == 200, answer.body
    return int(answer.json["totals"]["calls"])


async def state_of_replica(product: Product) -> str:
    ready = await product.request("GET", "/ready", role=None)
    assert ready.status == 200, "the replica is no reason to refuse requests"
    return str(ready.json["checks"]["replica"])


async def test_searching_exporting_and_counting_ask_the_replica(
    with_replica: tuple[Product, Relay],
) -> None:
    product, relay = with_replica
    assert (await product.call("resolve_vehicle", VEHICLE)).status == 200
    assert await state_of_replica(product) == "healthy"
    assert await tools_called(product) == []
    assert await exported(product) == 0
    assert await calls_counted(product) == 0

    newest = product.query("SELECT max(id) FROM audit_records")[0][0]
    one = await product.request("GET", f"/api/audit/{newest}", role="auditor")
    assert one.status == 200, "a record too new for the replica is looked for at the primary"
    verified = await product.request("POST", "/api/audit/verify", role="auditor")
    assert verified.json["records"] > 0, "verifying looks where records are written"

    relay.cut()
    assert await tools_called(product) == ["resolve_vehicle"]
    assert await exported(product) >= 2
    assert await calls_counted(product) == 1

    async def noticed() -> bool:
        return await state_of_replica(product) == "unhealthy"

    await eventually(noticed, within=3)
    relay.restore()

    async def asked_again() -> bool:
        return await tools_called(product) == []

    await eventually(asked_again, within=8)


@pytest.mark.parametrize("shared_product", ["postgresql"], indirect=True)
async def test_without_a_replica_the_primary_answers(shared_product: Product) -> None:
    assert (await shared_product.call("resolve_vehicle", VEHICLE)).status == 200
    assert "resolve_vehicle" in await tools_called(shared_product)
    assert await state_of_replica(shared_product) == "disabled"


async def test_nothing_is_written_by_way_of_the_replica(templates: Templates) -> None:
    with templates.clone("postgresql") as url:
        settings = settings_for(url, database_read_url=url)
        database = Database(database_url(settings), replica_url=read_url(settings))
        try:
            async with database.reading(may_lag=True) as session:
                with pytest.raises(DBAPIError, match="read-only transaction"):
                    await session.execute(text("DELETE FROM audit_records"))
            assert database.replica is not None
            assert await database.replica.lag_seconds() == 0
        finally:
            await database.close()


def test_sqlite_has_no_replica() -> None:
    with pytest.raises(ValueError, match="DATABASE_READ_URL needs DATABASE_URL to be PostgreSQL"):
        settings_for("sqlite:///any.db", database_read_url="postgresql://any/any")


def test_a_replica_is_postgresql() -> None:
    settings = settings_for("postgresql://any/any", database_read_url="mysql://any/any")
    with pytest.raises(BadDatabaseUrl, match="DATABASE_READ_URL must be postgresql://"):
        read_url(settings)
