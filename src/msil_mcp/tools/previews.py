"""What a person is shown before an import: every change, its size, and what was rejected."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.openapi.definitions import Risk, ToolDefinition
from msil_mcp.openapi.verdicts import Note
from msil_mcp.tools import models
from msil_mcp.tools.differences import Difference, Impact, differences
from msil_mcp.tools.plan import Plan, PlannedTool
from msil_mcp.tools.version import encode_tool, estimate_tokens

PlannedChange = Literal["added", "changed", "unchanged", "removed", "restored"]
MOST_DIFFERENCES: Final = 25
_GRAVEST: Final[Sequence[Impact]] = ("breaking", "behaviour", "compatible", "wording")


class PlannedOperation(msgspec.Struct, frozen=True):
    """What the import would do to one tool; `selected` unless a person left it out before.

    `operation_id` is what selections name. `tokens` is about the size of what a model sees,
    `tokens_before` that of the latest version. `impact` is the gravest of the differences.
    """

    operation_id: str
    operation: str
    tool: str
    title: str
    risk: Risk | None
    bundle: str
    change: PlannedChange
    selected: bool
    edited: bool
    deprecated: bool
    tokens: int
    tokens_before: int | None
    impact: Impact | None
    differences: Sequence[Difference]
    notes: Sequence[Note]


class Rejection(msgspec.Struct, frozen=True):
    """An operation of which no tool can come, and why; `pointer` is its place in the document."""

    operation: str
    pointer: str
    reason: str


class PlannedCounts(msgspec.Struct, frozen=True):
    """How many operations of each kind; `degraded` are those with notes."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    restored: int = 0
    rejected: int = 0
    degraded: int = 0


class ImportPlan(msgspec.Struct, frozen=True):
    """Everything an import would do."""

    spec: str
    document: int
    same_document: bool
    title: str
    api_version: str
    openapi_version: str
    base_url: str
    sha256: str
    size: int
    bundles: Sequence[str]
    tokens: int
    counts: PlannedCounts
    operations: Sequence[PlannedOperation]
    rejected: Sequence[Rejection]


def signature_of(plan: Plan) -> str:
    """Changes when the import would do something else."""
    facts: list[tuple[str, ...]] = [
        (tool.definition.operation_id, tool.change, tool.hash, tool.bundle)
        for tool in (*plan.tools, *plan.left_out)
    ]
    facts += [(row.operation_id, "removed") for row in (*plan.gone, *plan.spared)]
    return hashlib.sha256(msgspec.json.encode(sorted(facts))).hexdigest()


async def preview_of(session: AsyncSession, plan: Plan) -> ImportPlan:
    """A plan in the words people read it in."""
    before = await _latest(session, plan)
    notes = _notes(plan.verdicts)
    operations = [
        _operation(tool, before.get(tool.row.id) if tool.row else None, notes, plan.base_url)
        for tool in (*plan.tools, *plan.left_out)
    ]
    operations += [_gone(row, before, selected=row in plan.gone) for row in _missing(plan)]
    operations.sort(key=lambda one: one.operation_id)
    rejected = [
        Rejection(one["operation"], one["pointer"], one["reason"])
        for one in plan.verdicts
        if one["outcome"] == "rejected"
    ]
    number = plan.previous.number if plan.previous else 0
    counts = Counter[str](one.change for one in operations)
    return ImportPlan(
        spec=plan.spec_name,
        document=number if plan.same_document else number + 1,
        same_document=plan.same_document,
        title=plan.document.title,
        api_version=plan.document.api_version,
        openapi_version=plan.document.version,
        base_url=plan.base_url,
        sha256=plan.document.sha256,
        size=len(plan.document.raw),
        bundles=sorted({one.bundle for one in operations if one.change != "removed"}),
        tokens=sum(one.tokens for one in operations if one.selected),
        counts=PlannedCounts(**counts, rejected=len(rejected), degraded=len(notes)),
        operations=operations,
        rejected=rejected,
    )


def _missing(plan: Plan) -> list[models.Tool]:
    return [*plan.gone, *plan.spared]


def _operation(
    tool: PlannedTool,
    before: models.ToolVersionRow | None,
    notes: Mapping[str, Sequence[Note]],
    base_url: str,
) -> PlannedOperation:
    definition = tool.definition
    found: Sequence[Difference] = ()
    if before is not None and tool.change in {"changed", "restored"}:
        earlier = msgspec.json.decode(before.definition, type=ToolDefinition)
        found = differences(earlier, definition, origins=(before.base_url, base_url))
    impacts = {difference.impact for difference in found}
    request = definition.request
    return PlannedOperation(
        operation_id=definition.operation_id,
        operation=f"{request.method} {request.path}",
        tool=definition.name,
        title=definition.title,
        risk=definition.risk,
        bundle=tool.bundle,
        change=tool.change if tool.change != "excluded" else "unchanged",
        selected=tool.is_wanted,
        edited=tool.edit is not None,
        deprecated=definition.deprecated,
        tokens=estimate_tokens(encode_tool(msgspec.json.encode(definition))),
        tokens_before=before.tokens if before else None,
        impact=next((impact for impact in _GRAVEST if impact in impacts), None),
        differences=found[:MOST_DIFFERENCES],
        notes=notes.get(definition.name, ()),
    )


def _gone(
    row: models.Tool, before: Mapping[int, models.ToolVersionRow], *, selected: bool
) -> PlannedOperation:
    version = before[row.id]
    return PlannedOperation(
        operation_id=row.operation_id,
        operation=f"{version.method} {version.path}",
        tool=row.name,
        title=version.title,
        risk=version.risk,
        bundle="",
        change="removed",
        selected=selected,
        edited=False,
        deprecated=False,
        tokens=0,
        tokens_before=version.tokens,
        impact="breaking",
        differences=(),
        notes=(),
    )


async def _latest(session: AsyncSession, plan: Plan) -> dict[int, models.ToolVersionRow]:
    """The latest versions of the tools that would change."""
    if plan.spec is None:
        return {}
    tool, version = models.Tool, models.ToolVersionRow
    query = (
        select(tool.id, version)
        .join(version, version.id == tool.latest_version_id)
        .where(tool.spec_id == plan.spec.id)
    )
    return {tool_id: row for tool_id, row in await session.execute(query)}  # noqa: C416 typed so


def _notes(verdicts: Sequence[Mapping[str, Any]]) -> dict[str, list[Note]]:
    found: dict[str, list[Note]] = {}
    for verdict in verdicts:
        if verdict["outcome"] == "degraded":
            note = Note(verdict["pointer"], verdict["reason"])
            found.setdefault(verdict["tool"], []).append(note)
    return found
