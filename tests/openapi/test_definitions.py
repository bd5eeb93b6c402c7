"""Tools made of operations: names, risk, arguments, verdicts, hashes."""

import json
import random
from typing import Any

import msgspec
import pytest

from msil_mcp.openapi.definitions import ToolDefinition, define_tools, definition_hash
from msil_mcp.openapi.document import parse_document
from msil_mcp.openapi.pii import PiiField
from msil_mcp.openapi.validation import InvalidArguments, compile_validator
from openapi.documents import answer, document, imported, json_body, one_tool, parameter, sent, tree

BOOKING: dict[str, Any] = {
    "/booking/{booking_id}": {
        "parameters": [parameter("booking_id", "path", required=True)],
        "get": {
            "operationId": "get_booking",
            "summary": "Look up a booking",
            "tags": ["bookings"],
            **answer({"$ref": "#/components/schemas/Booking"}),
        },
        "put": {
            "operationId": "change_booking",
            "parameters": [parameter("Idempotency-Key", "header"), parameter("verbose")],
            **json_body({"$ref": "#/components/schemas/Booking"}),
            **answer({"$ref": "#/components/schemas/Booking"}),
            "x-msil-audit-subjects": ["booking_id"],
        },
    }
}
COMPONENTS: dict[str, Any] = {
    "schemas": {
        "Booking": {
            "type": "object",
            "properties": {
                "id": {"type": "string", "readOnly": True},
                "mobile": {"type": "string", "x-msil-pii": "mobile"},
                "place": {"$ref": "#/components/schemas/Place"},
            },
            "required": ["id", "mobile"],
        },
        "Place": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
}


def test_tool_carries_what_the_operation_says() -> None:
    reading, changing = imported(BOOKING, components=COMPONENTS).tools
    assert (reading.name, reading.title) == ("get_booking", "Look up a booking")
    assert (reading.description, reading.tags) == ("Look up a booking", ("bookings",))
    assert reading.input_schema == {
        "type": "object",
        "properties": {"booking_id": {"type": "string"}},
        "required": ["booking_id"],
        "additionalProperties": False,
    }
    assert (changing.title, changing.operation_id) == ("Change booking", "change_booking")
    assert changing.audit_subjects == ("booking_id",)
    assert list(changing.input_schema["properties"]) == ["booking_id", "verbose", "mobile", "place"]
    assert changing.input_schema["required"] == ["booking_id", "mobile"]


def test_tool_survives_storage_as_json() -> None:
    for tool in imported(BOOKING, components=COMPONENTS).tools:
        stored = msgspec.json.encode(tool)
        again = msgspec.json.decode(stored, type=ToolDefinition)
        assert again == tool
        assert definition_hash(again) == definition_hash(tool)
        assert b'"readOnlyHint"' in stored


@pytest.mark.parametrize(
    ("method", "declared", "risk"),
    [
        ("get", None, "read"),
        ("head", None, "read"),
        ("post", None, "write"),
        ("delete", None, "write"),
        ("options", None, "write"),
        ("post", "read", "read"),
        ("get", "write", "write"),
        ("get", "privileged", "privileged"),
    ],
)
def test_risk_is_declared_or_follows_from_the_method(
    method: str, declared: str | None, risk: str
) -> None:
    tool = one_tool({"x-msil-class": declared} if declared else {}, method=method)
    assert tool.risk == risk
    assert tool.annotations.read_only_hint is (risk == "read")
    assert tool.annotations.destructive_hint is (risk != "read")


def test_unknown_risk_rejects_the_operation() -> None:
    result = imported({"/x": {"get": {"x-msil-class": "harmless"}}})
    assert result.tools == ()
    assert result.verdicts[0].reason == "x-msil-class is `harmless`; use read, write or privileged"
    assert result.verdicts[0].pointer == "/paths/~1x/get/x-msil-class"


def test_repeating_is_harmless_where_http_says_so() -> None:
    hints = {
        method: one_tool({}, method=method).annotations.idempotent_hint
        for method in ("get", "put", "delete", "post", "patch")
    }
    assert hints == {"get": True, "put": True, "delete": True, "post": False, "patch": False}


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ({"operationId": "list_cars"}, "list_cars"),
        ({"operationId": "cars/list all.v2"}, "cars_list_all_v2"),
        ({"operationId": "list_cars", "x-msil-name": "cars"}, "cars"),
        ({}, "get_cars_id_parts"),
        ({"operationId": "車"}, "get_cars_id_parts"),
    ],
)
def test_name_is_safe_and_readable(operation: dict[str, Any], name: str) -> None:
    assert one_tool(operation, path="/cars/{id}/parts").name == name


