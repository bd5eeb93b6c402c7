"""Tokens and money of model requests."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    """Tokens of one request or of several; cached ones are among the prompt's."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cache_written: int = 0

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage(
            prompt=self.prompt + other.prompt,
            completion=self.completion + other.completion,
            cached=self.cached + other.cached,
            cache_written=self.cache_written + other.cache_written,
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars; None when the model's price is not known, which is not the same as nothing."""

    usd: Decimal | None

    @property
    def is_known(self) -> bool:
        """Whether there is an amount."""
        return self.usd is not None

    def __add__(self, other: "Cost") -> "Cost":
        if self.usd is None or other.usd is None:
            return Cost(None)
        return Cost(self.usd + other.usd)


FREE = Cost(Decimal(0))


@dataclass(frozen=True, slots=True)
class Charge:
    """What an answer costs, and the configured name of the model that gave it."""

    model: str
    cost: Cost
