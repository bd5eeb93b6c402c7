"""What can be wrong with a turn: before it begins, or with what is asked of one under way."""

from msil_mcp.errors import NotFound, TooManyRequests, Unprocessable


class RunNotFound(NotFound):
    """The conversation has no such answer, or none under way."""

    slug = "chat_run_not_found"
    title = "No such answer"

    def __init__(self) -> None:
        super().__init__("This conversation has no such answer, or none under way any more.")


class BudgetSpent(TooManyRequests):
    """The caller's tokens or money of the day are used up."""

    slug = "chat_budget_spent"
    title = "Budget spent"

    def __init__(self, *, what: str, spent: str, budget: str, retry_after: float) -> None:
        hours = max(1, round(retry_after / 3600))
        super().__init__(
            f"Your conversations have used {spent} of {budget} {what} a day. The next day begins "
            f"in about {hours} hours; an administrator can raise the budget.",
            retry_after=retry_after,
        )


class BadEdit(Unprocessable):
    """The arguments a person changed are not ones the tool takes."""

    slug = "chat_bad_edit"
    title = "Arguments not accepted"


class NothingAsked(Unprocessable):
    """A turn says something, or names what to say or to answer again."""

    slug = "chat_nothing_asked"
    title = "Nothing to answer"

    def __init__(self) -> None:
        super().__init__(
            "Send a text to say, a text and edit_id to say it instead of an earlier message, or "
            "again_id to have a message answered again."
        )
