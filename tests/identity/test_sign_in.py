from datetime import timedelta

import anyio
import pytest
from sqlalchemy import select, update

from identity.conftest import PASSWORD
from msil_mcp.db.database import utc_now
from msil_mcp.identity import passwords
from msil_mcp.identity.sign_in import pause_after
from msil_mcp.identity.tables import User

pytestmark = pytest.mark.anyio
ME = "/api/auth/me"
PAGE = {"X-Requested-With": "test"}


async def failures(world):
    async with world.database.reading() as session:
        return (await session.execute(select(User.failed_logins, User.locked_until))).one()


async def forget_lock(world):
    async with world.database.unit_of_work() as session:
        await session.execute(update(User).values(locked_until=utc_now() - timedelta(seconds=1)))


async def test_sign_in_sets_a_cookie_that_scripts_cannot_read(world):
    await world.user()

    answer = await world.login()

    assert answer.status_code == 200
    assert answer.json()["name"] == "Asha"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("msil_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert (await world.client.get(ME, headers=PAGE)).json()["kind"] == "user"


async def test_cookie_is_bound_to_the_host_over_https(open_world):
    async with open_world(base_url="https://mcp.example.com") as world:
        await world.user()
        cookie = (await world.login()).headers["set-cookie"]

    assert cookie.startswith("__Host-msil_session=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


async def test_every_refusal_reads_the_same(world):
    await world.user("asha")
    disabled = await world.user("gone")
    async with world.database.unit_of_work() as session:
        await session.execute(update(User).where(User.id == disabled.id).values(active=False))

    answers = [
        await world.login("asha", "wrong"),
        await world.login("nobody", PASSWORD),
        await world.login("gone", PASSWORD),
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


async def test_a_wrong_password_is_on_the_record_of_the_account_it_was_for(world):
    user = await world.user()

    await world.login(password="wrong")
    await world.login("nobody", "wrong")
    await anyio.wait_all_tasks_blocked()

    [entry] = world.audited
    assert (entry["action"], entry["target"]) == ("session.refused", f"user:{user.id}")
    assert (entry["principal"], entry["outcome"]) == (None, "denied")
    for _ in range(9):
        await world.login(password="wrong")
    await anyio.wait_all_tasks_blocked()
    assert len(world.audited) == 5


async def test_five_failures_lock_even_the_right_password_out_for_a_minute(world):
    await world.user()
    for _ in range(5):
        assert (await world.login(password="wrong")).status_code == 401

    assert (await world.login()).status_code == 401

    count, until = await failures(world)
    assert count == 5
    assert timedelta(seconds=50) < until - utc_now() <= timedelta(seconds=60)
    await forget_lock(world)
    assert (await world.login()).status_code == 200
    assert await failures(world) == (0, None)


async def test_pause_doubles_with_each_further_failure_up_to_a_quarter_of_an_hour(world):
    minutes = [pause_after(count) for count in (4, 5, 6, 7, 8, 9, 400)]

    assert minutes[0] is None
    assert [pause / timedelta(minutes=1) for pause in minutes[1:]] == [1, 2, 4, 8, 15, 15]
    await world.user()
    for _ in range(5):
        await world.login(password="wrong")
    await forget_lock(world)
    await world.login(password="wrong")
    _, until = await failures(world)
    assert timedelta(seconds=110) < until - utc_now() <= timedelta(seconds=120)


async def test_many_guesses_at_once_are_no_more_than_five(world):
    await world.user()

    async with anyio.create_task_group() as tasks:
        for _ in range(12):
            tasks.start_soon(world.login, "asha", "wrong")

    count, until = await failures(world)
    assert count == 5
    assert until is not None


async def test_a_flood_of_guesses_is_sent_away_and_nobody_is_charged_for_it(world, monkeypatch):
    await world.user()
    monkeypatch.setattr(passwords, "MOST_WAITING", 2)
    statuses = []

    async def guess(username, password):
        statuses.append((await world.login(username, password)).status_code)

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(guess, "nobody", "wrong")
        for _ in range(10):
            tasks.start_soon(guess, "asha", PASSWORD)

    assert 429 in statuses
    assert (await world.login()).status_code == 200
    assert await failures(world) == (0, None)


async def test_administrator_lifts_a_lock_by_setting_a_new_password(world):
    user = await world.user()
    for _ in range(5):
        await world.login(password="wrong")
    admin = await world.key()

    answer = await world.client.post(f"/api/users/{user.id}/password", json={}, headers=admin)

    assert (await world.login(password=answer.json()["password"])).status_code == 200


async def test_own_password_is_changed_with_the_present_one_and_ends_other_sessions(world):
    await world.user()
    await world.login()
    other = world.client.cookies["msil_session"]
    await world.login()
    body = {"current": PASSWORD, "new": "another long secret"}

    wrong = await world.client.post(
        "/api/auth/password", json=body | {"current": "wrong"}, headers=PAGE
    )
    assert wrong.status_code == 401
    assert (
        await world.client.post("/api/auth/password", json=body, headers=PAGE)
    ).status_code == 204

    assert (await world.client.get(ME, headers=PAGE)).status_code == 200
    world.client.cookies.clear()
    stolen = await world.client.get(ME, headers=PAGE | {"Cookie": f"msil_session={other}"})
    assert (stolen.status_code, stolen.json()["code"]) == (401, "session_ended")
    assert (await world.login(password="another long secret")).status_code == 200


async def test_only_a_local_user_has_a_password_to_change(world):
    admin = await world.key()
    body = {"current": PASSWORD, "new": "another long secret"}

    refused = await world.client.post("/api/auth/password", json=body, headers=admin)

    assert (refused.status_code, refused.json()["code"]) == (409, "no_password")


async def test_sign_in_from_another_site_is_refused(world):
    await world.user()

    refused = await world.login(Origin="https://evil.example")

    assert (refused.status_code, refused.json()["code"]) == (403, "cross_site_request")
    assert "set-cookie" not in refused.headers
