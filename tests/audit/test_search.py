"""Records are found by what an auditor knows, page by page, newest first."""

from datetime import UTC, datetime, timedelta

import pytest

from audit.trails import CALLER, call, execute
from msil_mcp.audit import search
from msil_mcp.principal import Principal

pytestmark = pytest.mark.anyio
START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
OTHER = Principal(
    id="user:9", kind="user", name="Asha", roles=frozenset({"user"}), permissions=frozenset()
)


@pytest.fixture
async def ten_calls(audit):
    for n in range(10):
        await audit.write(
            call(
                at=START + timedelta(minutes=n // 2),
                tool="create_service_booking" if n % 2 else "resolve_vehicle",
                outcome="denied" if n == 4 else "failed" if n == 5 else "succeeded",
                principal=OTHER if n == 7 else CALLER,
                correlation_id=f"c-{n}",
                subjects={"booking_id": f"BK260301000{n}", "dealer_code": "MSIL-PUNE-001"}
                if n % 2
                else None,
                session_id="s-1" if n < 3 else None,
            )
        )
    return audit


async def correlations(client, **query):
    answer = await client.get("/api/audit", params=query)
    assert answer.status_code == 200, answer.text
    return [item["correlation_id"] for item in answer.json()["items"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ({"tool": "resolve_vehicle"}, [8, 6, 4, 2, 0]),
        ({"outcome": "denied"}, [4]),
        ({"outcome": "succeeded", "tool": "create_service_booking"}, [9, 7, 3, 1]),
        ({"principal_id": "user:9"}, [7]),
        ({"correlation_id": "c-3"}, [3]),
        ({"session_id": "s-1"}, [2, 1, 0]),
        ({"subject": "BK2603010003"}, [3]),
        ({"subject": "MSIL-PUNE-001", "subject_name": "dealer_code"}, [9, 7, 5, 3, 1]),
        ({"subject": "MSIL-PUNE-001", "subject_name": "booking_id"}, []),
        ({"since": "2026-03-01T09:03:00Z"}, [9, 8, 7, 6]),
        ({"until": "2026-03-01T09:01:00Z"}, [1, 0]),
        ({"since": "2026-03-01T09:01:00", "until": "2026-03-01T14:32:00+05:30"}, [3, 2]),
        ({"kind": "admin"}, []),
        ({"who": "user:9"}, [7]),
        ({"who": "ASH"}, [7]),
        ({"q": "bk2603010003"}, [3]),
        ({"q": "PUNE asha"}, [7]),
        ({"q": "100%"}, []),
        ({"q": "\x00", "limit": 1}, [9]),
        ({"rule": "approve"}, []),
        ({"error": "rate_limited"}, []),
        ({"kind": "tool.call", "origin": "mcp", "action": "tools/call", "limit": 1}, [9]),
    ],
)
async def test_filters_narrow_the_list(client, ten_calls, query, found):
    assert await correlations(client, **query) == [f"c-{n}" for n in found]


async def test_pages_follow_each_other_without_gap_or_repetition(client, ten_calls):
    seen, query = [], {"limit": 3}
    while True:
        page = (await client.get("/api/audit", params=query)).json()
        seen += [item["correlation_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == [f"c-{n}" for n in reversed(range(10))]


async def test_a_page_goes_on_looking_for_words_until_it_is_full(client, ten_calls, monkeypatch):
    monkeypatch.setattr(search, "SCANNED", 3)

    found = (await client.get("/api/audit", params={"q": "BK2603010003"})).json()
    first = (await client.get("/api/audit", params={"q": "MSIL-PUNE", "limit": 2})).json()
    query = {"q": "MSIL-PUNE", "limit": 100, "cursor": first["next_cursor"]}
    rest = (await client.get("/api/audit", params=query)).json()

    assert [item["correlation_id"] for item in found["items"]] == ["c-3"]
    assert found["next_cursor"] is rest["next_cursor"] is None
    assert [item["correlation_id"] for item in first["items"]] == ["c-9", "c-7"]
    assert [item["correlation_id"] for item in rest["items"]] == ["c-5", "c-3", "c-1"]


async def test_a_search_for_words_goes_on_where_a_page_stopped_looking(
    client, ten_calls, monkeypatch
):
    monkeypatch.setattr(search, "SCANNED", 3)
    monkeypatch.setattr(search, "PATIENCE_SECONDS", 0)
    pages, query = [], {"q": "BK2603010003"}
    while True:
        page = (await client.get("/api/audit", params=query)).json()
        pages.append([item["correlation_id"] for item in page["items"]])
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    # Looked through: 9 8 7, then 6 5 4, then 3 2 1, then 0.
    assert pages == [[], [], ["c-3"], []]
    exported = await client.get("/api/audit/export", params={"q": "BK2603010003"})
    assert exported.text.count('"correlation_id":"c-3"') == 1


async def test_a_foreign_cursor_is_refused(client, ten_calls):
    answer = await client.get("/api/audit", params={"cursor": "bm90IG91cnM"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")


async def test_a_record_is_shown_with_its_place_in_the_chain(client, ten_calls):
    items = (await client.get("/api/audit", params={"subject": "BK2603010005"})).json()["items"]
    record = (await client.get(f"/api/audit/{items[0]['id']}")).json()
    assert record["subjects"] == {"booking_id": "BK2603010005", "dealer_code": "MSIL-PUNE-001"}
    assert record["roles"] == ["user"]
    assert record["chain"]["verified"] is True
    assert record["chain"]["intact"] is True
    assert record["chain"]["sequence"] == 6
    assert record["chain"]["previous"]["hash"] == record["chain"]["prev_hash"]
    assert record["chain"]["previous"]["linked"] is True
    assert record["chain"]["next"]["linked"] is True


async def test_an_edited_record_is_shown_as_such(client, ten_calls):
    await execute(
        ten_calls.database, "UPDATE audit_records SET outcome = 'succeeded' WHERE sequence = 5"
    )
    (item,) = (await client.get("/api/audit", params={"correlation_id": "c-4"})).json()["items"]
    record = (await client.get(f"/api/audit/{item['id']}")).json()
    assert record["chain"]["intact"] is False
    assert record["chain"]["verified"] is False
    verification = (await client.post("/api/audit/verify")).json()
    assert verification["intact"] is False
    assert [(p["trouble"], p["sequence"]) for p in verification["problems"]] == [
        ("record_altered", 5)
    ]


async def test_the_ends_of_a_chain_are_verified_and_a_gap_is_not(client, ten_calls):
    async def verified(number: int) -> bool:
        query = {"correlation_id": f"c-{number}"}
        (item,) = (await client.get("/api/audit", params=query)).json()["items"]
        return (await client.get(f"/api/audit/{item['id']}")).json()["chain"]["verified"]

    assert [await verified(number) for number in (0, 9)] == [True, True]
    await execute(ten_calls.database, "DELETE FROM audit_records WHERE sequence = 5")
    assert [await verified(number) for number in (3, 5, 7)] == [False, False, True]
    await execute(ten_calls.database, "DELETE FROM audit_records WHERE sequence = 10")
    assert await verified(8) is False


async def test_actions_can_be_chosen_from(client, ten_calls):
    actions = (await client.get("/api/audit/actions")).json()
    assert {"tools/call", "approval.approved", "chat.read", "bundle.changed"} < set(actions)
    assert "tool.called" not in actions


async def test_an_outcome_there_is_not_is_refused(client, audit):
    answer = await client.get("/api/audit", params={"outcome": "fine"})
    assert answer.status_code == 422


async def test_an_unknown_record_is_not_found(client, audit):
    answer = await client.get("/api/audit/987654321")
    assert (answer.status_code, answer.json()["code"]) == (404, "audit_record_not_found")


async def test_verification_counts_what_it_checked(client, ten_calls):
    await ten_calls.anchor_heads()
    answer = (await client.post("/api/audit/verify")).json()
    counted = {name: answer[name] for name in ("intact", "records", "chains", "anchors")}
    assert counted == {"intact": True, "records": 10, "chains": 1, "anchors": 1}


@pytest.mark.parametrize(
    ("method", "path", "permissions"),
    [
        ("GET", "/api/audit", "audit:export"),
        ("GET", "/api/audit/1", "tools:read"),
        ("POST", "/api/audit/verify", "audit:export"),
        ("GET", "/api/audit/export", "audit:read"),
    ],
)
async def test_each_route_asks_for_its_permission(client, method, path, permissions):
    answer = await client.request(method, path, headers={"X-Permissions": permissions})
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    del client.headers["X-Permissions"]
    assert (await client.request(method, path)).status_code == 401
