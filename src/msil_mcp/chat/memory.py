"""What the model of a run is shown: its branch, shortened, and summarised where it is too long.

A summary is a request to the model like any other, within the run. Where none can be made, older
turns are left out instead, and the turn goes on.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from msil_mcp.chat.compacting import Plan, Sizes, plan_summary
from msil_mcp.chat.context import Context, Entry, Limits, approximate_tokens, cost_of, fit
from msil_mcp.chat.errors import RunLost
from msil_mcp.chat.executions import with_results
from msil_mcp.chat.ledger import in_nanos
from msil_mcp.chat.limits import Meter
from msil_mcp.chat.model_view import as_messages
from msil_mcp.chat.models import ChatRun, ChatSession, new_id
from msil_mcp.chat.parts import Parts, ToolCallPart, printable
from msil_mcp.chat.recall import Branch, load
from msil_mcp.chat.shortening import Shortener
from msil_mcp.chat.summaries import ChatSummary
from msil_mcp.chat.wire import summary_state
from msil_mcp.db.database import Database, utc_now
from msil_mcp.errors import MsilError
from msil_mcp.llm.choice import ModelChoice
from msil_mcp.llm.errors import ModelGarbled
from msil_mcp.llm.llm_service import LLMService
from msil_mcp.llm.messages import Completion
from msil_mcp.llm.summarising import summarise
from msil_mcp.llm.tools import MOST_TOOLS
from msil_mcp.llm.usage import TokenUsage
from msil_mcp.settings import Settings

log = structlog.get_logger()

LONGEST_SUMMARY: Final = 2_000
LONGEST_SECONDS: Final = 30.0
SHORTEST_RESULT: Final = 100
REST_SECONDS: Final = 300.0
"""How long a conversation is left alone after a summary of it has failed."""


class Resting:
    """Conversations of this process that could not be summarised just now."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def add(self, session_id: str) -> None:
        """Try no summary of it for a while."""
        now = time.monotonic()
        self._until = {key: until for key, until in self._until.items() if until > now}
        self._until[session_id] = now + REST_SECONDS

    def __contains__(self, session_id: str) -> bool:
        return self._until.get(session_id, 0.0) > time.monotonic()


