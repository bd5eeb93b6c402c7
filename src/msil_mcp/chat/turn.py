"""One run at work in this process: it survives the request that asked for it."""

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal

import structlog
from sqlalchemy.exc import SQLAlchemyError

from msil_mcp.bus import Bus
from msil_mcp.chat import wire
from msil_mcp.chat.calling import Calls, Cut, Place
from msil_mcp.chat.errors import RunLost
from msil_mcp.chat.instructions import instructions
from msil_mcp.chat.keeping import keep
from msil_mcp.chat.limits import Meter, TurnLimitHit
from msil_mcp.chat.memory import Memory, Resting
from msil_mcp.chat.models import ChatRun, MessageStatus
from msil_mcp.chat.parts import ToolResultPart, spoken_text
from msil_mcp.chat.publishing import Publisher
from msil_mcp.chat.replaying import ending
from msil_mcp.chat.run_records import Write
from msil_mcp.chat.runs import RunOutcome
from msil_mcp.chat.summaries import ChatSummary
from msil_mcp.chat.tables import Tables
from msil_mcp.chat.transcript import Transcript
from msil_mcp.chat.warming import ANSWERING
from msil_mcp.db.database import Database, utc_now
from msil_mcp.errors import MsilError
from msil_mcp.llm.errors import ModelGarbled
from msil_mcp.llm.llm_service import LLMService
from msil_mcp.locales import Language, Message
from msil_mcp.principal import Principal
from msil_mcp.settings import Settings
from msil_mcp.tools.call import ToolInvoker

log = structlog.get_logger()

Reason = Literal["stopped", "shutdown", "lost"]
GONE: Final = "This tool is not available any more, so nothing was done."


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnParts:
    """What turns stand on."""

    settings: Settings
    database: Database
    bus: Bus
    invoker: ToolInvoker
    tables: Tables
    llm: LLMService
    owner: str
    record: Write
    resting: Resting = field(default_factory=Resting)


