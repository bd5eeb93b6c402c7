"""The OpenAPI document: valid 3.1, six operations, and what the importer needs to know."""

import re

import jsonschema_rs
import pytest

from booking_api.app import openapi_document

URL = "https://bookings.example.com"
OPERATIONS = {
    "resolve_customer": ("post", "/api/customer/resolve"),
    "resolve_vehicle": ("post", "/api/vehicle/resolve"),
    "get_nearby_dealers": ("post", "/api/dealers/nearby"),
    "get_available_slots": ("post", "/api/slots/available"),
    "create_service_booking": ("post", "/api/booking/create"),
    "get_booking_status": ("get", "/api/booking/{booking_id}"),
}
INPUTS = {
    "resolve_customer": ({"mobile"}, set()),
    "resolve_vehicle": ({"registration_number"}, set()),
    "get_nearby_dealers": ({"city"}, {"area", "service_type"}),
    "get_available_slots": ({"dealer_code", "date"}, {"service_type"}),
    "create_service_booking": (
        {
            "customer_mobile",
            "vehicle_registration",
            "dealer_code",
            "appointment_date",
            "appointment_time",
            "service_type",
        },
        {"notes"},
    ),
}
BOOKING = INPUTS["create_service_booking"][0] | {
    *("booking_id", "notes", "dealer_name", "status", "estimated_duration", "created_at")
}
OUTPUTS = {
    "resolve_customer": {"customer_id", "name", "mobile", "email", "address", "city"},
    "resolve_vehicle": {
        *("vehicle_id", "registration_number", "model", "variant", "color", "year", "fuel_type"),
        *("last_service_date", "next_service_due", "odometer_reading"),
    },
    "get_nearby_dealers": {"dealers", "total"},
    "get_available_slots": {"slots"},
    "create_service_booking": BOOKING,
    "get_booking_status": BOOKING,
}


@pytest.fixture(scope="module")
def document():
    return openapi_document(server_url=URL)


@pytest.fixture(scope="module")
def operations(document):
    return {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for operation in path.values()
    }


def resolved(document, schema):
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def schemas(document):
    """Every schema with a place to report, components and parameters alike."""
    stack = [
        (f"components/{name}", schema) for name, schema in document["components"]["schemas"].items()
    ]
    stack += [
        (f"{operation['operationId']}/{parameter['name']}", parameter["schema"])
        for path in document["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", [])
    ]
    while stack:
        place, schema = stack.pop()
        yield place, schema
        stack += [(f"{place}/{k}", v) for k, v in schema.get("properties", {}).items()]
        stack += [(f"{place}/{n}", v) for n, v in enumerate(schema.get("anyOf", []))]
        if "items" in schema:
            stack.append((f"{place}/items", schema["items"]))


def test_document_is_openapi_3_1_at_the_given_server(document):
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": URL}]
    assert document["info"]["title"]
    assert [tag["name"] for tag in document["tags"]] == ["service_booking"]


def test_every_schema_is_a_valid_2020_12_schema(document):
    for place, schema in schemas(document):
        bundled = schema | {"components": document["components"]}
        assert jsonschema_rs.meta.is_valid(schema), place
        jsonschema_rs.Draft202012Validator(bundled)


