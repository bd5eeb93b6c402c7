"""Signing in with an identity provider, a real one over HTTP, as a browser does it."""

from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
import pytest
from sqlalchemy import select

from identity.conftest import BASE_URL, PASSWORD
from identity.provider import encoded, hashed
from msil_mcp.db.database import utc_now
from msil_mcp.identity.tables import UsedSignIn, User
from openid_provider import openid_provider

pytestmark = pytest.mark.anyio
ME = "/api/auth/me"
START = "/api/auth/oidc/start"
CALLBACK = "/api/auth/oidc/callback"
PAGE = {"X-Requested-With": "test"}


@pytest.fixture(scope="module")
def made_idp():
    with openid_provider() as provider:
        yield provider


@pytest.fixture
def idp(made_idp):
    made_idp.reset()
    made_idp.redirect_uris = {f"{BASE_URL}{CALLBACK}"}
    return made_idp


def configured(idp, **changes):
    return {
        "oidc_issuer": idp.issuer,
        "oidc_client_id": idp.client_id,
        "oidc_client_secret": idp.client_secret,
    } | changes


@pytest.fixture
async def world(open_world, idp):
    async with open_world(**configured(idp)) as world:
        yield world


async def leave(world, following="/chat"):
    """From our page to the provider and back, up to the door: the callback's path and query."""
    answer = await world.client.get(START, params={"next": following})
    assert answer.status_code == 303, answer.text
    async with httpx2.AsyncClient() as outside:
        there = await outside.get(answer.headers["location"])
    assert there.status_code == 302, there.text
    assert there.headers["location"].startswith(f"{BASE_URL}{CALLBACK}?")
    return there.headers["location"].removeprefix(BASE_URL)


async def sign_in(world, following="/chat"):
    return await world.client.get(await leave(world, following))


async def me(world):
    return (await world.client.get(ME, headers=PAGE)).json()


def refusal(answer):
    assert answer.status_code == 303
    where = urlsplit(answer.headers["location"])
    assert "msil_session=" not in str(answer.headers.get_list("set-cookie"))
    return where.path, parse_qs(where.query)["sign_in_error"][0]


async def accounts(world):
    async with world.database.reading() as session:
        return list(await session.scalars(select(User).order_by(User.id)))


async def test_a_person_goes_to_the_provider_and_comes_back_signed_in(world, idp):
    answer = await sign_in(world, "/admin/tools?page=2")

    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/tools?page=2")
    assert answer.headers["cache-control"] == "no-store"
    caller = await me(world)
    assert (caller["kind"], caller["name"], caller["roles"]) == ("user", "Asha K", ["user"])
    assert caller["attributes"]["username"] == "asha.k"
    [account] = await accounts(world)
    assert (account.issuer, account.subject) == (idp.issuer, "248289761001")
    assert account.password_hash is None
    assert [entry["action"] for entry in world.audited] == ["user.created", "session.started"]
    assert world.audited[0]["principal"].id == f"oidc:{idp.issuer}"
    assert world.audited[1]["details"] == {"way": "oidc"}


async def test_coming_again_is_the_same_account_with_what_is_new_about_it(world, idp):
    await sign_in(world)
    idp.person |= {"name": "Asha Kulkarni", "roles": ["auditor"], "preferred_username": "ak"}
    world.audited.clear()

    await sign_in(world)

    caller = await me(world)
    assert (caller["name"], caller["roles"]) == ("Asha Kulkarni", ["auditor"])
    assert len(await accounts(world)) == 1
    assert [entry["action"] for entry in world.audited] == ["user.changed", "session.started"]
    generation = await world.generation()
    await sign_in(world)
    assert await world.generation() == generation


async def test_a_local_user_of_the_same_name_stays_somebody_else(world, idp):
    local = await world.user("asha.k", roles=("administrator",))

    await sign_in(world)

    caller = await me(world)
    assert caller["id"] != f"user:{local.id}"
    assert caller["attributes"]["username"].startswith("asha.k-")
    assert caller["roles"] == ["user"]


async def test_there_is_no_way_past_the_provider(world):
    await sign_in(world)
    [account] = await accounts(world)
    admin = await world.key()
    change = {"current": "", "new": PASSWORD}

    given = await world.client.post(f"/api/users/{account.id}/password", json={}, headers=admin)
    taken = await world.client.post("/api/auth/password", json=change, headers=PAGE)

    assert (given.status_code, given.json()["code"]) == (409, "provider_account")
    assert (taken.status_code, taken.json()["code"]) == (409, "no_password")
    assert (await world.login("asha.k", "")).status_code == 401
    assert (await world.login("asha.k", PASSWORD)).status_code == 401


