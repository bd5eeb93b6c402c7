"""The runs of this process: begun, kept alive, stopped; and those of dead processes, ended."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from msil_mcp.bus import BusInterrupted, BusUnavailable, SubscriberTooSlow
from msil_mcp.chat import wire
from msil_mcp.chat.budgets import check_budget
from msil_mcp.chat.errors import RunActive, RunLost
from msil_mcp.chat.ledger import user_of
from msil_mcp.chat.limits import Meter
from msil_mcp.chat.messages import message_of
from msil_mcp.chat.models import ChatRun, ChatSession, new_id
from msil_mcp.chat.publishing import Publisher, announce_end, continued
from msil_mcp.chat.reaping import reap
from msil_mcp.chat.repair import is_agreed, repair, withdraw
from msil_mcp.chat.replaying import cards_of, ending, said_chunks
from msil_mcp.chat.run_records import SERVER, record_end, record_start
from msil_mcp.chat.runs import active_run, renew_runs, request_stop, take_run
from msil_mcp.chat.sessions import Sessions
from msil_mcp.chat.speaking import spoken
from msil_mcp.chat.transcript import Transcript
from msil_mcp.chat.turn import Turn, TurnParts
from msil_mcp.chat.turn_errors import RunNotFound
from msil_mcp.chat.turns import Ask, Begun, RunWaits, begin_turn
from msil_mcp.db.database import translated_errors, utc_now
from msil_mcp.errors import MsilError
from msil_mcp.governance.approvals import Approval
from msil_mcp.llm.usage import TokenUsage
from msil_mcp.locales import Language, Message
from msil_mcp.principal import Principal

log = structlog.get_logger()

STOPS: Final = "chat-stops"
KEEP_SECONDS: Final = 2.0
REAP_SECONDS: Final = 1.0


class LiveRuns:
    """Runs as tasks of this process; `closing` is set when it is about to stop."""

    def __init__(self, parts: TurnParts) -> None:
        self._parts = parts
        self._live: dict[str, Turn] = {}
        self._taken: set[str] = set()
        self._waiting: dict[str, tuple[Principal, Language]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._told: set[asyncio.Task[None]] = set()
        self.closing = asyncio.Event()

    @property
    def count(self) -> int:
        """Runs this process is at work on."""
        return len(self._live)

    async def start(self, *, alone: bool) -> None:
        """Begin to keep runs alive; a process that serves alone ends those of dead ones at once."""
        if alone:
            async with self._parts.database.unit_of_work() as session:
                await session.execute(
                    update(ChatRun)
                    .where(ChatRun.state.in_(("queued", "running")))
                    .where(ChatRun.owner.is_distinct_from(self._parts.owner))
                    .values(lease_until=utc_now() - timedelta(seconds=1))
                )
        # Before anything else is done: where processes die one after the other, none may come to
        # its second round.
        await self._reap()
        listening = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._renew_for_ever(), name="chat-leases"),
            asyncio.create_task(self._keep_for_ever(), name="chat-keeper"),
            asyncio.create_task(self._resume_for_ever(), name="chat-decisions"),
            asyncio.create_task(self._reap_for_ever(), name="chat-reaper"),
            asyncio.create_task(self._hear_for_ever(listening), name="chat-stops"),
        ]
        await listening.wait()

    async def close(self) -> None:
        """Interrupt what runs, and store it as far as it came."""
        self.closing.set()
        tasks = [turn.task for turn in self._live.values() if turn.task is not None]
        for turn in list(self._live.values()):
            turn.cut("shutdown")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._tasks, return_exceptions=True)
        await asyncio.gather(*self._told, return_exceptions=True)

    async def submit(
        self,
        principal: Principal,
        session_id: str,
        ask: Ask,
        *,
        correlation_id: str,
        language: Language,
    ) -> Begun:
        """Store what is said and begin to answer it; what waits for a decision gives way.

        What a person has agreed to is done before, whoever has heard of it: RunActive until then.
        `language` is the caller's, where none was chosen for the conversation.
        """
        parts = self._parts
        asked_at = time.perf_counter()
        await check_budget(parts.database, parts.settings, user_id=user_of(principal))
        for _ in range(2):
            try:
                begun = await begin_turn(
                    parts.database, principal, session_id, ask, owner=parts.owner
                )
                break
            except RunWaits as waits:
                if await self._give_way(principal, session_id, waits.run_id, language=language):
                    continue
                await self.resume(
                    principal, waits.run_id, correlation_id=correlation_id, language=language
                )
                raise RunActive(waits.run_id) from None
        else:
            raise RunActive
        if not begun.repeated:
            publisher = Publisher(parts.bus, begun.run.id)
            message_id = new_id()
            publisher.add(wire.chunk("start", messageId=message_id))
            turn = Turn(
                parts=parts,
                run=begun.run,
                principal=principal,
                message_id=message_id,
                language=begun.language or language,
                spoken=spoken(begun.language, otherwise=language),
                model=begun.model,
                correlation_id=correlation_id,
                transcript=Transcript(),
                meter=Meter(parts.settings, begun=asked_at),
                publisher=publisher,
            )
            self._begin(turn, fresh=True)
        return begun

    async def resume(
        self, principal: Principal, run_id: str, *, correlation_id: str, language: Language
    ) -> bool:
        """Go on with a run whose approvals are all decided; False when somebody else does."""
        parts = self._parts
        try:
            async with parts.database.unit_of_work() as session:
                run = await take_run(session, run_id, owner=parts.owner)
                chat = await session.get_one(ChatSession, run.session_id)
                message = await message_of(session, chat, run.assistant_message_id or "")
                said_in = spoken(chat.language, otherwise=language)
                so_far = await said_chunks(session, run, language=said_in)
                asked = [part for _, part in Transcript(message.parts).waiting()]
                decided = await cards_of(session, asked, language=said_in)
        except RunLost:
            return False
        self._taken.add(run_id)
        try:
            # What it said before is told to its end first: numbers follow each other.
            await self._gone_from_here(run_id)
            publisher = await continued(parts.bus, run_id, so_far=so_far)
        finally:
            self._taken.discard(run_id)
        meter = Meter(
            parts.settings,
            first_token_ms=run.first_token_ms,
            model_requests=run.model_requests,
            tool_calls=run.tool_calls,
            tokens=TokenUsage(
                prompt=run.input_tokens, completion=run.output_tokens, cached=run.cached_tokens
            ),
            cost_nanos=run.cost_nanos,
            model=run.model,
            answered_by=message.model,
        )
        turn = Turn(
            parts=parts,
            run=run,
            principal=principal,
            message_id=message.id,
            language=chat.language or language,
            spoken=said_in,
            model=chat.model,
            correlation_id=correlation_id,
            transcript=Transcript(message.parts),
            meter=meter,
            publisher=publisher,
        )
        for card in decided:
            turn.publisher.add(card)
        self._waiting.pop(run_id, None)
        self._begin(turn)
        return True

    async def _gone_from_here(self, run_id: str) -> None:
        """Wait until a turn that has given the run up has ended."""
        turn = self._live.get(run_id)
        if turn is not None and turn.task is not None:
            await asyncio.wait({turn.task})

    async def stop(self, principal: Principal, session_id: str, *, language: Language) -> ChatRun:
        """Ask the session's run to end, wherever it is made."""
        with translated_errors():
            async with self._parts.database.unit_of_work() as session:
                chat = await Sessions(session).owned_by(principal, session_id)
                run = await request_stop(session, chat.id)
                if run is None:
                    raise RunNotFound
                if run.owner is None:
                    said_in = spoken(chat.language, otherwise=language)
                    reason = Message("approval.reasons.stopped").told(said_in)
                    await withdraw(session, run.id, reason=reason)
                    await repair(session, run)
        if run.owner is None:
            said_in = spoken(chat.language, otherwise=language)
            await self.ended(run, by=principal, language=said_in)
        else:
            # Who does not hear it sees it when the lease is renewed.
            with suppress(BusUnavailable):
                await self._parts.bus.publish(STOPS, run.id.encode())
        return run

    async def _give_way(
        self, principal: Principal, session_id: str, run_id: str, *, language: Language
    ) -> bool:
        """End a run that waits for a decision; the model is told why nothing was done.

        False when there is a decision already, and it is to go on.
        """
        with translated_errors():
            async with self._parts.database.unit_of_work() as session:
                chat = await Sessions(session).owned_by(principal, session_id)
                said_in = spoken(chat.language, otherwise=language)
                run = await active_run(session, session_id, lock=True)
                if run is None or run.id != run_id or run.owner is not None:
                    raise RunActive(run_id)
                if await is_agreed(session, run_id):
                    return False
                await request_stop(session, session_id)
                reason = Message("approval.reasons.superseded").told(said_in)
                await withdraw(session, run_id, reason=reason)
                await repair(session, run)
        await self.ended(run, by=principal, language=said_in)
        return True

    async def ended(
        self, run: ChatRun, *, language: Language | None = None, by: Principal = SERVER
    ) -> None:
        """Tell of a run that ended while nobody was at work on it."""
        said_in = language or await self._spoken_in(run)
        await announce_end(self._parts.bus, run.id, ending(run, language=said_in))
        await record_end(self._parts.record, run, by=by)

    def _begin(self, turn: Turn, *, fresh: bool = False) -> None:
        self._live[turn.run.id] = turn
        turn.task = asyncio.create_task(self._work(turn, fresh=fresh), name="chat-run")

    async def _work(self, turn: Turn, *, fresh: bool) -> None:
        # The model is asked meanwhile: nobody waits for a record.
        begun = self._telling(self._begun(turn)) if fresh else None
        try:
            if await turn.go():
                self._waiting[turn.run.id] = (turn.principal, turn.spoken)
        finally:
            del self._live[turn.run.id]
        if turn.run.finished_at is not None:
            self._telling(self._done(turn, after=begun))

    async def _begun(self, turn: Turn) -> None:
        await record_start(
            self._parts.record, turn.run, by=turn.principal, correlation_id=turn.correlation_id
        )

    async def _done(self, turn: Turn, *, after: "asyncio.Task[None] | None") -> None:
        if after is not None:
            await after
        await record_end(
            self._parts.record, turn.run, by=turn.principal, correlation_id=turn.correlation_id
        )

    def _telling(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work, name="chat-record")
        self._told.add(task)
        task.add_done_callback(self._told.discard)
        return task

    async def _hear_for_ever(self, listening: asyncio.Event) -> None:
        while True:
            with suppress(BusInterrupted, SubscriberTooSlow):
                async with self._parts.bus.subscribe(STOPS) as events:
                    listening.set()
                    async for event in events:
                        turn = self._live.get(event.payload.decode())
                        if turn is not None:
                            turn.cut("stopped")
                    return

    async def _renew_for_ever(self) -> None:
        """By itself: what is stored meanwhile may take its time, a lease may not."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            await self._try(self._renew)

    async def _keep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            await self._try(self._keep)

    async def _resume_for_ever(self) -> None:
        """By itself too: what is decided and not acted on in time is void."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            await self._try(self._resume_decided)

    async def _reap_for_ever(self) -> None:
        while True:
            await asyncio.sleep(REAP_SECONDS)
            await self._try(self._reap)

    async def _try(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except (SQLAlchemyError, OSError, MsilError) as error:
            log.warning("chat_runs_not_kept", error=type(error).__name__)

    async def _renew(self) -> None:
        turns = dict(self._live)
        run_ids = [*turns, *self._taken]
        if not run_ids:
            return
        async with self._parts.database.unit_of_work() as session:
            held = await renew_runs(session, run_ids, owner=self._parts.owner)
        for run_id, turn in turns.items():
            if run_id not in self._live:
                continue
            if held.get(run_id, True):
                turn.cut("stopped" if run_id in held else "lost")

    async def _keep(self) -> None:
        for turn in list(self._live.values()):
            if turn.run.id in self._live and turn.reason is None:
                with suppress(RunLost):
                    await turn.checkpoint()

    async def _reap(self) -> None:
        parts = self._parts
        # What is made here is alive, however late its lease is renewed.
        async for run in reap(
            parts.database,
            parts.bus,
            alive={*self._live, *self._taken},
            language_of=parts.tables.language_of,
        ):
            log.warning("chat_run_reaped", run_id=run.id, session_id=run.session_id)
            await self.ended(run)

    async def _spoken_in(self, run: ChatRun) -> Language:
        """The language of a conversation that nobody asks about just now."""
        async with self._parts.database.reading() as session:
            chat = await session.get_one(ChatSession, run.session_id)
        return spoken(chat.language, otherwise=self._parts.tables.language_of(chat.owner_id))

    async def _resume_decided(self) -> None:
        """Go on where a decision came by another door, or ran out of time."""
        if not self._waiting:
            return
        async with self._parts.database.reading() as session:
            runs = ChatRun.id.in_(list(self._waiting)) & (ChatRun.state == "waiting_approval")
            waiting = set((await session.scalars(select(ChatRun.id).where(runs))).all())
            asked = (Approval.state == "pending") & (Approval.expires_at > utc_now())
            query = select(Approval.run_id).where(Approval.run_id.in_(waiting), asked)
            undecided = set((await session.scalars(query)).all())
        for run_id in list(self._waiting):
            if run_id not in waiting:
                del self._waiting[run_id]
            elif run_id not in undecided:
                principal, language = self._waiting[run_id]
                await self.resume(principal, run_id, correlation_id=run_id, language=language)
