from datetime import UTC, datetime, timedelta

import pytest

from msil_mcp.db.database import utc_now
from msil_mcp.identity.tables import ApiKey
from msil_mcp.sealing import make_secret

pytestmark = pytest.mark.anyio
ME = "/api/auth/me"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


async def test_key_is_shown_once_and_stored_only_as_a_keyed_hash(world):
    admin = await world.key()

    made = await world.client.post(
        "/api/keys", json={"name": "ci", "roles": ["user"]}, headers=admin
    )

    assert made.status_code == 201
    token, view = made.json()["token"], made.json()["key"]
    assert token.startswith(view["prefix"] + "_")
    assert len(token) == 57
    listed = await world.client.get("/api/keys", headers=admin)
    assert token not in listed.text
    async with world.database.reading() as session:
        row = await session.get_one(ApiKey, view["id"])
    assert row.digest == world.identity.key_mac.digest(token.encode())
    assert row.key_id == world.identity.key_mac.key_id
    assert (await world.client.get(ME, headers=bearer(token))).json()["roles"] == ["user"]
    [entry] = world.audited
    assert (entry["action"], entry["target"]) == ("key.created", f"key:{view['id']}")
    assert token not in str(entry)


async def test_x_api_key_header_proves_the_same_caller(world):
    headers = await world.key(roles=["auditor"])
    token = headers["Authorization"].removeprefix("Bearer ")

    by_header = await world.client.get(ME, headers={"X-API-Key": token})

    assert by_header.json() == (await world.client.get(ME, headers=headers)).json()
    assert by_header.json()["id"].startswith("key:")


@pytest.mark.parametrize(
    ("headers", "slug"),
    [
        ({}, "no_credential"),
        ({"Authorization": ""}, "no_credential"),
        ({"Authorization": "Basic YTpi"}, "bad_authorization"),
        ({"Authorization": "Bearer"}, "bad_authorization"),
        ({"Authorization": "Bearer one two"}, "bad_authorization"),
        ({"Authorization": "Bearer msil_short"}, "invalid_api_key"),
        ({"Authorization": "Bearer msil_" + "x" * 52}, "invalid_api_key"),
        ({"X-API-Key": "y" * 57}, "invalid_api_key"),
        ({"X-API-Key": "Bearer " + "y" * 57}, "invalid_api_key"),
        ({"Authorization": "Bearer a.b.c"}, "tokens_not_accepted"),
    ],
)
async def test_bad_credential_is_refused_with_a_challenge(world, headers, slug):
    answer = await world.client.get(ME, headers=headers)

    assert answer.status_code == 401
    assert answer.json()["code"] == slug
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_revoked_key_is_refused_from_the_next_snapshot_in_every_process(world, open_world):
    admin = await world.key()
    made = (await world.client.post("/api/keys", json={"name": "a"}, headers=admin)).json()
    async with open_world() as other:
        # The other process derives its keys from the same secret and has seen the key work.
        assert (await other.client.get(ME, headers=bearer(made["token"]))).status_code == 200
        before = await world.generation()

        gone = await world.client.delete(f"/api/keys/{made['key']['id']}", headers=admin)

        assert gone.status_code == 204
        assert await world.generation() > before
        assert (await world.client.get(ME, headers=bearer(made["token"]))).status_code == 401
        await other.refresh()
        refused = await other.client.get(ME, headers=bearer(made["token"]))
        assert refused.json()["code"] == "invalid_api_key"


async def test_expiry_is_checked_on_every_call_even_when_cached(world):
    expires = datetime.now(UTC) + timedelta(hours=1)
    headers = await world.key(expires_at=expires)
    assert (await world.client.get(ME, headers=headers)).status_code == 200

    world.identity.authenticator._clock = lambda: expires.timestamp() + 0.001

    refused = await world.client.get(ME, headers=headers)
    assert refused.status_code == 401
    assert "expired at" in refused.json()["detail"]


