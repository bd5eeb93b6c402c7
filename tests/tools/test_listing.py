"""The catalogue as a list: filters, search, order and pages."""

import pytest
from sqlalchemy import create_engine, text

from databases import Templates, settings_for
from msil_mcp.db.database import Database, database_url
from msil_mcp.db.migrate import downgrade, upgrade
from msil_mcp.main import metadata
from running import Product, furnish
from tools.catalogues import bring, fetch
from tools.documents import garage

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def stocked(shared_product: Product) -> Product:
    """Three drafts, two of them in force and one of these changed since; and one taken away."""
    first = garage(list_lifts={"tags": ["Hoist"]}, get_lift={}, oil_lift={}, drop_lift={})
    await bring(shared_product, first, "bundle=garage&publish=true")
    second = garage(
        list_lifts={"tags": ["Hoist"]},
        get_lift={"summary": "Find a lift"},
        oil_lift={},
        new_lift={},
    )
    await bring(shared_product, second, "bundle=garage")
    switched = await shared_product.request(
        "PATCH", "/api/tools/oil_lift", role="administrator", json={"enabled": False}
    )
    assert switched.status == 200
    return shared_product


async def names(product: Product, query: str, *, role: str = "administrator") -> list[str]:
    page = await fetch(product, f"/api/tools?{query}", role=role)
    assert page["total"] >= len(page["items"])
    return [line["name"] for line in page["items"]]


async def test_a_line_tells_what_a_list_needs(stocked: Product) -> None:
    page = await fetch(stocked, "/api/tools?q=find+a+lift")
    [line] = page["items"]
    assert page["total"] == 1
    assert (line["state"], line["version"], line["published_version"]) == ("changed", 2, 1)
    assert (line["method"], line["path"], line["risk"]) == ("GET", "/get_lift", "read")
    assert (line["spec"], line["bundles"], line["edited"]) == ("garage", ["garage"], False)
    assert 20 < line["tokens"] < 200
    assert "input_schema" not in line


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("bundle=garage&state=published", ["list_lifts"]),
        ("state=changed", ["get_lift"]),
        ("state=draft", ["new_lift"]),
        ("state=disabled", ["oil_lift"]),
        ("state=removed", ["drop_lift"]),
        ("spec=garage&risk=write", []),
        ("q=HOIST", ["list_lifts"]),
        ("q=%25", []),
        ("q=_lift&spec=garage&sort=-name&limit=2", ["oil_lift", "new_lift"]),
        ("bundle=nowhere", []),
        ("edited=true", []),
    ],
)
async def test_filters_and_search_narrow_the_list(
    stocked: Product, query: str, found: list[str]
) -> None:
    assert await names(stocked, query) == found


@pytest.mark.parametrize("order", ["name", "title", "risk", "tokens", "updated"])
@pytest.mark.parametrize("sign", ["", "-"])
async def test_pages_follow_each_other_in_every_order(
    stocked: Product, order: str, sign: str
) -> None:
    query, cursor, seen = f"sort={sign}{order}&limit=4", "", []
    while True:
        page = await fetch(stocked, f"/api/tools?{query}{cursor}")
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len({line["name"] for line in seen}) == len(seen) == page["total"] == 11
    key = {"updated": "updated_at"}.get(order, order)
    values = [{"read": 0, "write": 1}.get(line[key], line[key]) for line in seen]
    if order in {"risk", "tokens", "updated"}:
        assert values == sorted(values, reverse=bool(sign))


async def test_a_cursor_of_another_order_is_refused(stocked: Product) -> None:
    page = await fetch(stocked, "/api/tools?sort=name&limit=1")
    path = f"/api/tools?sort=tokens&cursor={page['next_cursor']}"
    reply = await stocked.request("GET", path, role="administrator")
    assert (reply.status, reply.json["code"]) == (400, "bad_cursor")


async def test_a_caller_sees_its_tools_in_force_and_nothing_of_drafts(stocked: Product) -> None:
    assert len(await names(stocked, "", role="user")) == 6
    assert await names(stocked, "q=find+a+lift", role="user") == []
    assert await names(stocked, "spec=garage", role="user") == await names(stocked, "", role="user")
    page = await fetch(stocked, "/api/tools", role="user")
    assert {line["spec"] for line in page["items"]} == {None}
    assert {line["state"] for line in page["items"]} == {"published"}


async def test_an_administrator_looks_through_a_roles_eyes(stocked: Product) -> None:
    assert await names(stocked, "role=user") == await names(stocked, "", role="user")
    assert await names(stocked, "role=auditor") == []
    assert "list_lifts" in await names(stocked, "role=integrator")


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
async def test_what_lists_show_is_filled_in_for_tools_that_were_there(
    templates: Templates, backend: str, booking_url: str
) -> None:
    columns = "number, title, risk, method, path, tokens, searched"
    query = text(f"SELECT {columns} FROM tool_versions ORDER BY id")
    with templates.clone(backend) as url:
        settings = settings_for(url)
        await furnish(settings, booking_url=booking_url)
        database = Database(database_url(settings))
        engine = create_engine(database.writer_engine().url)
        with engine.connect() as connection:
            before = connection.execute(query).all()
        downgrade(database, metadata, revision="0006")
        upgrade(database, metadata)
        with engine.connect() as connection:
            assert connection.execute(query).all() == before
        engine.dispose()
        await database.close()
