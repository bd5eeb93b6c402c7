from typing import get_args

import pytest
from sqlalchemy import select, update

from msil_mcp.identity.roles import ensure_roles
from msil_mcp.identity.snapshot import Exposure, load_identity
from msil_mcp.identity.tables import Role, RoleExposure
from msil_mcp.principal import BUILTIN_ROLES, Permission

pytestmark = pytest.mark.anyio


async def loaded(world):
    async with world.database.reading() as session:
        return await load_identity(session)


async def test_builtin_roles_are_rows_and_only_those_who_must_see_all_tools(world):
    snapshot = await loaded(world)

    assert snapshot.roles == BUILTIN_ROLES
    everything = (Exposure(kind="all", target=""),)
    assert snapshot.exposures == {"administrator": everything, "integrator": everything}


async def test_demo_shows_the_user_role_all_tools(database):
    async with database.unit_of_work() as session:
        await ensure_roles(session, show_user_all=True)
        roles = set(await session.scalars(select(RoleExposure.role)))

    assert roles == {"administrator", "integrator", "user"}


async def test_start_gives_builtin_roles_what_the_release_says_and_returns_no_taken_exposure(world):
    admin = await world.key()
    listed = (await world.client.get("/api/roles/exposures", headers=admin)).json()["items"]
    [mine] = [item for item in listed if item["role"] == "integrator"]
    await world.client.delete(f"/api/roles/exposures/{mine['id']}", headers=admin)
    async with world.database.unit_of_work() as session:
        await session.execute(update(Role).where(Role.name == "user").values(permissions=[]))

    async with world.database.unit_of_work() as session:
        assert await ensure_roles(session) is True
    async with world.database.unit_of_work() as session:
        assert await ensure_roles(session) is False

    snapshot = await loaded(world)
    assert snapshot.roles == BUILTIN_ROLES
    assert "integrator" not in snapshot.exposures


async def test_role_of_ones_own_is_made_changed_and_removed(world):
    admin = await world.key()
    body = {"name": "desk", "description": "Front desk", "permissions": ["tools:read"]}

    made = await world.client.post("/api/roles", json=body, headers=admin)
    changed = await world.client.patch(
        "/api/roles/desk", json={"permissions": ["chat:use", "tools:read"]}, headers=admin
    )

    assert made.json() == body | {"builtin": False}
    assert changed.json()["permissions"] == ["chat:use", "tools:read"]
    assert changed.json()["description"] == "Front desk"
    assert (await world.client.delete("/api/roles/desk", headers=admin)).status_code == 204
    names = [
        item["name"]
        for item in (await world.client.get("/api/roles", headers=admin)).json()["items"]
    ]
    assert names == sorted(BUILTIN_ROLES)
    assert [entry["action"] for entry in world.audited] == [
        "role.created",
        "role.changed",
        "role.deleted",
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "slug"),
    [
        ("POST", "/api/roles", {"name": "user"}, 409, "role_exists"),
        ("POST", "/api/roles", {"name": "Not A Name"}, 422, "unprocessable"),
        ("POST", "/api/roles", {"name": "x", "permissions": ["fly"]}, 422, "unprocessable"),
        ("PATCH", "/api/roles/user", {"permissions": []}, 409, "builtin_role"),
        ("PATCH", "/api/roles/nobody", {}, 404, "unknown_role"),
        ("DELETE", "/api/roles/administrator", None, 409, "builtin_role"),
        ("DELETE", "/api/roles/exposures/999999", None, 404, "not_found"),
        ("POST", "/api/roles/exposures", {"role": "nobody", "kind": "all"}, 404, "unknown_role"),
        ("POST", "/api/roles/exposures", {"role": "user", "kind": "tool"}, 422, "unprocessable"),
        (
            "POST",
            "/api/roles/exposures",
            {"role": "user", "kind": "all", "target": "x"},
            422,
            "unprocessable",
        ),
    ],
)
async def test_wrong_change_of_roles_changes_nothing(world, method, path, body, status, slug):
    admin = await world.key()
    before = await world.generation()

    refused = await world.client.request(method, path, json=body, headers=admin)

    assert (refused.status_code, refused.json()["code"]) == (status, slug)
    assert await world.generation() == before
    assert world.audited == []


async def test_role_that_is_carried_stays(world):
    admin = await world.key()
    await world.client.post("/api/roles", json={"name": "desk"}, headers=admin)
    await world.user("asha", roles=["desk"])
    await world.key(roles=["desk"])

    refused = await world.client.delete("/api/roles/desk", headers=admin)

    assert (refused.status_code, refused.json()["code"]) == (409, "role_in_use")
    assert "1 users and 1 API keys" in refused.json()["detail"]


async def test_exposure_is_in_the_next_snapshot_and_granting_twice_is_granting_once(world):
    admin = await world.key()
    body = {"role": "user", "kind": "bundle", "target": "booking"}

    first = await world.client.post("/api/roles/exposures", json=body, headers=admin)
    second = await world.client.post("/api/roles/exposures", json=body, headers=admin)

    assert first.json() == second.json()
    exposures = (await loaded(world)).exposures
    assert exposures["user"] == (Exposure(kind="bundle", target="booking"),)


async def test_exposures_of_a_role_go_with_it(world):
    admin = await world.key()
    await world.client.post("/api/roles", json={"name": "desk"}, headers=admin)
    body = {"role": "desk", "kind": "tool", "target": "resolve_vehicle"}
    await world.client.post("/api/roles/exposures", json=body, headers=admin)

    await world.client.delete("/api/roles/desk", headers=admin)

    assert "desk" not in (await loaded(world)).exposures


async def test_administrator_never_loses_sight(world):
    admin = await world.key()
    listed = (await world.client.get("/api/roles/exposures", headers=admin)).json()["items"]
    [mine] = [item for item in listed if item["role"] == "administrator"]

    refused = await world.client.delete(f"/api/roles/exposures/{mine['id']}", headers=admin)

    assert (refused.status_code, refused.json()["code"]) == (409, "builtin_role")


async def test_maker_of_roles_cannot_make_one_that_may_more(world):
    admin = await world.key()
    role = {"name": "role-maker", "permissions": ["roles:manage"]}
    await world.client.post("/api/roles", json=role, headers=admin)
    maker = await world.key(roles=["role-maker"])

    body = {"name": "x", "permissions": list(get_args(Permission))}
    refused = await world.client.post("/api/roles", json=body, headers=maker)

    assert (refused.status_code, refused.json()["code"]) == (403, "grant_exceeds_own")


@pytest.mark.parametrize(
    "path", ["/api/users", "/api/users/1", "/api/keys", "/api/roles", "/api/roles/exposures"]
)
@pytest.mark.parametrize("role", ["integrator", "auditor", "operator", "user"])
async def test_administration_is_closed_to_every_other_role(world, path, role):
    headers = await world.key(roles=[role])

    refused = await world.client.get(path, headers=headers)

    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")


async def test_change_that_cannot_be_recorded_is_still_announced_and_says_so(world):
    admin = await world.key()

    async def broken(**entry):
        raise OSError("disk full")

    world.app.state.admin_audit = broken
    with pytest.raises(OSError, match="disk full"):
        await world.client.post("/api/roles", json={"name": "desk"}, headers=admin)

    assert "desk" in world.identity.authenticator.snapshot.roles
