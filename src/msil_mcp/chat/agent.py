"""A conversation that nobody stores: a model is asked, its calls are made, until it answers.

Conversations that are kept are answered by turns. This is for callers that bring the whole
conversation with every request, and for evaluation.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from msil_mcp import locales
from msil_mcp.chat.ledger import Bill
from msil_mcp.chat.tables import Offer
from msil_mcp.llm.choice import ModelChoice
from msil_mcp.llm.llm_service import LLMService
from msil_mcp.llm.messages import Assistant, Completion, Message, RequestedCall, ToolAnswer
from msil_mcp.llm.usage import FREE, Cost, TokenUsage
from msil_mcp.principal import Principal
from msil_mcp.tools.call import Confirmation, ToolCall, ToolInvoker

Ending = Literal["stop", "length", "content_filter"]
Hear = Callable[[str], Awaitable[None]]
Confirm = Callable[[Confirmation], Awaitable[None]]
PAUSE: Final = "\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much one answer may take."""

    rounds: int = 8
    calls: int = 24
    seconds: float = 120.0
    max_tokens: int | None = None


@dataclass(slots=True, kw_only=True)
class Answer:
    """What has come of it so far; `made` are the calls in the order they were asked for."""

    model: str
    text: str = ""
    made: list[ToolAnswer] = field(default_factory=list)
    usage: TokenUsage = field(default_factory=TokenUsage)
    cost: Cost = FREE
    rounds: int = 0
    ending: Ending = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Governed:
    """Makes calls for a caller through every rule; only tools of the offer can be called.

    Without `confirm` nobody can be asked, and a call that needs a person's agreement fails.
    """

    invoker: ToolInvoker
    principal: Principal
    offer: Offer
    correlation_id: str
    seconds: float
    confirm: Confirm | None = None

    async def make(self, requested: RequestedCall) -> ToolAnswer:
        """The result as the model reads it."""
        version = self.offer.versions.get(requested.tool)
        if version is None:
            return ToolAnswer(requested, f"There is no tool named {requested.tool!r} here.", True)
        call = ToolCall(
            principal=self.principal,
            tool=version,
            arguments=requested.arguments,
            origin="chat",
            correlation_id=self.correlation_id,
            deadline=time.monotonic() + self.seconds,
        )
        result = await self.invoker.invoke(call)
        if result.confirmation is not None and self.confirm is not None:
            await self.confirm(result.confirmation)
            decided = replace(call, approval_id=result.confirmation.approval_id)
            result = await self.invoker.invoke(decided)
        return ToolAnswer(requested, result.text, result.outcome != "succeeded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A model with a caller's tools; with `whole` each of its answers is asked for in one piece.

    What it says by itself it says in `language`. What its answers take is on the bill, also when
    they come to nothing.
    """

    llm: LLMService
    choice: ModelChoice
    governed: Governed
    system: str
    bounds: Bounds
    language: locales.Language = locales.ENGLISH
    whole: bool = False
    bill: Bill = field(default_factory=Bill)

    async def answer(self, messages: list[Message], hear: Hear) -> Answer:
        """Answer the last message; `hear` gets the text as it comes, and `messages` grow.

        An answer that reaches a bound says so and ends with `length`.

        Raises:
            LlmError: The model gave no usable answer.
        """
        answer = Answer(model=self.choice.name)
        clock = asyncio.timeout(self.bounds.seconds)
        try:
            async with clock:
                limit = await self._rounds(messages, answer, hear)
        except TimeoutError:
            if not clock.expired():
                raise
            limit = locales.Message("turn.allowed.seconds", count=self.bounds.seconds)
        if limit is not None:
            answer.ending = "length"
            said = locales.Message("turn.answer_limit", allowed=limit)
            sentence = said.told(self.language)
            if isinstance(messages[-1], Assistant):
                # Its calls were not made, and a model accepts no call without a result.
                messages.pop()
            messages.append(Assistant(sentence))
            await self._say(sentence, answer, hear)
        return answer

    async def _rounds(
        self, messages: list[Message], answer: Answer, hear: Hear
    ) -> locales.Message | None:
        """Ask and call until there is an answer; else the limit that was reached."""
        for _ in range(self.bounds.rounds):
            completion = await self._ask(messages, answer, hear)
            messages.append(Assistant(completion.text, completion.calls))
            if not completion.calls:
                if completion.finish_reason in {"length", "content_filter"}:
                    cut = completion.finish_reason == "length"
                    answer.ending = "length" if cut else "content_filter"
                return None
            if len(answer.made) + len(completion.calls) > self.bounds.calls:
                return locales.Message("turn.allowed.tool_calls", count=self.bounds.calls)
            made = await self._make(completion.calls)
            answer.made += made
            messages += made
        return locales.Message("turn.allowed.rounds", count=self.bounds.rounds)

    async def _make(self, calls: Sequence[RequestedCall]) -> list[ToolAnswer]:
        """All calls of a round at once, as the model meant them."""
        return await asyncio.gather(*(self.governed.make(call) for call in calls))

    async def _ask(self, messages: list[Message], answer: Answer, hear: Hear) -> Completion:
        answer.rounds += 1
        self.bill.ask(str(self.choice))
        first = True
        async with self.llm.stream(
            messages,
            system=self.system,
            tools=self.governed.offer.table,
            used=[made.call.tool for made in answer.made],
            choice=self.choice,
            max_tokens=self.bounds.max_tokens,
            whole=self.whole,
        ) as stream:
            async for piece in stream:
                if first:
                    await self._say(piece, answer, hear)
                    first = False
                else:
                    answer.text += piece
                    await hear(piece)
            completion = stream.completion
        if self.whole and completion.text:
            await self._say(completion.text, answer, hear)
        self.bill.answered(
            model=completion.charged_to, tokens=completion.usage, cost=completion.cost
        )
        answer.usage = answer.usage + completion.usage
        answer.cost = answer.cost + completion.cost
        answer.model = completion.model
        return completion

    async def _say(self, text: str, answer: Answer, hear: Hear) -> None:
        """Begin to say something, apart from what was said before."""
        said = PAUSE + text if answer.text else text
        answer.text += said
        await hear(said)
