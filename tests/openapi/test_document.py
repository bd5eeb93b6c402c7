"""Reading documents: what is read, and the place named when it cannot be."""

import hashlib
import json

import pytest

from msil_mcp.openapi.document import MAX_BYTES, DocumentError, parse_document
from openapi.documents import tree

MINIMAL = b'{"openapi": "3.1.0", "info": {"title": "Cars", "version": "7"}, "paths": {}}'


def read_value(text: str) -> object:
    raw = f"openapi: 3.1.0\npaths: {{}}\nx-value: {text}\n".encode()
    return parse_document(raw, source="test.yaml").root["x-value"]


def test_document_tells_what_it_says_about_itself() -> None:
    found = parse_document(MINIMAL, source="cars.json")
    assert (found.version, found.title, found.api_version) == ("3.1.0", "Cars", "7")
    assert found.sha256 == hashlib.sha256(MINIMAL).hexdigest()
    assert found.raw == MINIMAL


def test_yaml_and_json_read_the_same() -> None:
    yaml = b'openapi: 3.1.0\ninfo:\n  title: Cars\n  version: "7"\npaths: {}\n'
    assert parse_document(yaml, source="a").root == parse_document(MINIMAL, source="b").root


@pytest.mark.parametrize("text", ["3.1", "3.0", "3.2.0", "'3.0.3'", "3.1.0"])
def test_version_may_be_written_as_a_number(text: str) -> None:
    found = parse_document(f"openapi: {text}\npaths: {{}}".encode(), source="a.yaml")
    assert found.version == text.strip("'")


def test_document_without_info_is_called_by_its_source() -> None:
    assert parse_document(b'{"openapi": "3.0.0", "paths": {}}', source="x.json").title == "x.json"


def test_byte_order_mark_is_no_obstacle() -> None:
    assert parse_document(b"\xef\xbb\xbf" + MINIMAL, source="cars.json").title == "Cars"


def test_server_variables_take_their_defaults() -> None:
    servers = [
        {
            "url": "https://{region}.example.com/{base}",
            "variables": {"region": {"default": "in"}, "base": {"default": "v2"}},
        },
        {"url": "/relative"},
    ]
    raw = json.dumps(tree({}, servers=servers)).encode()
    found = parse_document(raw, source="a.json")
    assert found.servers == ("https://in.example.com/v2", "/relative")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("2026-01-31", "2026-01-31"),
        ("12:30", "12:30"),
        ("007", "007"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("-12", -12),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("~", None),
        ("true", True),
        ("'true'", "true"),
        ("!!str 5", "5"),
        ("=", "="),
    ],
)
def test_yaml_scalars_are_those_of_json(text: str, value: object) -> None:
    found = read_value(text)
    assert found == value
    assert type(found) is type(value)


def test_yaml_keys_are_text() -> None:
    assert read_value("{200: ok, null: n, true: t, 1.0: f}") == {
        "200": "ok",
        "null": "n",
        "true": "t",
        "1.0": "f",
    }


def test_yaml_anchors_and_merges_are_followed() -> None:
    text = "{a: &one {x: 1, y: 2}, b: *one, c: {<<: *one, y: 3}, d: {<<: [*one, {z: 4}]}}"
    assert read_value(text) == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 2},
        "c": {"x": 1, "y": 3},
        "d": {"x": 1, "y": 2, "z": 4},
    }


def test_json_in_a_yaml_file_is_read() -> None:
    assert parse_document(MINIMAL, source="cars.yaml").title == "Cars"
    flow = b"{openapi: 3.1.0, info: {title: Flow}, paths: {}}"
    assert parse_document(flow, source="cars.yml").title == "Flow"


