"""What an import is going to do, before it does it: shown by a dry run, then written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import msgspec

from msil_mcp.openapi.definitions import Risk, ToolDefinition
from msil_mcp.openapi.document import Document
from msil_mcp.tools import models

Change = Literal["added", "changed", "unchanged", "removed", "restored", "excluded"]
"""`excluded` is in the document and was left out by a person, now or at an earlier import."""


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
    risk: Risk | None
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

    @property
    def bundles_published(self) -> tuple[str, ...]:
        """Bundles whose tools came into force with the import."""
        return self.bundles if self.published else ()

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
    """One tool of the document against what is stored of it.

    `definition` is as people edited it, `imported` as the document has it.
    """

    definition: ToolDefinition
    imported: ToolDefinition
    hash: str
    bundle: str
    change: Change
    number: int
    row: models.Tool | None
    edit: models.ToolEdit | None
    is_wanted: bool = True


@dataclass(slots=True)
class Plan:
    """Every tool of the document, and those that it no longer has.

    Of both, some may be left out: changes that nobody wants, and tools that are spared.
    """

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
    left_out: list[PlannedTool] = field(default_factory=list)
    spared: list[models.Tool] = field(default_factory=list)

    @property
    def operation_ids(self) -> set[str]:
        """Everything that may be selected."""
        planned = {tool.definition.operation_id for tool in (*self.tools, *self.left_out)}
        return planned | {row.operation_id for row in (*self.gone, *self.spared)}

    @property
    def excluded(self) -> list[str]:
        """The operations that are left out, to be left out again the next time."""
        rows = [row.operation_id for row in self.spared]
        return sorted([*rows, *(tool.definition.operation_id for tool in self.left_out)])

    @property
    def same_document(self) -> bool:
        """Whether the newest stored document is this one."""
        return self.previous is not None and self.previous.sha256 == self.document.sha256

    def report(self, *, dry_run: bool, changed: bool) -> ImportReport:
        """The plan as people read it."""
        kept = [_told(tool, tool.change) for tool in self.tools]
        kept += [_told(tool, "excluded") for tool in self.left_out]
        gone = [
            ToolChange(row.name, row.operation_id, "removed", self.request.bundle, None, 0)
            for row in self.gone
        ]
        number = self.previous.number if self.previous else 0
        return ImportReport(
            spec=self.spec_name,
            bundles=tuple(sorted({tool.bundle for tool in self.tools} or {self.request.bundle})),
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


def _told(tool: PlannedTool, change: Change) -> ToolChange:
    return ToolChange(
        name=tool.definition.name,
        operation_id=tool.definition.operation_id,
        change=change,
        bundle=tool.bundle,
        risk=tool.definition.risk,
        version=tool.number,
    )
