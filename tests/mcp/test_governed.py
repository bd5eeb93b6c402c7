"""The governed catalogue through the door: asking, hiding, limiting, reading, over real parts."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from bare_client import MODERN, Response, Talk
from booking_api.schedule import india_now, next_open_day
from databases import Templates, settings_for
from running import Product, product

BOOK = "create_service_booking"
AGREED = {"confirm": {"action": "accept", "content": {"confirm": True}}}
OPENAPI = "msil://bundles/service_booking/openapi/service_booking"
_days = count(3)


@pytest.fixture(params=["2025-11-25", MODERN])
def version(request: pytest.FixtureRequest) -> str:
    return request.param


def talk_to(
    running: Product, version: str = MODERN, *, role: str = "user", **capabilities: Any
) -> Talk:
    talk = Talk(f"{running.url}/mcp", version, capabilities, running.headers(role))
    talk.begin()
    return talk


def order() -> dict[str, Any]:
    """An order nobody made before."""
    day = next_open_day(india_now().date() + timedelta(days=next(_days) % 80))
    return {
        "customer_mobile": "9876543211",
        "vehicle_registration": "MH12CD5678",
        "dealer_code": "MSIL-MUM-001",
        "appointment_date": day.isoformat(),
        "appointment_time": "15:00",
        "service_type": "regular",
    }


def asked(talk: Talk, wanted: dict[str, Any]) -> dict[str, Any]:
    response = talk.call(BOOK, wanted)
    assert response.result["resultType"] == "input_required"
    return response.result


def again(talk: Talk, wanted: dict[str, Any], state: str, answers: dict[str, Any]) -> Response:
    return talk.call(BOOK, wanted, requestState=state, inputResponses=answers)


def text_of(response: Response) -> str:
    return response.result["content"][0]["text"]


def test_a_write_is_put_to_a_person_with_what_will_happen(shared_product: Product) -> None:
    wanted = order()

    result = asked(talk_to(shared_product, elicitation={}), wanted)

    question = result["inputRequests"]["confirm"]
    assert question["method"] == "elicitation/create"
    message = question["params"]["message"]
    assert f"appointment_date: {wanted['appointment_date']}" in message
    assert "This sends POST " in message
    assert wanted["customer_mobile"] not in message
    assert question["params"]["requestedSchema"]["required"] == ["confirm"]


def test_what_a_person_agreed_to_happens_once(shared_product: Product) -> None:
    talk, wanted = talk_to(shared_product, elicitation={}), order()
    state = asked(talk, wanted)["requestState"]

    first = again(talk, wanted, state, AGREED)
    repeated = again(talk, wanted, state, AGREED)

    booking_id = first.result["structuredContent"]["booking_id"]
    assert repeated.result["structuredContent"]["booking_id"] == booking_id


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"action": "decline"}, "declined"),
        ({"action": "accept", "content": {"confirm": False}}, "declined"),
        ({"action": "cancel"}, "closed the question"),
    ],
)
def test_without_agreement_nothing_happens(
    shared_product: Product, answer: dict[str, Any], expected: str
) -> None:
    talk, wanted = talk_to(shared_product, elicitation={}), order()
    slots = {"dealer_code": wanted["dealer_code"], "date": wanted["appointment_date"]}
    # Other tests book at the same service, so only what this one changes is looked at.
    before = talk.call("get_available_slots", slots).result["structuredContent"]["slots"]
    state = asked(talk, wanted)["requestState"]

    response = again(talk, wanted, state, {"confirm": answer})

    assert response.result["isError"] is True
    assert expected in text_of(response)
    after = talk.call("get_available_slots", slots).result["structuredContent"]["slots"]
    assert after == before


@pytest.mark.parametrize(
    "answers", [{}, {"other": AGREED["confirm"]}, {"confirm": {"action": "accept"}}]
)
def test_an_answer_to_something_else_asks_again(
    shared_product: Product, answers: dict[str, Any]
) -> None:
    talk, wanted = talk_to(shared_product, elicitation={}), order()
    state = asked(talk, wanted)["requestState"]

    assert again(talk, wanted, state, answers).result["resultType"] == "input_required"


def test_a_state_holds_for_its_own_call_alone(shared_product: Product) -> None:
    talk, wanted = talk_to(shared_product, elicitation={}), order()
    state = asked(talk, wanted)["requestState"]
    other = talk_to(shared_product, role="administrator", elicitation={})

    refused = [
        again(talk, wanted | {"appointment_time": "15:30"}, state, AGREED),
        again(talk, wanted, state[:-4] + "AAAA", AGREED),
        again(talk, wanted, "no state of ours", AGREED),
        again(other, wanted, state, AGREED),
    ]

    assert [(each.status, each.code) for each in refused] == [(400, -32602)] * 4


def test_numbers_beyond_64_bits_are_only_numbers(shared_product: Product, version: str) -> None:
    talk = talk_to(shared_product, version, elicitation={})

    response = talk.call(BOOK, order() | {"notes": "n", "unknown": 2**80})

    assert response.result["isError"] is True
    assert "unknown" in text_of(response)


def test_a_state_expires(templates: Templates, booking_url: str) -> None:
    with templates.clone("sqlite") as url:
        settings = settings_for(url, approval_ttl_seconds=1e-3)
        with product(settings, booking_url=booking_url) as running:
            talk, wanted = talk_to(running, elicitation={}), order()
            state = asked(talk, wanted)["requestState"]

            assert again(talk, wanted, state, AGREED).code == -32602


def test_a_client_that_takes_no_stream_cannot_be_asked(shared_product: Product) -> None:
    talk = talk_to(shared_product, "2025-11-25", elicitation={})
    message = talk.request("tools/call", {"name": BOOK, "arguments": order()})

    response = talk.post(message, Accept="application/json")

    assert "/admin/approvals/" in text_of(response)


def test_a_client_for_urls_alone_is_not_sent_a_form(shared_product: Product, version: str) -> None:
    talk = talk_to(shared_product, version, elicitation={"url": {}})

    assert "/admin/approvals/" in text_of(talk.call(BOOK, order()))


def test_an_invisible_tool_looks_like_none(shared_product: Product, version: str) -> None:
    talk = talk_to(shared_product, version, role="auditor")

    hidden = talk.call("resolve_vehicle", {"registration_number": "MH12AB1234"})
    missing = talk.call("resolve_nothing", {})

    assert talk.ask("tools/list").result["tools"] == []
    shown = hidden.json["error"]["message"].replace("resolve_vehicle", "resolve_nothing")
    assert (hidden.status, hidden.code, shown) == (
        missing.status,
        missing.code,
        missing.json["error"]["message"],
    )


def test_an_unknown_bundle_is_not_found(shared_product: Product, version: str) -> None:
    talk = talk_to(shared_product, version)

    response = talk.at(talk.url + "/no_such_bundle").ask("tools/list")

    assert response.status == 404
    assert "no_such_bundle" in response.json["error"]["message"]


def test_a_limit_is_told_in_http_with_when_to_come_back(
    templates: Templates, booking_url: str
) -> None:
    with templates.clone("sqlite") as url:
        settings = settings_for(url, rate_per_principal=0.001, rate_burst=1)
        with product(settings, booking_url=booking_url) as running:
            talk = talk_to(running)
            arguments = {"registration_number": "MH12AB1234"}
            talk.call("resolve_vehicle", arguments)

            limited = talk.call("resolve_vehicle", arguments)

    assert (limited.status, limited.code) == (429, -32029)
    assert int(limited.headers["retry-after"]) > 1


def test_a_key_given_in_the_header_replays_the_answer(
    shared_product: Product, version: str
) -> None:
    talk = talk_to(shared_product, version)
    call = {"name": "resolve_customer", "arguments": {"mobile": "9876543210"}}
    key = f"header-{version}-{shared_product.url}"

    first = talk.ask("tools/call", call, Idempotency_Key=key)
    other = talk.ask(
        "tools/call", call | {"arguments": {"mobile": "9123456789"}}, Idempotency_Key=key
    )

    assert first.result["structuredContent"]["mobile"]
    assert other.result["isError"] is True


def test_prompts_of_the_document_are_offered_and_filled(
    shared_product: Product, version: str
) -> None:
    talk = talk_to(shared_product, version)

    prompts = talk.ask("prompts/list").result["prompts"]
    prompt = next(each for each in prompts if each["arguments"])
    values = {argument["name"]: f"<{argument['name']}>" for argument in prompt["arguments"]}
    filled = talk.ask("prompts/get", {"name": prompt["name"], "arguments": values})
    text = filled.result["messages"][0]["content"]["text"]

    assert all(value in text for value in values.values())
    assert talk.ask("prompts/get", {"name": "no_such_prompt"}).code == -32602


def test_a_prompt_says_which_arguments_are_missing(shared_product: Product) -> None:
    talk = talk_to(shared_product)
    prompts = talk.ask("prompts/list").result["prompts"]
    prompt = next(each for each in prompts if any(a["required"] for a in each["arguments"]))
    required = next(a["name"] for a in prompt["arguments"] if a["required"])

    response = talk.ask("prompts/get", {"name": prompt["name"]})

    assert response.code == -32602
    assert required in response.json["error"]["message"]


def test_documents_and_pages_are_resources(shared_product: Product, version: str) -> None:
    talk = talk_to(shared_product, version)

    listed = {each["uri"] for each in talk.ask("resources/list").result["resources"]}
    document = talk.ask("resources/read", {"uri": OPENAPI}).result["contents"][0]
    page = talk.ask("resources/read", {"uri": f"msil://tools/{BOOK}"}).result["contents"][0]
    templates = talk.ask("resources/templates/list").result["resourceTemplates"]

    assert {OPENAPI, f"msil://tools/{BOOK}"} <= listed
    assert document["mimeType"] == "application/json"
    assert "/api/booking/create" in document["text"]
    assert page["mimeType"] == "text/markdown"
    assert "a person has to agree" in page["text"]
    assert templates[0]["uriTemplate"] == "msil://tools/{name}"


def test_what_a_caller_may_not_see_is_no_resource(shared_product: Product) -> None:
    talk = talk_to(shared_product, role="auditor")

    assert talk.ask("resources/list").result["resources"] == []
    assert talk.ask("resources/read", {"uri": OPENAPI}).code == -32602
    assert talk.ask("resources/read", {"uri": f"msil://tools/{BOOK}"}).code == -32602


def test_names_of_tools_are_completed(shared_product: Product, version: str) -> None:
    talk = talk_to(shared_product, version)
    ref = {"type": "ref/resource", "uri": "msil://tools/{name}"}

    response = talk.ask(
        "completion/complete", {"ref": ref, "argument": {"name": "name", "value": "resolve_"}}
    )

    found = response.result["completion"]["values"]
    assert sorted(found) == ["resolve_customer", "resolve_vehicle"]


def toggle(running: Product, tool: str, *, enabled: bool) -> None:
    changed = running.request(
        "PATCH", f"/api/tools/{tool}", role="administrator", json={"enabled": enabled}
    )
    assert asyncio.run(changed).status == 200


def test_a_published_change_reaches_an_open_stream(shared_product: Product, version: str) -> None:
    talk = talk_to(shared_product, version)
    if version == MODERN:
        opened = talk.stream(
            talk.request("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
        )
    else:
        opened = talk.listen()
    with opened as stream:
        messages = (event["data"] for event in stream.events())
        next(messages)
        toggle(shared_product, "get_booking_status", enabled=False)
        assert "notifications/tools/list_changed" in next(messages)
        toggle(shared_product, "get_booking_status", enabled=True)


@pytest.fixture
def two_products(templates: Templates, booking_url: str) -> Iterator[tuple[Product, Product]]:
    """Two serving processes' worth of the product on one PostgreSQL, with one key."""
    with templates.clone("postgresql") as url:
        settings = settings_for(url)
        with (
            product(settings, booking_url=booking_url) as one,
            product(settings, booking_url=booking_url, keys=one.keys) as two,
        ):
            yield one, two


