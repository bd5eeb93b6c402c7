"""One request to change a tool by hand: what it did, in what the answer and the audit say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.generation import bump_generation
from msil_mcp.principal import Principal
from msil_mcp.tools import models
from msil_mcp.tools.catalogue import Catalogue
from msil_mcp.tools.details import detail_of
from msil_mcp.tools.differences import Difference
from msil_mcp.tools.editing import Edited, Editing
from msil_mcp.tools.edits import EDITABLE
from msil_mcp.tools.views import ToolDetail


@dataclass(slots=True)
class Done:
    """What a change did, or would do; `records` are (action, details) for the audit."""

    detail: ToolDetail
    differences: Sequence[Difference] = ()
    changed: bool = False
    records: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)


async def change_by_hand(
    session: AsyncSession,
    name: str,
    given: Mapping[str, Any],
    *,
    publish: bool,
    by: Principal,
    dry_run: bool,
) -> Done:
    """Apply `enabled` and the editable fields of `given`; a field of None goes back."""
    editing = Editing(session, by=by)
    wanted = {name: given[name] for name in EDITABLE if name in given}
    tool = await editing.tool(name, at_once=not wanted and not publish)
    edited = None
    if wanted:
        edits = replace(await editing.edits(tool), **wanted)
        edited = await editing.edit(tool, edits, dry_run=dry_run)
    enabled = given.get("enabled")
    switches = enabled is not None and enabled != tool.enabled
    records: list[tuple[str, Mapping[str, Any]]] = []
    if not dry_run:
        if edited is not None:
            records.append(("tool.edited", wanted))
        if switches:
            tool.enabled = bool(enabled)
            await bump_generation(session)
            records.append(("tool.enabled" if enabled else "tool.disabled", {}))
        if publish and await editing.publish(tool, await editing.latest_number(tool)):
            records.append(("tool.published", {}))
        await session.flush()
    return Done(
        detail=await _detail(session, tool, edited, dry_run=dry_run),
        differences=edited.differences if edited else (),
        changed=switches or (edited is not None and edited.changed),
        records=records,
    )


async def _detail(
    session: AsyncSession, tool: models.Tool, edited: Edited | None, *, dry_run: bool
) -> ToolDetail:
    row = await Catalogue(session).tool(tool.name)
    edit = await session.get(models.ToolEdit, tool.id)
    planned = edited.after if edited is not None and dry_run else None
    return detail_of(row, edit=edit, definition=planned)
