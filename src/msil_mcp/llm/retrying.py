"""When a failed model request is repeated, and how long after."""

import random
from dataclasses import dataclass
from typing import Final

from msil_mcp.llm.errors import LlmError, ModelRateLimited

FIRST_DELAY_SECONDS: Final = 0.5
LONGEST_DELAY_SECONDS: Final = 8.0
LONGEST_WAIT_ASKED_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long and how often a model is waited for; times are in seconds."""

    retries: int
    whole: float
    first_token: float
    first_delay: float = FIRST_DELAY_SECONDS

    def delay(self, error: LlmError, *, attempt: int) -> float | None:
        """Seconds before the next attempt after the `attempt`-th (from 0); None to give up."""
        if not error.may_retry or attempt >= self.retries:
            return None
        spread = random.random()  # noqa: S311 - only spreads
        if isinstance(error, ModelRateLimited) and error.retry_after is not None:
            asked = error.retry_after
            # A person waits for the answer: a long pause is said rather than sat out.
            return None if asked > LONGEST_WAIT_ASKED_SECONDS else asked + spread * asked / 4
        bound = min(LONGEST_DELAY_SECONDS, self.first_delay * 2.0**attempt)
        return bound * (0.5 + spread / 2)
