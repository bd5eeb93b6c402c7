"""A synthetic OpenAPI document of any size: the API of a made-up parcel carrier.

The same number of operations always gives the same bytes, so figures of two runs compare. The
measured operation stands in the middle, where a linear search gains nothing.
"""

import json
from pathlib import Path
from typing import Any

MEASURED = "track_parcel"
DETAILS = ("summary", "history", "everything")
# The upstream puts this word into every answer; no request carries it.
WITNESS = "quillon-7731"

THINGS = (
    "parcel", "locker", "courier", "depot", "manifest", "pallet", "tariff", "claim",
    "collection", "consignment", "container", "customs_form", "delivery_window", "forwarding",
    "handover", "label", "proof_of_delivery", "recipient", "return", "round", "scan", "shipper",
    "stamp", "van", "warehouse",
)  # fmt: skip
VERBS = ("look_up", "search", "register", "correct")
STATES = ("announced", "accepted", "sorted", "on_the_way", "at_locker", "delivered", "returned")
Json = dict[str, Any]


def document(operations: int, *, base_url: str) -> Json:
    """An OpenAPI 3.1 document with that many operations, the measured one among them."""
    if operations < 1:
        raise ValueError("The document needs at least the measured operation.")
    built = [_operation(number) for number in range(operations - 1)]
    built.insert(len(built) // 2, _measured())
    paths: dict[str, Json] = {}
    for path, method, operation in built:
        paths.setdefault(path, {})[method] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Carrier {operations}", "version": "1.0.0"},
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {"schemas": _schemas()},
    }


def write_document(folder: Path, *, operations: int, base_url: str) -> Path:
    path = folder / f"carrier-{operations}.json"
    path.write_text(json.dumps(document(operations, base_url=base_url)) + "\n")
    return path


def measured_arguments(number: int) -> dict[str, str]:
    """Arguments of the measured call; different numbers name different parcels."""
    return {
        "parcel_id": f"PX{number:06d}",
        "detail": DETAILS[number % len(DETAILS)],
        "language": "en",
    }


def _measured() -> tuple[str, str, Json]:
    return (
        "/parcels/{parcel_id}/track",
        "get",
        {
            "operationId": MEASURED,
            "tags": ["parcel"],
            "summary": "Track a parcel",
            "description": "Where a parcel is now, when it should arrive, and who carries it.",
            "parameters": [
                _in_path("parcel_id", "Number of the parcel, as printed under the bar code"),
                _in_query("detail", {"type": "string", "enum": list(DETAILS)}, "How much to tell"),
                _language(),
            ],
            "responses": _responses(),
        },
    )


def _operation(number: int) -> tuple[str, str, Json]:
    """Thing, verb and zone follow from the number alone."""
    rest, thing_at = divmod(number, len(THINGS))
    zone, verb_at = divmod(rest, len(VERBS))
    thing, verb = THINGS[thing_at], VERBS[verb_at]
    words = thing.replace("_", " ")
    collection, item = f"/zone{zone}/{thing}", f"/zone{zone}/{thing}/{{{thing}_id}}"
    operation: Json = {
        "operationId": f"{verb}_{thing}_zone{zone}",
        "tags": [thing],
        "summary": f"{verb.replace('_', ' ').capitalize()} a {words} in zone {zone}",
        "description": (
            f"For when somebody speaks of a {words} handled in zone {zone}, its state, its place "
            "or what it costs. The answer is the whole record; times are in the zone's own time."
        ),
        "parameters": [_language()],
        "responses": _responses(),
    }
    if verb == "look_up":
        operation["parameters"].append(_in_path(f"{thing}_id", f"Number of the {words}"))
        return item, "get", operation
    if verb == "search":
        operation["parameters"] += [
            _in_query("state", {"type": "string", "enum": list(STATES)}, "Only in this state"),
            _in_query("text", {"type": "string", "maxLength": 80}, f"Words about the {words}"),
            _in_query("from_day", {"type": "string", "format": "date"}, "From this day on"),
            _in_query("page_size", {"type": "integer", "minimum": 1, "maximum": 200}, "At most"),
            _in_query("closed_too", {"type": "boolean"}, "Also what is closed"),
        ]
        return collection, "get", operation
    operation["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": _body(words, extra=number % 4)}},
    }
    if verb == "register":
        return collection, "post", operation
    operation["parameters"].append(_in_path(f"{thing}_id", f"Number of the {words}"))
    return item, "put", operation


def _body(words: str, *, extra: int) -> Json:
    properties: Json = {
        "reference": {"type": "string", "minLength": 1, "maxLength": 60},
        "state": {"type": "string", "enum": list(STATES), "description": f"State of the {words}"},
        "sender": _ref("Party"),
        "destination": _ref("Place"),
        "charge": _ref("Charge"),
        "ready_on": {"type": "string", "format": "date", "description": "Day it can be handled"},
        "grams": {"type": "integer", "minimum": 1, "maximum": 2_000_000},
        "marks": {"type": "array", "maxItems": 12, "items": {"type": "string", "maxLength": 24}},
    }
    # Real documents are uneven; so is this one.
    for field in range(extra):
        properties[f"remark_{field}"] = {
            "type": "string",
            "maxLength": 240,
            "description": f"Remark {field} printed on the {words}",
        }
    return {"type": "object", "required": ["reference", "sender"], "properties": properties}


def _schemas() -> Json:
    text = {"type": "string"}
    return {
        "Party": {
            "type": "object",
            "description": "Somebody who sends or receives",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 80},
                "phone": {"type": "string", "pattern": "^[0-9]{10}$"},
                "email": {"type": "string", "format": "email"},
                "reach_by": {"type": "string", "enum": ["phone", "email", "letter"]},
            },
        },
        "Place": {
            "type": "object",
            "description": "Where it goes",
            "required": ["street", "town", "postcode"],
            "properties": {
                "street": {"type": "string", "maxLength": 100},
                "floor": {"type": "string", "maxLength": 20},
                "town": {"type": "string", "maxLength": 60},
                "postcode": {"type": "string", "pattern": "^[0-9]{6}$"},
            },
        },
        "Charge": {
            "type": "object",
            "required": ["amount", "currency"],
            "properties": {
                "amount": {"type": "number", "minimum": 0},
                "currency": {"type": "string", "enum": ["INR", "EUR", "USD"]},
            },
        },
        "Record": {
            "type": "object",
            "description": "What every operation answers",
            "properties": {
                "parcel_id": text,
                "detail": text,
                "witness": text,
                "state": {"type": "string", "enum": list(STATES)},
                "depot": {"type": "object", "properties": {"code": text, "town": text}},
                "arrival": {"type": "object", "properties": {"day": text, "hour": text}},
                "receiver": {"type": "object", "properties": {"name": text, "phone": text}},
                "charge": _ref("Charge"),
            },
        },
    }


def _responses() -> Json:
    return {
        "200": {
            "description": "The record",
            "content": {"application/json": {"schema": _ref("Record")}},
        },
        "404": {"description": "Nothing by that number"},
    }


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _in_path(name: str, description: str) -> Json:
    schema = {"type": "string", "minLength": 2, "maxLength": 40}
    return {
        "name": name, "in": "path", "required": True, "description": description, "schema": schema,
    }  # fmt: skip


def _in_query(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _language() -> Json:
    schema = {"type": "string", "enum": ["en", "hi", "mr", "ta"]}
    return _in_query("language", schema, "Language of the texts")
