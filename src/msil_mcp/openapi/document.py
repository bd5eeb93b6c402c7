"""One OpenAPI document: its bytes, what it says about itself, and its tree."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msil_mcp.openapi.errors import DocumentError as DocumentError
from msil_mcp.openapi.errors import SyntaxFault, shown
from msil_mcp.openapi.json_tree import read_json
from msil_mcp.openapi.swagger2 import upgrade
from msil_mcp.openapi.yaml_tree import read_yaml

MAX_BYTES = 20 * 1024 * 1024
_READABLE = re.compile(r"3\.[012](\.\d+(-.+)?)?")
_VARIABLE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Document:
    """A document that was read; `root` always has the shape of OpenAPI 3 and is never changed."""

    raw: bytes
    sha256: str
    version: str
    title: str
    api_version: str
    servers: tuple[str, ...]
    root: Mapping[str, Any]

    @property
    def is_pre_json_schema(self) -> bool:
        """Whether schemas are the dialect of OpenAPI 3.0 and 2.0 (nullable, boolean bounds)."""
        return self.version.startswith(("2.", "3.0"))


def parse_document(raw: bytes, *, source: str) -> Document:
    """Read JSON or YAML as OpenAPI 3.0, 3.1, 3.2 or Swagger 2.0.

    Args:
        raw: The bytes of the file, at most 20 MB.
        source: How to call the file in an error, such as its name.

    Raises:
        DocumentError: Its sentence starts with the place: `booking.json:12:5: …` for syntax,
            `booking.yaml#/servers/0: …` for structure.
    """
    tree = _read_tree(raw, source=source)
    if not isinstance(tree, dict):
        raise _misshapen(source, "", "this is not an OpenAPI document; it must be one object")
    version = _version(tree, source=source)
    _check_shape(tree, source=source)
    root = upgrade(tree) if version == "2.0" else tree
    info = root.get("info", {})
    return Document(
        raw=raw,
        sha256=hashlib.sha256(raw).hexdigest(),
        version=version,
        title=str(info.get("title") or source),
        api_version=str(info.get("version") or ""),
        servers=server_urls(root.get("servers")),
        root=root,
    )


def server_urls(servers: object) -> tuple[str, ...]:
    """URLs of a `servers` list with the variables' defaults filled in."""
    entries = servers if isinstance(servers, list) else []
    return tuple(
        _VARIABLE.sub(lambda match, entry=entry: _default(entry, match), entry["url"])  # type: ignore[misc]
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("url"), str)
    )


def _default(server: Mapping[str, Any], match: re.Match[str]) -> str:
    variables = server.get("variables")
    variable = variables.get(match[1]) if isinstance(variables, dict) else None
    default = variable.get("default") if isinstance(variable, dict) else None
    return match[0] if default is None else str(default)


def _read_tree(raw: bytes, *, source: str) -> Any:
    if len(raw) > MAX_BYTES:
        raise _misshapen(
            source, "", f"{len(raw):,} bytes; at most {MAX_BYTES:,} are read, split the document"
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise DocumentError(
            "not UTF-8 text; save the document as UTF-8", source=source, place=f":{line}:{column}"
        ) from None
    start = text.lstrip()[:1]
    if start == "<":
        raise _misshapen(source, "", "this is a web page or XML; give the OpenAPI document itself")
    try:
        return _read_text(text, is_json=start in "{[" and start != "", source=source)
    except SyntaxFault as fault:
        place = f":{fault.line}:{fault.column}"
        raise DocumentError(str(fault), source=source, place=place) from None


def _read_text(text: str, *, is_json: bool, source: str) -> Any:
    if not is_json:
        return read_yaml(text)
    if not source.lower().endswith((".yaml", ".yml")):
        return read_json(text)
    try:
        return read_json(text)
    except SyntaxFault:  # YAML may start with a brace too
        return read_yaml(text)


def _version(tree: Mapping[str, Any], *, source: str) -> str:
    # Unquoted in YAML, 3.1 is a number.
    if "swagger" in tree:
        if str(tree["swagger"]) in ("2.0", "2"):
            return "2.0"
        version = shown(str(tree["swagger"]))
        raise _misshapen(source, "/swagger", f"version `{version}` is not readable; use 2.0 or 3.x")
    if "openapi" not in tree:
        raise _misshapen(source, "", "no `openapi` version; is this an OpenAPI document?")
    version = str(tree["openapi"])
    if not _READABLE.fullmatch(version):
        raise _misshapen(
            source,
            "/openapi",
            f"version `{shown(version)}` is not readable; use 2.0, 3.0, 3.1 or 3.2",
        )
    return version


def _check_shape(tree: Mapping[str, Any], *, source: str) -> None:
    if "paths" not in tree:
        raise _misshapen(source, "", "no `paths`, so there is nothing to make tools of")
    for name in ("info", "paths", "components"):
        if not isinstance(tree.get(name, {}), dict):
            raise _misshapen(source, f"/{name}", "must be an object")
    servers = tree.get("servers", [])
    if not isinstance(servers, list):
        raise _misshapen(source, "/servers", "must be a list of objects with a `url`")
    for index, server in enumerate(servers):
        if not isinstance(server, dict) or not isinstance(server.get("url"), str):
            raise _misshapen(source, f"/servers/{index}", "must be an object with a `url`")


def _misshapen(source: str, pointer: str, problem: str) -> DocumentError:
    return DocumentError(problem, source=source, place=f"#{pointer}")
