"""The job that reads a draft, and the import of one that was looked at."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.database import Database
from msil_mcp.egress import Egress
from msil_mcp.errors import MsilError
from msil_mcp.jobs import Handler, enqueue
from msil_mcp.openapi.document import MAX_BYTES
from msil_mcp.principal import Principal
from msil_mcp.tools.drafts import (
    DraftNotReady,
    DraftOutdated,
    ImportDraft,
    NoSuchDraft,
    Stage,
    UnknownOperations,
    find_draft,
)
from msil_mcp.tools.importing import import_document, prepare_import
from msil_mcp.tools.plan import ImportReport, ImportRequest, Plan
from msil_mcp.tools.planning import Prepared, make_plan
from msil_mcp.tools.previews import preview_of, signature_of

READ_DRAFT: Final = "documents.read"
FETCH_SECONDS: Final = 30.0
TELL_SECONDS: Final = 0.25
"""How often the progress of reading is written down."""

log = structlog.get_logger()


async def request_reading(session: AsyncSession, draft: ImportDraft) -> None:
    """Have the draft read, in the caller's transaction."""
    await enqueue(
        session, READ_DRAFT, {"draft": draft.id, "reading": draft.reading}, max_attempts=3
    )


def reading_drafts(database: Database, egress: Egress) -> Handler:
    """The handler of the jobs that read drafts."""

    async def read(payload: Mapping[str, Any]) -> None:
        reader = _Reader(database, egress, str(payload["draft"]), int(payload["reading"]))
        try:
            await reader.read()
        except NoSuchDraft:
            return  # somebody took it back
        except MsilError as error:
            await reader.fail(error)

    return read


@dataclass(slots=True)
class _Reader:
    database: Database
    egress: Egress
    draft_id: str
    reading: int

    async def read(self) -> None:
        """Fetch, read, convert and compare; the draft says how far that is."""
        async with self.database.reading() as session:
            draft = await find_draft(session, self.draft_id, with_raw=True)
        raw = draft.raw
        if raw is None:
            await self._note(stage="fetching")
            raw = await self._fetch(draft)
            await self._note(raw=raw)
        prepared = await self._prepared(request_of(draft, raw=raw))
        async with self.database.reading(of_one_moment=True) as session:
            plan = await make_plan(session, prepared, None)
            preview = await preview_of(session, plan)
        encoded = (await asyncio.to_thread(msgspec.json.encode, preview)).decode()
        await self._note(
            state="ready", stage="done", plan=encoded, signature=signature_of(plan), error=None
        )

    async def fail(self, error: MsilError) -> None:
        """Say why the draft cannot be imported."""
        problem = {"code": error.slug, "title": error.title, "detail": str(error)}
        await self._note(state="failed", stage="done", error=problem)

    async def _fetch(self, draft: ImportDraft) -> bytes:
        answer = await self.egress.fetch(
            draft.source,
            purpose="document",
            timeout_seconds=FETCH_SECONDS,
            max_bytes=MAX_BYTES,
            allow_private=bool(draft.options["allow_private"]),
        )
        return answer.body

    async def _prepared(self, request: ImportRequest) -> Prepared:
        await self._note(stage="reading", done=0, total=0)
        progress, told = (0, 0), (0, 0)

        def on_progress(done: int, total: int) -> None:
            nonlocal progress
            progress = done, total

        work = asyncio.create_task(prepare_import(request, on_progress=on_progress))
        while not (await asyncio.wait({work}, timeout=TELL_SECONDS))[0]:
            if progress != told:
                told = progress
                await self._note(done=told[0], total=told[1])
        prepared = await work
        await self._note(stage="comparing", done=progress[1], total=progress[1])
        return prepared

    async def _note(self, *, stage: Stage | None = None, **values: Any) -> None:
        """Write down how far it is, unless the draft is being read anew with other options."""
        if stage is not None:
            values["stage"] = stage
        async with self.database.unit_of_work() as session:
            noted = await session.execute(
                update(ImportDraft)
                .where(ImportDraft.id == self.draft_id, ImportDraft.reading == self.reading)
                .where(ImportDraft.state == "reading")
                .values(values)
                .returning(ImportDraft.id)
            )
            if noted.scalar_one_or_none() is None:
                raise NoSuchDraft


def request_of(draft: ImportDraft, *, raw: bytes, publish: bool = False) -> ImportRequest:
    """The import that a draft stands for."""
    return ImportRequest(raw=raw, source=draft.source, publish=publish, **draft.options)


async def prepare_draft(database: Database, draft_id: str, *, publish: bool) -> Prepared:
    """Read a draft's document once more, to import it; DraftNotReady."""
    async with database.reading() as session:
        draft = await find_draft(session, draft_id, with_raw=True)
    if draft.state != "ready" or draft.raw is None:
        raise DraftNotReady(draft.state)
    return await prepare_import(request_of(draft, raw=draft.raw, publish=publish))


async def import_draft(
    session: AsyncSession,
    draft_id: str,
    prepared: Prepared,
    *,
    selection: Collection[str] | None,
    principal: Principal,
) -> ImportReport:
    """Import what was shown, and of it what was chosen; DraftOutdated if it would be another."""
    draft = await find_draft(session, draft_id, for_update=True)
    if draft.state != "ready":
        raise DraftNotReady(draft.state)

    def check(plan: Plan) -> None:
        if signature_of(plan) != draft.signature:
            raise DraftOutdated
        if unknown := set(selection or ()) - plan.operation_ids:
            raise UnknownOperations(unknown)

    report = await import_document(
        session, prepared, principal=principal, selection=selection, check=check
    )
    draft.state, draft.raw = "imported", None
    return report
