"""What can be wrong with a request about a conversation."""

from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from msil_mcp.errors import Conflict, NotFound, Unprocessable


class SessionNotFound(NotFound):
    """No such conversation, or somebody else's, or a deleted one."""

    slug = "chat_session_not_found"
    title = "Conversation not found"

    def __init__(self) -> None:
        super().__init__("There is no conversation of yours with this id; it may be deleted.")


class MessageNotFound(NotFound):
    """The conversation has no such message."""

    slug = "chat_message_not_found"
    title = "Message not found"

    def __init__(self) -> None:
        super().__init__("This conversation has no message with this id.")


class RunActive(Conflict):
    """The conversation is being answered, and only one answer is made at a time."""

    slug = "chat_run_active"
    title = "An answer is under way"

    def __init__(self, run_id: str | None = None) -> None:
        super().__init__(
            "This conversation is being answered. Wait for the answer to end, or stop it first."
        )
        self.run_id = run_id

    @property
    @override
    def facts(self) -> Mapping[str, Any]:
        return {"run_id": self.run_id} if self.run_id else {}


class RunLost(Conflict):
    """The run has ended, or another process has it."""

    slug = "chat_run_lost"
    title = "The run is not yours"

    def __init__(self) -> None:
        super().__init__("This answer has ended or was taken over; nothing more is added to it.")


class MessageFinished(Conflict):
    """A finished message never changes."""

    slug = "chat_message_finished"
    title = "The message is finished"

    def __init__(self) -> None:
        super().__init__("This message is finished and cannot be changed. Add another one.")


class CannotBranch(Unprocessable):
    """The message is not one to continue from in this way."""

    slug = "chat_cannot_branch"
    title = "Cannot branch here"

    def __init__(self) -> None:
        super().__init__(
            "Send a text to resend a message of the user's in other words, or none to have an "
            "answer of the assistant's written again."
        )


class CannotRate(Unprocessable):
    """Only answers are rated."""

    slug = "chat_cannot_rate"
    title = "Cannot be rated"

    def __init__(self) -> None:
        super().__init__("Only an answer of the assistant's can be rated.")
