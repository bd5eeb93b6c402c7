"""Personal data and secrets do not reach a record; what only looks alike does."""

import json
import re
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.personal_data import SHAPES, harmless_texts, personal_values
from msil_mcp.audit.checksums import luhn_holds, verhoeff_holds
from msil_mcp.audit.masking import MAX_ARGUMENTS, MAX_RESULT, Masker, mask_text, mask_value

PER_SHAPE = 80
PAGES = sorted(Path(__file__).parents[2].joinpath("docs").rglob("*.md"))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_synthetic_value_is_masked_wherever_it_stands(shape):
    for text, written, value in personal_values(shape, PER_SHAPE):
        masked = mask_text(text)
        squeezed = re.sub(r"[ -]", "", masked)
        assert written not in masked, text
        assert value not in squeezed, text
        assert "**" in masked, text


def test_the_generator_is_as_large_as_the_requirement():
    assert len(SHAPES) == 10
    assert len(SHAPES) * PER_SHAPE >= 500


def test_at_most_one_in_a_hundred_harmless_texts_is_touched():
    pages = [line for page in PAGES for line in page.read_text().splitlines() if line.strip()]
    corpus = [*harmless_texts(100), *pages]
    touched = [text for text in corpus if mask_text(text) is not text]
    assert len(corpus) >= 2_000
    assert len(touched) / len(corpus) <= 0.01, touched


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("9876543210", "98******10"),
        ("+91 98765-43210", "+91 98******10"),
        ("MH12AB1234", "MH12****34"),
        ("DL 8C AB 7890", "DL8C****90"),
        ("22BH1234AA", "22BH****AA"),
        ("rahul.k@example.com", "r***@e***"),
        ("4111 1111 1111 1111", "************1111"),
        ("ABCPE1234F", "AB*******F"),
        ("2341 2341 2346", "********2346"),
        ("Authorization: Bearer abc.def-123456", "Authorization: Bearer ****"),
        ("Basic dXNlcjpwYXNz", "Basic ****"),
        ("password=hunter22&x=1", "password=****&x=1"),
        ("९८७६५४३२१०", "९८******१०"),
        ("9876543210 and 9123456789 on 2026-01-15", "98******10 and 91******89 on 2026-01-15"),
    ],
)
def test_a_mask_keeps_a_usable_hint(text, masked):
    assert mask_text(text) == masked
    assert mask_text(masked) == masked


def test_a_private_key_is_hidden_whole():
    text = "key:\n-----BEGIN PRIVATE KEY-----\nMIIEvQ\nabc\n-----END PRIVATE KEY-----\nend"
    assert "MIIEvQ" not in mask_text(text)
    assert mask_text(text).endswith("end")


def test_only_the_wanted_kinds_are_masked():
    text = "9876543210 a.b@example.com"
    assert mask_text(text, frozenset({"email"})) == "9876543210 a***@e***"
    assert mask_text(text, frozenset({"mobile"})) == "98******10 a.b@example.com"


def test_declared_fields_are_hidden_whatever_they_look_like():
    masker = Masker(
        [("/customer/name", "name"), ("/customer/address", "address"), ("/people/*/tel", "phone")]
    )
    value = {
        "customer": {"name": "Asha Rao", "address": {"street": "MG Road", "no": 4}, "city": "Pune"},
        "people": [{"tel": "020-12345678", "id": 1}, {"tel": None, "id": 2}],
    }
    assert masker.mask(value) == {
        "customer": {
            "name": "A*** R***",
            "address": {"street": "****", "no": "****"},
            "city": "Pune",
        },
        "people": [{"tel": "20******78", "id": 1}, {"tel": None, "id": 2}],
    }
    assert value["customer"]["name"] == "Asha Rao"


def test_subjects_and_policy_inputs_are_kept():
    masker = Masker([("/mobile", "mobile")], keep=["vehicle_registration", "mobile"])
    given_arguments = {
        "vehicle_registration": "MH12AB1234",
        "mobile": "9876543210",
        "to": "MH12AB1234",
    }
    assert masker.mask(given_arguments) == given_arguments | {"to": "MH12****34"}


def test_numbers_names_and_secrets_in_values_are_masked():
    value = {
        "n": 9876543210,
        "small": 12345,
        "9876543210": True,
        "api_key": "short",
        "otp": "1234",
        "prompt_tokens": "12",
        "deep": [["a.b@example.com"]],
    }
    assert mask_value(value) == {
        "n": "98******10",
        "small": 12345,
        "98******10": True,
        "api_key": "****",
        "otp": "****",
        "prompt_tokens": "12",
        "deep": [["a***@e***"]],
    }


def test_a_clean_value_is_handed_back_as_it_is():
    value = {"city": "Pune", "nested": {"list": ["regular", 3, None, 4.5]}}
    assert Masker().mask(value) is value


def test_arguments_and_results_are_short_json_texts():
    masker = Masker([("/dealers/*/phone", "phone")])
    arguments = masker.arguments({"notes": "x" * 50_000, "mobile": "9876543210"})
    assert len(arguments) <= MAX_ARGUMENTS
    assert json.loads(arguments)["mobile"] == "98******10"
    dealers = [{"name": f"d{n}", "phone": "020-12345678"} for n in range(500)]
    result = masker.result("ignored", msgspec.json.encode({"dealers": dealers}))
    assert json.loads(result)["dealers"][0] == {"name": "d0", "phone": "20******78"}
    assert len(result) <= MAX_RESULT
    assert (
        masker.result("", b'"' + b"x" * 100_000 + b'"') == '{"omitted":"a result of 100002 bytes"}'
    )


def test_a_value_cut_by_the_cap_of_a_text_is_masked_first():
    text = "x" * (MAX_RESULT - 5) + " 9876543210 " + "y" * 9_000
    assert "98765" not in Masker().result(text)
    assert len(Masker().result(text)) <= MAX_RESULT


@settings(deadline=None, derandomize=True)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_masking_is_total_and_settles(value):
    once = mask_value(value)
    assert mask_value(once) == once
    json.dumps(once)


def test_a_value_cut_by_the_shortening_of_long_arguments_is_masked_first():
    notes = "x" * 250 + " 9876543210 " + "y" * 20_000
    assert "98765" not in Masker().arguments({"notes": notes})


@pytest.mark.parametrize("piece", ["secret_key_", "password", "a@", "1-", "AB1", "Bearer "])
def test_hostile_text_takes_time_in_proportion_to_its_length(piece):
    started = time.process_time()
    mask_text(piece * (50_000 // len(piece)))
    assert time.process_time() - started < 5


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet="0123456789 -+.@abcMHDL", max_size=400))
def test_any_text_can_be_masked_twice(text):
    assert mask_text(mask_text(text)) == mask_text(text)


PLATES = ("MH-1-A-1", "MH12AB1234", "DL8CAB7890", "22BH1234AA")
VALUES = ("98765 43210", "2341 2341 2346", "ABCPE1234F", *PLATES)
PIECES = (*VALUES, "98765", "43210", "2341", "MH", "ABCPE", "BH", "12", "3", "x", " ", "-", ".")


@settings(deadline=None, derandomize=True, max_examples=500)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_a_quick_look_overlooks_nothing(text):
    """Only text of ASCII alone gets it."""
    assert mask_text(text) == mask_text(f"{text}\n€").removesuffix("\n€")


def test_check_digits_hold_only_for_the_right_one():
    assert [d for d in "0123456789" if verhoeff_holds("23412341234" + d)] == ["6"]
    assert [d for d in "0123456789" if luhn_holds("411111111111111" + d)] == ["1"]
