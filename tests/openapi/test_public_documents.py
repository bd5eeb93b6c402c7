"""Published API descriptions, as the world really writes them; skipped where they are absent."""

from collections import Counter
from pathlib import Path

import pytest

from msil_mcp.openapi.definitions import define_tools
from msil_mcp.openapi.document import parse_document
from msil_mcp.openapi.request import RequestBuilder
from msil_mcp.openapi.validation import compile_validator

SPECS = Path(__file__).parents[3] / "shared" / "specs"
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
# Everything else of these documents becomes a tool.
REJECTED = {
    "box.json": 4,
    "digitalocean/DigitalOcean-public.v2.yaml": 659,
    "docusign2.json": 2,
    "github.yaml": 1,
    "openai.json": 10,
    "paramstyle31.json": 6,
    "petstore3.yaml": 1,
    "stripe.yaml": 1,
}
DOCUMENTS = [
    *REJECTED,
    "plaid.yaml",
    "rm-circular.json",
    "rm-polymorphism.json",
    "rm-security-multiple.json",
    "slack2.json",
    "twilio2010.json",
]

pytestmark = [
    pytest.mark.needs_specs,
    pytest.mark.skipif(not SPECS.is_dir(), reason="the public documents are not here"),
]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_operation_of_a_public_document_is_accounted_for(name: str) -> None:
    raw = (SPECS / name).read_bytes()
    document = parse_document(raw, source=name)
    result = define_tools(document)

    written = {
        f"{method.upper()} {path}"
        for path, item in document.root["paths"].items()
        for method in METHODS & item.keys()
    }
    assert {verdict.operation for verdict in result.verdicts} == written
    outcomes = Counter(verdict.outcome for verdict in result.verdicts)
    assert outcomes["rejected"] == REJECTED.get(name, 0)
    assert len(result.tools) == len(written) - outcomes["rejected"]
    assert all(verdict.reason for verdict in result.verdicts if verdict.outcome != "imported")
    assert len({tool.name for tool in result.tools}) == len(result.tools)
    for tool in result.tools:
        assert len(tool.name) <= 64
        compile_validator(tool.input_schema)
        RequestBuilder(tool.request, "https://api.example.com/v1")
