"""What pydantic finds wrong with a field of a request, as a predicate in our own words."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msil_mcp.locales import Message

Context = Mapping[str, Any]


def explain_field(found: Mapping[str, Any]) -> Message:
    """For one of `RequestValidationError.errors()`: what to change about the field it names."""
    kind, context = str(found["type"]), found.get("ctx") or {}
    rule = _RULES.get(kind)
    if rule is not None:
        return rule(context)
    for words, wanted in _TYPES.items():
        if kind.startswith(words):
            return Message("fields.must_be", wanted=wanted)
    return Message("fields.because", reason=str(found["msg"]).removeprefix("Value error, "))


_TYPES: Final[Mapping[str, Message]] = {
    "bool_": Message("fields.types.boolean"),
    "int_": Message("fields.types.integer"),
    "float_": Message("fields.types.number"),
    "finite_number": Message("fields.types.number"),
    "string_type": Message("fields.types.string"),
    "string_unicode": Message("fields.types.string"),
    "list_type": Message("fields.types.array"),
    "dict_type": Message("fields.types.object"),
    "model_": Message("fields.types.object"),
    "datetime_": Message("fields.formats.date-time"),
    "timezone_": Message("fields.formats.date-time"),
    "date_": Message("fields.formats.date"),
    "uuid_": Message("fields.formats.uuid"),
    "url_": Message("fields.formats.uri"),
}
"""What a type of error that begins so wants instead."""

_RULES: Final[Mapping[str, Callable[[Context], Message]]] = {
    "missing": lambda _: Message("fields.required"),
    "extra_forbidden": lambda _: Message("fields.unknown_field"),
    "json_invalid": lambda _: Message("fields.json"),
    "literal_error": lambda context: _one_of(context),
    "enum": lambda context: _one_of(context),
    "string_pattern_mismatch": lambda context: Message(
        "fields.pattern", pattern=context["pattern"]
    ),
    "string_too_short": lambda context: Message("fields.min_length", count=context["min_length"]),
    "string_too_long": lambda context: Message("fields.max_length", count=context["max_length"]),
    "too_short": lambda context: Message("fields.min_items", count=context["min_length"]),
    "too_long": lambda context: Message("fields.max_items", count=context["max_length"]),
    "greater_than": lambda context: Message("fields.above", limit=context["gt"]),
    "greater_than_equal": lambda context: Message("fields.minimum", limit=context["ge"]),
    "less_than": lambda context: Message("fields.below", limit=context["lt"]),
    "less_than_equal": lambda context: Message("fields.maximum", limit=context["le"]),
    "multiple_of": lambda context: Message("fields.multiple_of", number=context["multiple_of"]),
    "time_zone": lambda _: Message("fields.time_zone"),
    "role_target": lambda _: Message("fields.role_target"),
}


def _one_of(context: Context) -> Message:
    return Message("fields.one_of", choices=str(context["expected"]).replace(" or ", ", "))
