import asyncio

import pytest

pytestmark = pytest.mark.anyio
ME = "/api/auth/me"
PAGE = {"X-Requested-With": "test"}


async def signed_in(world):
    await world.user()
    await world.login()
    return world.client.cookies["msil_session"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://127.0.0.1:8000"}, 200),
        ({"Origin": "http://localhost:8000", "Host": "localhost:8000"}, 200),
        ({"Origin": "http://localhost:5173", "Host": "localhost:5173"}, 200),
        ({"Origin": "http://localhost:5173"}, 403),
        ({"Origin": "http://127.0.0.1:9000", "X-Requested-With": "x"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"X-Requested-With": "XMLHttpRequest"}, 200),
        ({}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://evil.example", "X-Requested-With": "x"}, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "X-Requested-With": "x"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://localhost:5173", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://[broken"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
async def test_session_counts_only_on_requests_of_our_own_pages(world, headers, status):
    await signed_in(world)

    assert (await world.client.get(ME, headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://mcp.example.com", 200),
        ("https://portal.example.com", 200),
        ("http://localhost:5173", 403),
        ("http://mcp.example.com", 403),
        ("https://mcp.example.com.evil.example", 403),
    ],
)
async def test_public_service_takes_sessions_from_its_own_and_the_allowed_origins(
    open_world, origin, status
):
    allowed = "https://portal.example.com"
    async with open_world(base_url="https://mcp.example.com", allowed_origins=allowed) as world:
        await world.user()
        await world.login()

        assert (await world.client.get(ME, headers={"Origin": origin})).status_code == status


async def test_signing_out_ends_this_session_in_every_process_and_no_other(world, open_world):
    first = await signed_in(world)
    await world.login()
    second = world.client.cookies["msil_session"]
    world.client.cookies.clear()

    gone = await world.client.post(
        "/api/auth/logout", headers=PAGE | {"Cookie": f"msil_session={first}"}
    )

    assert gone.status_code == 200
    assert 'msil_session=""' in gone.headers["set-cookie"]
    assert world.audited[-1]["action"] == "session.ended"
    async with open_world() as other:
        statuses = [
            (await other.client.get(ME, headers=PAGE | {"Cookie": f"msil_session={each}"}))
            for each in (first, second)
        ]
    assert [answer.status_code for answer in statuses] == [401, 200]


async def test_a_session_may_be_signed_out_of_in_several_tabs_at_once(world):
    cookie = await signed_in(world)
    world.client.cookies.clear()
    headers = PAGE | {"Cookie": f"msil_session={cookie}"}

    gone = await asyncio.gather(
        *(world.client.post("/api/auth/logout", headers=headers) for _ in range(4))
    )

    assert {answer.status_code for answer in gone} <= {200, 401}
    assert (await world.client.get(ME, headers=headers)).json()["code"] == "session_ended"


@pytest.mark.parametrize("damage", ["cut", "flipped", "long", "foreign"])
async def test_damaged_cookie_is_refused(world, damage):
    cookie = await signed_in(world)
    world.client.cookies.clear()
    flipped = cookie[:20] + ("A" if cookie[20] != "A" else "B") + cookie[21:]
    value = {
        "cut": cookie[:-2],
        "flipped": flipped,
        "long": cookie * 50,
        "foreign": "not-ours",
    }[damage]

    refused = await world.client.get(ME, headers=PAGE | {"Cookie": f"msil_session={value}"})

    assert (refused.status_code, refused.json()["code"]) == (401, "session_ended")


async def test_session_ends_after_twelve_hours(world):
    await signed_in(world)
    now = world.identity.sessions._clock()

    world.identity.sessions._clock = lambda: now + 12 * 3600 + 1

    assert (await world.client.get(ME, headers=PAGE)).json()["code"] == "session_ended"


async def test_key_is_judged_before_a_cookie_and_needs_no_page(world):
    headers = await world.key()
    await signed_in(world)

    assert (await world.client.get(ME, headers=headers)).json()["kind"] == "key"
    bad = {"Authorization": "Bearer msil_" + "x" * 52}
    assert (await world.client.get(ME, headers=bad | PAGE)).status_code == 401


async def test_other_cookies_are_not_mistaken_for_a_session(world):
    answer = await world.client.get(
        ME, headers=PAGE | {"Cookie": "theme=dark; xmsil_session=1; =; broken"}
    )

    assert answer.json()["code"] == "no_credential"
