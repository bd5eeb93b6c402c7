import pytest

pytestmark = pytest.mark.anyio
ME = "/api/auth/me"
PAGE = {"X-Requested-With": "test"}


async def chosen(world, **preferences):
    return await world.client.patch(ME, json={"preferences": preferences}, headers=PAGE)


async def test_what_a_person_chose_stays_until_they_unset_it(world):
    await world.user()
    await world.login()
    nothing = {"locale": None, "theme": None, "time_zone": None}
    assert (await world.client.get(ME, headers=PAGE)).json()["preferences"] == nothing

    first = await chosen(world, locale="hi", time_zone="Asia/Kolkata")
    second = await chosen(world, theme="dark", time_zone=None)

    assert first.json()["preferences"] == {**nothing, "locale": "hi", "time_zone": "Asia/Kolkata"}
    assert second.json()["preferences"] == {**nothing, "locale": "hi", "theme": "dark"}
    shown = (await world.client.get(ME, headers=PAGE)).json()
    assert shown["preferences"] == second.json()["preferences"]
    assert shown["attributes"]["locale"] == "hi"
    assert [entry["action"] for entry in world.audited if "preferences" in entry["action"]] == [
        "user.preferences_changed"
    ] * 2


async def test_a_persons_setting_goes_before_what_the_browser_asks_for(world):
    await world.user()
    await world.login()
    await chosen(world, locale="hi")

    refused = await world.client.get("/api/users", headers={**PAGE, "Accept-Language": "en"})

    assert refused.json()["title"] == "अनुमति नहीं है"
    assert refused.headers["content-language"] == "hi"


@pytest.mark.parametrize(
    ("wrong", "detail"),
    [
        ({"locale": "xx"}, "must be one of 'en', 'hi'"),
        ({"theme": "pink"}, "must be one of 'light', 'dark', 'auto'"),
        ({"time_zone": "Asia/Atlantis"}, "is not the name of a time zone, such as Asia/Kolkata"),
        ({"time_zone": "../../etc/passwd"}, "must match the pattern ^[A-Za-z][A-Za-z0-9_+/-]*$"),
        ({"volume": 11}, "is not a known field; remove it"),
    ],
)
async def test_a_wrong_preference_is_refused_by_name(world, wrong, detail):
    await world.user()
    await world.login()

    refused = await chosen(world, **wrong)

    (name,) = wrong
    problem = {"pointer": f"/body/preferences/{name}", "detail": detail}
    assert (refused.status_code, refused.json()["errors"]) == (422, [problem])


async def test_a_key_has_no_preferences(world):
    key = await world.key(roles=["user"])

    refused = await world.client.patch(ME, json={"preferences": {"locale": "hi"}}, headers=key)

    assert (refused.status_code, refused.json()["code"]) == (409, "no_preferences")
    assert (await world.client.get(ME, headers=key)).json()["preferences"] is None


async def test_an_administrator_makes_a_user_in_their_language(world):
    admin = await world.key()
    body = {"username": "meera", "display_name": "Meera", "preferences": {"locale": "hi"}}

    made = (await world.client.post("/api/users", json=body, headers=admin)).json()["user"]
    changed = await world.client.patch(
        f"/api/users/{made['id']}", json={"preferences": {"theme": "light"}}, headers=admin
    )

    assert made["preferences"]["locale"] == "hi"
    assert changed.json()["preferences"] == {"locale": "hi", "theme": "light", "time_zone": None}
