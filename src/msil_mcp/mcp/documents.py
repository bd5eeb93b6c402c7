"""Resources of the governed catalogue: OpenAPI documents in force, and a page for each tool.

A document shows every operation in it, so it is offered only to callers who see all tools of its
bundle. Pages are made from the definitions, in Markdown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import mcp_types
import msgspec

from msil_mcp.db.database import Database
from msil_mcp.mcp.providers import Answer, answer
from msil_mcp.tools.models import Document
from msil_mcp.tools.snapshot import CatalogueView
from msil_mcp.tools.version import ToolVersion

TOOL_PAGE: Final = "msil://tools/{name}"
_PAGE_PREFIX: Final = TOOL_PAGE.partition("{")[0]


@dataclass(frozen=True, slots=True)
class _Stored:
    uri: str
    bundle: str
    spec: str
    document_id: int


class Documents:
    """Lists and reads what a view offers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def resources(self, view: CatalogueView) -> Sequence[mcp_types.Resource]:
        """Documents first, then pages."""
        return [
            *(
                mcp_types.Resource(
                    uri=stored.uri,
                    name=f"{stored.bundle}-{stored.spec}-openapi",
                    title=f"OpenAPI document {stored.spec} of {stored.bundle}",
                )
                for stored in _documents(view)
            ),
            *(
                mcp_types.Resource(
                    uri=_PAGE_PREFIX + tool.name,
                    name=tool.name,
                    title=tool.definition.title,
                    mime_type="text/markdown",
                )
                for tool in view.tools
            ),
        ]

    def templates(self) -> Sequence[mcp_types.ResourceTemplate]:
        """How to address a tool's page."""
        return [
            mcp_types.ResourceTemplate(
                uri_template=TOOL_PAGE,
                name="tool-page",
                title="Tool page",
                description="What a tool does and takes, for people.",
                mime_type="text/markdown",
            )
        ]

    def version(self, view: CatalogueView, uri: str) -> str | None:
        """A document's id or a tool's hash: equal on every replica."""
        tool = _tool(view, uri)
        if tool is not None:
            return tool.hash
        stored = _document(view, uri)
        return str(stored.document_id) if stored is not None else None

    async def read(self, view: CatalogueView, uri: str) -> Answer | None:
        """The contents, or None when the caller has no such resource."""
        tool = _tool(view, uri)
        if tool is not None:
            return _contents(uri, _page(tool), "text/markdown")
        stored = _document(view, uri)
        if stored is None:
            return None
        async with self._database.reading() as session:
            document = await session.get(Document, stored.document_id)
        if document is None:
            return None
        is_json = document.raw.lstrip()[:1] == b"{"
        text = document.raw.decode("utf-8", "replace")
        return _contents(uri, text, "application/json" if is_json else "application/yaml")


def _documents(view: CatalogueView) -> Iterator[_Stored]:
    visible = sum(1 << tool.index for tool in view.tools)
    for info in view.bundles:
        if info.tool_bits & visible != info.tool_bits:
            continue
        for spec, document_id in info.documents:
            uri = f"msil://bundles/{info.name}/openapi/{quote(spec, safe='')}"
            yield _Stored(uri, info.name, spec, document_id)


def _document(view: CatalogueView, uri: str) -> _Stored | None:
    return next((stored for stored in _documents(view) if stored.uri == uri), None)


def _tool(view: CatalogueView, uri: str) -> ToolVersion | None:
    name = uri.removeprefix(_PAGE_PREFIX)
    return next((tool for tool in view.tools if tool.name == name), None) if name != uri else None


def _contents(uri: str, text: str, mime_type: str) -> Answer:
    contents = mcp_types.TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    return answer(mcp_types.ReadResourceResult(contents=[contents]))


def _page(tool: ToolVersion) -> str:
    definition = tool.definition
    effect = "changes something" if tool.is_write else "reads only"
    if tool.needs_confirmation:
        effect += "; a person has to agree"
    sections = [
        f"# {definition.title}",
        f"`{tool.name}`, version {tool.number}: {effect}.",
        definition.description,
        _schema("Input", definition.input_schema),
    ]
    if definition.output_schema is not None:
        sections.append(_schema("Output", definition.output_schema))
    return "\n\n".join(section for section in sections if section) + "\n"


def _schema(heading: str, schema: object) -> str:
    shown = msgspec.json.format(msgspec.json.encode(schema)).decode()
    return f"## {heading}\n\n```json\n{shown}\n```"
