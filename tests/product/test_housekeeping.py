"""What the server does by itself now and then, seen by what it leaves behind."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text

from databases import Templates, settings_for
from msil_mcp.db.database import database_url
from product.ledger import PLAIN, READ, Ledger, publish
from product.polling import eventually
from running import Product
from running import product as running_product

pytestmark = pytest.mark.anyio

KEPT_SECONDS = 0.4
LONG_AGO = "2001-01-01 00:00:00+00:00"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def started(
    request: pytest.FixtureRequest, templates: Templates, booking_url: str
) -> Iterator[Product]:
    with templates.clone(request.param) as url:
        settings = settings_for(
            url,
            result_retention_seconds=KEPT_SECONDS,
            approval_ttl_seconds=0.1,
            chat_deleted_days=0,
        )
        with running_product(settings, booking_url=booking_url) as product:
            yield product


@pytest.fixture
async def product(started: Product, ledger: Ledger) -> Product:
    await publish(started, ledger)
    return started


def change(product: Product, statement: str) -> None:
    """Straight in the product's database, as time would."""
    sync = "sqlite+pysqlite" if product.settings.is_sqlite else "postgresql+psycopg"
    engine = create_engine(database_url(product.settings).set(drivername=sync))
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def make_due(product: Product, kind: str) -> None:
    moment = LONG_AGO[:19] + ".000000" if product.settings.is_sqlite else LONG_AGO
    change(product, f"UPDATE jobs SET run_at = '{moment}' WHERE kind = '{kind}'")


async def test_a_result_is_forgotten_and_its_key_is_never_used_again(
    product: Product, ledger: Ledger
) -> None:
    ledger.requests.clear()
    first = await product.call(READ, {"number": 1}, key="kept-a-while")
    assert first.status == 200

    async def forgotten() -> bool:
        [row] = product.query(
            "SELECT state, result FROM tool_executions WHERE id = :id",
            id=first.json["execution_id"],
        )
        assert row.state == "succeeded"
        return row.result is None

    await eventually(forgotten, within=10, every=0.1)
    again = await product.call(READ, {"number": 1}, key="kept-a-while")
    assert (again.status, again.json["error"]) == (410, "result_forgotten")
    other = await product.call(READ, {"number": 2}, key="kept-a-while")
    assert (other.status, other.json["error"]) == (422, "idempotency_key_reused")
    assert len(ledger.requests) == 1


async def test_an_approval_nobody_used_in_time_is_expired(product: Product) -> None:
    asked = await product.call(PLAIN, {"text": "late"})
    approval = asked.json["confirmation"]["approval_id"]

    async def counted() -> bool:
        make_due(product, "approvals.expire")
        metrics = await product.request("GET", "/metrics", role=None)
        return b'mcp_approvals_total{event="expired"} 1.0' in metrics.body

    await eventually(counted, within=10, every=0.1)
    found = await product.request("GET", f"/api/approvals/{approval}")
    assert found.json["state"] == "expired"
    decided = await product.request(
        "POST",
        f"/api/approvals/{approval}/decision",
        role="administrator",
        json={"decision": "approve"},
    )
    assert (decided.status, "expired" in decided.json["detail"]) == (409, True)


async def test_the_heads_of_the_audit_are_anchored_while_the_server_runs(
    product: Product,
) -> None:
    before = len(product.query("SELECT sequence FROM audit_anchors"))
    await product.call(READ, {"number": 3})
    make_due(product, "audit.anchor")

    async def anchored() -> bool:
        return len(product.query("SELECT sequence FROM audit_anchors")) > before

    await eventually(anchored, within=10, every=0.1)
    verified = await product.request("POST", "/api/audit/verify", role="auditor")
    assert verified.json["intact"] is True
    assert verified.json["anchors"] > before


async def test_an_ended_session_is_forgotten_when_its_cookie_has_expired(
    product: Product,
) -> None:
    change(product, "INSERT INTO ended_sessions (id, expires_at) VALUES ('old', 1000000000)")
    change(product, "INSERT INTO ended_sessions (id, expires_at) VALUES ('new', 9000000000)")
    make_due(product, "sessions.forget_ended")

    async def gone() -> bool:
        rows = product.query("SELECT id FROM ended_sessions")
        return [row.id for row in rows] == ["new"]

    await eventually(gone, within=10, every=0.1)


async def test_a_deleted_conversation_is_gone_when_it_can_no_longer_be_restored(
    product: Product,
) -> None:
    made = await product.request("POST", "/api/chat/sessions", json={"title": "Old"})
    session = made.json["id"]
    assert (await product.request("DELETE", f"/api/chat/sessions/{session}")).status in {200, 204}

    async def gone() -> bool:
        make_due(product, "chat.purge")
        return not product.query("SELECT id FROM chat_sessions WHERE id = :id", id=session)

    await eventually(gone, within=10, every=0.2)