@dataclass(slots=True, kw_only=True)
class Turn:
    """A run this process owns; `go` makes as much of the answer as can be made now.

    The model is asked to answer in `language`; what the server says by itself it says in `spoken`.
    """

    parts: TurnParts
    run: ChatRun
    principal: Principal
    message_id: str
    language: str
    spoken: Language
    model: str | None
    correlation_id: str
    transcript: Transcript
    meter: Meter
    publisher: Publisher
    reason: Reason | None = None
    task: "asyncio.Task[None] | None" = None
    _kept: int = 0
    _ending: bool = False
    _keeping: asyncio.Lock = field(default_factory=asyncio.Lock)

    def cut(self, reason: Reason) -> None:
        """End the run: the model and a running read at once, a write when it is done.

        What has come to its end is only stored any more, and nothing cuts that.
        """
        if self.reason is None and self.task is not None and not self._ending:
            self.reason = reason
            self.task.cancel()

    async def go(self) -> bool:
        """Whether the run waits for a person now, instead of having ended."""
        log.info("chat_run_started", run_id=self.run.id, session_id=self.run.session_id)
        calls = self._calls()
        outcome: RunOutcome | None
        sentence: str | None = None
        try:
            outcome, sentence = await self._answered(calls)
        except asyncio.CancelledError:
            self._forgive()
            outcome = self._cut_outcome()
        await self._settle(calls)
        self._ending = True
        return await self._end(outcome, sentence)

    async def checkpoint(self, summary: ChatSummary | None = None) -> None:
        """Store what has been said since the last time, and a summary made for it.

        A stop waits for it: what was stored has to be known when the end is.
        """
        async with self._keeping:
            if self.transcript.version == self._kept and summary is None:
                return
            version, parts = self.transcript.version, self.transcript.parts
            storing = asyncio.create_task(
                keep(
                    self.parts.database,
                    self.run,
                    owner=self.parts.owner,
                    message_id=self.message_id,
                    parts=parts,
                    status="partial",
                    meter=self.meter,
                    summary=summary,
                ),
                name="chat-keep",
            )
            cancelled = False
            while not storing.done():
                try:
                    await asyncio.wait({storing})
                except asyncio.CancelledError:
                    cancelled = True
            self.run, self._kept = storing.result(), version
            if cancelled:
                raise asyncio.CancelledError

    async def _answered(self, calls: Calls) -> tuple[RunOutcome | None, str | None]:
        """The outcome, None while a person is asked; and a sentence for what went wrong."""
        clock = asyncio.timeout(self.parts.settings.chat_turn_seconds)
        try:
            async with clock:
                await self._make_decided(calls)
                await self._leg(calls)
        except TurnLimitHit as limit:
            return self._limited(limit), None
        except TimeoutError:
            return self._limited(self.meter.out_of_time), None
        except MsilError as error:
            return self._outcome("failed", error=error.slug), error.message.told(self.spoken)
        except Cut:
            self._forgive()
            if clock.expired() and self.reason is None:
                return self._limited(self.meter.out_of_time), None
            return self._cut_outcome(), None
        except RuntimeError as error:
            model = self.meter.model or Message("turn.model").told(self.spoken)
            found = _failure(error, model=model)
            log.warning("chat_run_broke", run_id=self.run.id, error=type(error).__name__)
            return self._outcome("failed", error=found.slug), found.message.told(self.spoken)
        except Exception:  # The edge of a task: nobody else hears of it.
            log.exception("chat_run_broke", run_id=self.run.id)
            return self._outcome("failed", error=MsilError.slug), None
        if self.transcript.waiting():
            return None, None
        return self._outcome("succeeded"), None

    async def _leg(self, calls: Calls) -> None:
        # On a thread: what others do in this process goes on while the libraries load.
        await self.parts.llm.load(ANSWERING)
        from msil_mcp.chat.answering import Leg
        from msil_mcp.chat.toolset import GovernedTools

        settings, llm = self.parts.settings, self.parts.llm
        choice = llm.models.choose(self.model, roles=self.principal.roles)
        model = await llm.chat_model(choice)
        offer = await self.parts.tables.of(self.principal)
        memory = Memory(
            settings=settings,
            database=self.parts.database,
            llm=llm,
            resting=self.parts.resting,
            run=self.run,
            choice=choice,
            meter=self.meter,
            reads={name for name, version in offer.versions.items() if not version.is_write},
            emit=self.publisher.add,
            keep=self.checkpoint,
        )
        shown = await memory.look_back(self.transcript.parts)
        spoken = [spoken_text(entry.parts) for entry in shown.entries if entry.role == "user"]
        leg: Leg = Leg(
            model=model,
            entries=shown.entries,
            instructions=instructions(now=utc_now(), language=self.language),
            table=offer.table,
            tools=GovernedTools(
                table=offer.table,
                versions=offer.versions,
                calls=calls,
                conversation=" ".join(spoken[-4:]),
                used=tuple(shown.tools),
            ),
            transcript=self.transcript,
            meter=self.meter,
            asked=str(choice),
            price=partial(llm.charge, choice),
            before_calls=self.checkpoint,
        )
        await leg.run(self.publisher.add)

    async def _make_decided(self, calls: Calls) -> None:
        """Make the calls a person has decided about; what they declined is refused by the rule."""
        waiting = self.transcript.waiting()
        if not waiting:
            return
        versions = (await self.parts.tables.of(self.principal)).versions
        for call, approval in waiting:
            version = versions.get(call.tool)
            if version is None:
                result = ToolResultPart(
                    call_id=call.call_id, tool=call.tool, outcome="denied", text=GONE
                )
                self.transcript.add(result)
                self.publisher.add(wire.tool_output(call.call_id, "denied", GONE))
                continue
            made = await calls.make(
                call.call_id, version, call.arguments, approval_id=approval.approval_id
            )
            if made.outcome != "needs_confirmation":
                self.publisher.add(wire.tool_output(call.call_id, made.outcome, made.text))
        await self.checkpoint()
        if self.transcript.waiting():
            raise RuntimeError("a decided call asked again")

    async def _settle(self, calls: Calls) -> None:
        """A write that has begun is waited for, whatever else is asked meanwhile."""
        while True:
            try:
                await calls.settled()
            except asyncio.CancelledError:
                self._forgive()
            else:
                return

    async def _end(self, outcome: RunOutcome | None, sentence: str | None) -> bool:
        status: MessageStatus = "partial" if outcome is None else _status(outcome)
        try:
            async with self._keeping:
                self.run = await keep(
                    self.parts.database,
                    self.run,
                    owner=self.parts.owner,
                    message_id=self.message_id,
                    parts=self.transcript.parts,
                    status=status,
                    meter=self.meter,
                    outcome=outcome,
                    waits=outcome is None,
                )
        except RunLost:
            log.warning("chat_run_lost", run_id=self.run.id)
            await self.publisher.flush()
            return False
        except (SQLAlchemyError, MsilError):
            # Its lease ends, and the reaper says what became of it.
            log.exception("chat_run_not_kept", run_id=self.run.id)
            await self.publisher.flush()
            return False
        log.info("chat_run_ended", run_id=self.run.id, state=self.run.state, error=self.run.error)
        for encoded in ending(self.run, language=self.spoken, sentence=sentence):
            self.publisher.add(encoded)
        await (self.publisher.flush() if outcome is None else self.publisher.end())
        return outcome is None

    def _calls(self) -> Calls:
        return Calls(
            invoker=self.parts.invoker,
            place=Place(
                principal=self.principal,
                session_id=self.run.session_id,
                run_id=self.run.id,
                message_id=self.message_id,
                correlation_id=self.correlation_id,
            ),
            transcript=self.transcript,
            emit=self.publisher.add,
            language=self.spoken,
            seconds=self.parts.settings.call_timeout_seconds,
        )

    def _limited(self, limit: TurnLimitHit) -> RunOutcome:
        """The limit is said in words, so that the model reads it too."""
        self.transcript.begin_text()
        sentence = limit.sentence.told(self.spoken)
        self.transcript.say(sentence)
        for encoded in wire.said_text("limit", sentence):
            self.publisher.add(encoded)
        return self._outcome("failed", limit=limit.name, error="turn_limit")

    def _cut_outcome(self) -> RunOutcome:
        if self.reason == "stopped":
            return self._outcome("stopped")
        return self._outcome("interrupted", error="run_interrupted")

    def _outcome(
        self,
        state: Literal["succeeded", "failed", "stopped", "interrupted"],
        *,
        limit: str | None = None,
        error: str | None = None,
    ) -> RunOutcome:
        return RunOutcome(
            state=state,
            usage=self.meter.usage,
            model=self.meter.model,
            model_requests=self.meter.model_requests,
            tool_calls=self.meter.tool_calls,
            limit_hit=limit,
            error=error,
        )

    def _forgive(self) -> None:
        """The cancellation was ours and is answered; what follows is not cancelled by it."""
        if self.task is not None:
            while self.task.uncancel():
                pass


def _status(outcome: RunOutcome) -> MessageStatus:
    if outcome.state == "stopped":
        return "stopped"
    complete = outcome.state == "succeeded" or outcome.limit_hit is not None
    return "complete" if complete else "interrupted"


def _failure(error: Exception, *, model: str) -> MsilError:
    from msil_mcp.llm.failures import failure_of

    return failure_of(error, model=model) or ModelGarbled(model=model)
