"""A validation error as one sentence that tells a model, or a person, what to change.

The sentence names the argument and the rule and never shows the value that was sent: it may be
long, and it may be somebody's telephone number on its way to a log.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from jsonschema_rs import ValidationError, ValidationErrorKind

from msil_mcp.locales import Message
from msil_mcp.openapi.errors import shown

_LONGEST_LIST = 20
_FORMATS = ("date", "date-time", "email", "uuid", "uri", "ipv4", "ipv6")
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")


def explain(error: ValidationError, *, known: Iterable[str] = ()) -> Message:
    """One sentence for one error; `known` are the names to suggest for a wrong one."""
    kind = error.kind
    if isinstance(kind, ValidationErrorKind.AnyOf | ValidationErrorKind.OneOfNotValid):
        closest = _closest(kind.context)
        if closest is not None:
            return explain(closest, known=known)
    if isinstance(kind, ValidationErrorKind.Required):
        path = [*error.instance_path, kind.property]
        return _sentence(path, Message("fields.required"))
    if isinstance(
        kind, ValidationErrorKind.AdditionalProperties | ValidationErrorKind.UnevaluatedProperties
    ):
        return _unexpected(error.instance_path, kind.unexpected, known)
    rule = _RULES.get(type(kind))
    if rule is not None:
        return _sentence(error.instance_path, rule(kind))
    return _sentence(error.instance_path, _GENERAL.get(type(kind), Message("fields.schema")))


def _sentence(path: Sequence[str | int], problem: Message) -> Message:
    return Message("fields.sentence", field=_subject(path), problem=problem)


def _closest(branches: Sequence[Sequence[ValidationError]]) -> ValidationError | None:
    """The first error of the alternative that was nearly met, not of one of another type."""
    best: tuple[int, int, ValidationError] | None = None
    for branch in branches:
        if not branch:
            continue
        of_other_type = any(
            isinstance(error.kind, ValidationErrorKind.Type)
            and error.schema_path[-1] == "type"
            and len(error.instance_path) == len(branch[0].instance_path)
            for error in branch
        )
        rank = (int(of_other_type), len(branch), branch[0])
        if best is None or rank[:2] < best[:2]:
            best = rank
    return None if best is None or best[0] else best[2]


def _subject(path: Sequence[str | int]) -> str | Message:
    if not path:
        return Message("fields.arguments")
    name = ""
    for step in path:
        name += f"[{step}]" if isinstance(step, int) else f".{step}" if name else step
    return f"`{shown(name)}`"


def _unexpected(path: Sequence[str | int], names: Sequence[str], known: Iterable[str]) -> Message:
    where = [*path, names[0]]
    if path:
        return _sentence(where, Message("fields.unknown_field"))
    choices = list(known)
    if guess := difflib.get_close_matches(names[0][:100], choices, n=1):
        return Message("fields.similar_argument", field=_subject(where), guess=guess[0])
    if not choices:
        return _sentence(where, Message("fields.unknown_argument.none"))
    listed = _listed([f"`{shown(choice)}`" for choice in choices])
    return _sentence(where, Message("fields.unknown_argument.known", choices=listed))


def _listed(texts: Sequence[str]) -> str | Message:
    rest = len(texts) - _LONGEST_LIST
    first = ", ".join(texts[:_LONGEST_LIST])
    return Message("fields.and_more", choices=first, count=rest) if rest > 0 else first


def _values(values: Iterable[Any]) -> str | Message:
    return _listed([shown(msgspec.json.encode(value).decode()) for value in values])


def _alternatives(kind: Any) -> Message:
    wanted = {
        name
        for branch in kind.context
        for error in branch
        if isinstance(error.kind, ValidationErrorKind.Type)
        for name in error.kind.types
    }
    return _of_types(sorted(wanted)) if wanted else Message("fields.forms")


def _of_types(types: Iterable[str]) -> Message:
    """One of several types, in words."""
    wanted: str | Message = ""
    for name in types:
        one = Message(f"fields.types.{name}") if name in _TYPES else name
        wanted = Message("fields.either", first=wanted, second=one) if wanted else one
    return Message("fields.must_be", wanted=wanted)


def _of_format(name: str) -> Message:
    if name in _FORMATS:
        return Message("fields.must_be", wanted=Message(f"fields.formats.{name}"))
    return Message("fields.must_be", wanted=Message("fields.other_format", format=name))


_Kind = ValidationErrorKind
_RULES: Mapping[type[ValidationErrorKind], Callable[[Any], Message]] = {
    _Kind.AnyOf: _alternatives,
    _Kind.OneOfNotValid: _alternatives,
    _Kind.Type: lambda kind: _of_types(kind.types),
    _Kind.Pattern: lambda kind: Message("fields.pattern", pattern=shown(kind.pattern, limit=200)),
    _Kind.Enum: lambda kind: Message("fields.one_of", choices=_values(kind.options)),
    _Kind.Constant: lambda kind: Message("fields.must_be", wanted=_values([kind.expected_value])),
    _Kind.Format: lambda kind: _of_format(kind.format),
    _Kind.Minimum: lambda kind: Message("fields.minimum", limit=kind.limit),
    _Kind.Maximum: lambda kind: Message("fields.maximum", limit=kind.limit),
    _Kind.ExclusiveMinimum: lambda kind: Message("fields.above", limit=kind.limit),
    _Kind.ExclusiveMaximum: lambda kind: Message("fields.below", limit=kind.limit),
    _Kind.MultipleOf: lambda kind: Message("fields.multiple_of", number=kind.multiple_of),
    _Kind.MinLength: lambda kind: Message("fields.min_length", count=kind.limit),
    _Kind.MaxLength: lambda kind: Message("fields.max_length", count=kind.limit),
    _Kind.MinItems: lambda kind: Message("fields.min_items", count=kind.limit),
    _Kind.MaxItems: lambda kind: Message("fields.max_items", count=kind.limit),
    _Kind.MinProperties: lambda kind: Message("fields.min_fields", count=kind.limit),
    _Kind.MaxProperties: lambda kind: Message("fields.max_fields", count=kind.limit),
}
_GENERAL: Mapping[type[ValidationErrorKind], Message] = {
    _Kind.UniqueItems: Message("fields.unique"),
    _Kind.Contains: Message("fields.contains"),
    _Kind.FalseSchema: Message("fields.not_here"),
    _Kind.PropertyNames: Message("fields.names"),
    _Kind.Not: Message("fields.excluded"),
    _Kind.OneOfMultipleValid: Message("fields.ambiguous"),
    _Kind.UnevaluatedItems: Message("fields.more_items"),
    _Kind.BacktrackLimitExceeded: Message("fields.too_complex"),
}