@pytest.mark.parametrize(
    ("settings", "claims", "roles"),
    [
        ({}, {"roles": ["auditor", "unheard-of"]}, ["auditor"]),
        ({"oidc_role_map": {"crew": ["operator", "auditor"]}}, {"roles": "crew"}, 2),
        ({"oidc_role_map": {"crew": ["operator"]}}, {"roles": ["administrator"]}, None),
        ({"oidc_roles_claim": "realm.roles"}, {"realm": {"roles": ["auditor"]}}, ["auditor"]),
        ({"oidc_default_role": "user"}, {"roles": []}, ["user"]),
        ({}, {"roles": []}, None),
        ({}, {"roles": ["unheard-of"]}, None),
    ],
)
async def test_roles_follow_the_claim_the_map_and_the_default(
    open_world, idp, settings, claims, roles
):
    idp.person |= claims
    async with open_world(**configured(idp, **settings)) as world:
        answer = await sign_in(world)
        if roles is None:
            assert refusal(answer) == ("/chat", "no_role")
            assert await accounts(world) == []
            return
        found = (await me(world))["roles"]
    assert (len(found) if isinstance(roles, int) else found) == roles


async def test_the_map_holds_for_access_tokens_too(open_world, provider):
    mapping = {"crew": ["operator"]}
    async with open_world(oidc_issuer=provider.issuer, oidc_role_map=mapping) as world:
        token = provider.token(roles=["crew", "administrator"])
        answer = await world.client.get(ME, headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["roles"] == ["operator"]


async def test_roles_given_here_stay_where_the_provider_tells_of_none(open_world, idp):
    del idp.person["roles"]
    async with open_world(**configured(idp, oidc_default_role="user")) as world:
        await sign_in(world)
        [account] = await accounts(world)
        admin = await world.key()
        change = {"roles": ["auditor"]}
        await world.client.patch(f"/api/users/{account.id}", json=change, headers=admin)

        await sign_in(world)

        assert (await me(world))["roles"] == ["auditor"]


async def test_roles_are_asked_for_where_the_id_token_is_silent(world, idp):
    roles = idp.person.pop("roles")
    idp.faults.told = {"sub": idp.person["sub"], "roles": roles, "name": "Somebody"}

    await sign_in(world)

    caller = await me(world)
    assert (caller["roles"], caller["name"]) == (["user"], "Asha K")
    assert idp.served["userinfo"] == 1


@pytest.mark.parametrize(
    ("claims", "username", "name"),
    [
        ({"preferred_username": None}, "asha@example.com", "Asha K"),
        ({"preferred_username": None, "email_verified": False}, "248289761001", "Asha K"),
        ({"preferred_username": "A\x00\u202eB", "name": 7}, "ab", "AB"),
        ({"preferred_username": "x" * 300, "name": "y" * 300}, "x" * 64, "y" * 200),
    ],
)
async def test_names_are_taken_from_what_there_is(world, idp, claims, username, name):
    idp.person |= claims

    await sign_in(world)

    [account] = await accounts(world)
    assert (account.username, account.display_name) == (username, name)


async def test_a_disabled_account_stays_out(world, idp):
    await sign_in(world)
    [account] = await accounts(world)
    admin = await world.key()
    await world.client.patch(f"/api/users/{account.id}", json={"active": False}, headers=admin)

    assert refusal(await sign_in(world, "/admin")) == ("/admin", "account_disabled")


async def test_a_disabled_account_is_let_in_by_no_access_token_either(open_world, provider):
    async with open_world(oidc_issuer=provider.issuer) as world:
        async with world.database.unit_of_work() as session:
            session.add(
                User(
                    username="alice",
                    display_name="Alice",
                    issuer=provider.issuer,
                    subject="alice",
                    roles=["user"],
                )
            )
        await world.refresh()
        bearer = {"Authorization": f"Bearer {provider.token()}"}
        assert (await world.client.get(ME, headers=bearer)).status_code == 200
        [account] = await accounts(world)
        path, admin = f"/api/users/{account.id}", await world.key()
        await world.client.patch(path, json={"active": False}, headers=admin)

        refused = await world.client.get(ME, headers=bearer)
        fresh = {"Authorization": f"Bearer {provider.token(jti='another')}"}
        also = await world.client.get(ME, headers=fresh)
        await world.client.patch(path, json={"active": True}, headers=admin)

        assert (refused.status_code, refused.json()["code"]) == (403, "account_disabled")
        assert also.status_code == 403
        assert (await world.client.get(ME, headers=bearer)).status_code == 200


async def test_a_public_client_is_held_by_pkce_alone(open_world, idp):
    idp.client_secret = None
    async with open_world(**configured(idp)) as world:
        assert (await sign_in(world)).headers["location"] == "/chat"


async def test_the_secret_goes_where_the_provider_takes_it(world, idp):
    idp.faults.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}

    assert (await sign_in(world)).headers["location"] == "/chat"


