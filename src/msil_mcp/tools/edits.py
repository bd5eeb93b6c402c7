"""What people change of a tool by hand: kept apart from the document, so that imports keep it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.database import utc_now
from msil_mcp.openapi.definitions import (
    Confirming,
    Risk,
    ToolDefinition,
    annotations_of,
)
from msil_mcp.tools import models

EDITABLE: Final = ("title", "description", "risk", "confirmation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """A person's word on a tool; None leaves what the document says."""

    title: str | None = None
    description: str | None = None
    risk: Risk | None = None
    confirmation: Confirming | None = None

    @classmethod
    def of(cls, row: models.ToolEdit | None) -> Self:
        """What is stored, or nothing."""
        return cls() if row is None else cls(**{name: getattr(row, name) for name in EDITABLE})

    @property
    def is_empty(self) -> bool:
        """Whether the document has the word on everything."""
        return self == Edits()

    def applied_to(self, definition: ToolDefinition) -> ToolDefinition:
        """The definition as people want it."""
        risk = self.risk or definition.risk
        return msgspec.structs.replace(
            definition,
            title=definition.title if self.title is None else self.title,
            description=definition.description if self.description is None else self.description,
            risk=risk,
            annotations=definition.annotations
            if risk == definition.risk
            else annotations_of(risk, method=definition.request.method),
            confirmation=self.confirmation or definition.confirmation,
        )


async def edits_of_spec(session: AsyncSession, spec_id: int) -> Mapping[int, models.ToolEdit]:
    """What people changed of a document's tools, by the tool's id."""
    row = models.ToolEdit
    query = select(row).join(models.Tool, models.Tool.id == row.tool_id)
    found = await session.scalars(query.where(models.Tool.spec_id == spec_id))
    return {edit.tool_id: edit for edit in found}


async def store_edits(
    session: AsyncSession,
    tool: models.Tool,
    edits: Edits,
    *,
    imported: ToolDefinition,
    by: str,
) -> None:
    """Keep a person's word on a tool, or forget it where nothing is left of it."""
    row = await session.get(models.ToolEdit, tool.id)
    if edits.is_empty:
        if row is not None:
            await session.delete(row)
        return
    if row is None:
        row = models.ToolEdit(tool_id=tool.id)
        session.add(row)
    for name in EDITABLE:
        setattr(row, name, getattr(edits, name))
    row.imported = msgspec.json.encode(imported).decode()
    row.edited_by, row.edited_at = by, utc_now()
