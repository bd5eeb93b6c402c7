"""Ending the runs nobody makes any more: those of dead processes, and those nobody decides."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.bus import Bus
from msil_mcp.chat.messages import Draft, append
from msil_mcp.chat.models import ChatRun, ChatSession
from msil_mcp.chat.overheard import NOTHING, Overheard, overhear
from msil_mcp.chat.parts import TextPart
from msil_mcp.chat.repair import abandoned, repair, withdraw
from msil_mcp.chat.runs import expired_runs, interrupt, reap_runs, request_stop
from msil_mcp.chat.speaking import spoken
from msil_mcp.db.database import Database, utc_now
from msil_mcp.governance.approvals import Approval
from msil_mcp.locales import Language, Message


async def reap(
    database: Database,
    bus: Bus,
    *,
    alive: Collection[str],
    language_of: Callable[[str], Language],
) -> Sequence[ChatRun]:
    """Mark them, and complete what they leave behind; the runs that were marked.

    Those `alive` are known to be made. `language_of` gives the language of a conversation's owner,
    where none was chosen for it.
    """
    async with database.reading() as session:
        expired = await expired_runs(session, now=utc_now(), alive=alive)
        if not expired and not await abandoned(session, now=utc_now()):
            return ()
    said = dict(zip((run.id for run in expired), await _all_said(bus, expired), strict=True))
    async with database.unit_of_work() as session:
        # A session's row is locked before its run's, by everybody.
        chats = await _sessions(session, expired)
        dead = list(await reap_runs(session, now=utc_now(), alive=alive))
        for run in dead:
            heard = said.get(run.id, NOTHING)
            if run.session_id in chats:
                await _begin_answer(session, chats[run.session_id], run, heard)
            await _withdraw(session, run, "interrupted", language_of)
            await repair(session, run, texts=heard.texts)
        for run in await abandoned(session, now=utc_now(), lock=True):
            await _end_waiting(session, run, language_of)
            dead.append(run)
    return dead


async def _end_waiting(
    session: AsyncSession, run: ChatRun, language_of: Callable[[str], Language]
) -> None:
    """Nobody decided in time; or somebody did, and whoever had to act on it is gone."""
    asked = exists().where(Approval.run_id == run.id, Approval.state == "pending")
    if await session.scalar(select(asked)):
        await request_stop(session, run.session_id)
        await _withdraw(session, run, "late", language_of)
    else:
        await interrupt(session, run)
        await _withdraw(session, run, "interrupted", language_of)
    await repair(session, run)


async def _withdraw(
    session: AsyncSession, run: ChatRun, why: str, language_of: Callable[[str], Language]
) -> None:
    """What it asked is decided by nobody any more: whoever asks again is asked anew."""
    chat = await session.get_one(ChatSession, run.session_id)
    said_in = spoken(chat.language, otherwise=language_of(chat.owner_id))
    await withdraw(session, run.id, reason=Message(f"approval.reasons.{why}").told(said_in))


async def _all_said(bus: Bus, runs: Sequence[ChatRun]) -> Sequence[Overheard]:
    return await asyncio.gather(*(overhear(bus, run.id) for run in runs))


async def _sessions(session: AsyncSession, runs: Sequence[ChatRun]) -> Mapping[str, ChatSession]:
    """Those whose answers were not stored at all, locked."""
    wanted = {run.session_id for run in runs if run.assistant_message_id is None}
    query = select(ChatSession).where(ChatSession.id.in_(wanted)).order_by(ChatSession.id)
    rows = await session.scalars(query.with_for_update(skip_locked=True)) if wanted else ()
    return {row.id: row for row in rows}


async def _begin_answer(
    session: AsyncSession, chat: ChatSession, run: ChatRun, heard: Overheard
) -> None:
    """Store what was heard of an answer that was never stored."""
    texts = [text for text in heard.texts if text]
    if run.assistant_message_id is not None or heard.message_id is None or not texts:
        return
    draft = Draft(
        role="assistant",
        parts=[TextPart(text) for text in texts],
        status="interrupted",
        run_id=run.id,
        id=heard.message_id,
    )
    await append(session, chat, draft, parent_id=run.user_message_id)
    run.assistant_message_id = heard.message_id