def without(name):
    return lambda claims: {key: value for key, value in claims.items() if key != name}


@pytest.mark.parametrize(
    "id_token",
    [
        lambda claims: claims | {"nonce": "another"},
        without("nonce"),
        lambda claims: claims | {"iss": "https://idp.example"},
        lambda claims: claims | {"aud": "somebody-else"},
        lambda claims: claims | {"aud": ["msil", "another"]},
        lambda claims: claims | {"aud": ["msil", "another"], "azp": "another"},
        lambda claims: claims | {"exp": claims["iat"] - 120},
        lambda claims: claims | {"iat": claims["iat"] + 600},
        without("exp"),
        without("sub"),
        lambda claims: claims | {"sub": ""},
        lambda claims: claims | {"sub": 7},
        lambda claims: claims | {"at_hash": "x" * 22},
    ],
)
async def test_an_id_token_that_does_not_hold_signs_nobody_in(world, idp, id_token):
    idp.faults.id_token = id_token

    assert refusal(await sign_in(world)) == ("/chat", "provider_refused")

    assert (await world.client.get(ME, headers=PAGE)).status_code == 401
    assert await accounts(world) == []
    assert world.audited == []


async def test_a_signature_of_a_stranger_signs_nobody_in(world, idp):
    idp.faults.signed_by_a_stranger = True

    assert refusal(await sign_in(world)) == ("/chat", "provider_refused")


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
async def test_a_token_signed_with_nothing_or_with_what_is_public_signs_nobody_in(
    world, idp, algorithm
):
    def forged(answer):
        claims = {"iss": idp.issuer, "aud": "msil", "sub": "x", "exp": 9999999999, "iat": 1}
        header = {"alg": algorithm, "kid": "one"}
        public = idp.key.as_pem(private=False)
        token = (
            f"{encoded(header)}.{encoded(claims)}."
            if algorithm == "none"
            else hashed(header, claims, secret=public, digest="sha256")
        )
        return answer | {"id_token": token}

    idp.faults.answer = forged

    assert refusal(await sign_in(world)) == ("/chat", "provider_refused")


@pytest.mark.parametrize(
    "answer",
    [
        without("id_token"),
        lambda answer: answer | {"id_token": "x.y"},
        lambda _: {"error": "temporarily_unavailable"},
    ],
)
async def test_an_answer_without_a_usable_token_signs_nobody_in(world, idp, answer):
    idp.faults.answer = answer

    assert refusal(await sign_in(world)) == ("/chat", "provider_refused")


async def test_user_info_of_somebody_else_signs_nobody_in(world, idp):
    del idp.person["roles"]
    idp.faults.told = {"sub": "another", "roles": ["administrator"]}

    assert refusal(await sign_in(world)) == ("/chat", "provider_refused")


async def test_a_state_counts_once_even_where_the_provider_would_take_the_code_again(world, idp):
    idp.faults.codes_last = True
    back = await leave(world)
    jar = world.client.cookies["msil_sign_in"]
    assert (await world.client.get(back)).headers["location"] == "/chat"
    assert "msil_sign_in" not in world.client.cookies
    world.client.cookies.clear()
    idp.served.clear()

    replayed = await world.client.get(back, headers={"Cookie": f"msil_sign_in={jar}"})

    assert refusal(replayed) == ("/chat", "sign_in_expired")
    assert idp.served["token"] == 0
    async with world.database.reading() as session:
        assert len(list(await session.scalars(select(UsedSignIn)))) == 1


async def test_a_sign_in_begun_in_another_browser_does_not_end_here(world, idp):
    back = await leave(world)
    world.client.cookies.clear()

    assert refusal(await world.client.get(back)) == ("/chat", "sign_in_expired")
    await leave(world)
    assert refusal(await world.client.get(back)) == ("/chat", "sign_in_expired")
    assert idp.served["token"] == 0


async def test_a_sign_in_begun_at_one_replica_ends_at_another(world, open_world, idp):
    back = await leave(world)
    async with open_world(**configured(idp)) as other:
        other.client.cookies = world.client.cookies
        assert (await other.client.get(back)).headers["location"] == "/chat"


async def test_ten_minutes_are_enough_and_eleven_are_not(world):
    back = await leave(world)
    now = utc_now().timestamp()
    world.identity.oidc.attempts._clock = lambda: now + 601

    assert refusal(await world.client.get(back)) == ("/chat", "sign_in_expired")


async def test_several_tabs_sign_in_beside_each_other(world):
    first, second = await leave(world, "/chat"), await leave(world, "/admin")

    assert (await world.client.get(first)).headers["location"] == "/chat"
    assert (await world.client.get(second)).headers["location"] == "/admin"