def test_long_names_are_cut_and_stay_distinct() -> None:
    long = "list_every_car_of_every_dealer_in_every_city_of_every_state_and_territory"
    result = imported({"/a": {"get": {"operationId": f"{long}_a"}},
                       "/b": {"get": {"operationId": f"{long}_b"}}})  # fmt: skip
    names = [tool.name for tool in result.tools]
    assert len(set(names)) == 2
    assert all(len(name) == 64 and name.startswith("list_every_car") for name in names)


def test_names_that_clash_are_told_and_do_not_depend_on_order() -> None:
    paths = {f"/{part}": {"get": {"operationId": "same"}} for part in "abc"}
    result = imported(paths)
    names = {tool.request.path: tool.name for tool in result.tools}
    assert names["/a"] == "same"
    assert len(set(names.values())) == 3
    assert [verdict.outcome for verdict in result.verdicts] == ["imported", "degraded", "degraded"]
    assert "the name same is taken" in result.verdicts[1].reason
    turned = imported(dict(reversed(paths.items())))
    assert {tool.request.path: tool.name for tool in turned.tools} == names


def test_chosen_name_wins_over_an_operation_id() -> None:
    result = imported({"/a": {"get": {"operationId": "book"}},
                       "/b": {"get": {"operationId": "x", "x-msil-name": "book"}}})  # fmt: skip
    assert result.tools[1].name == "book"
    assert result.tools[0].name.startswith("book_")


def test_description_can_be_overridden_and_is_never_empty() -> None:
    said = {"summary": "Book.", "description": "Books a car."}
    assert one_tool(said).description == "Book.\n\nBooks a car."
    assert one_tool({"summary": "Book", "description": "Book it."}).description == "Book it."
    assert one_tool(said | {"x-msil-description": "Mine."}).description == "Mine."
    assert one_tool({}).description == "GET /things"


def test_hidden_operation_is_left_out_with_a_verdict() -> None:
    result = imported({"/x": {"get": {"x-msil-hide": True}, "post": {"x-msil-hide": False}}})
    assert [tool.request.method for tool in result.tools] == ["POST"]
    assert (result.verdicts[0].outcome, result.verdicts[0].reason) == (
        "rejected",
        "left out on purpose: x-msil-hide",
    )


def test_idempotency_key_is_a_promise_not_an_argument() -> None:
    reading, changing = imported(BOOKING, components=COMPONENTS).tools
    assert (reading.idempotent_upstream, changing.idempotent_upstream) == (False, True)
    assert "Idempotency-Key" not in changing.input_schema["properties"]
    assert all(binding.location != "header" for binding in changing.request.parameters)


def test_credentials_and_protocol_headers_are_never_arguments() -> None:
    schemes = {
        "key": {"type": "apiKey", "in": "header", "name": "X-Dealer-Secret"},
        "query": {"type": "apiKey", "in": "query", "name": "sig"},
        "ref": {"$ref": "#/components/securitySchemes/cookie"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": "sid"},
    }
    headers = ["Authorization", "X-API-Key", "Cookie", "x-dealer-secret", "Host", "Content-Length",
               "Transfer-Encoding", "X-Correlation-ID", "X-Trace"]  # fmt: skip
    operation = {
        "parameters": [
            *(parameter(name, "header", required=True) for name in headers),
            parameter("sig", required=True),
            parameter("sid", "cookie", required=True),
            parameter("q"),
        ]
    }
    tool = one_tool(operation, components={"securitySchemes": schemes})
    assert set(tool.input_schema["properties"]) == {"X-Trace", "q"}
    assert tool.input_schema["required"] == ["X-Trace"]


def test_same_name_in_several_places_renames_no_more_than_needed() -> None:
    operation = {
        "parameters": [
            parameter("id", "path"), parameter("id"), parameter("id", "header"),
            parameter("page"), parameter("query_id"),
        ],
        **json_body({"type": "object", "properties": {
            "id": {"type": "integer"}, "page": {"type": "integer"}, "note": {}}}),
    }  # fmt: skip
    tool = one_tool(operation, method="post", path="/x/{id}")
    assert set(tool.input_schema["properties"]) == {
        "id", "query_id_2", "query_id", "header_id", "body_id", "page", "body_page", "note",
    }  # fmt: skip
    request = sent(tool, {"id": "p", "query_id_2": "q", "header_id": "h", "body_id": 1, "note": 2})
    assert request.url.endswith("/x/p?id=q")
    assert request.headers == (("id", "h"), ("Content-Type", "application/json"))
    assert request.body == b'{"id":1,"note":2}'


def test_argument_names_suit_model_providers_and_wire_names_stay() -> None:
    operation = {"parameters": [parameter("$filter"), parameter("page[size]"), parameter("x" * 90)]}
    tool = one_tool(operation)
    assert set(tool.input_schema["properties"]) == {"filter", "page_size", "x" * 64}
    assert sent(tool, {"filter": "a", "page_size": "1"}).url.endswith(
        "/things?%24filter=a&page%5Bsize%5D=1"
    )


def test_body_of_allof_objects_lies_flat() -> None:
    schema = {
        "allOf": [
            {"$ref": "#/components/schemas/Place"},
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a", "city"]},
        ]
    }
    tool = one_tool(json_body(schema), method="post", components=COMPONENTS)
    assert tool.input_schema == {
        "type": "object",
        "properties": {"city": {"type": "string"}, "a": {"type": "integer"}},
        "required": ["a", "city"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "string"}},
        {"type": "string"},
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
        {"type": ["object", "null"], "properties": {"a": {}}},
        {"type": "object", "properties": {"a": {}}, "minProperties": 1},
        {"oneOf": [{"type": "object", "properties": {"a": {}}}, {"type": "string"}]},
    ],
)
def test_body_that_is_no_plain_object_is_one_argument(schema: Any) -> None:
    tool = one_tool(json_body(schema), method="post")
    assert tool.input_schema["properties"] == {"body": schema}
    assert tool.input_schema["required"] == ["body"]