def test_a_person_asked_by_one_server_agrees_through_the_other(
    two_products: tuple[Product, Product],
) -> None:
    one, two = two_products
    talk = talk_to(one, "2025-11-25", elicitation={})
    elsewhere = talk.at(f"{two.url}/mcp")
    assert len(elsewhere.ask("tools/list").result["tools"]) == 6
    message = talk.request("tools/call", {"name": BOOK, "arguments": order()})

    with talk.stream(message) as stream:
        messages = stream.messages()
        question = next(messages)
        answer = {"jsonrpc": "2.0", "id": question["id"], "result": AGREED["confirm"]}
        assert elsewhere.post(answer).status == 202
        response = next(messages)

    assert response["result"]["structuredContent"]["booking_id"].startswith("BK")
    assert elsewhere.send("DELETE", None, elsewhere.headers()).status == 204
    assert elsewhere.ask("ping").status == 404


def test_a_modern_answer_may_go_to_another_server(two_products: tuple[Product, Product]) -> None:
    one, two = two_products
    talk, wanted = talk_to(one, elicitation={}), order()
    state = asked(talk, wanted)["requestState"]

    response = again(talk.at(f"{two.url}/mcp"), wanted, state, AGREED)

    assert response.result["structuredContent"]["booking_id"].startswith("BK")


def test_an_ended_session_stays_ended_after_a_restart(
    templates: Templates, booking_url: str
) -> None:
    with templates.clone("sqlite") as url:
        settings = settings_for(url)
        with product(settings, booking_url=booking_url) as running:
            talk, keys = talk_to(running, "2025-11-25"), running.keys
            assert talk.send("DELETE", None, talk.headers()).status == 204
        with product(settings, booking_url=booking_url, keys=keys) as running:
            assert talk.at(f"{running.url}/mcp").ask("ping").status == 404
