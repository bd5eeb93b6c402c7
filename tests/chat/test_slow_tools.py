"""While a tool works: nothing else is answered; stopping ends a read, and a write goes on."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request

from booking_api.app import create_app as create_booking_app
from booking_api.settings import BookingSettings
from chat.conversing import Conversation, by_model, opened, order
from databases import Templates, settings_for
from running import Product, product, serving

pytestmark = pytest.mark.anyio


class Gate:
    """Holds requests of one path at the booking service until it is opened."""

    def __init__(self, app: FastAPI) -> None:
        self.held = ""
        self.arrived = threading.Event()
        self.open = threading.Event()

        @app.middleware("http")
        async def hold(request: Request, following: Any) -> Any:
            if self.held and request.url.path == self.held:
                self.arrived.set()
                await asyncio.to_thread(self.open.wait, 20)
            return await following(request)

    def hold(self, path: str) -> None:
        self.arrived.clear()
        self.open.clear()
        self.held = path


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def gated(
    request: pytest.FixtureRequest,
    templates: Templates,
    paced_model: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Product, Gate]]:
    folder = tmp_path_factory.mktemp("gated")
    app = create_booking_app(BookingSettings(data_dir=folder, _env_file=None))
    gate = Gate(app)
    with (
        serving(app) as (booking_url, _),
        templates.clone(request.param) as url,
        product(settings_for(url, **by_model(paced_model)), booking_url=booking_url) as running,
    ):
        yield running, gate
        gate.open.set()


def executed(product: Product, talk: Conversation, tool: str) -> list[Any]:
    return product.query(
        "SELECT state, error, dispatched_at, lease_until FROM tool_executions"
        " WHERE session_id = :s AND tool_name = :t",
        s=talk.id,
        t=tool,
    )


async def test_of_fifty_submits_at_once_exactly_one_is_answered(
    gated: tuple[Product, Gate],
) -> None:
    product, gate = gated
    talk = await opened(product)
    gate.hold("/api/dealers/nearby")
    submits = (
        talk.ask("POST", "/turns", json={"text": f"{order('10:30')}, number {number}"})
        for number in range(50)
    )
    replies = await asyncio.gather(*submits)
    [begun] = [reply.json for reply in replies if reply.status == 202]
    refused = [reply.json for reply in replies if reply.status == 409]
    assert len(refused) == 49
    assert {reply["code"] for reply in refused} == {"chat_run_active"}
    gate.open.set()
    assert (await talk.wait(begun["run_id"]))["state"] == "succeeded"
    assert (await talk.say("Hello"))["state"] == "succeeded"
    rows = await talk.messages(branch="all")
    assert [row["sequence"] for row in rows] == [1, 2, 3, 4]
    assert rows[0]["id"] == begun["message_id"]
    count = "SELECT count(*) FROM chat_runs WHERE session_id = :s"
    assert product.query(count, s=talk.id) == [(2,)]


async def test_stopping_ends_a_read_that_is_at_the_upstream(gated: tuple[Product, Gate]) -> None:
    product, gate = gated
    talk = await opened(product)
    gate.hold("/api/dealers/nearby")
    await talk.begin(order("09:00"))
    assert await asyncio.to_thread(gate.arrived.wait, 10)
    [sent] = executed(product, talk, "get_nearby_dealers")
    assert sent.state == "dispatched", "the intent has to be stored before the request"
    await talk.ask("POST", "/stop")
    ended = await talk.wait()
    assert ended["state"] == "stopped"
    [row] = executed(product, talk, "get_nearby_dealers")
    assert (row.state, row.error, row.lease_until) == ("failed", "cancelled", None)
    gate.open.set()
    assert (await talk.say("Hello"))["state"] == "succeeded"


async def test_stopping_lets_a_write_that_was_sent_end_and_records_it(
    gated: tuple[Product, Gate],
) -> None:
    product, gate = gated
    talk = await opened(product)
    await talk.say(order("09:30"))
    asked = await talk.say("9876543210, regular, yes")
    gate.hold("/api/booking/create")
    await talk.decide(asked["approvals"][0], "approve")
    assert await asyncio.to_thread(gate.arrived.wait, 10)
    assert (await talk.ask("POST", "/stop")).status == 202
    gate.open.set()
    ended = await talk.wait()
    assert ended["state"] == "stopped"
    [row] = executed(product, talk, "create_service_booking")
    assert row.state == "succeeded"
    [result] = [p for p in ended["message"]["parts"] if p["type"] == "tool_result"]
    assert (result["outcome"], result["tool"]) == ("succeeded", "create_service_booking")
