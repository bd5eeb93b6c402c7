"""Ending the runs nobody makes any more: those of dead processes, and those nobody decides."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.bus import Bus
from msil_mcp.chat.messages import Draft, append
from msil_mcp.chat.models import ChatRun, ChatSession
from msil_mcp.chat.overheard import Overheard, overhear
from msil_mcp.chat.parts import TextPart
from msil_mcp.chat.repair import UNANSWERED, abandoned_run, abandoned_runs, repair, withdraw
from msil_mcp.chat.runs import expired_runs, interrupt, reap_run, request_stop
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
) -> AsyncIterator[ChatRun]:
    """Mark them, and complete what they leave behind; each run once that is committed.

    Those `alive` are known to be made, or to be gone on with. `language_of` gives the language of
    a conversation's owner, where none was chosen for it.
    """
    now = utc_now()
    async with database.reading() as session:
        expired = await expired_runs(session, now=now, alive=alive)
        waiting = await abandoned_runs(session, now=now, alive=alive)
    # A transaction for each: who holds rows of several may wait for somebody who waits for them.
    for run, heard in zip(expired, await _all_said(bus, expired), strict=True):
        if (ended := await _reaped(database, run, heard, language_of)) is not None:
            yield ended
    for run in waiting:
        if (ended := await _given_up(database, run, language_of)) is not None:
            yield ended


async def _reaped(
    database: Database, run: ChatRun, heard: Overheard, language_of: Callable[[str], Language]
) -> ChatRun | None:
    """End a run whose owner is gone; None where somebody else did, or the owner is back."""
    async with database.unit_of_work() as session:
        chat = None
        if run.assistant_message_id is None:
            # A session's row is locked before its run's, by everybody.
            query = select(ChatSession).where(ChatSession.id == run.session_id)
            chat = await session.scalar(query.with_for_update())
        dead = await reap_run(session, run.id, now=utc_now())
        if dead is None:
            return None
        if chat is not None:
            await _begin_answer(session, chat, dead, heard)
        await _withdraw(session, dead, "interrupted", language_of)
        await repair(session, dead, texts=heard.texts)
    return dead


async def _given_up(
    database: Database, run: ChatRun, language_of: Callable[[str], Language]
) -> ChatRun | None:
    """End a run that waits in vain; None where somebody else did, or goes on with it."""
    async with database.unit_of_work() as session:
        found = await abandoned_run(session, run.id, now=utc_now())
        if found is not None:
            await _end_waiting(session, found, language_of)
    return found


async def _end_waiting(
    session: AsyncSession, run: ChatRun, language_of: Callable[[str], Language]
) -> None:
    """Nobody decided in time; or somebody did, and whoever had to act on it is gone."""
    asked = exists().where(Approval.run_id == run.id, Approval.state.in_(UNANSWERED))
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