@dataclass(frozen=True, slots=True)
class Recalled:
    """Entries for the model, and the tools that were used in them and in what they summarise."""

    entries: Sequence[Entry]
    tools: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Looks back from one run; `reads` are the tools that may be called again at any time.

    `keep` stores a summary while the run is this process's, and raises RunLost when it is not.
    """

    settings: Settings
    database: Database
    llm: LLMService
    resting: Resting
    run: ChatRun
    choice: ModelChoice
    meter: Meter
    reads: Container[str]
    emit: Callable[[str], None]
    keep: Callable[[ChatSummary], Awaitable[None]]

    async def look_back(self, said: Parts) -> Recalled:
        """The branch up to the question, then what the run itself said and did."""
        branch = await self._load(said)
        context = self._fit(branch.entries, branch.summary, more=branch.more)
        used: list[str] = [] if branch.summary is None else branch.summary.tools
        plan = self._plan(branch, context)
        if plan is not None and (made := await self._summarised(branch, plan)) is not None:
            context, used = self._fit(plan.kept, made), made.tools
        return Recalled(context.entries, list(dict.fromkeys([*used, *tools_in(context.entries)])))

    async def _load(self, said: Parts) -> Branch:
        # What a summary is made of is read beside what is shown.
        reach = 2 if self.settings.chat_summaries else 1
        limits = Limits(tokens=reach * self._sizes.budget)
        async with self.database.reading() as session:
            chat = await session.get_one(ChatSession, self.run.session_id)
            branch = await load(
                session,
                chat,
                self.run.user_message_id,
                limits=limits,
                count=approximate_tokens,
                short=self._short,
            )
            if not said:
                return branch
            [parts] = await with_results(session, chat.id, [said])
        own = Entry("", "assistant", parts)
        return Branch(entries=[*branch.entries, own], summary=branch.summary, more=branch.more)

    def _fit(
        self, entries: Sequence[Entry], summary: ChatSummary | None, *, more: bool = False
    ) -> Context:
        return fit(
            entries,
            limits=Limits(tokens=self._sizes.budget),
            summary=None if summary is None else summary.entry,
            short=self._short,
            more=more,
        )

    def _plan(self, branch: Branch, context: Context) -> Plan | None:
        """What to summarise now, if anything."""
        roomy = context.tokens <= self._sizes.threshold and not context.cut
        if roomy or not self.settings.chat_summaries or self.run.session_id in self.resting:
            return None
        earlier = None if branch.summary is None else branch.summary.entry
        plan = plan_summary(
            branch.entries,
            sizes=self._sizes,
            short=self._short,
            shortest=Shortener(SHORTEST_RESULT, self.reads),
            summary=earlier,
            more=branch.more,
        )
        if plan is None:
            return None
        read = (*plan.read, earlier) if earlier else plan.read
        tokens = sum(cost_of(entry, approximate_tokens) for entry in read)
        usage = TokenUsage(prompt=tokens, completion=self._sizes.summary)
        charge = self.llm.charge(self.choice, self.choice.name, usage)
        return plan if self.meter.spares(usage, charge.cost) else None

    async def _summarised(self, branch: Branch, plan: Plan) -> ChatSummary | None:
        self.emit(summary_state(self.run.id, "making"))
        try:
            completion = await self._ask(branch.summary, plan)
            summary = self._summary(branch.summary, plan, completion)
            await self.keep(summary)
        except RunLost:
            raise
        except (MsilError, SQLAlchemyError, RuntimeError, TimeoutError) as error:
            name = error.slug if isinstance(error, MsilError) else type(error).__name__
            log.warning("chat_summary_failed", run_id=self.run.id, error=name)
            self.resting.add(self.run.session_id)
            self.emit(summary_state(self.run.id, "failed"))
            return None
        log.info("chat_summary_made", run_id=self.run.id, messages=summary.messages)
        self.emit(summary.chunk)
        return summary

    async def _ask(self, earlier: ChatSummary | None, plan: Plan) -> Completion:
        self.meter.before_request(str(self.choice))
        async with asyncio.timeout(min(LONGEST_SECONDS, self.settings.chat_turn_seconds / 4)):
            completion = await summarise(
                self.llm,
                as_messages(plan.read),
                earlier=None if earlier is None else earlier.text,
                choice=self.choice,
                tokens=self._sizes.summary,
            )
        self.meter.answered(
            model=completion.model,
            charged_to=completion.charged_to,
            usage=completion.usage,
            cost=completion.cost,
        )
        if not completion.text.strip():
            raise ModelGarbled(model=completion.model)
        return completion

    def _summary(
        self, earlier: ChatSummary | None, plan: Plan, completion: Completion
    ) -> ChatSummary:
        used = [] if earlier is None else earlier.tools
        return ChatSummary(
            id=new_id(),
            session_id=self.run.session_id,
            until_id=plan.until_id,
            messages=plan.messages + (0 if earlier is None else earlier.messages),
            whole=plan.whole and (earlier is None or earlier.whole),
            text=clipped(completion.text, self._sizes.summary),
            tools=list(dict.fromkeys([*used, *tools_in(plan.read)]))[-MOST_TOOLS:],
            model=completion.model,
            input_tokens=completion.usage.prompt,
            output_tokens=completion.usage.completion,
            cached_tokens=completion.usage.cached,
            cost_nanos=in_nanos(completion.cost),
            run_id=self.run.id,
            created_at=utc_now(),
        )

    @property
    def _sizes(self) -> Sizes:
        budget = self.settings.chat_context_tokens
        threshold = int(budget * self.settings.chat_summary_threshold)
        longest = min(LONGEST_SUMMARY, threshold // 4)
        return Sizes(budget=budget, threshold=threshold, summary=longest)

    @property
    def _short(self) -> Shortener:
        return Shortener(self.settings.chat_result_tokens, self.reads)


def tools_in(entries: Iterable[Entry]) -> Iterator[str]:
    """The tools that were called, by their own names."""
    parts = (part for entry in entries for part in entry.parts)
    return (part.tool for part in parts if isinstance(part, ToolCallPart))


def clipped(text: str, tokens: int) -> str:
    """As much of a text as so many tokens hold, cut between words, and fit to be stored."""
    text = "\n".join(map(printable, text.strip().splitlines()))
    if approximate_tokens(text) <= tokens:
        return text
    kept = text.encode()[: 4 * (tokens - 1)].decode(errors="ignore")
    return (kept.rpartition(" ")[0] or kept).rstrip() + " …"
