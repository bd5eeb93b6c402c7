"""The product as a browser meets it: signing in, sessions no other site can use, its pages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from databases import Templates, settings_for
from openid_provider import OpenIdProvider, openid_provider
from running import Product, product

pytestmark = pytest.mark.anyio

OPEN = {
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/loopback"),
}
"""Routes that change something and take no session; each has a check of its own."""


@dataclass
class Place:
    product: Product
    idp: OpenIdProvider

    @property
    def own(self) -> dict[str, str]:
        return {"Origin": self.product.url, "Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest, templates: Templates, booking_url: str
) -> Iterator[Place]:
    with openid_provider() as idp, templates.clone(request.param) as url:
        settings = settings_for(
            url,
            oidc_issuer=idp.issuer,
            oidc_client_id=idp.client_id,
            oidc_client_secret=idp.client_secret,
            oidc_role_map={"crew": ["administrator"]},
            loopback_sign_in=True,
        )
        with product(settings, booking_url=booking_url) as running:
            idp.redirect_uris = {f"{running.url}/api/auth/oidc/callback"}
            yield Place(running, idp)


def browser(place: Place) -> aiohttp.ClientSession:
    """Keeps cookies of a numeric host too, as browsers do."""
    return aiohttp.ClientSession(place.product.url, cookie_jar=aiohttp.CookieJar(unsafe=True))


async def sign_in(http: aiohttp.ClientSession, place: Place) -> aiohttp.ClientResponse:
    """By the provider, following every redirect as a browser does."""
    place.idp.person["roles"] = ["crew"]
    async with http.get("/api/auth/oidc/start", params={"next": "/admin/tools"}) as answer:
        await answer.read()
        return answer


async def test_a_person_signs_in_with_the_provider_works_and_signs_out(place: Place) -> None:
    async with browser(place) as http:
        options = await (await http.get("/api/auth/options")).json()
        landed = await sign_in(http, place)

        assert options["oidc"]["start_url"] == "/api/auth/oidc/start"
        assert urlsplit(str(landed.url)).path == "/admin/tools"
        me = await (await http.get("/api/auth/me", headers=place.own)).json()
        assert (me["name"], me["roles"]) == ("Asha K", ["administrator"])
        tools = await (await http.get("/api/tools", headers=place.own)).json()
        assert len(tools["items"]) == 6
        async with http.post("/api/auth/logout", headers=place.own) as left:
            assert (await left.json())["provider_url"].startswith(f"{place.idp.issuer}/logout?")
        async with http.get("/api/auth/me", headers=place.own) as gone:
            assert gone.status == 401
    started = place.product.query(
        "SELECT details FROM audit_records WHERE kind = 'auth' AND action = 'session.started'"
        " AND principal_id = :who",
        who=me["id"],
    )
    assert [row.details for row in started] == ['{"way":"oidc"}']


async def test_a_session_changes_nothing_from_another_site_whatever_the_route(
    place: Place,
) -> None:
    assert place.product.app is not None
    routes = [
        (method, re.sub(r"{[^}]*}", "1", str(context.path)))
        for context in iter_route_contexts(place.product.app.routes)
        if isinstance(context.original_route, APIRoute)
        for method in (context.methods or set()) - {"GET", "HEAD"}
    ]
    assert len(routes) > 40
    foreign = (
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-site"},
        {},
    )
    passed = []
    async with browser(place) as http:
        await sign_in(http, place)
        for method, path in routes:
            if (method, path) in OPEN:
                continue
            for headers in foreign:
                async with http.request(method, path, headers=headers, json={}) as answer:
                    body = await answer.json()
                # Clients of OpenAI's protocol get their errors in its shape.
                code = body.get("error", body).get("code")
                if (answer.status, code) != (403, "cross_site_request"):
                    passed.append((method, path, headers, answer.status, body))
    assert passed == []


async def test_live_events_are_not_told_to_a_page_of_another_site(place: Place) -> None:
    async with browser(place) as http:
        await sign_in(http, place)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect("/api/events", headers={"Origin": "https://evil.example"})
        async with http.ws_connect("/api/events", headers=place.own) as events:
            assert (await events.receive_json())["type"] == "ready"
    assert refused.value.status == 403


async def test_one_click_is_for_the_first_administrator_who_is_not_there(place: Place) -> None:
    async with browser(place) as http, http.post("/api/auth/loopback", headers=place.own) as no:
        assert (no.status, (await no.json())["code"]) == (403, "one_click_refused")


async def test_the_reference_of_the_api_is_a_page_without_scripts_or_other_origins(
    place: Place,
) -> None:
    page = await place.product.request("GET", "/docs", role=None)
    text = page.body.decode()

    assert page.status == 200
    assert "<script" not in text
    assert re.findall(r"https?://", text) == []
    assert "<code>GET /api/audit</code>" in text
    assert "Needs: audit:read" in text
    assert "WEBSOCKET /api/events" in text
    assert "<code>username</code> (required)</td><td>body</td><td>string</td>" in text
    assert "<td>answer</td><td>list of UserView</td>" in text
    assert (await place.product.request("GET", "/redoc", role=None)).status == 404


async def test_answers_of_the_api_are_kept_by_nobody_and_run_nothing(place: Place) -> None:
    answer = await place.product.request("GET", "/api/tools")

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_requests_for_pages_are_counted_under_two_names_an_app(place: Place) -> None:
    for path in ("/chat", "/chat/s/1", "/chat/s/2", "/admin/anything/at/all"):
        await place.product.request("GET", path, role=None)

    shown = (await place.product.request("GET", "/metrics", role=None)).body.decode()
    endpoints = set(
        re.findall(r'http_requests_total{[^}]*endpoint="(/(?:chat|admin)[^"]*)"', shown)
    )
    assert endpoints == {"/chat", "/chat/{path:path}", "/admin/{path:path}"}
