"""The inbox of people who approve: what they find, count and are told of it."""

from typing import Any

import pytest
from websockets.asyncio.client import connect

from events.watching import Watcher
from governance.conftest import Desk
from running import Reply

pytestmark = pytest.mark.anyio
BASE = "/api/approvals"


async def look(desk: Desk, path: str = "", *, role: str = "administrator") -> Any:
    reply = await desk.product.request("GET", f"{BASE}{path}", role=role)
    assert reply.status == 200, reply.body
    return reply.json


async def asked(desk: Desk, title: str, *, role: str = "user") -> str:
    reply: Reply = await desk.product.call("file_paper", {"title": title}, role=role)
    assert reply.status == 202, reply.body
    approval: str = reply.json["confirmation"]["approval_id"]
    return approval


async def test_a_request_is_shown_exactly_with_who_asked(desk: Desk) -> None:
    approval = await asked(desk, "Call 9876543210")
    shown = await look(desk, f"/{approval}")
    assert (shown["principal_name"], shown["origin"], shown["state"]) == (
        "test user", "rest", "pending",
    )  # fmt: skip
    assert shown["exact"]["method"] == "POST"
    assert shown["exact"]["url"].startswith(desk.url)
    assert shown["exact"]["content_type"] == "application/json"
    assert '"title"' in shown["exact"]["body"]
    assert "9876543210" not in str(shown)
    assert shown["may_decide"] is True
    own = await look(desk, f"/{approval}", role="user")
    # Who asked with a key cannot answer itself.
    assert own["may_decide"] is False
    audience = await look(desk, f"/{approval}", role="auditor")
    assert audience["may_decide"] is False


async def test_requests_are_found_by_what_they_are(desk: Desk) -> None:
    first = await asked(desk, "Filter one")
    second = await asked(desk, "Filter two", role="integrator")
    requester = (await look(desk, f"/{second}"))["principal_id"]
    only = await look(desk, f"?requester={requester}")
    assert [one["id"] for one in only["items"]] == [second]
    assert first in [one["id"] for one in (await look(desk, "?tool=file_paper"))["items"]]
    assert (await look(desk, "?tool=resolve_vehicle"))["items"] == []
    assert (await look(desk, "?origin=chat"))["items"] == []
    assert (await look(desk, "?until=2020-01-01"))["items"] == []
    named = await look(desk, "?q=TEST+INTEGRATOR")
    assert [one["id"] for one in named["items"]] == [second]
    mine = await look(desk, f"?requester={requester}", role="user")
    assert mine["items"] == []


async def test_requests_are_counted_by_state(desk: Desk) -> None:
    before = await look(desk, "/counts")
    one, two = await asked(desk, "Count one"), await asked(desk, "Count two")
    assert (await desk.decide(one, "decline")).status == 200
    after = await look(desk, "/counts")
    assert after["pending"] == before["pending"] + 1
    assert after["declined"] == before["declined"] + 1
    assert after["oldest_pending_at"] is not None
    decided = await look(desk, f"/{one}")
    assert (decided["decided_by_name"], decided["decided_via"]) == ("test administrator", "rest")
    assert decided["may_decide"] is False
    nobody = await look(desk, "/counts", role="operator")
    assert nobody["pending"] == after["pending"]
    assert (await look(desk, f"/{two}"))["state"] == "pending"


async def test_how_many_wait_is_told_as_it_changes(desk: Desk) -> None:
    url = desk.product.url.replace("http:", "ws:") + "/api/events?counts=true"
    headers = desk.product.headers("administrator")
    async with connect(url, additional_headers=headers, proxy=None) as connection:
        watcher = Watcher(connection)
        ready, counts = await watcher.expect("ready", "counts")
        waiting = counts["data"]["approvals_pending"]
        approval = await asked(desk, "Watched")
        _, more = await watcher.expect("approval.requested", "counts")
        assert more["data"]["approvals_pending"] == waiting + 1
        await desk.decide(approval)
        _, fewer = await watcher.expect("approval.decided", "counts")
        assert fewer["data"]["approvals_pending"] == waiting
        assert ready["sequence"] <= more["sequence"] < fewer["sequence"]
