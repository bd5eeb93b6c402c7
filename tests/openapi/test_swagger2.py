"""Swagger 2.0 documents give the same tools as OpenAPI 3."""

import json
from typing import Any
from urllib.parse import parse_qs

from msil_mcp.openapi.definitions import Import, define_tools
from msil_mcp.openapi.document import parse_document
from openapi.documents import sent

CAR = {
    "type": "object",
    "properties": {
        "plate": {"type": "string", "x-nullable": True},
        "doors": {"type": "integer", "minimum": 2, "exclusiveMinimum": True},
        "owner": {"$ref": "#/definitions/Owner"},
    },
    "required": ["plate"],
}
OWNER = {"type": "object", "properties": {"name": {"type": "string"}}}


def swagger(paths: dict[str, Any], **rest: Any) -> Import:
    tree = {
        "swagger": "2.0",
        "info": {"title": "Cars", "version": "1"},
        "host": "cars.example.com",
        "basePath": "/v2",
        "schemes": ["https"],
        "definitions": {"Car": CAR, "Owner": OWNER},
        "paths": paths,
    }
    return define_tools(parse_document(json.dumps(tree | rest).encode(), source="cars.json"))


def test_server_is_put_together() -> None:
    raw = {"swagger": "2.0", "host": "a.example", "basePath": "/b", "paths": {}}
    found = parse_document(json.dumps(raw).encode(), source="x")
    assert (found.version, found.servers) == ("2.0", ("https://a.example/b",))


def test_version_may_be_a_number() -> None:
    assert parse_document(b"swagger: 2.0\npaths: {}\n", source="x.yaml").version == "2.0"


def test_body_and_answer_become_schemas() -> None:
    operation = {
        "operationId": "add_car",
        "parameters": [{"name": "car", "in": "body", "required": True,
                        "schema": {"$ref": "#/definitions/Car"}}],
        "responses": {"200": {"description": "ok", "schema": {"$ref": "#/definitions/Car"}}},
    }  # fmt: skip
    (tool,) = swagger({"/cars": {"post": operation}}).tools
    assert tool.input_schema["properties"] == {
        "plate": {"type": ["string", "null"]},
        "doors": {"type": "integer", "exclusiveMinimum": 2},
        "owner": {"$ref": "#/$defs/Owner"},
    }
    assert tool.input_schema["required"] == ["plate"]
    assert tool.input_schema["$defs"] == {"Owner": OWNER}
    assert tool.output_schema is not None
    assert sent(tool, {"plate": "A"}).body == b'{"plate":"A"}'


def test_parameters_keep_types_and_collection_formats() -> None:
    shared = {"name": "tags", "in": "query", "type": "array", "items": {"type": "string"}}
    operation = {
        "parameters": [
            {"name": "id", "in": "path", "required": True, "type": "integer", "minimum": 1},
            {"$ref": "#/parameters/tags"},
            {"name": "multi", "in": "query", "type": "array", "items": {"type": "string"},
             "collectionFormat": "multi"},
            {"name": "pipes", "in": "query", "type": "array", "items": {"type": "string"},
             "collectionFormat": "pipes"},
        ]
    }  # fmt: skip
    (tool,) = swagger({"/cars/{id}": {"get": operation}}, parameters={"tags": shared}).tools
    assert tool.input_schema["properties"]["id"] == {"type": "integer", "minimum": 1}
    two = ["a", "b"]
    url = sent(tool, {"id": 3, "tags": two, "multi": two, "pipes": two}).url
    assert url.endswith("/cars/3?tags=a,b&multi=a&multi=b&pipes=a%7Cb")


def test_form_fields_become_one_form() -> None:
    fields = [
        {"name": "plate", "in": "formData", "type": "string", "required": True},
        {"name": "tags", "in": "formData", "type": "array", "items": {"type": "string"}},
    ]
    (tool,) = swagger(
        {"/cars": {"parameters": fields[1:], "post": {"parameters": fields[:1]}}}
    ).tools
    assert tool.input_schema["required"] == ["plate"]
    body = sent(tool, {"plate": "A&B", "tags": ["x", "y"]}).body
    assert body is not None
    assert parse_qs(body.decode()) == {"plate": ["A&B"], "tags": ["x,y"]}


def test_files_are_rejected_with_the_reason() -> None:
    operation = {"parameters": [{"name": "scan", "in": "formData", "type": "file"}]}
    (verdict,) = swagger({"/scans": {"post": operation}}).verdicts
    assert verdict.outcome == "rejected"
    assert "only as multipart/form-data" in verdict.reason


def test_api_keys_are_no_arguments() -> None:
    operation = {"parameters": [{"name": "sig", "in": "query", "type": "string"}]}
    schemes = {"k": {"type": "apiKey", "in": "query", "name": "sig"}, "b": {"type": "basic"}}
    (tool,) = swagger({"/x": {"get": operation}}, securityDefinitions=schemes).tools
    assert tool.input_schema["properties"] == {}


def test_shared_responses_are_followed() -> None:
    operation = {"responses": {"200": {"$ref": "#/responses/Car"}}, "produces": ["text/json+json"]}
    (tool,) = swagger(
        {"/x": {"get": operation}},
        responses={"Car": {"description": "", "schema": {"$ref": "#/definitions/Car"}}},
    ).tools
    assert tool.output_schema is not None


def test_broken_parts_reject_their_operation_only() -> None:
    paths: dict[str, Any] = {
        "/a": {"get": {"parameters": {}}},
        "/b": {"get": {"parameters": [{"$ref": "#/parameters/gone"}]}},
        "/c": {"get": {"parameters": [1]}},
        "/d": [],
        "/e": {"parameters": 1, "get": {"responses": []}},
        "/f": {"get": {"consumes": 1, "produces": {}, "responses": {"200": 1}}},
    }
    result = swagger(paths)
    assert [tool.name for tool in result.tools] == ["get_f"]
    assert [verdict.outcome for verdict in result.verdicts] == ["rejected"] * 5 + ["imported"]
