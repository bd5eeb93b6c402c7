"""Which ways to sign in are offered to whom, and the one that asks for no password."""

import httpx2
import pytest

from msil_mcp.db.generation import bump_generation
from msil_mcp.identity.authentication import cli_principal
from msil_mcp.identity.tables import User
from msil_mcp.identity.users import UserChange, ensure_administrator, update_user

pytestmark = pytest.mark.anyio
OPTIONS = "/api/auth/options"
CLICK = "/api/auth/loopback"
ME = "/api/auth/me"
OWN = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
HERE = ("127.0.0.1", 50_000)


@pytest.fixture
async def world(open_world):
    async with open_world(loopback_sign_in=True) as world:
        await with_administrator(world)
        yield world


async def with_administrator(world):
    async with world.database.unit_of_work() as session:
        await ensure_administrator(session, passwords=world.identity.passwords)
    await world.refresh()


def browser(world, *, at=HERE, base_url="http://127.0.0.1:8000"):
    transport = httpx2.ASGITransport(app=world.app, client=at)
    return httpx2.AsyncClient(transport=transport, base_url=base_url)


async def offered(world, **where):
    headers = where.pop("headers", {})
    async with browser(world, **where) as client:
        return (await client.get(OPTIONS, headers=headers)).json()


async def click(world, headers=OWN, **where):
    async with browser(world, **where) as client:
        return await client.post(CLICK, headers=headers)


async def test_one_click_signs_the_first_administrator_in_and_is_recorded(world):
    async with browser(world) as client:
        assert (await client.get(OPTIONS)).json()["loopback"] is True
        answer = await client.post(CLICK, headers=OWN)
        caller = (await client.get(ME, headers=OWN)).json()

    assert answer.json()["name"] == "Administrator"
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert (caller["roles"], caller["attributes"]["username"]) == (["administrator"], "admin")
    [entry] = world.audited
    assert (entry["action"], entry["details"]) == ("session.started", {"way": "loopback"})
    assert entry["principal"].id == caller["id"]


@pytest.mark.parametrize(
    "at",
    [
        ("192.168.1.7", 50_000),
        ("203.0.113.9", 50_000),
        ("::ffff:10.0.0.1", 50_000),
        ("not-an-address", 0),
        None,
    ],
)
async def test_whoever_is_not_at_this_machine_is_neither_offered_nor_given_it(world, at):
    assert (await offered(world, at=at))["loopback"] is False

    refused = await click(world, at=at)

    assert (refused.status_code, refused.json()["code"]) == (403, "one_click_refused")
    assert "set-cookie" not in refused.headers
    assert world.audited == []


@pytest.mark.parametrize("at", [("::1", 1), ("127.8.8.8", 1), ("::ffff:127.0.0.1", 1)])
async def test_every_loopback_address_is_this_machine(world, at):
    assert (await offered(world, at=at))["loopback"] is True
    assert (await click(world, at=at)).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
        {"X-Forwarded-Host": "127.0.0.1"},
        {"X-Forwarded-Port": "443"},
        {"Via": "1.1 proxy"},
    ],
)
async def test_nothing_that_came_through_a_proxy_is_taken_for_this_machine(world, header):
    assert (await offered(world, headers=header))["loopback"] is False
    assert (await click(world, headers=OWN | header)).status_code == 403


@pytest.mark.parametrize("host", ["evil.example:8000", "127.0.0.1.evil.example", "[::1", "x y"])
async def test_a_name_that_was_rebound_to_this_machine_gains_nothing(world, host):
    assert (await offered(world, headers={"Host": host}))["loopback"] is False
    headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}

    assert (await click(world, headers=headers)).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (OWN, 200),
        ({"Origin": "http://127.0.0.1:8000"}, 200),
        ({"Origin": "http://localhost:5173", "Sec-Fetch-Site": "same-origin"}, 200),
        ({}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 403),
        ({"X-Requested-With": "XMLHttpRequest"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "file://", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "http://127.0.0.1:3000"}, 403),
        ({"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
    ],
)
async def test_only_a_page_of_this_server_can_click(world, headers, status):
    assert (await click(world, headers=headers)).status_code == status


@pytest.mark.parametrize(
    "changes",
    [
        {"loopback_sign_in": None},
        {"loopback_sign_in": False},
        {"host": "0.0.0.0"},
        {"host": "192.168.1.7"},
        {"base_url": "https://mcp.example.com"},
        {"base_url": "http://mcp.example.com"},
    ],
)
async def test_a_server_that_others_may_reach_offers_none(open_world, changes):
    async with open_world(**{"loopback_sign_in": True} | changes) as world:
        await with_administrator(world)

        assert (await offered(world))["loopback"] is False
        assert (await click(world)).status_code == 403


async def test_without_the_first_administrator_there_is_nobody_to_be(open_world):
    async with open_world(loopback_sign_in=True) as world:
        assert (await offered(world))["loopback"] is False
        await world.user("admin", roles=("user",))
        assert (await offered(world))["loopback"] is False
        assert (await click(world)).status_code == 403


async def test_somebody_whom_a_provider_calls_admin_is_not_the_first_administrator(open_world):
    async with open_world(loopback_sign_in=True) as world:
        person = await world.user("admin", roles=("administrator",))
        async with world.database.unit_of_work() as session:
            (await session.get(User, person.id)).issuer = "https://idp.example.com"
            await bump_generation(session)
        await world.refresh()

        assert (await click(world)).status_code == 403


async def test_a_disabled_administrator_is_nobody_either(world):
    other = await world.user("other", roles=("administrator",))
    [admin] = [user for user in world.identity.authenticator.snapshot.users if user != other.id]
    async with world.database.unit_of_work() as session:
        change = UserChange(active=False)
        await update_user(session, user_id=admin, change=change, by=cli_principal())
    await world.refresh()

    assert (await click(world)).status_code == 403


async def test_a_password_is_offered_once_somebody_has_one(open_world):
    async with open_world() as world:
        assert (await offered(world)) == {"loopback": False, "password": False, "oidc": None}
        await world.user()
        assert (await offered(world))["password"] is True


async def test_the_provider_is_offered_by_its_name(open_world):
    configured = {
        "oidc_issuer": "https://idp.example.com",
        "oidc_client_id": "msil",
        "oidc_label": "Example accounts",
    }
    async with open_world(**configured) as world:
        found = (await offered(world))["oidc"]

    assert found == {"label": "Example accounts", "start_url": "/api/auth/oidc/start"}


async def test_every_beginning_and_end_of_a_session_is_recorded(world):
    await world.user()
    world.client.headers |= OWN
    await world.login()
    await world.client.post("/api/auth/logout")

    told = [(entry["action"], entry["details"]) for entry in world.audited]
    assert told == [("session.started", {"way": "password"}), ("session.ended", {})]
