"""Checking arguments against an input schema, and saying what to change.

JSON Schema 2020-12 by jsonschema-rs, compiled once per tool version. A schema never reaches out:
remote references are refused when it is compiled. Patterns run on an engine of linear time; only
those with look-around need the backtracking one, which gives up early.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from msil_mcp.locales import Message
from msil_mcp.openapi.errors import InvalidArguments as InvalidArguments
from msil_mcp.openapi.errors import SchemaError, shown
from msil_mcp.openapi.explanations import explain

MAX_PROBLEMS = 3
_LINEAR = jsonschema_rs.RegexOptions(size_limit=4 * 1024 * 1024)
_BACKTRACKING = jsonschema_rs.FancyRegexOptions(backtrack_limit=20_000, size_limit=4 * 1024 * 1024)
# Formats that are only hints: OpenAPI documents use them looser than JSON Schema defines them
# (a `time` without an offset, a `uri` that is a path), so asserting them would refuse good calls.
_HINTS = (
    "time", "duration", "regex", "iri", "iri-reference", "uri-reference", "uri-template",
    "idn-email", "idn-hostname", "json-pointer", "relative-json-pointer", "hostname",
)  # fmt: skip


def _anything(_: str) -> bool:
    return True


_HINTS_ONLY = dict.fromkeys(_HINTS, _anything)


class Validator:
    """One compiled schema; safe to share between threads."""

    __slots__ = ("_compiled", "_known", "is_valid")

    def __init__(
        self, compiled: jsonschema_rs.Draft202012Validator, *, known: tuple[str, ...]
    ) -> None:
        self._compiled = compiled
        self._known = known
        self.is_valid = compiled.is_valid

    def validate(self, arguments: Mapping[str, Any]) -> None:
        """Return when the arguments fit.

        Raises:
            InvalidArguments: With up to three sentences, each naming the argument to change.
        """
        if self.is_valid(arguments):
            return
        problems: dict[Message, None] = {}
        for error in self._compiled.iter_errors(arguments):
            problems[explain(error, known=self._known)] = None
            if len(problems) == MAX_PROBLEMS:
                break
        raise InvalidArguments(tuple(problems))


def compile_validator(schema: dict[str, Any] | bool) -> Validator:
    """Compile a schema once; raises SchemaError when it is no usable JSON Schema 2020-12."""
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    for engine in (_LINEAR, _BACKTRACKING):
        try:
            compiled = jsonschema_rs.Draft202012Validator(
                schema,
                validate_formats=True,
                formats=_HINTS_ONLY,
                pattern_options=engine,
                offline=True,
            )
            return Validator(compiled, known=tuple(properties))
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
            problem = shown(error.message, limit=200)
    raise SchemaError(problem)


@functools.lru_cache(maxsize=4096)
def pattern_compiles(pattern: str) -> bool:
    """Whether a pattern can be checked; ECMA-262 has a few constructs no engine here knows."""
    try:
        compile_validator({"pattern": pattern})
    except SchemaError:
        return False
    return True
