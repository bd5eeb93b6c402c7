"""What an import is going to do, before it does it: shown by a dry run, then written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import msgspec

from msil_mcp.openapi.definitions import ToolDefinition
from msil_mcp.openapi.document import Document
from msil_mcp.tools import models

Change = Literal["added", "changed", "unchanged", "removed", "restored"]


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to import and how; `spec` names the series, by default after the document's title."""

    raw: bytes
    source: str
    bundle: str
    spec: str | None = None
    by_tag: bool = False
    base_url: str | None = None
    allow_private: bool = False
    publish: bool = False


class ToolChange(msgspec.Struct, frozen=True):
    """What an import does to one tool."""

    name: str
    operation_id: str
    change: Change
    bundle: str
    risk: str
    version: int


class ImportReport(msgspec.Struct, frozen=True):
    """What an import did, or would do."""

    spec: str
    bundles: tuple[str, ...]
    document: int
    title: str
    api_version: str
    base_url: str
    published: bool
    dry_run: bool
    changed: bool
    tools: tuple[ToolChange, ...]
    verdicts: tuple[Mapping[str, Any], ...]

    def count(self, change: Change) -> int:
        """How many tools changed in this way."""
        return sum(tool.change == change for tool in self.tools)

    def summary(self) -> dict[str, Any]:
        """For the audit: which bundles, how many tools of each change."""
        counts = {change: self.count(change) for change in get_args(Change)}
        return {
            "bundles": list(self.bundles),
            "document": self.document,
            "published": self.published,
            **{change: count for change, count in counts.items() if count},
        }


@dataclass(slots=True)
class PlannedTool:
    """One tool of the document against what is stored of it."""

    definition: ToolDefinition
    hash: str
    bundle: str
    change: Change
    number: int
    row: models.Tool | None


@dataclass(slots=True)
class Plan:
    """Every tool of the document, and those that it no longer has."""

    request: ImportRequest
    document: Document
    base_url: str
    spec_name: str
    spec: models.Spec | None
    previous: models.Document | None
    verdicts: list[Mapping[str, Any]]
    prompts: list[Mapping[str, Any]]
    tools: list[PlannedTool] = field(default_factory=list)
    gone: list[models.Tool] = field(default_factory=list)

    @property
    def same_document(self) -> bool:
        """Whether the newest stored document is this one."""
        return self.previous is not None and self.previous.sha256 == self.document.sha256

    def report(self, *, dry_run: bool, changed: bool) -> ImportReport:
        """The plan as people read it."""
        kept = [
            ToolChange(
                name=tool.definition.name,
                operation_id=tool.definition.operation_id,
                change=tool.change,
                bundle=tool.bundle,
                risk=tool.definition.risk,
                version=tool.number,
            )
            for tool in self.tools
        ]
        gone = [
            ToolChange(row.name, row.operation_id, "removed", self.request.bundle, "", 0)
            for row in self.gone
        ]
        number = self.previous.number if self.previous else 0
        return ImportReport(
            spec=self.spec_name,
            bundles=tuple(sorted({tool.bundle for tool in self.tools})),
            document=number if self.same_document else number + 1,
            title=self.document.title,
            api_version=self.document.api_version,
            base_url=self.base_url,
            published=self.request.publish,
            dry_run=dry_run,
            changed=changed,
            tools=tuple(kept + gone),
            verdicts=tuple(self.verdicts),
        )
