"""A document becomes stored tools: planned first against what is there, then written at once.

The same document twice changes nothing; a changed operation gets a new version; one that is gone
leaves a tombstone. Planning reads only, so a dry run is the plan shown.
"""

import asyncio
import re
from collections.abc import Callable
from urllib.parse import urljoin

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.generation import bump_generation
from msil_mcp.errors import Unprocessable
from msil_mcp.locales import Message
from msil_mcp.openapi.definitions import OnProgress, define_tools, no_progress
from msil_mcp.openapi.document import Document, parse_document
from msil_mcp.openapi.errors import BaseUrlInvalid
from msil_mcp.openapi.request import checked_base
from msil_mcp.principal import Principal
from msil_mcp.tools.catalogue import take_catalogue_turn
from msil_mcp.tools.plan import ImportReport, ImportRequest, Plan
from msil_mcp.tools.planning import Prepared, Selection, make_plan
from msil_mcp.tools.private import check_network
from msil_mcp.tools.prompts import prompts_of, stored
from msil_mcp.tools.storing import store_plan

BUNDLE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class BadImport(Unprocessable):
    """The document is readable and still cannot be imported as asked."""

    slug = "bad_import"


async def prepare_import(
    request: ImportRequest, *, on_progress: OnProgress = no_progress
) -> Prepared:
    """Read the document on a thread and check where calls would go.

    Raises DocumentError, BadPrompt, BadImport or PrivateUpstream. `on_progress(done, total)` hears
    how many operations were made tools, on that thread.
    """
    prepared = await asyncio.to_thread(_prepare, request, on_progress)
    await check_network(prepared.base_url, allow_private=request.allow_private)
    return prepared


def _prepare(request: ImportRequest, on_progress: OnProgress) -> Prepared:
    if not BUNDLE_NAME.fullmatch(request.bundle):
        raise BadImport(case="bundle_name", bundle=request.bundle)
    document = parse_document(request.raw, source=request.source)
    imported = define_tools(document, on_progress=on_progress)
    if not imported.tools:
        reasons = "; ".join(sorted({verdict.reason for verdict in imported.verdicts})[:3])
        raise BadImport(case="no_operation", source=request.source, reasons=reasons)
    return Prepared(
        request=request,
        document=document,
        definitions=imported.tools,
        verdicts=[msgspec.to_builtins(verdict) for verdict in imported.verdicts],
        prompts=stored(prompts_of(document, source=request.source)),
        base_url=_base_url(document, request),
    )


async def import_document(
    session: AsyncSession,
    prepared: Prepared,
    *,
    principal: Principal,
    dry_run: bool = False,
    selection: Selection = None,
    check: Callable[[Plan], None] | None = None,
) -> ImportReport:
    """Store a document and its tools in the session's transaction, or only say what would happen.

    The same document again changes nothing. `check` may raise when it does not like the plan;
    nothing else is raised here.
    """
    if not dry_run:
        # Planned against what is there, so nothing may come in between.
        await take_catalogue_turn(session)
    plan = await make_plan(session, prepared, selection)
    if check is not None:
        check(plan)
    if dry_run:
        return plan.report(dry_run=True, changed=_changes(plan))
    changed = await store_plan(session, plan, principal=principal)
    if changed:
        await bump_generation(session)
    return plan.report(dry_run=False, changed=changed)


def _changes(plan: Plan) -> bool:
    return bool(plan.gone) or any(tool.change != "unchanged" for tool in plan.tools)


def _base_url(document: Document, request: ImportRequest) -> str:
    first = document.servers[0] if document.servers else ""
    given = request.base_url or first
    if request.source.startswith(("http://", "https://")) and not request.base_url:
        given = _joined(request.source, given or "/")
    scheme, _, rest = given.partition("://")
    if scheme.lower() not in {"http", "https"} or not rest:
        raise BadImport(
            case="no_server", source=request.source, server=first or Message("words.nothing")
        )
    if "@" in rest.partition("/")[0]:
        host = rest.partition("/")[0].rpartition("@")[2]
        raise BadImport(case="credentials", source=request.source, url=f"{scheme}://{host}")
    try:
        return checked_base(given)
    except BaseUrlInvalid as error:
        raise BadImport(case="base_url", source=request.source, problem=error.message) from error


def _joined(source: str, server: str) -> str:
    try:
        return urljoin(source, server)
    except ValueError:
        return server
