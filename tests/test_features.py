"""The ledger names only what exists, and says aloud what does not yet."""

import ast
import re
import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from fastapi.routing import iter_route_contexts
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

ROOT = Path(__file__).parent.parent
LEDGER = ROOT / "docs" / "features.md"
NOTHING = "—"
QUOTED = re.compile(r"`([^`]+)`")
ENDPOINT = re.compile(r"^(GET|POST|PUT|PATCH|DELETE|WEBSOCKET) (/\S*)$")


@dataclass(frozen=True)
class Line:
    number: int
    what: str
    where: str
    state: str

    @property
    def references(self) -> list[str]:
        return QUOTED.findall(self.where)


def ledger() -> Iterator[Line]:
    for number, text in enumerate(LEDGER.read_text(encoding="utf-8").splitlines(), start=1):
        if not text.startswith("| ") or text.startswith("| What |"):
            continue
        what, where, state = (cell.strip() for cell in text.strip("|").split(" | "))
        yield Line(number, what, where, state)


LINES = list(ledger())


@cache
def functions_in(path: Path) -> frozenset[str]:
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


@cache
def make_targets() -> frozenset[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^\.PHONY: ([\w-]+)$", text, flags=re.MULTILINE))


@cache
def endpoints() -> frozenset[str]:
    from msil_mcp.main import create_app
    from msil_mcp.mcp.app import is_for_mcp

    app = create_app()
    named = set()
    if is_for_mcp({"type": "http", "path": "/mcp/any"}):
        # The MCP door stands before the router and takes everything below its path.
        named |= {f"{method} /mcp" for method in ("GET", "POST", "DELETE")}
        named |= {"POST /mcp/{bundle}", "GET /.well-known/oauth-protected-resource"}
    for context in iter_route_contexts(app.routes):
        for method in context.methods or ("GET", "POST", "DELETE", "WEBSOCKET"):
            named.add(f"{method} {context.path}")
    return frozenset(named)


@cache
def metrics() -> frozenset[str]:
    render = runpy.run_path(str(ROOT / "scripts" / "render_reference.py"))
    return frozenset(name.strip("`") for name, *_ in render["metric_rows"]())


def has_command(command: TyperCommand | TyperGroup, words: list[str]) -> bool:
    if not words:
        return True
    below = command.commands.get(words[0]) if isinstance(command, TyperGroup) else None
    return below is not None and has_command(below, words[1:])


def exists(reference: str) -> bool:
    """Whether what a reference names is there; its form says what kind of thing it is."""
    if "::" in reference:
        path, name = reference.split("::")
        return name.startswith("test_") and name in functions_in(ROOT / path)
    if reference.startswith("make "):
        return reference.removeprefix("make ") in make_targets()
    if reference.startswith("msil-mcp "):
        from msil_mcp.cli import build

        return has_command(get_command(build()), reference.split()[1:])
    if reference.startswith("metric "):
        return reference.removeprefix("metric ") in metrics()
    if ENDPOINT.match(reference):
        return reference in endpoints()
    return (ROOT / reference).exists()


def test_ledger_is_read() -> None:
    assert len(LINES) > 150
    assert [line for line in LINES if line.state not in {"done", "planned"}] == []


def test_line_appears_once() -> None:
    whats = [line.what for line in LINES]
    assert sorted({what for what in whats if whats.count(what) > 1}) == []


def test_what_is_done_names_what_shows_it() -> None:
    silent = [line for line in LINES if line.state == "done" and not line.references]
    assert silent == []


def test_what_is_named_exists() -> None:
    missing = [
        f"docs/features.md:{line.number}: {reference}"
        for line in LINES
        for reference in line.references
        if not exists(reference)
    ]
    assert missing == []


def test_what_is_planned_claims_nothing() -> None:
    claims = [line for line in LINES if line.state == "planned" and line.where != NOTHING]
    assert claims == []


def test_nothing_is_left_planned() -> None:
    planned = [line for line in LINES if line.state == "planned"]
    count = f"{len(planned)} of {len(LINES)} lines of docs/features.md are planned"
    print(count, *(line.what for line in planned), sep="\n  ")
    if planned:
        pytest.xfail(count)
