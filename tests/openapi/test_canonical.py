"""The canonical form and the hashes made from it."""

import math
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from msil_mcp.openapi.canonical import arguments_hash, canonical
from msil_mcp.openapi.errors import NotCanonical

SAFE = 2**53 - 1
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-SAFE, SAFE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_canonical_form_is_that_of_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.dictionaries(st.text(), values, max_size=5))
def test_key_order_does_not_change_the_hash(value: dict[str, Any]) -> None:
    assert arguments_hash(value) == arguments_hash(dict(reversed(value.items())))


def test_integers_beyond_doubles_keep_every_digit() -> None:
    assert canonical(2**53 + 1) == b"9007199254740993"
    assert arguments_hash({"account": 2**53}) != arguments_hash({"account": 2**53 + 1})
    assert canonical(-(10**30)) == b"-" + b"1" + b"0" * 30


def test_keys_are_sorted_by_utf_16_code_units() -> None:
    assert canonical({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, {"a": [math.nan]}, "\ud800", {"\ud800": 1}, {1: 2}, b"x",
     object(), {"a": 10**5000}],
)  # fmt: skip
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(NotCanonical):
        canonical(value)


def test_endless_nesting_is_refused() -> None:
    value: list[Any] = []
    for _ in range(5000):
        value = [value]
    with pytest.raises(NotCanonical, match="nested too deeply"):
        canonical(value)
