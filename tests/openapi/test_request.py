"""Requests built from arguments: what reaches the wire decodes to what was given."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msil_mcp.openapi.errors import ArgumentRefused, BaseUrlInvalid, MsilError
from msil_mcp.openapi.request import PathEscape, RequestBuilder, UpstreamRequest
from msil_mcp.openapi.template import RequestTemplate
from openapi.documents import BASE, json_body, one_tool, parameter, sent

TROUBLE = [
    "../", "..", ".", "", "%2e%2e%2f", "%252f", "%25252e", ";", "..;", "..;/admin", "\\", "..\\",
    "?", "#", "\r\n", "\0", "\uff0e\uff0e", "\uff0e\uff0e\uff0f", "\u2025", "a/../b",
    "a%2f..%2fb", "a/b", "/etc/passwd", "//evil.example", "@evil.example", "a b", "क", "%", "%zz",
    "a;b=c", ":", "é", " .. ", ".%00.",
    "%c0%ae%c0%ae", "...", "....//", "a.b", "~", "&x=1", "http://evil.example/",
]  # fmt: skip
UNRESERVED = re.compile(r"(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+")
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
snippets = st.sampled_from([*TROUBLE, "x", "/", ".", "%"])
troublesome = st.lists(snippets | texts, max_size=4).map("".join) | snippets

SEGMENT = RequestBuilder(
    one_tool({"parameters": [parameter("id", "path")]}, path="/cars/{id}/parts").request, BASE
)


def url_of(parameters: list[Any], arguments: Mapping[str, Any], *, path: str = "/things") -> str:
    url = sent(one_tool({"parameters": parameters}, path=path), arguments).url
    assert url.startswith(BASE)
    return url.removeprefix(BASE)


def query_of(arguments: Any, **about: Any) -> str:
    url = url_of([parameter("q", **about)], {"q": arguments})
    return url.removeprefix("/things").removeprefix("?")


def decodings(text: str) -> set[str]:
    found: set[str] = set()
    while text not in found:
        found.add(text)
        text = unquote(text)
    return found


@given(troublesome)
def test_path_argument_is_refused_or_stays_inside_its_segment(value: str) -> None:
    try:
        url = SEGMENT.build({"id": value}).url
    except PathEscape:
        return
    assert url.startswith(f"{BASE}/cars/")
    assert url.endswith("/parts")
    segment = url.removeprefix(f"{BASE}/cars/").removesuffix("/parts")
    assert UNRESERVED.fullmatch(segment)
    assert unquote(segment) == value
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == (
        "https", "api.example.com", "", ""
    )  # fmt: skip
    for decoded in decodings(segment):
        assert not {".", ".."} & set(re.split(r"[/\\]", decoded))


@pytest.mark.parametrize(
    "value",
    ["", ".", "..", "../", "..\\", "%2e%2e%2f", "%252e%252e", "\uff0e\uff0e", "\u2025", "..;",
     "..;/admin", "a/../b", "a\\..\\b", "a%2f..%2fb", None, [], {}, [""], "%" + "25" * 9 + "2e"],
)  # fmt: skip
def test_path_argument_that_climbs_is_refused(value: Any) -> None:
    with pytest.raises(PathEscape, match=r"^`id` ") as caught:
        SEGMENT.build({"id": value})
    assert caught.value.status == 400
    assert caught.value.argument == "id"


@pytest.mark.parametrize(
    ("value", "segment"),
    [
        ("a/b", "a%2Fb"), ("a?b#c", "a%3Fb%23c"), ("%2f", "%252f"), ("\r\n\0", "%0D%0A%00"),
        ("a;b", "a%3Bb"), ("x\\y", "x%5Cy"), ("क", "%E0%A4%95"), ("a.b", "a.b"), ("...", "..."),
        (7, "7"), (-1.5, "-1.5"), (3.0, "3"), (True, "true"), (False, "false"),
        (["a", "b/c"], "a,b%2Fc"), ({"r": 1, "g": 2}, "r,1,g,2"),
    ],
)  # fmt: skip
def test_path_argument_is_percent_encoded(value: Any, segment: str) -> None:
    assert SEGMENT.build({"id": value}).url == f"{BASE}/cars/{segment}/parts"


@pytest.mark.parametrize(
    ("style", "explode", "value", "segment"),
    [
        ("simple", True, {"r": 1, "g": 2}, "r=1,g=2"),
        ("label", False, "a", ".a"),
        ("label", False, ["a", "b"], ".a,b"),
        ("label", True, ["a", "b"], ".a.b"),
        ("label", False, {"r": 1}, ".r,1"),
        ("label", True, {"r": 1, "g": 2}, ".r=1.g=2"),
        ("matrix", False, "a", ";id=a"),
        ("matrix", False, ["a", "b"], ";id=a,b"),
        ("matrix", True, ["a", "b"], ";id=a;id=b"),
        ("matrix", False, {"r": 1}, ";id=r,1"),
        ("matrix", True, {"r": 1, "g": 2}, ";r=1;g=2"),
    ],
)
def test_path_styles(style: str, explode: bool, value: Any, segment: str) -> None:
    about = parameter("id", "path", style=style, explode=explode)
    assert url_of([about], {"id": value}, path="/x/{id}") == f"/x/{segment}"


def test_several_path_arguments_share_a_segment() -> None:
    both = [parameter("name", "path"), parameter("ext", "path")]
    url = url_of(both, {"name": "a/b", "ext": "pdf"}, path="/files/{name}.{ext}")
    assert url == "/files/a%2Fb.pdf"


def test_missing_path_argument_is_named() -> None:
    with pytest.raises(ArgumentRefused, match=r"^`id` is required"):
        SEGMENT.build({})


@given(st.dictionaries(st.sampled_from(["a", "b c", "d&e", "$f"]), texts, max_size=4))
def test_query_decodes_to_the_arguments(given_values: dict[str, str]) -> None:
    names = ["a", "b c", "d&e", "$f"]
    tool = one_tool({"parameters": [parameter(name) for name in names]})
    argument = {binding.name: binding.argument for binding in tool.request.parameters}
    url = sent(tool, {argument[name]: value for name, value in given_values.items()}).url
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{BASE}/things"
    assert dict(parse_qsl(parts.query, keep_blank_values=True)) == given_values


@given(st.lists(texts, min_size=1, max_size=5))
def test_exploded_list_decodes_to_the_list(values: list[str]) -> None:
    query = query_of(values, schema={"type": "array"})
    assert parse_qs(query, keep_blank_values=True) == {"q": values}


@given(st.lists(texts, min_size=1, max_size=5), st.sampled_from(["form", "spaceDelimited",
                                                                 "pipeDelimited"]))  # fmt: skip
def test_delimited_list_decodes_to_the_list(values: list[str], style: str) -> None:
    query = query_of(values, style=style, explode=False)
    delimiter = {"form": ",", "spaceDelimited": "%20", "pipeDelimited": "%7C"}[style]
    if style == "form":
        assert [unquote(item) for item in query.removeprefix("q=").split(delimiter)] == values
    elif not any(unquote(delimiter) in value for value in values):
        assert unquote(query).removeprefix("q=").split(unquote(delimiter)) == values


@pytest.mark.parametrize(
    ("value", "about", "query"),
    [
        (True, {}, "q=true"),
        (10.0, {}, "q=10"),
        (0.1, {}, "q=0.1"),
        (2**60, {}, "q=1152921504606846976"),
        (None, {}, ""),
        ([], {}, ""),
        ([], {"explode": False}, ""),
        ([1, False], {}, "q=1&q=false"),
        ({"r": 1, "g": "x y"}, {}, "r=1&g=x%20y"),
        ({"r": 1, "g": 2}, {"explode": False}, "q=r,1,g,2"),
        ({"r": 1, "g": {"h": "&"}}, {"style": "deepObject"}, "q%5Br%5D=1&q%5Bg%5D%5Bh%5D=%26"),
        (["a", "b"], {"style": "deepObject"}, "q%5B%5D=a&q%5B%5D=b"),
        ([{"a": 1}], {"style": "deepObject"}, "q%5B0%5D%5Ba%5D=1"),
        ("a/b?c&d#e+f g=%", {"allowReserved": True}, "q=a/b?c%26d%23e%2Bf%20g%3D%25"),
        ({"a": [1]}, {"schema": None, "content": {"application/json": {}}},
         "q=%7B%22a%22%3A%5B1%5D%7D"),
    ],
)  # fmt: skip
def test_query_styles(value: Any, about: dict[str, Any], query: str) -> None:
    if "content" in about:
        raw = {"name": "q", "in": "query", "content": about["content"]}
        assert url_of([raw], {"q": value}) == f"/things?{query}"
    else:
        assert query_of(value, **about) == query


def test_fixed_query_of_a_path_is_kept() -> None:
    url = url_of([parameter("q")], {"q": "1"}, path="/things?beta=true")
    assert url == "/things?beta=true&q=1"


def test_fragment_of_a_path_only_tells_operations_apart() -> None:
    assert url_of([], {}, path="/things#recent") == "/things"


def test_arguments_that_no_binding_knows_are_not_sent() -> None:
    assert url_of([parameter("q")], {"q": "1", "admin": "1"}) == "/things?q=1"


def header_of(value: Any, **about: Any) -> str:
    tool = one_tool({"parameters": [parameter("X-Value", "header", **about)]})
    ((name, text),) = sent(tool, {"X-Value": value}).headers
    assert name == "X-Value"
    return text


def test_header_values_are_written_plainly() -> None:
    assert header_of("a b, c") == "a b, c"
    assert header_of(["a", 1, True]) == "a,1,true"
    assert header_of({"r": 1, "g": 2}) == "r,1,g,2"
    assert header_of({"r": 1, "g": 2}, explode=True) == "r=1,g=2"
    assert header_of("é") == "é"


@given(st.text())
def test_header_value_is_one_line_of_latin_1_or_refused(value: str) -> None:
    if re.fullmatch(r"[\t\x20-\x7e\xa0-\xff]*", value):
        assert header_of(value) == value
        return
    with pytest.raises(ArgumentRefused, match=r"^`X-Value` is sent as an HTTP header"):
        header_of(value)


def test_cookies_are_joined_in_one_header() -> None:
    tool = one_tool({"parameters": [parameter("a", "cookie"), parameter("b", "cookie")]})
    request = sent(tool, {"a": "x; y", "b": ["1", "2"]})
    assert request.headers == (("Cookie", "a=x%3B%20y; b=1,2"),)


def test_json_body_is_compact_and_sorted() -> None:
    schema = {"type": "object", "properties": {"b": {}, "a": {}, "none": {}}}
    tool = one_tool(json_body(schema), method="post")
    request = sent(tool, {"b": {"z": 1, "y": "é"}, "none": None})
    assert request == UpstreamRequest(
        method="POST",
        url=f"{BASE}/things",
        headers=(("Content-Type", "application/json"),),
        body='{"b":{"y":"é","z":1},"none":null}'.encode(),
    )
    assert sent(tool, {}).body == b"{}"
    assert sent(tool, {"a": 2**70}).body == b'{"a":1180591620717411303424}'


def test_body_that_is_no_object_is_sent_whole() -> None:
    tool = one_tool(json_body({"type": "array"}), method="post")
    assert sent(tool, {"body": [1, "a"]}).body == b'[1,"a"]'
    with pytest.raises(ArgumentRefused, match=r"^`body` is required"):
        sent(tool, {})


def test_media_type_of_the_document_is_sent() -> None:
    body = {"content": {"application/merge-patch+json; charset=utf-8": {"schema": {
        "type": "object", "properties": {"a": {}}}}}}  # fmt: skip
    request = sent(one_tool({"requestBody": body}, method="patch"), {"a": 1})
    assert request.headers == (("Content-Type", "application/merge-patch+json"),)


def form(schema: Any, **media: Any) -> dict[str, Any]:
    content = {"application/x-www-form-urlencoded": {"schema": schema} | media}
    return {"requestBody": {"required": True, "content": content}}


FORM = {"type": "object", "properties": {"a": {}, "b c": {}, "list": {}, "deep": {}, "csv": {}}}


def test_form_body_decodes_to_the_arguments() -> None:
    encoding = {
        "deep": {"style": "deepObject", "explode": True},
        "csv": {"style": "form", "explode": False},
    }
    tool = one_tool(form(FORM, encoding=encoding), method="post")
    request = sent(
        tool,
        {"a": "1&2=3", "b_c": {"x": [1]}, "list": ["p", "q"], "deep": {"k": {"l": True}},
         "csv": ["1", "2"]},
    )  # fmt: skip
    assert request.headers == (("Content-Type", "application/x-www-form-urlencoded"),)
    assert request.body is not None
    assert parse_qs(request.body.decode()) == {
        "a": ["1&2=3"],
        "b c": ['{"x":[1]}'],
        "list": ["p", "q"],
        "deep[k][l]": ["true"],
        "csv": ["1,2"],
    }


@given(st.dictionaries(texts.filter(bool), texts, max_size=4))
def test_free_form_body_decodes_to_the_argument(value: dict[str, str]) -> None:
    tool = one_tool(form({"type": "object", "additionalProperties": {"type": "string"}}),
                    method="post")  # fmt: skip
    body = sent(tool, {"body": value}).body
    assert body is not None
    assert dict(parse_qsl(body.decode(), keep_blank_values=True)) == value


def test_half_a_surrogate_pair_is_refused_everywhere() -> None:
    operation = {
        "parameters": [parameter("q"), parameter("h", "header")],
        **json_body({"type": "object", "properties": {"a": {}}}),
    }
    tool = one_tool(operation, method="post")
    for name in ("q", "h", "a"):
        with pytest.raises(MsilError):
            sent(tool, {name: "\ud800"})


@pytest.mark.parametrize(
    "base_url",
    ["", "api.example.com", "/v1", "ftp://api.example.com", "file:///etc", "https://",
     "https://user:pw@api.example.com", "https://api.example.com?x=1", "https://api.example.com/#",
     "https://api.example.com/a/../b", "https://api.example.com/%2e%2e", "https://a b.example.com",
     "https://api.example.com:port", "https://api.example.com/a b", "https://[::1", "https://a\\b",
     "https://{host}/v1"],
)  # fmt: skip
def test_base_url_that_is_not_plain_is_refused(base_url: str) -> None:
    with pytest.raises(BaseUrlInvalid, match=r"give an absolute URL such as"):
        RequestBuilder(RequestTemplate(method="GET", path="/x"), base_url)


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://api.example.com", "https://api.example.com/x"),
        ("http://127.0.0.1:8001/", "http://127.0.0.1:8001/x"),
        ("HTTPS://API.example.com/v1/", "https://API.example.com/v1/x"),
        ("http://[::1]:80/a%20b", "http://[::1]:80/a%20b/x"),
    ],
)
def test_base_url_starts_every_request(base_url: str, url: str) -> None:
    assert RequestBuilder(RequestTemplate(method="GET", path="/x"), base_url).build({}).url == url


def test_literal_parts_of_a_path_are_encoded_once() -> None:
    template = RequestTemplate(method="GET", path="/a b/é/%41/{x")
    url = RequestBuilder(template, BASE).build({}).url
    assert url == f"{BASE}/a%20b/{quote('é')}/%41/%7Bx"
