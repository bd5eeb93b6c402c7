import anyio
import pytest
from sqlalchemy import select

from identity.conftest import PASSWORD
from msil_mcp.identity.authentication import cli_principal
from msil_mcp.identity.roles import ensure_roles
from msil_mcp.identity.tables import User
from msil_mcp.identity.users import (
    LastAdministrator,
    UserChange,
    ensure_administrator,
    update_user,
)

pytestmark = pytest.mark.anyio


async def test_first_start_makes_one_administrator_whose_password_is_given_once(world):
    async def ensure():
        async with world.database.unit_of_work() as session:
            return await ensure_administrator(session, passwords=world.identity.passwords)

    password = await ensure()
    assert await ensure() is None
    await world.refresh()

    assert password is not None
    assert (await world.login("admin", password)).status_code == 200
    me = (await world.client.get("/api/auth/me", headers={"X-Requested-With": "t"})).json()
    assert me["roles"] == ["administrator"]
    assert "users:manage" in me["permissions"]


async def test_processes_that_start_together_make_one_administrator(database, quick_passwords):
    made = []

    async def start():
        async with database.unit_of_work() as session:
            await ensure_roles(session)
            made.append(await ensure_administrator(session, passwords=quick_passwords))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(start)

    assert len([password for password in made if password]) == 1
    async with database.reading() as session:
        assert list(await session.scalars(select(User.username))) == ["admin"]


async def test_user_made_without_a_password_gets_one_that_is_shown_once(world):
    admin = await world.key()
    body = {"username": "Meera", "display_name": "Meera", "email": "meera@example.com"}

    made = await world.client.post("/api/users", json=body, headers=admin)

    assert made.status_code == 201
    password = made.json()["password"]
    assert (await world.login("meera", password)).status_code == 200
    listed = await world.client.get("/api/users", headers=admin)
    assert "password" not in listed.text
    assert password not in str(world.audited)
    async with world.database.reading() as session:
        stored = await session.scalar(select(User.password_hash))
    assert stored.startswith("$argon2id$")


async def test_given_password_is_not_repeated(world):
    admin = await world.key()
    body = {"username": "meera", "display_name": "M", "password": PASSWORD}

    made = await world.client.post("/api/users", json=body, headers=admin)

    assert made.json()["password"] is None
    assert PASSWORD not in made.text


@pytest.mark.parametrize(
    ("changes", "status", "slug"),
    [
        ({"username": "ASHA"}, 409, "username_taken"),
        ({"username": "a b"}, 422, "unprocessable"),
        ({"password": "short"}, 422, "weak_password"),
        ({"password": "aaaaaaaaaaaaaaaa"}, 422, "weak_password"),
        ({"roles": ["nobody"]}, 404, "unknown_role"),
        ({"email": "not an address"}, 422, "unprocessable"),
    ],
)
async def test_wrong_user_body_makes_no_user(world, changes, status, slug):
    await world.user("asha")
    admin = await world.key()
    body = {"username": "meera", "display_name": "M", "password": PASSWORD, **changes}

    refused = await world.client.post("/api/users", json=body, headers=admin)

    assert (refused.status_code, refused.json()["code"]) == (status, slug)
    users = (await world.client.get("/api/users", headers=admin)).json()["items"]
    assert [user["username"] for user in users] == ["asha"]


async def test_two_users_of_one_name_at_the_same_moment_are_one(world):
    admin = await world.key()
    statuses = []

    async def make():
        body = {"username": "twin", "display_name": "T", "password": PASSWORD}
        answer = await world.client.post("/api/users", json=body, headers=admin)
        statuses.append(answer.status_code)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(make)

    assert sorted(statuses) == [201, 409, 409, 409]


async def test_disabling_a_user_ends_their_session_and_bars_their_password(world):
    user = await world.user("asha")
    await world.login()
    page = {"X-Requested-With": "t"}
    assert (await world.client.get("/api/auth/me", headers=page)).status_code == 200
    admin = await world.key()

    changed = await world.client.patch(
        f"/api/users/{user.id}", json={"active": False}, headers=admin
    )

    assert changed.json()["active"] is False
    assert (await world.client.get("/api/auth/me", headers=page)).status_code == 401
    assert (await world.login()).status_code == 401


async def test_new_roles_are_in_force_from_the_next_request_of_an_open_session(world):
    user = await world.user("asha")
    await world.login()
    page = {"X-Requested-With": "t"}
    assert (await world.client.get("/api/users", headers=page)).status_code == 403
    admin = await world.key()

    body = {"roles": ["administrator"], "display_name": "Asha R"}
    await world.client.patch(f"/api/users/{user.id}", json=body, headers=admin)

    assert (await world.client.get("/api/users", headers=page)).status_code == 200
    entry = world.audited[-1]
    assert (entry["action"], entry["details"]) == ("user.changed", body)


async def test_last_administrator_can_neither_be_disabled_nor_demoted(world):
    boss = await world.user("boss", roles=["administrator"])
    admin = await world.key()

    for body in ({"active": False}, {"roles": ["user"]}):
        refused = await world.client.patch(f"/api/users/{boss.id}", json=body, headers=admin)
        assert (refused.status_code, refused.json()["code"]) == (409, "last_administrator")


async def test_two_administrators_cannot_disable_each_other_at_the_same_moment(world):
    bosses = [await world.user(f"boss{n}", roles=["administrator"]) for n in (1, 2)]
    outcomes = []

    async def disable(user):
        try:
            async with world.database.unit_of_work() as session:
                await update_user(
                    session, user_id=user.id, change=UserChange(active=False), by=cli_principal()
                )
        except LastAdministrator:
            outcomes.append("refused")
        else:
            outcomes.append("disabled")

    async with anyio.create_task_group() as tasks:
        for boss in bosses:
            tasks.start_soon(disable, boss)

    assert sorted(outcomes) == ["disabled", "refused"]


async def test_manager_of_users_cannot_touch_those_who_may_more(world):
    boss = await world.user("boss", roles=["administrator"])
    await world.user("boss2", roles=["administrator"])
    admin = await world.key()
    role = {"name": "people", "permissions": ["users:manage", "profile:read"]}
    await world.client.post("/api/roles", json=role, headers=admin)
    manager = await world.key(roles=["people"])

    attempts = [
        await world.client.patch(f"/api/users/{boss.id}", json={"active": False}, headers=manager),
        await world.client.post(f"/api/users/{boss.id}/password", json={}, headers=manager),
        await world.client.post(
            "/api/users",
            json={"username": "m", "display_name": "M", "roles": ["administrator"]},
            headers=manager,
        ),
    ]

    assert [answer.json()["code"] for answer in attempts] == ["grant_exceeds_own"] * 3


async def test_users_are_read_one_by_one_and_in_pages(world):
    users = [await world.user(name) for name in ("a1", "b2", "c3")]
    admin = await world.key()

    first = (await world.client.get("/api/users?limit=2", headers=admin)).json()
    rest = (
        await world.client.get(f"/api/users?limit=2&cursor={first['next_cursor']}", headers=admin)
    ).json()

    names = [item["username"] for page in (first, rest) for item in page["items"]]
    assert names == ["a1", "b2", "c3"]
    assert rest["next_cursor"] is None
    one = await world.client.get(f"/api/users/{users[1].id}", headers=admin)
    assert one.json()["username"] == "b2"
    missing = await world.client.get("/api/users/999999", headers=admin)
    assert (missing.status_code, missing.json()["code"]) == (404, "user_not_found")
    forged = await world.client.get("/api/users?cursor=zzz", headers=admin)
    assert (forged.status_code, forged.json()["code"]) == (400, "bad_cursor")