async def test_rotation_keeps_the_old_key_for_the_overlap_and_its_rights(world):
    admin = await world.key()
    body = {"name": "ci", "roles": ["auditor"], "scopes": ["bundle:booking"]}
    old = (await world.client.post("/api/keys", json=body, headers=admin)).json()

    path = f"/api/keys/{old['key']['id']}/rotate"
    new = (await world.client.post(path, json={"overlap_seconds": 600}, headers=admin)).json()

    mine = [
        (await world.client.get(ME, headers=bearer(each["token"]))).json() for each in (old, new)
    ]
    assert [each["roles"] for each in mine] == [["auditor"], ["auditor"]]
    assert [each["scopes"] for each in mine] == [["bundle:booking"], ["bundle:booking"]]
    left = datetime.fromisoformat(mine[0]["expires_at"]) - utc_now()
    assert timedelta(seconds=590) < left <= timedelta(seconds=600)
    assert mine[1]["expires_at"] is None


async def test_rotation_without_overlap_ends_the_old_key_at_once_and_only_once(world):
    admin = await world.key()
    old = (await world.client.post("/api/keys", json={"name": "ci"}, headers=admin)).json()
    path = f"/api/keys/{old['key']['id']}/rotate"

    assert (
        await world.client.post(path, json={"overlap_seconds": 0}, headers=admin)
    ).status_code == 201

    assert (await world.client.get(ME, headers=bearer(old["token"]))).status_code == 401
    again = await world.client.post(path, json={}, headers=admin)
    assert (again.status_code, again.json()["code"]) == (409, "key_ended")


async def test_key_never_has_more_than_its_owner_has_now(world):
    owner = await world.user("ravi", roles=["user", "auditor"])
    headers = await world.key(roles=["user", "operator"], owner_id=owner.id)

    caller = (await world.client.get(ME, headers=headers)).json()

    assert caller["roles"] == ["user"]
    assert caller["attributes"] == {"owner": f"user:{owner.id}"}


async def test_key_of_a_disabled_owner_is_refused(world):
    owner = await world.user("ravi", roles=["user"])
    headers = await world.key(roles=["user"], owner_id=owner.id)
    admin = await world.key()

    await world.client.patch(f"/api/users/{owner.id}", json={"active": False}, headers=admin)

    refused = await world.client.get(ME, headers=headers)
    assert refused.status_code == 401
    assert "disabled" in refused.json()["detail"]


async def test_nobody_makes_a_key_that_may_more_than_they_may(world):
    admin = await world.key()
    role = {"name": "key-maker", "permissions": ["keys:manage", "profile:read"]}
    await world.client.post("/api/roles", json=role, headers=admin)
    maker = await world.key(roles=["key-maker"])

    refused = await world.client.post(
        "/api/keys", json={"name": "x", "roles": ["administrator"]}, headers=maker
    )

    assert (refused.status_code, refused.json()["code"]) == (403, "grant_exceeds_own")
    allowed = await world.client.post(
        "/api/keys", json={"name": "x", "roles": ["key-maker"]}, headers=maker
    )
    assert allowed.status_code == 201


async def test_scoped_key_cannot_make_an_unscoped_one(world):
    scoped = await world.key(scopes=["bundle:booking"])

    answers = [
        await world.client.post(
            "/api/keys", json={"name": "x", "roles": ["user"], "scopes": scopes}, headers=scoped
        )
        for scopes in (None, ["tools"], ["bundle:booking"])
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 201]
    assert answers[0].json()["code"] == "scopes_exceed_own"


async def test_the_scope_of_all_tools_leaves_every_narrower_one_to_be_given(world):
    scoped = await world.key(scopes=["tools"])

    for scopes in (None, ["tools"], ["tool:resolve_vehicle"]):
        body = {"name": "x", "roles": ["user"], "scopes": scopes}
        assert (await world.client.post("/api/keys", json=body, headers=scoped)).status_code == 201


