"""What the server refuses, in the language of whoever asks; what programs read is the same."""

import traceback
from typing import Any

import pytest

from bare_client import MODERN, Talk
from msil_mcp.llm.errors import ModelRateLimited
from msil_mcp.locales import Language, entries, preferred
from persons import signed_in
from running import Product, Reply

pytestmark = pytest.mark.anyio
HINDI = {"Accept-Language": "hi"}
TOLD = {"title", "detail"}
"""The members of a problem document that change with the language, beside the id of the request."""

REFUSED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "no credential": ("GET", "/api/auth/me", {"role": None}),
    "no permission": ("GET", "/api/users", {}),
    "no such thing": ("GET", "/api/approvals/ap_0", {}),
    "no such path": ("GET", "/api/nothing", {}),
    "no such method": ("PUT", "/api/auth/me", {}),
    "a wrong field": ("POST", "/api/chat/sessions", {"json": {"title": 7, "mood": "good"}}),
    "no json": (
        "POST",
        "/api/chat/sessions",
        {"data": b"{", "headers": {"Content-Type": "application/json"}},
    ),
    "a bad cursor": ("GET", "/api/approvals?cursor=x", {}),
    "no document": ("POST", "/api/specs?bundle=b", {"role": "integrator"}),
    "a conflict": ("PATCH", "/api/auth/me", {"json": {"preferences": {"locale": "hi"}}}),
}


async def refused(product: Product, name: str, headers: dict[str, str]) -> Reply:
    method, path, options = REFUSED[name]
    options = options | {"headers": {**options.get("headers", {}), **headers}}
    return await product.request(method, path, **options)


def in_hindi(text: str) -> bool:
    return any("\u0900" <= letter <= "\u097f" for letter in text)


@pytest.mark.parametrize("name", REFUSED)
async def test_a_problem_is_told_in_hindi_and_means_the_same(
    shared_product: Product, name: str
) -> None:
    english = await refused(shared_product, name, {})
    hindi = await refused(shared_product, name, HINDI)

    assert (english.headers["content-language"], hindi.headers["content-language"]) == ("en", "hi")
    assert english.headers["vary"] == hindi.headers["vary"] == "Accept-Language"
    assert english.headers["content-type"] == hindi.headers["content-type"]
    assert in_hindi(hindi.json["title"])
    assert in_hindi(hindi.json["detail"])
    assert not in_hindi(english.body.decode())
    assert stable(english.json) == stable(hindi.json)
    assert english.status == hindi.status == hindi.json["status"]


def stable(problem: dict[str, Any]) -> dict[str, Any]:
    """A problem without what may differ between two requests in two languages."""
    kept = {name: value for name, value in problem.items() if name not in TOLD}
    kept.pop("correlation_id", None)
    kept["errors"] = [field["pointer"] for field in problem.get("errors") or ()]
    return kept


async def test_each_wrong_field_is_explained(shared_product: Product) -> None:
    answer = await refused(shared_product, "a wrong field", HINDI)

    assert answer.json["errors"] == [
        {"pointer": "/body/title", "detail": "का मान यह होना चाहिए: पाठ"},
        {"pointer": "/body/mood", "detail": "कोई जाना हुआ क्षेत्र नहीं है; इसे हटाएँ"},
    ]
    assert answer.json["detail"] == "/body/title: का मान यह होना चाहिए: पाठ"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("hi", "hi"),
        ("hi-IN", "hi"),
        ("HI-in", "hi"),
        ("fr-FR, hi;q=0.4", "hi"),
        ("en-IN,en;q=0.9,hi;q=0.8", "en"),
        ("hi;q=0.9,en;q=0.8", "hi"),
        ("en;q=0.1, hi ; q=0.2", "hi"),
        ("hi;q=0", "en"),
        ("*", "en"),
        ("hi;q=nonsense", "en"),
        ("hindi", "en"),
        ("mr, ta", "en"),
        ("," * 5000 + "hi", "en"),
    ],
)
def test_the_header_is_read_as_the_rfc_has_it(header: str, language: Language) -> None:
    assert preferred(header) == language


