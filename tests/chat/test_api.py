"""Conversations by REST: what each role reaches, what is refused, and how it is said."""

from typing import Any

import msgspec
import pytest

from chat.conversations import answer, caller, user
from msil_mcp.chat.models import ChatMessage
from msil_mcp.chat.parts import TextPart
from msil_mcp.chat.session_service import SessionService
from msil_mcp.pagination import encode_cursor
from running import ROLES, Product, Reply

pytestmark = pytest.mark.anyio

BASE = "/api/chat/sessions"
WITHOUT_CHAT = ("auditor", "operator")
ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("PATCH", "", {"title": "mine now"}),
    ("DELETE", "", None),
    ("POST", "/restore", None),
    ("GET", "/messages", None),
    ("PUT", "/messages/{message}/feedback", {"rating": "up"}),
    ("GET", "/branches", None),
    ("POST", "/branches", {"message_id": "{message}"}),
    ("PUT", "/branches/{message}", None),
    ("GET", "/executions", None),
    ("GET", "/statistics", None),
    ("GET", "/export", None),
]


async def made(product: Product, *, role: str = "user", **body: Any) -> dict[str, Any]:
    reply = await product.request("POST", BASE, role=role, json=body)
    assert reply.status == 201, reply.body
    return reply.json


async def ask(
    product: Product, method: str, chat: dict[str, Any], path: str = "", **options: Any
) -> Reply:
    return await product.request(method, f"{BASE}/{chat['id']}{path}", **options)


def spoken(product: Product, chat: dict[str, Any]) -> list[ChatMessage]:
    """Two messages, said as turns say them."""

    async def say() -> list[ChatMessage]:
        assert product.app is not None
        owner = await caller(product)
        service = SessionService(product.app.state.database)
        drafts = (user("I am 9876543210"), answer("Hello"))
        return [await service.add_message(owner, chat["id"], draft) for draft in drafts]

    assert product.server is not None
    return product.server.submit(say())


async def test_a_session_is_made_changed_deleted_and_restored(shared_product: Product) -> None:
    chat = await made(shared_product, language="hi", metadata={"source": "kiosk"})
    assert (chat["title"], chat["language"], chat["metadata"]) == ("", "hi", {"source": "kiosk"})
    patch = {"title": "Service", "pinned": True, "model": "gpt-4o-mini"}
    changed = (await ask(shared_product, "PATCH", chat, json=patch)).json
    assert (changed["title"], changed["pinned"], changed["model"]) == tuple(patch.values())
    read = (await ask(shared_product, "GET", chat)).json
    assert (read["session"], read["active_run"]) == (changed, None)
    assert (await ask(shared_product, "DELETE", chat)).status == 204
    gone = await ask(shared_product, "GET", chat)
    assert (gone.status, gone.json["code"]) == (404, "chat_session_not_found")
    assert gone.headers["content-type"] == "application/problem+json"
    assert (await ask(shared_product, "POST", chat, "/restore")).json["title"] == "Service"


async def test_the_list_pages_and_searches(shared_product: Product) -> None:
    for title in ("alpha needle", "beta needle", "gamma"):
        await made(shared_product, title=title)
    first = (await shared_product.request("GET", f"{BASE}?q=NEEDLE&limit=1")).json
    rest = (
        await shared_product.request("GET", f"{BASE}?q=NEEDLE&cursor={first['next_cursor']}")
    ).json
    assert [item["title"] for item in first["items"] + rest["items"]] == [
        "beta needle",
        "alpha needle",
    ]
    nul = await shared_product.request("GET", f"{BASE}?q=%00&limit=1")
    assert nul.status == 200


async def test_a_forged_cursor_is_refused_before_the_database_sees_it(
    shared_product: Product,
) -> None:
    chat = await made(shared_product)
    forged = [
        encode_cursor("\x00"),
        encode_cursor(10**30),
        encode_cursor(True, "2026-01-01T00:00:00", "0"),
        encode_cursor(True, "2026-01-01T00:00:00Z", "\x00"),
        "%00",
    ]
    for path in ("", "/messages", "/messages?branch=all", "/executions"):
        for cursor in forged:
            base = f"{BASE}/{chat['id']}{path}" if path else BASE
            joined = f"{base}{'&' if '?' in base else '?'}cursor={cursor}"
            reply = await shared_product.request("GET", joined)
            assert (reply.status, reply.json["code"]) == (400, "bad_cursor"), (path, cursor)