async def test_scoped_key_reaches_no_further_through_accounts_or_roles(world):
    scoped = await world.key(scopes=["bundle:booking"])
    asha = await world.user("asha", roles=["administrator"])
    entries = len(world.audited)

    answers = [
        await world.client.request(method, f"/api/{path}", json=body, headers=scoped)
        for method, path, body in (
            ("POST", "users", {"username": "ann", "display_name": "Ann"}),
            ("PATCH", f"users/{asha.id}", {"roles": ["administrator", "user"]}),
            ("PATCH", f"users/{asha.id}", {"active": True}),
            ("POST", f"users/{asha.id}/password", {}),
            ("POST", "roles/exposures", {"role": "user", "kind": "all"}),
        )
    ]

    assert {(one.status_code, one.json()["code"]) for one in answers} == {
        (403, "scopes_exceed_own")
    }
    assert len(world.audited) == entries
    disabled = await world.client.patch(
        f"/api/users/{asha.id}", json={"display_name": "A"}, headers=scoped
    )
    assert disabled.status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        ({"name": "x", "roles": ["nobody"]}, 404, "unknown_role"),
        ({"name": "x", "scopes": ["everything"]}, 422, "unprocessable"),
        ({"name": "x", "owner_id": 999_999}, 404, "user_not_found"),
        ({"name": "x", "expires_at": "2001-01-01T00:00:00Z"}, 422, "bad_expiry"),
        ({"name": "x", "expires_at": "2001-01-01T00:00:00"}, 422, "unprocessable"),
        ({"name": "x", "surprise": 1}, 422, "unprocessable"),
    ],
)
async def test_wrong_key_body_changes_nothing(world, body, status, slug):
    admin = await world.key()
    before = await world.generation()

    refused = await world.client.post("/api/keys", json=body, headers=admin)

    assert (refused.status_code, refused.json()["code"]) == (status, slug)
    assert await world.generation() == before
    assert world.audited == []


async def test_keys_are_listed_in_pages(world):
    admin = await world.key()
    for number in range(4):
        await world.client.post("/api/keys", json={"name": f"k{number}"}, headers=admin)

    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await world.client.get("/api/keys", params=params, headers=admin)).json()
        seen += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == ["test", "k0", "k1", "k2", "k3"]


async def test_last_use_is_noted_in_memory_and_written_by_the_flush(world):
    headers = await world.key()
    for _ in range(3):
        await world.client.get(ME, headers=headers)

    assert await world.identity.usage.flush(world.database) == 1
    assert await world.identity.usage.flush(world.database) == 0

    [key] = (await world.client.get("/api/keys", headers=headers)).json()["items"]
    used = datetime.fromisoformat(key["last_used_at"])
    assert abs(utc_now() - used) < timedelta(seconds=30)


async def test_snapshot_that_arrives_changes_the_rights_of_a_cached_key(world):
    admin = await world.key()
    role = {"name": "reader", "permissions": ["profile:read"]}
    await world.client.post("/api/roles", json=role, headers=admin)
    reader = await world.key(roles=["reader"])
    assert (await world.client.get("/api/keys", headers=reader)).status_code == 403

    wider = {"permissions": ["profile:read", "keys:manage"]}
    await world.client.patch("/api/roles/reader", json=wider, headers=admin)

    assert (await world.client.get("/api/keys", headers=reader)).status_code == 200


async def test_keys_outlive_a_rotated_secret_until_it_is_retired(open_world):
    old, new = make_secret(), make_secret()
    async with open_world(secret_key=old) as before:
        headers = await before.key()
    async with open_world(secret_key=f"{new},{old}") as rotating:
        assert (await rotating.client.get(ME, headers=headers)).status_code == 200
        fresh = await rotating.key()
    async with open_world(secret_key=new) as after:
        assert (await after.client.get(ME, headers=fresh)).status_code == 200
        assert (await after.client.get(ME, headers=headers)).status_code == 401