def test_the_document_has_the_six_operations_and_nothing_else(document):
    found = {
        operation["operationId"]: (method, path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    assert found == OPERATIONS


@pytest.mark.parametrize("name", INPUTS)
def test_inputs_are_exactly_these_and_strict(document, operations, name):
    body = operations[name]["requestBody"]
    schema = resolved(document, body["content"]["application/json"]["schema"])
    required, optional = INPUTS[name]
    assert body["required"] is True
    assert set(schema["required"]) == required
    assert set(schema["properties"]) == required | optional
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", OPERATIONS)
def test_outputs_are_exactly_these(document, operations, name):
    status = "201" if name == "create_service_booking" else "200"
    answer = operations[name]["responses"][status]["content"]["application/json"]["schema"]
    schema = resolved(document, answer)
    assert set(schema["properties"]) == set(schema["required"]) == OUTPUTS[name]


@pytest.mark.parametrize("name", OPERATIONS)
def test_refusals_are_declared_as_problems(operations, name):
    refusals = {
        status: answer
        for status, answer in operations[name]["responses"].items()
        if status >= "400"
    }
    assert {"404", "422", "503"} <= refusals.keys()
    assert ("409" in refusals) == (name == "create_service_booking")
    for answer in refusals.values():
        assert answer["content"] == {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        }


def test_posts_say_whether_they_read_or_write(operations):
    classes = {name: operation.get("x-msil-class") for name, operation in operations.items()}
    assert classes == {
        "resolve_customer": "read",
        "resolve_vehicle": "read",
        "get_nearby_dealers": "read",
        "get_available_slots": "read",
        "create_service_booking": "write",
        "get_booking_status": None,
    }


def test_audit_subjects_are_fields_of_the_operation_and_never_the_mobile(document, operations):
    subjects = {
        name: set(operation.get("x-msil-audit-subjects", []))
        for name, operation in operations.items()
    }
    for name, fields in subjects.items():
        inputs = set().union(*INPUTS.get(name, ({"booking_id"},)))
        assert fields <= inputs | OUTPUTS[name]
        assert not any("mobile" in field for field in fields)
    assert "booking_id" in subjects["create_service_booking"] & subjects["get_booking_status"]
    assert "registration_number" in subjects["resolve_vehicle"]
    assert "customer_id" in subjects["resolve_customer"]


def test_personal_data_is_marked_wherever_it_appears(document):
    kinds = {
        place.rpartition("/")[2]: schema.get("x-msil-pii")
        for place, schema in schemas(document)
        if place.startswith("components/")
    }
    assert kinds["mobile"] == kinds["customer_mobile"] == "mobile"
    for place, schema in schemas(document):
        field = place.rpartition("/")[2]
        if field in {"mobile", "customer_mobile"}:
            assert schema["x-msil-pii"] == "mobile", place
        if place.startswith("components/CustomerProfile/") and field in {
            "name",
            "email",
            "address",
        }:
            assert schema["x-msil-pii"] == field, place
        if place.startswith("components/NearbyDealer/"):
            assert "x-msil-pii" not in schema, place


def test_only_creating_a_booking_takes_an_idempotency_key(operations):
    headers = {
        name: [p for p in operation.get("parameters", []) if p["in"] == "header"]
        for name, operation in operations.items()
    }
    (key,) = headers.pop("create_service_booking")
    assert (key["name"], key["required"]) == ("Idempotency-Key", False)
    assert key["schema"]["type"] == "string"
    assert not any(headers.values())


@pytest.mark.parametrize("name", OPERATIONS)
def test_descriptions_tell_a_model_what_and_when(operations, name):
    operation = operations[name]
    assert operation["tags"] == ["service_booking"]
    assert operation["summary"]
    first, _, rest = operation["description"].partition("\n\n")
    assert first.endswith(".")
    assert rest.startswith("Use it")
    assert not re.search(r"[^\n]\n[^\n]", operation["description"])


def test_every_field_is_described_and_every_input_has_examples(document):
    inputs = {"CustomerQuery", "VehicleQuery", "DealerQuery", "SlotQuery", "BookingOrder"}
    for name, schema in document["components"]["schemas"].items():
        for field, described in schema["properties"].items():
            assert described.get("description"), f"{name}.{field}"
            assert "title" not in described
            if name in inputs:
                assert described["examples"], f"{name}.{field}"


def test_every_example_is_valid_against_its_own_schema(document):
    checked = 0
    for place, schema in schemas(document):
        for example in schema.get("examples", []):
            bundled = schema | {"components": document["components"]}
            validator = jsonschema_rs.Draft202012Validator(bundled, validate_formats=True)
            assert validator.is_valid(example), f"{place}: {example}"
            checked += 1
    assert checked > 40


def test_service_types_are_an_enum(document):
    order = document["components"]["schemas"]["BookingOrder"]["properties"]
    assert order["service_type"]["enum"] == ["regular", "express", "body_repair"]
    details = document["components"]["schemas"]["BookingDetails"]["properties"]
    assert details["status"]["enum"] == ["CONFIRMED", "IN_PROGRESS", "COMPLETED", "CANCELLED"]


@pytest.mark.anyio
async def test_the_running_service_publishes_the_same_document(service, client):
    answer = await client.get("/openapi.json")
    published = answer.body | {"servers": [{"url": URL}]}
    assert published == openapi_document(server_url=URL)


def test_conversation_starters_use_exactly_what_they_declare(document):
    for prompt in document["x-msil-prompts"]:
        used = set(re.findall(r"\{(\w+)\}", prompt["template"]))
        assert used == {argument["name"] for argument in prompt["arguments"]}, prompt["name"]