BOMB = "\n".join(
    ["openapi: 3.1.0", "paths: {}", "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
)
BROKEN = [
    ("b.json", '{"openapi": "3.1.0",\n "paths": {]}', ":2:12: "),
    ("b.json", '{"openapi": "3.1.0"', ":1:20: "),
    ("b.json", '{"openapi": "3.1.0", "paths": {"/x": {},\n  "/x": {}}}', ":2:3: the key `/x` occ"),
    ("b.json", '{"openapi": "3.1.0", "paths": {}, "x": NaN}', ":1:40: `NaN`"),
    ("b.json", '{"openapi": "3.1.0", "paths": {}, "x": -Infinity}', ":1:40: `-Infinity`"),
    ("b.json", '{"openapi": "3.1.0", "paths": {}, "x": 1e999}', ":1:40: `1e999`"),
    ("b.json", '{"openapi": "3.1.0", "paths": {}, "x": %s}' % ("9" * 5000), ":1:40: `999"),
    ("b.json", '{"openapi": "3.1.0",\n"x": "\\ud800", "paths": {}}', ":2:6: half of a surrogate"),
    ("b.json", '{"openapi": "3.1.0", "paths": {}, "x": %s}' % ("[" * 300 + "]" * 300), "nested"),
    ("b.json", "[" * 100_000 + "]" * 100_000, "nested deeper"),
    ("b.json", "<!DOCTYPE html><html></html>", "#: this is a web page"),
    ("b.json", "", "#: this is not an OpenAPI document"),
    ("b.json", "[]", "#: this is not an OpenAPI document"),
    ("b.json", '"text"', "#: this is not an OpenAPI document"),
    ("b.json", "{}", "#: no `openapi` version"),
    ("b.json", '{"openapi": "3.1.0"}', "#: no `paths`"),
    ("b.json", '{"openapi": "4.0.0", "paths": {}}', "#/openapi: version `4.0.0`"),
    ("b.json", '{"swagger": "1.2", "paths": {}}', "#/swagger: version `1.2`"),
    ("b.json", '{"openapi": "3.1.0", "paths": []}', "#/paths: must be an object"),
    ("b.json", '{"openapi": "3.1.0", "info": 1, "paths": {}}', "#/info: must be an object"),
    ("b.json", '{"openapi": "3.1.0", "components": [], "paths": {}}', "#/components: must be"),
    ("b.json", '{"openapi": "3.1.0", "servers": {}, "paths": {}}', "#/servers: must be a list"),
    ("b.json", '{"openapi": "3.1.0", "servers": [{}], "paths": {}}', "#/servers/0: must be an"),
    ("b.yaml", "openapi: 3.1.0\npaths: [1", ":3:1: did not find expected"),
    ("b.yaml", "openapi: 3.1.0\npaths:\n  /x: {}\n  /x: {}", ":4:3: the key `/x` occurs twice"),
    ("b.yaml", "openapi: 3.1.0\n\tpaths: {}", ":2:1: "),
    ("b.yaml", "openapi: 3.1.0\npaths: {}\nx: .nan", ":3:4: `.nan`"),
    ("b.yaml", "openapi: 3.1.0\npaths: {}\nx: -.Inf", ":3:4: `-.Inf`"),
    ("b.yaml", "openapi: 3.1.0\npaths: {}\nx: 1e999", ":3:4: `1e999`"),
    ("b.yaml", "openapi: 3.1.0\npaths: {}\nx: !!python/object:os.system {}", ":3:4: the tag"),
    ("b.yaml", "openapi: 3.1.0\npaths: {}\nx: !Ref y", ":3:4: the tag `!Ref`"),
    ("b.yaml", "openapi: 3.1.0\npaths: {}\n---\na: 1", ":3:1: a second YAML document"),
    ("b.yaml", "openapi: 3.1.0\npaths: {}\n? [a]\n: 1", ":3:3: a key must be text"),
    ("b.yaml", "openapi: 3.1.0\npaths: {}\na: &k b\n*k : 1", ":4:1: an alias cannot be a key"),
    ("b.yaml", "openapi: 3.1.0\npaths: {}\nx: &x [*x]", ":3:8: the alias `*x` contains itself"),
    ("b.yaml", "openapi: 3.1.0\npaths: {}\nx: *nowhere", ":3:4: the alias `*nowhere` is"),
    ("b.yaml", "openapi: 3.1.0\npaths: {}\nx: {<<: 1}", ":3:9: `<<` merges objects only"),
    ("b.yaml", "openapi: 3.1.0\npaths: {}\nx: a\x01b", ":3:5: control characters"),
    ("b.yaml", "openapi: 3.1.0\npaths: {}\nx: " + "[" * 300 + "]" * 300, ":3:"),
    ("b.yaml", "just a text", "#: this is not an OpenAPI document"),
    ("b.yaml", BOMB, ": aliases multiply this document"),
]


@pytest.mark.parametrize(("source", "text", "place"), BROKEN)
def test_broken_document_is_refused_with_the_place(source: str, text: str, place: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_document(text.encode(), source=source)
    sentence = str(caught.value)
    assert sentence.startswith(source)
    assert place in sentence
    assert "\n" not in sentence
    assert len(sentence) < 800
    assert caught.value.status == 422


def test_document_in_another_encoding_is_refused_with_the_place() -> None:
    with pytest.raises(DocumentError, match=r"^b\.json:2:3: not UTF-8 text"):
        parse_document(b'{\n "\xe9": 1}', source="b.json")
    with pytest.raises(DocumentError, match="not UTF-8 text"):
        parse_document(MINIMAL.decode().encode("utf-16"), source="b.json")


def test_oversized_document_is_refused_unread() -> None:
    with pytest.raises(DocumentError, match=r"at most 20,971,520 are read"):
        parse_document(b" " * (MAX_BYTES + 1), source="b.json")


def test_source_cannot_add_lines_to_the_sentence() -> None:
    with pytest.raises(DocumentError) as caught:
        parse_document(b"{", source="a\nb.json")
    assert "\n" not in str(caught.value)
