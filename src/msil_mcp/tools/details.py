"""One tool as people look at it: its definition, its place, its versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.openapi.definitions import ToolDefinition
from msil_mcp.tools import models
from msil_mcp.tools.catalogue import Catalogue, CatalogueTool, NoSuchTool
from msil_mcp.tools.differences import Difference, differences
from msil_mcp.tools.editing import NoSuchVersion
from msil_mcp.tools.listing import ToolState
from msil_mcp.tools.version import ToolVersion, encode_tool, estimate_tokens
from msil_mcp.tools.views import (
    BodyView,
    EditsView,
    ImportedTexts,
    ParameterView,
    PersonalField,
    RouteView,
    ToolDetail,
    VersionLine,
)

VersionNumber = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


async def stored_detail(session: AsyncSession, name: str) -> ToolDetail:
    """A tool of the catalogue in its latest version, in force or not; NoSuchTool."""
    row = await Catalogue(session).tool(name)
    edit = await session.scalar(
        select(models.ToolEdit)
        .join(models.Tool, models.Tool.id == models.ToolEdit.tool_id)
        .where(models.Tool.name == name)
    )
    return detail_of(row, edit=edit)


def detail_of(
    row: CatalogueTool,
    *,
    edit: models.ToolEdit | None,
    definition: ToolDefinition | None = None,
) -> ToolDetail:
    """A stored tool with its own definition, or with another one that is only planned."""
    return _detail(
        definition or row.definition,
        name=row.name,
        state=_state(row),
        bundles=row.bundles,
        spec=row.spec,
        version=row.version,
        published_version=row.published_version,
        enabled=row.enabled,
        removed_at=row.removed_at,
        hash=row.hash,
        base_url=row.base_url,
        allow_private=row.allow_private,
        updated_at=row.created_at,
        edited=edit is not None,
        edits=None if edit is None else _edits(edit),
    )


def detail_in_force(tool: ToolVersion) -> ToolDetail:
    """A tool as its callers have it: of drafts, documents and edits they learn nothing."""
    return _detail(
        tool.definition,
        name=tool.name,
        state="published",
        bundles=tool.bundles,
        spec=None,
        version=tool.number,
        published_version=tool.number,
        enabled=True,
        removed_at=None,
        hash=tool.hash,
        base_url=tool.base_url,
        allow_private=tool.allow_private,
        updated_at=tool.created_at,
        edited=None,
        edits=None,
    )


def _detail(
    definition: ToolDefinition, *, base_url: str, allow_private: bool, **facts: Any
) -> ToolDetail:
    encoded = encode_tool(msgspec.json.encode(definition))
    request = definition.request
    confirming = definition.confirmation or ("waived" if definition.risk == "read" else "required")
    return ToolDetail(
        **facts,
        title=definition.title,
        description=definition.description,
        risk=definition.risk,
        operation_id=definition.operation_id,
        method=request.method,
        path=request.path,
        tokens=estimate_tokens(encoded),
        needs_confirmation=confirming == "required",
        deprecated=definition.deprecated,
        idempotent_upstream=definition.idempotent_upstream,
        tags=definition.tags,
        audit_subjects=definition.audit_subjects,
        personal=tuple(PersonalField.model_validate(field) for field in definition.pii),
        input_schema=definition.input_schema,
        output_schema=definition.output_schema,
        model_view=msgspec.json.decode(encoded),
        route=RouteView(
            method=request.method,
            base_url=base_url,
            path=request.path,
            allow_private=allow_private,
            parameters=tuple(ParameterView.model_validate(one) for one in request.parameters),
            body=None if request.body is None else BodyView.model_validate(request.body),
        ),
    )


def _state(row: CatalogueTool) -> ToolState:
    if row.removed_at is not None:
        return "removed"
    if not row.enabled:
        return "disabled"
    if row.published_version is None:
        return "draft"
    return "published" if row.published_version == row.version else "changed"


def _edits(edit: models.ToolEdit) -> EditsView:
    imported = msgspec.json.decode(edit.imported, type=ToolDefinition)
    return EditsView(
        title=edit.title,
        description=edit.description,
        risk=edit.risk,
        confirmation=edit.confirmation,
        edited_by=edit.edited_by,
        edited_at=edit.edited_at,
        imported=ImportedTexts(
            title=imported.title, description=imported.description, risk=imported.risk
        ),
    )


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of one tool."""

    session: AsyncSession
    tool: models.Tool

    @classmethod
    async def of(cls, session: AsyncSession, name: str) -> "Versions":
        """Those of the tool; NoSuchTool."""
        tool = await session.scalar(select(models.Tool).where(models.Tool.name == name))
        if tool is None:
            raise NoSuchTool(name)
        return cls(session, tool)

    async def page(self, *, before: int | None, limit: int) -> Sequence[VersionLine]:
        """The newest first, one more than asked for."""
        row, document = models.ToolVersionRow, models.Document
        query = (
            select(
                row.id, row.number, row.hash, row.title, row.risk, row.tokens, row.base_url,
                row.created_at, row.created_by, document.number,
            )
            .join(document, document.id == row.document_id)
            .where(row.tool_id == self.tool.id)
            .order_by(row.number.desc())
            .limit(limit + 1)
        )  # fmt: skip
        if before is not None:
            query = query.where(row.number < before)
        return [self._line(found) for found in await self.session.execute(query)]

    def _line(self, found: Any) -> VersionLine:
        (
            version_id, number, digest, title, risk, tokens, base_url, at, by, document,
        ) = found  # fmt: skip
        return VersionLine(
            number=number,
            hash=digest,
            title=title,
            risk=risk,
            tokens=tokens,
            base_url=base_url,
            document=document,
            created_at=at,
            created_by=by,
            published=version_id == self.tool.published_version_id,
            latest=version_id == self.tool.latest_version_id,
        )

    async def differences(
        self, number: int, *, since: int | None
    ) -> tuple[int | None, list[Difference]]:
        """What changed from an earlier version, by default the one before; and which that is."""
        row = models.ToolVersionRow
        query = select(row).where(row.tool_id == self.tool.id)
        if since is None:
            numbers = (
                await self.session.scalars(
                    select(row.number)
                    .where(row.tool_id == self.tool.id, row.number < number)
                    .order_by(row.number.desc())
                    .limit(1)
                )
            ).all()
            since = numbers[0] if numbers else None
        wanted = {number} | ({since} if since is not None else set())
        found = {
            one.number: one
            for one in await self.session.scalars(query.where(row.number.in_(wanted)))
        }
        if missing := wanted - found.keys():
            raise NoSuchVersion(self.tool.name, min(missing))
        if since is None:
            return None, []
        before, after = found[since], found[number]
        return since, differences(
            msgspec.json.decode(before.definition, type=ToolDefinition),
            msgspec.json.decode(after.definition, type=ToolDefinition),
            origins=(before.base_url, after.base_url),
        )
