"""What a JSON Schema may say, keyword by keyword, and what a model should see of it.

Tables only. A keyword that is in none of them (`example`, `xml`, `discriminator`, `x-…`, a vendor's
own) says nothing about validity and is left out.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from msil_mcp.openapi.validation import pattern_compiles

TYPES = frozenset(("array", "boolean", "integer", "null", "number", "object", "string"))

# Keywords whose value is a schema, a list of schemas, an object of schemas.
ONE_SCHEMA = frozenset(
    (
        "not", "if", "then", "else", "items", "contains", "additionalProperties",
        "propertyNames", "unevaluatedItems", "unevaluatedProperties",
    )
)  # fmt: skip
SCHEMA_LIST = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
SCHEMA_MAP = frozenset(("properties", "patternProperties", "dependentSchemas"))

# Characters that are invisible or reorder what is read: a description could say one thing to the
# person who approves it and another to the model. Joiners (U+200C, U+200D) stay: Indic scripts
# need them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def visible_text(text: str) -> str:
    """Text without characters that a person cannot see and a model can."""
    return _INVISIBLE.sub("", text).strip() if not text.isprintable() else text.strip()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_names(value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(name, str) for name in value)
        and len(set(value)) == len(value)
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_pattern(value: Any) -> bool:
    return isinstance(value, str) and pattern_compiles(value)


def _is_choice(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _is_type(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and _is_names(value) and TYPES.issuperset(value)
    return isinstance(value, str) and value in TYPES


def _is_dependencies(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_names, value.values()))


def _is_anything(_: Any) -> bool:
    return True


# Keywords kept as they are, with what their value must be.
PLAIN: Mapping[str, Callable[[Any], bool]] = {
    "type": _is_type,
    "enum": _is_choice,
    "const": _is_anything,
    "format": _is_text,
    "pattern": _is_pattern,
    "minimum": _is_number,
    "maximum": _is_number,
    "exclusiveMinimum": _is_number,
    "exclusiveMaximum": _is_number,
    "multipleOf": lambda value: _is_number(value) and value > 0,
    "minLength": _is_count,
    "maxLength": _is_count,
    "minItems": _is_count,
    "maxItems": _is_count,
    "uniqueItems": _is_flag,
    "minContains": _is_count,
    "maxContains": _is_count,
    "minProperties": _is_count,
    "maxProperties": _is_count,
    "required": _is_names,
    "dependentRequired": _is_dependencies,
    "default": _is_anything,
    "deprecated": _is_flag,
    "contentEncoding": _is_text,
    "contentMediaType": _is_text,
}