async def test_the_setting_of_a_person_goes_before_the_header(shared_product: Product) -> None:
    person = await signed_in(shared_product, locale="hi")

    answer = await person.request("GET", "/api/users", headers={"Accept-Language": "en"})

    assert (answer.json["code"], answer.json["title"]) == ("permission_denied", "अनुमति नहीं है")
    await person.choose(locale=None)
    answer = await person.request("GET", "/api/users", headers={"Accept-Language": "en"})
    assert answer.json["title"] == "Permission denied"


async def test_a_call_by_rest_asks_in_hindi_and_tells_its_result_in_english(
    shared_product: Product,
) -> None:
    path = "/api/tools/resolve_customer/call"
    wrong = await shared_product.request("POST", path, json={"arguments": {}}, headers=HINDI)

    assert wrong.json["text"] == "`mobile` is required."
    body = {
        "arguments": {
            "customer_mobile": "9876543210",
            "vehicle_registration": "MH12AB1234",
            "dealer_code": "MSIL-PUNE-001",
            "appointment_date": "2030-01-02",
            "appointment_time": "10:00",
            "service_type": "regular",
        }
    }
    path = "/api/tools/create_service_booking/call"
    asked = await shared_product.request("POST", path, json=body, headers=HINDI)
    assert asked.status == 202
    assert asked.headers["content-language"] == "hi"
    assert asked.json["confirmation"]["sentence"].endswith(" के लिए।")
    assert not in_hindi(asked.json["text"])


@pytest.mark.parametrize("role", ["user", None])
async def test_the_mcp_endpoint_speaks_english(shared_product: Product, role: str | None) -> None:
    headers = HINDI | {"Accept": "application/json, text/event-stream"}
    for message in (
        {"jsonrpc": "2.0", "id": 1, "method": "no/such"},
        {
            "jsonrpc": "2.0",
            "id": 2,
            "method": "tools/call",
            "params": {"name": "resolve_customer", "arguments": {}},
        },
        {"jsonrpc": "1.0"},
    ):
        answer = await shared_product.request(
            "POST", "/mcp", role=role, json=message, headers=headers
        )
        assert not in_hindi(answer.body.decode())
        assert "content-language" not in answer.headers


async def test_what_succeeds_looks_into_no_catalogue(shared_product: Product) -> None:
    talk = Talk(f"{shared_product.url}/mcp", MODERN, extra=shared_product.headers() | HINDI)
    before = entries.cache_info()

    listed = talk.ask("tools/list").result
    arguments = {"registration_number": "MH12AB1234"}
    found = talk.ask("tools/call", {"name": "resolve_vehicle", "arguments": arguments}).result
    body = {"arguments": {"mobile": "9876543210"}}
    path = "/api/tools/resolve_customer/call"
    answer = await shared_product.request("POST", path, json=body, headers=HINDI)

    assert (len(listed["tools"]), found.get("isError", False), answer.status) == (6, False, 200)
    assert entries.cache_info() == before


async def test_the_audit_trail_keeps_english(shared_product: Product) -> None:
    path = "/api/tools/resolve_customer/call"
    headers = HINDI | {"X-Correlation-ID": "told-in-hindi"}
    await shared_product.request("POST", path, json={"arguments": {}}, headers=headers)

    [record] = shared_product.query(
        "SELECT error, result FROM audit_records WHERE correlation_id = 'told-in-hindi'"
    )

    assert record.error == "invalid_arguments"
    assert "`mobile` is required." in str(record.result)


def test_an_error_is_logged_in_english_whoever_was_told() -> None:
    error = ModelRateLimited(model="m", retry_after=7)

    assert "7 सेकंड में" in error.message.told("hi")
    logged = "".join(traceback.format_exception(error))
    assert "m has too many requests just now. Try again in 7 seconds." in logged
    assert str(ModelRateLimited(model="m", retry_after=1)).endswith("Try again in 1 second.")
