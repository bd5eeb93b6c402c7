"""A validation error as one sentence that tells a model, or a person, what to change.

The sentence names the argument and the rule and never shows the value that was sent: it may be
long, and it may be somebody's telephone number on its way to a log.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from jsonschema_rs import ValidationError, ValidationErrorKind

from msil_mcp.openapi.errors import shown

_LONGEST_LIST = 20
_FORMATS = {
    "date": "a date like 2026-01-31",
    "date-time": "a date and time with an offset like 2026-01-31T10:00:00+05:30",
    "email": "an e-mail address",
    "uuid": "a UUID like 123e4567-e89b-12d3-a456-426614174000",
    "uri": "an absolute URL like https://example.com/page",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
}
_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "text",
}


def explain(error: ValidationError, *, known: Iterable[str] = ()) -> str:
    """One sentence for one error; `known` are the names to suggest for a wrong one."""
    kind = error.kind
    if isinstance(kind, ValidationErrorKind.AnyOf | ValidationErrorKind.OneOfNotValid):
        closest = _closest(kind.context)
        if closest is not None:
            return explain(closest, known=known)
    subject = _subject(error.instance_path)
    if isinstance(kind, ValidationErrorKind.Required):
        return f"{_subject([*error.instance_path, kind.property])} is required."
    if isinstance(
        kind, ValidationErrorKind.AdditionalProperties | ValidationErrorKind.UnevaluatedProperties
    ):
        return _unexpected(error.instance_path, kind.unexpected, known)
    rule = _RULES.get(type(kind))
    if rule is not None:
        return f"{subject} {rule(kind)}."
    return f"{subject} {_GENERAL.get(type(kind), 'does not fit the input schema')}."


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


def _subject(path: Sequence[str | int]) -> str:
    if not path:
        return "The arguments"
    name = ""
    for step in path:
        name += f"[{step}]" if isinstance(step, int) else f".{step}" if name else step
    return f"`{shown(name)}`"


def _unexpected(path: Sequence[str | int], names: Sequence[str], known: Iterable[str]) -> str:
    subject = _subject([*path, names[0]])
    if path:
        return f"{subject} is not a known field; remove it."
    choices = list(known)
    if guess := difflib.get_close_matches(names[0][:100], choices, n=1):
        return f"{subject} is not an argument of this tool; did you mean `{guess[0]}`?"
    if not choices:
        return f"{subject} is not an argument of this tool; it takes none."
    return f"{subject} is not an argument of this tool; it takes {_listed(choices, quote='`')}."


def _listed(values: Iterable[Any], *, quote: str = "") -> str:
    texts = [
        f"{quote}{shown(value if quote else msgspec.json.encode(value).decode())}{quote}"
        for value in values
    ]
    rest = len(texts) - _LONGEST_LIST
    return ", ".join(texts[:_LONGEST_LIST]) + (f" or {rest} more" if rest > 0 else "")


def _alternatives(kind: Any) -> str:
    wanted = {
        name
        for branch in kind.context
        for error in branch
        if isinstance(error.kind, ValidationErrorKind.Type)
        for name in error.kind.types
    }
    if not wanted:
        return "must match one of the forms in the input schema"
    return f"must be {_either(sorted(wanted))}"


def _either(types: Iterable[str]) -> str:
    return " or ".join(_TYPES.get(name, name) for name in types)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


_Kind = ValidationErrorKind
_RULES: Mapping[type[ValidationErrorKind], Callable[[Any], str]] = {
    _Kind.AnyOf: _alternatives,
    _Kind.OneOfNotValid: _alternatives,
    _Kind.Type: lambda kind: f"must be {_either(kind.types)}",
    _Kind.Pattern: lambda kind: f"must match the pattern {shown(kind.pattern, limit=200)}",
    _Kind.Enum: lambda kind: f"must be one of {_listed(kind.options)}",
    _Kind.Constant: lambda kind: f"must be {_listed([kind.expected_value])}",
    _Kind.Format: lambda kind: f"must be {_FORMATS.get(kind.format, f'a valid {kind.format}')}",
    _Kind.Minimum: lambda kind: f"must be at least {kind.limit}",
    _Kind.Maximum: lambda kind: f"must be at most {kind.limit}",
    _Kind.ExclusiveMinimum: lambda kind: f"must be more than {kind.limit}",
    _Kind.ExclusiveMaximum: lambda kind: f"must be less than {kind.limit}",
    _Kind.MultipleOf: lambda kind: f"must be a multiple of {kind.multiple_of}",
    _Kind.MinLength: lambda kind: (
        "must not be empty"
        if kind.limit == 1
        else f"must have at least {_plural(kind.limit, 'character')}"
    ),
    _Kind.MaxLength: lambda kind: f"must have at most {_plural(kind.limit, 'character')}",
    _Kind.MinItems: lambda kind: f"must have at least {_plural(kind.limit, 'item')}",
    _Kind.MaxItems: lambda kind: f"must have at most {_plural(kind.limit, 'item')}",
    _Kind.MinProperties: lambda kind: f"must have at least {_plural(kind.limit, 'field')}",
    _Kind.MaxProperties: lambda kind: f"must have at most {_plural(kind.limit, 'field')}",
}
_GENERAL: Mapping[type[ValidationErrorKind], str] = {
    _Kind.UniqueItems: "must not hold the same item twice",
    _Kind.Contains: "lacks an item the input schema asks for",
    _Kind.FalseSchema: "is not accepted here; remove it",
    _Kind.PropertyNames: "has a field name the input schema does not accept",
    _Kind.Not: "has a value the input schema excludes",
    _Kind.OneOfMultipleValid: "matches more than one of the forms in the input schema; send one",
    _Kind.UnevaluatedItems: "has more items than the input schema knows",
    _Kind.BacktrackLimitExceeded: "is too complex to check; send something simpler",
}