@pytest.mark.parametrize("role", [*ROLES, None])
async def test_no_role_gets_at_anothers_conversation(
    shared_product: Product, role: str | None
) -> None:
    chat = await made(shared_product, title="of the user alone")
    _, answered = spoken(shared_product, chat)
    for method, path, body in ROUTES:
        sent = msgspec.json.decode(
            msgspec.json.encode(body).replace(b"{message}", answered.id.encode())
        )
        where = path.replace("{message}", answered.id)
        for target in (chat, {"id": "0" * 30}):
            options = {"role": role} | ({} if body is None else {"json": sent})
            reply = await ask(shared_product, method, target, where, **options)
            if role == "user":
                break
            expected = 401 if role is None else 403 if role in WITHOUT_CHAT else 404
            assert reply.status == expected, (role, method, path, reply.body)
            assert b"9876543210" not in reply.body
    listed = await shared_product.request("GET", BASE, role=role)
    if role != "user":
        assert b"of the user alone" not in listed.body


async def test_messages_are_shown_with_their_parts_and_rated(shared_product: Product) -> None:
    chat = await made(shared_product)
    asked, answered = spoken(shared_product, chat)
    page = (await ask(shared_product, "GET", chat, "/messages")).json
    assert [item["parts"] for item in page["items"]] == [
        [{"text": "I am 9876543210", "type": "text"}],
        [{"text": "Hello", "type": "text"}],
    ]
    assert page["items"][1]["parent_id"] == asked.id
    path = f"/messages/{answered.id}/feedback"
    rated = await ask(
        shared_product, "PUT", chat, path, json={"rating": "down", "comment": "too short"}
    )
    assert (rated.json["rating"], rated.json["comment"]) == ("down", "too short")
    path = f"/messages/{asked.id}/feedback"
    refused = await ask(shared_product, "PUT", chat, path, json={"rating": "up"})
    assert (refused.status, refused.json["code"]) == (422, "chat_cannot_rate")


async def test_branches_are_made_listed_and_chosen(shared_product: Product) -> None:
    chat = await made(shared_product)
    asked, answered = spoken(shared_product, chat)
    body = {"message_id": asked.id, "text": "I am Asha"}
    edited = (await ask(shared_product, "POST", chat, "/branches", json=body)).json
    found = (await ask(shared_product, "GET", chat, "/branches")).json
    assert found["head_id"] == edited["id"]
    [fork] = found["forks"]
    assert fork == {"parent_id": None, "children": [asked.id, edited["id"]], "chosen": edited["id"]}
    chosen = await ask(shared_product, "PUT", chat, f"/branches/{asked.id}")
    assert chosen.json["head_id"] == answered.id
    again = {"message_id": answered.id}
    head = (await ask(shared_product, "POST", chat, "/branches", json=again)).json
    assert head["id"] == asked.id


async def test_a_head_that_is_being_answered_stays(shared_product: Product) -> None:
    chat = await made(shared_product)
    asked, _ = spoken(shared_product, chat)

    async def begin() -> None:
        assert shared_product.app is not None
        owner = await caller(shared_product)
        service = SessionService(shared_product.app.state.database)
        await service.begin_run(owner, chat["id"], (TextPart("and?"),), owner="test")

    assert shared_product.server is not None
    shared_product.server.submit(begin())
    read = (await ask(shared_product, "GET", chat)).json
    assert read["active_run"]["state"] == "running"
    refused = await ask(shared_product, "PUT", chat, f"/branches/{asked.id}")
    assert (refused.status, refused.json["code"]) == (409, "chat_run_active")
    assert refused.json["run_id"] == read["active_run"]["id"]


@pytest.mark.parametrize(
    ("form", "media_type"), [("json", "application/json"), ("markdown", "text/markdown")]
)
async def test_an_export_is_a_file_without_personal_data(
    shared_product: Product, form: str, media_type: str
) -> None:
    chat = await made(shared_product)
    spoken(shared_product, chat)
    reply = await ask(shared_product, "GET", chat, f"/export?format={form}&tools=false")
    assert reply.headers["content-type"].startswith(media_type)
    assert reply.headers["content-disposition"].startswith("attachment; filename=")
    assert b"Hello" in reply.body
    assert b"9876543210" not in reply.body


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "", {"titel": "typo"}),
        ("POST", "", {"title": "x" * 201}),
        ("POST", "", {"language": "not a language"}),
        ("POST", "", {"model": "a\nb"}),
        ("GET", "/not-an-id", None),
        ("GET", "/%00", None),
        ("GET", "?limit=0", None),
        ("GET", "?shelf=attic", None),
        ("POST", "", {"metadata": {"key": "x" * 501}}),
    ],
)
async def test_what_is_not_valid_is_refused_by_name(
    shared_product: Product, method: str, path: str, body: Any
) -> None:
    options = {} if body is None else {"json": body}
    reply = await shared_product.request(method, BASE + path, **options)
    assert (reply.status, reply.json["code"]) == (422, "unprocessable")


async def test_without_a_key_the_scripted_model_answers_and_says_so(
    shared_product: Product,
) -> None:
    reply = await shared_product.request("GET", "/api/chat/assistant", role="user")

    assert reply.json == {
        "model": "msil-scripted",
        "is_scripted": True,
        "models": ["msil-scripted"],
    }
