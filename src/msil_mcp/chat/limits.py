"""How much a turn may take."""

import time
from dataclasses import dataclass, field
from typing import Literal

from msil_mcp.chat.ledger import NANOS, Bill, in_nanos
from msil_mcp.chat.messages import Usage
from msil_mcp.llm.usage import Cost, TokenUsage
from msil_mcp.locales import Message
from msil_mcp.settings import Settings

LimitName = Literal["tool_calls", "model_requests", "tokens", "cost", "seconds"]


class TurnLimitHit(Exception):
    """A turn has used up what it may; the sentence is for the person."""

    def __init__(self, name: LimitName, allowed: Message) -> None:
        self.name: LimitName = name
        self.sentence = Message("turn.limit", allowed=allowed)
        super().__init__(str(self.sentence))


@dataclass(slots=True)
class Meter:
    """What a turn has taken so far, and the limits it is held to.

    `begun` is when the person asked, on the clock of `time.perf_counter`; None where that is not
    known here, and then the time to the first token is not measured.
    """

    settings: Settings
    begun: float | None = None
    first_token_ms: float | None = None
    bill: Bill = field(default_factory=Bill)
    model_requests: int = 0
    tool_calls: int = 0
    tokens: TokenUsage = field(default_factory=TokenUsage)
    cost_nanos: int = 0
    model: str | None = None
    answered_by: str | None = None

    def before_request(self, asked: str) -> None:
        """Count a request to a model; TurnLimitHit when there may be no other."""
        limits = self.settings
        if self.model_requests >= limits.chat_turn_model_requests:
            allowed = Message("turn.allowed.model_requests", count=limits.chat_turn_model_requests)
            raise TurnLimitHit("model_requests", allowed)
        if self.tokens.total >= limits.chat_turn_tokens:
            allowed = Message("turn.allowed.tokens", count=limits.chat_turn_tokens)
            raise TurnLimitHit("tokens", allowed)
        if 0 < limits.chat_turn_cost_usd * NANOS <= self.cost_nanos:
            allowed = Message("turn.allowed.cost", dollars=limits.chat_turn_cost_usd)
            raise TurnLimitHit("cost", allowed)
        self.model_requests += 1
        self.bill.ask(asked)

    def spares(self, usage: TokenUsage, cost: Cost) -> bool:
        """Whether a request beside the answer may take that: at most half of what is left."""
        limits, nanos = self.settings, 2 * in_nanos(cost)
        return (
            self.model_requests + 2 <= limits.chat_turn_model_requests
            and self.tokens.total + 2 * usage.total <= limits.chat_turn_tokens
            and not 0 < limits.chat_turn_cost_usd * NANOS < self.cost_nanos + nanos
        )

    def heard(self) -> None:
        """The model says something; the first time is remembered."""
        if self.begun is not None and self.first_token_ms is None:
            self.first_token_ms = round((time.perf_counter() - self.begun) * 1000, 3)

    def answered(self, *, model: str, charged_to: str, usage: TokenUsage, cost: Cost) -> None:
        """A model request has taken this; what has no known price counts as nothing.

        `charged_to` is the configured name of the model that answered, `model` its provider's.
        """
        self.model, self.answered_by = charged_to, model
        self.tokens = self.tokens + usage
        self.cost_nanos += in_nanos(cost)
        self.bill.answered(model=charged_to, tokens=usage, cost=cost)

    def before_calls(self, count: int) -> None:
        """Count tool calls; TurnLimitHit when these would be too many."""
        if self.tool_calls + count > self.settings.chat_turn_tool_calls:
            allowed = Message("turn.allowed.tool_calls", count=self.settings.chat_turn_tool_calls)
            raise TurnLimitHit("tool_calls", allowed)
        self.tool_calls += count

    @property
    def out_of_time(self) -> TurnLimitHit:
        """The limit of seconds."""
        allowed = Message("turn.allowed.seconds", count=self.settings.chat_turn_seconds)
        return TurnLimitHit("seconds", allowed)

    @property
    def usage(self) -> Usage:
        """The same, as it is stored."""
        return Usage(
            input_tokens=self.tokens.prompt,
            output_tokens=self.tokens.completion,
            cached_tokens=self.tokens.cached,
            cost_nanos=self.cost_nanos,
        )