def test_optional_body_may_be_left_out_as_a_whole_but_not_in_part() -> None:
    schema = {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a"]}
    tool = one_tool(json_body(schema, required=False), method="post")
    validator = compile_validator(tool.input_schema)
    validator.validate({})
    validator.validate({"a": 1})
    with pytest.raises(InvalidArguments, match="`a` is required"):
        validator.validate({"b": 1})
    assert sent(tool, {}).body is None
    assert sent(tool, {"a": 1}).body == b'{"a":1}'


def test_member_that_is_required_and_nowhere_described_can_be_given() -> None:
    schema = {"type": "object", "properties": {"a": {}}, "required": ["a", "b"]}
    tool = one_tool(json_body(schema), method="post")
    compile_validator(tool.input_schema).validate({"a": 1, "b": 2})


def test_personal_data_is_located_in_arguments_and_result() -> None:
    reading, changing = imported(BOOKING, components=COMPONENTS).tools
    assert reading.pii == (PiiField("output", "/mobile", "mobile"),)
    assert changing.pii == (
        PiiField("input", "/mobile", "mobile"),
        PiiField("output", "/mobile", "mobile"),
    )


def test_personal_data_is_found_in_lists_maps_and_recursion() -> None:
    person = {
        "type": "object",
        "properties": {
            "e/mail": {"type": "string", "x-msil-pii": True},
            "friends": {"type": "array", "items": {"$ref": "#/components/schemas/Person"}},
            "by_name": {"additionalProperties": {"x-msil-pii": "name"}},
        },
    }
    operation = {
        "parameters": [parameter("phone", **{"x-msil-pii": "phone"})],
        **answer({"$ref": "#/components/schemas/Person"}),
    }
    tool = one_tool(operation, components={"schemas": {"Person": person}})
    assert tool.pii == (
        PiiField("input", "/phone", "phone"),
        PiiField("output", "/by_name/*", "name"),
        PiiField("output", "/e~1mail", "personal"),
    )
    assert "x-msil-pii" not in json.dumps([tool.input_schema, tool.output_schema])


def test_placeholders_and_path_parameters_are_made_to_agree() -> None:
    result = imported({"/a/{x}": {"get": {"parameters": [parameter("y", "path")]}}})
    assert result.tools[0].input_schema["required"] == ["x"]
    assert len(result.verdicts) == 2
    assert {verdict.outcome for verdict in result.verdicts} == {"degraded"}


def test_server_of_its_own_is_told() -> None:
    paths = {"/a": {"get": {"servers": [{"url": "https://files.example.com"}]}}}
    (verdict,) = imported(paths, servers=[{"url": "https://api.example.com"}]).verdicts
    assert verdict.reason == "its own server https://files.example.com is not used"


@pytest.mark.parametrize(
    ("paths", "pointer", "reason"),
    [
        ({"/x": []}, "/paths/~1x", "must be an object of operations"),
        ({"/x": {"$ref": "other.yaml#/x"}}, "/paths/~1x", "outside this document"),
        ({"/x": {"$ref": "#/paths/~1x"}}, "/paths/~1x", "refers to itself"),
        ({"/x": {"get": None}}, "/paths/~1x/get", "must be an object"),
        ({"/x": {"get": {"parameters": {}}}}, "/paths/~1x/get/parameters", "must be a list"),
        ({"/x": {"get": {"parameters": [{}]}}}, "/paths/~1x/get/parameters/0", "needs a `name`"),
        ({"/x": {"get": {"parameters": [{"name": "a", "in": "body"}]}}},
         "/paths/~1x/get/parameters/0", "`body` is unknown"),
        ({"/x": {"get": {"parameters": [parameter("a b", "header")]}}},
         "/paths/~1x/get/parameters/0", "not a possible header name"),
        ({"/x": {"post": {"requestBody": {"content": {"multipart/form-data": {}}}}}},
         "/paths/~1x/post/requestBody", "only as multipart/form-data"),
        ({"/x": {"post": {"requestBody": {"$ref": "#/nowhere"}}}},
         "/paths/~1x/post/requestBody", "which the document does not have"),
        ({"/x": {"post": {"requestBody": {}}}}, "/paths/~1x/post/requestBody", "needs `content`"),
        ({"x": {"get": {}}}, "/paths/x/get", "does not start with a slash"),
        ({"/a/../b": {"get": {}}}, "/paths/~1a~1..~1b/get", "dot segment"),
        ({"/a/%2E%2e/b": {"get": {}}}, "/paths/~1a~1%2E%2e~1b/get", "dot segment"),
        ({"/a/.{b}": {"get": {}}}, "/paths/~1a~1.{b}/get", "dot segment"),
        ({"/x": {"trace": {}}}, "/paths/~1x/trace", "TRACE"),
    ],
)  # fmt: skip
def test_bad_operation_is_rejected_with_its_place_and_fails_no_other(
    paths: dict[str, Any], pointer: str, reason: str
) -> None:
    result = imported(paths | {"/good": {"get": {}}})
    assert [tool.name for tool in result.tools] == ["get_good"]
    bad, good = result.verdicts
    assert (bad.outcome, bad.tool, bad.pointer) == ("rejected", "", pointer)
    assert reason in bad.reason
    assert (good.outcome, good.tool, good.reason) == ("imported", "get_good", "")


def test_operations_of_3_2_are_read() -> None:
    paths = {"/x": {"query": {}, "additionalOperations": {"COPY": {}, "B D": {}}}}
    result = imported(paths, version="3.2.0")
    assert [tool.request.method for tool in result.tools] == ["QUERY", "COPY"]
    assert result.verdicts[2].reason == "`B D` is not an HTTP method"


def shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        items = [(key, shuffled(member, chance)) for key, member in value.items()]
        chance.shuffle(items)
        return dict(items)
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


def test_hashes_are_the_same_every_time_and_in_any_key_order() -> None:
    wanted = {
        tool.name: definition_hash(tool) for tool in imported(BOOKING, components=COMPONENTS).tools
    }
    for seed in range(5):
        raw = json.dumps(shuffled(tree(BOOKING, components=COMPONENTS), random.Random(seed)))
        tools = define_tools(parse_document(raw.encode(), source="x")).tools
        assert {tool.name: definition_hash(tool) for tool in tools} == wanted


@pytest.mark.parametrize(
    "change",
    [
        {"summary": "Other"},
        {"x-msil-class": "write"},
        {"x-msil-audit-subjects": ["id"]},
        {"parameters": [parameter("a")]},
        {"parameters": [parameter("Idempotency-Key", "header")]},
        answer({"type": "object", "properties": {"b": {}}}),
    ],
)
def test_hash_changes_with_what_is_seen_or_routed(change: dict[str, Any]) -> None:
    before = one_tool({"summary": "A"})
    assert definition_hash(one_tool({"summary": "A"} | change)) != definition_hash(before)


def test_hash_does_not_change_with_tags_or_deprecation() -> None:
    changed = one_tool({"summary": "A", "tags": ["b"], "deprecated": True})
    assert changed.deprecated
    assert definition_hash(changed) == definition_hash(one_tool({"summary": "A"}))


def test_document_without_operations_makes_no_tools() -> None:
    assert define_tools(document({})).tools == ()
