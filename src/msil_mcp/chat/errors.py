"""What can be wrong with a request about a conversation."""

from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from msil_mcp.errors import Conflict, NotFound, Unprocessable


class SessionNotFound(NotFound):
    """No such conversation, or somebody else's, or a deleted one."""

    slug = "chat_session_not_found"


class MessageNotFound(NotFound):
    """The conversation has no such message."""

    slug = "chat_message_not_found"


class RunActive(Conflict):
    """The conversation is being answered, and only one answer is made at a time."""

    slug = "chat_run_active"

    def __init__(self, run_id: str | None = None) -> None:
        super().__init__()
        self.run_id = run_id

    @property
    @override
    def facts(self) -> Mapping[str, Any]:
        return {"run_id": self.run_id} if self.run_id else {}


class RunLost(Conflict):
    """The run has ended, or another process has it."""

    slug = "chat_run_lost"


class MessageFinished(Conflict):
    """A finished message never changes."""

    slug = "chat_message_finished"


class CannotBranch(Unprocessable):
    """The message is not one to continue from in this way."""

    slug = "chat_cannot_branch"


class CannotRate(Unprocessable):
    """Only answers are rated."""

    slug = "chat_cannot_rate"
