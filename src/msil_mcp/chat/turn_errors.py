"""What can be wrong with a turn: before it begins, or with what is asked of one under way."""

from typing import Literal

from msil_mcp.errors import NotFound, TooManyRequests, Unprocessable
from msil_mcp.locales import Message


class RunNotFound(NotFound):
    """The conversation has no such answer, or none under way."""

    slug = "chat_run_not_found"


class BudgetSpent(TooManyRequests):
    """The caller's tokens or money of the day are used up."""

    slug = "chat_budget_spent"

    def __init__(
        self, *, unit: Literal["tokens", "dollars"], spent: float, budget: float, retry_after: float
    ) -> None:
        hours = max(1, round(retry_after / 3600))
        super().__init__(
            used=Message(f"budget.used.{unit}", spent=spent, budget=budget),
            begins=Message("budget.begins", count=hours),
            retry_after=retry_after,
        )


class BadEdit(Unprocessable):
    """The arguments a person changed are not ones the tool takes."""

    slug = "chat_bad_edit"


class NothingAsked(Unprocessable):
    """A turn says something, or names what to say or to answer again."""

    slug = "chat_nothing_asked"
