"""Operations as gathered from a document, whatever becomes of them later."""

from msil_mcp.openapi.operations import operations
from openapi.documents import document, parameter


def test_operation_has_its_own_and_the_shared_parameters() -> None:
    path = {
        "parameters": [parameter("id", "path"), parameter("q", description="shared")],
        "get": {"parameters": [parameter("q", description="own"), parameter("q", "header")]},
    }
    (found,) = operations(document({"/x/{id}": path}))
    assert [(each.location, each.name, each.description) for each in found.parameters] == [
        ("path", "id", ""),
        ("query", "q", "own"),
        ("header", "q", ""),
    ]
    assert found.parameters[0].required
    assert found.parameters[1].pointer == "/paths/~1x~1{id}/get/parameters/0"


def test_references_to_shared_parts_are_followed() -> None:
    components = {
        "parameters": {
            "Page": parameter("page"), "Alias": {"$ref": "#/components/parameters/Page"}
        },
        "requestBodies": {"Car": {"content": {"application/json": {"schema": {"type": "object"}}}}},
        "pathItems": {"Cars": {"post": {
            "operationId": "add_car",
            "parameters": [{"$ref": "#/components/parameters/Alias"}],
            "requestBody": {"$ref": "#/components/requestBodies/Car"},
        }}},
    }  # fmt: skip
    paths = {"/cars": {"$ref": "#/components/pathItems/Cars"}}
    (found,) = operations(document(paths, components=components))
    assert (found.operation_id, found.method, found.path) == ("add_car", "POST", "/cars")
    assert found.parameters[0].pointer == "/components/parameters/Page"
    assert found.request_body is not None
    assert found.request_body.content[0].name == "application/json"
    assert found.pointer == "/components/pathItems/Cars/post"


def test_security_of_the_operation_replaces_that_of_the_document() -> None:
    path = {
        "get": {},
        "put": {"security": []},
        "post": {"security": [{"key": [], "user": []}, {"oauth": ["write"]}]},
    }
    all_found = operations(document({"/a": path}, security=[{"basic": []}]))
    found = {each.method: each.security for each in all_found}
    assert found == {"GET": (("basic",),), "PUT": (), "POST": (("key", "user"), ("oauth",))}


def test_what_cannot_be_read_is_no_operation() -> None:
    paths = {"/a": {"get": [], "post": {}, "x-note": {}}, "/b": 1, "x-more": {"get": {}}}
    assert [each.key for each in operations(document(paths))] == ["POST /a"]


def test_servers_are_told_when_they_differ_from_the_documents() -> None:
    paths = {
        "/a": {"servers": [{"url": "https://a.example.com"}], "get": {}},
        "/b": {"get": {"servers": [{"url": "https://b.example.com"}]}},
    }
    found = operations(document(paths, servers=[{"url": "https://a.example.com"}]))
    assert [each.servers for each in found] == [(), ("https://b.example.com",)]