async def test_a_fourth_tab_makes_the_browser_forget_the_first(world):
    backs = [await leave(world) for _ in range(4)]

    assert refusal(await world.client.get(backs[0])) == ("/chat", "sign_in_expired")
    assert (await world.client.get(backs[1])).headers["location"] == "/chat"


@pytest.mark.parametrize(
    ("back", "reason"),
    [
        ({"error": "access_denied", "code": None}, "sign_in_declined"),
        ({"iss": "https://idp.example"}, "sign_in_expired"),
        ({"state": "made-up"}, "sign_in_expired"),
        ({"code": "made-up"}, "provider_refused"),
        ({"code": None}, "provider_refused"),
    ],
)
async def test_what_the_provider_sends_back_is_not_believed_blindly(world, idp, back, reason):
    idp.faults.back = back

    assert refusal(await sign_in(world)) == ("/chat", reason)


async def test_an_answer_must_name_its_provider_where_that_was_promised(world, idp):
    idp.faults.metadata = {"authorization_response_iss_parameter_supported": True}
    idp.faults.back = {"iss": None}

    assert refusal(await sign_in(world)) == ("/chat", "sign_in_expired")


async def test_another_verifier_does_not_redeem_the_code(world, idp):
    """A code that was stolen is worth nothing in another browser's sign-in."""
    stolen = parse_qs(urlsplit(await leave(world)).query)["code"][0]
    own = parse_qs(urlsplit(await leave(world)).query)

    answer = await world.client.get(CALLBACK, params={"code": stolen, "state": own["state"][0]})

    assert refusal(answer) == ("/chat", "provider_refused")


@pytest.mark.parametrize(
    "following",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/chat/..//evil.example",
        "/chat/../../evil",
        "/chatty",
        "/api/auth/logout",
        "/",
        "",
        "/chat\r\nSet-Cookie: x=1",
        "/chat/" + "x" * 600,
        "javascript:alert(1)",
        "/chat@evil.example",
        "/admin/\u2028",
    ],
)
async def test_one_goes_nowhere_but_to_our_own_pages(world, following):
    answer = await world.client.get(START, params={"next": following})

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_destination")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("following", ["/chat", "/chat/s/1?x=//y", "/admin", "/admin/tools/a.b"])
async def test_any_place_of_the_web_apps_will_do(world, following):
    assert (await sign_in(world, following)).headers["location"] == following


async def test_what_is_remembered_meanwhile_is_sealed_and_out_of_reach_of_scripts(open_world, idp):
    https = "https://mcp.example.com"
    idp.redirect_uris.add(f"{https}{CALLBACK}")
    async with open_world(base_url=https, **configured(idp)) as world:
        answer = await world.client.get(START)

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-msil_sign_in=")
    assert all(flag in cookie for flag in ("HttpOnly", "Secure", "Path=/", "SameSite=lax"))
    state = parse_qs(urlsplit(answer.headers["location"]).query)["state"][0]
    assert state not in cookie


async def test_a_provider_that_is_away_is_said_at_the_page_one_came_from(world, idp):
    idp.faults.down = True

    assert refusal(await world.client.get(START, params={"next": "/admin"})) == (
        "/admin",
        "sign_in_unavailable",
    )


async def test_without_a_client_nobody_signs_in_there(open_world, idp):
    async with open_world(oidc_issuer=idp.issuer) as world:
        answers = [await world.client.get(path) for path in (START, CALLBACK)]
        options = (await world.client.get("/api/auth/options")).json()

    assert [answer.status_code for answer in answers] == [404, 404]
    assert options["oidc"] is None


async def test_signing_out_names_the_way_out_of_the_provider_too(world, idp):
    await sign_in(world)

    answer = await world.client.post("/api/auth/logout", headers=PAGE)

    url = urlsplit(answer.json()["provider_url"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{idp.issuer}/logout"
    assert parse_qs(url.query) == {
        "client_id": ["msil"],
        "post_logout_redirect_uri": [f"{BASE_URL}/chat"],
    }
    assert (await world.client.get(ME, headers=PAGE)).status_code == 401


async def test_whoever_signed_in_with_a_password_is_not_sent_to_the_provider(world):
    await world.user()
    await world.login()

    answer = await world.client.post("/api/auth/logout", headers=PAGE)

    assert answer.json() == {"provider_url": None}


async def test_a_replica_that_has_not_heard_of_a_new_person_waits_for_the_news(
    world, open_world, idp
):
    async with open_world(**configured(idp)) as other:
        await sign_in(world)
        other.client.cookies = world.client.cookies
        answers = []

        async def ask():
            answers.append(await other.client.get(ME, headers=PAGE))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            assert answers == []
            await other.refresh()

    assert answers[0].json()["name"] == "Asha K"
