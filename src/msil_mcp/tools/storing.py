"""Writes a planned import: the document, new tools and versions, tombstones and membership."""

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.database import utc_now
from msil_mcp.principal import Principal
from msil_mcp.tools import models
from msil_mcp.tools.facts import facts_of
from msil_mcp.tools.plan import Plan


async def store_plan(session: AsyncSession, plan: Plan, *, principal: Principal) -> bool:
    """Write a plan in the session's transaction; returns whether anything changed."""
    if plan.spec is None:
        plan.spec = models.Spec(name=plan.spec_name)
        session.add(plan.spec)
        await session.flush()
    document_id = await _store_document(session, plan, principal=principal)
    written = await _store_versions(session, plan, document_id=document_id, principal=principal)
    for row in plan.gone:
        row.removed_at, row.published_version_id = utc_now(), None
    joined = await _store_membership(session, plan)
    return written or joined or bool(plan.gone)


async def _store_document(session: AsyncSession, plan: Plan, *, principal: Principal) -> int:
    if plan.same_document and plan.previous is not None:
        plan.previous.excluded = plan.excluded
        return plan.previous.id
    if plan.spec is None:
        raise RuntimeError("the spec is stored before its document")
    document = models.Document(
        spec_id=plan.spec.id,
        number=plan.previous.number + 1 if plan.previous else 1,
        sha256=plan.document.sha256,
        source=plan.request.source,
        title=plan.document.title,
        api_version=plan.document.api_version,
        openapi_version=plan.document.version,
        raw=plan.document.raw,
        report=list(plan.verdicts),
        prompts=plan.prompts,
        excluded=plan.excluded,
        imported_by=principal.id,
    )
    session.add(document)
    await session.flush()
    return document.id


async def _store_versions(
    session: AsyncSession, plan: Plan, *, document_id: int, principal: Principal
) -> bool:
    if plan.spec is None:
        raise RuntimeError("the spec is stored before its tools")
    written = not plan.same_document
    for tool in plan.tools:
        if tool.row is None:
            tool.row = models.Tool(
                spec_id=plan.spec.id,
                operation_id=tool.definition.operation_id,
                name=tool.definition.name,
            )
            session.add(tool.row)
    await session.flush()
    versions: list[tuple[models.Tool, models.ToolVersionRow]] = []
    for tool in plan.tools:
        if tool.edit is not None:
            # What people changed stays; what they would return to is the new document's.
            tool.edit.imported = msgspec.json.encode(tool.imported).decode()
        if tool.row is None or tool.change == "unchanged":
            continue
        version = models.ToolVersionRow(
            tool_id=tool.row.id,
            number=tool.number,
            hash=tool.hash,
            **facts_of(tool.definition),
            base_url=plan.base_url,
            allow_private=plan.request.allow_private,
            document_id=document_id,
            created_by=principal.id,
        )
        if tool.change == "restored":
            tool.row.removed_at = None
            version.number = await _next_number(session, tool.row.id)
        versions.append((tool.row, version))
    session.add_all([version for _, version in versions])
    await session.flush()
    for row, version in versions:
        row.latest_version_id = version.id
    published = plan.request.publish and _publish(plan)
    return written or published or bool(versions)


def _publish(plan: Plan) -> bool:
    behind = [
        tool.row
        for tool in plan.tools
        if tool.row is not None and tool.row.published_version_id != tool.row.latest_version_id
    ]
    for row in behind:
        row.published_version_id = row.latest_version_id
    return bool(behind)


async def _next_number(session: AsyncSession, tool_id: int) -> int:
    version = models.ToolVersionRow
    query = select(func.max(version.number)).where(version.tool_id == tool_id)
    return (await session.scalar(query) or 0) + 1


async def _store_membership(session: AsyncSession, plan: Plan) -> bool:
    if plan.spec is None:
        raise RuntimeError("the spec is stored before its bundles")
    names = {tool.bundle for tool in plan.tools}
    rows = await session.scalars(select(models.Bundle).where(models.Bundle.name.in_(names)))
    bundles = {row.name: row for row in rows}
    for name in sorted(names - bundles.keys()):
        title = plan.document.title if name == plan.request.bundle else name.replace("_", " ")
        description = str(plan.document.root.get("info", {}).get("description", ""))
        bundles[name] = models.Bundle(name=name, title=title, description=description)
        session.add(bundles[name])
    await session.flush()
    ids = [bundle.id for bundle in bundles.values()]
    member, source = models.BundleTool, models.BundleSpec
    pairs = select(member.bundle_id, member.tool_id).where(member.bundle_id.in_(ids))
    members = {(row[0], row[1]) for row in await session.execute(pairs)}
    links = select(source.bundle_id, source.spec_id).where(source.bundle_id.in_(ids))
    sources = {(row[0], row[1]) for row in await session.execute(links)}
    fresh: list[object] = [
        member(bundle_id=bundles[tool.bundle].id, tool_id=tool.row.id)
        for tool in plan.tools
        if tool.row is not None and (bundles[tool.bundle].id, tool.row.id) not in members
    ]
    fresh += [
        source(bundle_id=bundle.id, spec_id=plan.spec.id)
        for bundle in bundles.values()
        if (bundle.id, plan.spec.id) not in sources
    ]
    session.add_all(fresh)
    await session.flush()
    return bool(fresh)
