"""What can go wrong with a request that leaves this process.

The sentences go to models and callers: they name no address, host or library.
"""

from typing import ClassVar

from msil_mcp.errors import MsilError
from msil_mcp.locales import Message


class EgressError(MsilError):
    """An outgoing request got no usable answer.

    `dispatched` says whether the other side may have received the request, and so whether a
    write may have happened.
    """

    status = 502
    slug = "egress_failed"
    dispatched: ClassVar[bool] = False


class EgressMisconfigured(EgressError):
    """The CA bundle or the proxy in the settings cannot be used."""

    status = 500
    slug = "egress_misconfigured"


class EgressRefused(EgressError):
    """This process will not connect there, whoever asks."""

    slug = "egress_refused"

    def __init__(self, reason: Message) -> None:
        super().__init__(reason=reason)
        self.reason = reason


class UpstreamUnreachable(EgressError):
    """No connection was made, so nothing was sent."""

    slug = "upstream_unreachable"

    def __init__(self, reason: Message | None = None) -> None:
        super().__init__(reason=reason or Message("reasons.connection.impossible"))


class UpstreamTimeout(EgressError):
    """The request was sent and the answer did not come in time."""

    status = 504
    slug = "upstream_timeout"
    dispatched = True

    def __init__(self, *, seconds: float) -> None:
        super().__init__(seconds=seconds)
        self.seconds = seconds


class UpstreamDisconnected(EgressError):
    """The connection ended before the answer was complete."""

    slug = "upstream_disconnected"
    dispatched = True


class UpstreamGarbled(EgressError):
    """What came back is not HTTP, or not in the encoding it claims."""

    slug = "upstream_garbled"
    dispatched = True


class AnswerTooLarge(EgressError):
    """The answer, decompressed, exceeds what may be read."""

    slug = "answer_too_large"
    dispatched = True

    def __init__(self, *, max_bytes: int) -> None:
        super().__init__(max_bytes=max_bytes)
        self.max_bytes = max_bytes


class FetchFailed(EgressError):
    """A document was answered with something other than 200."""

    slug = "fetch_failed"

    def __init__(self, *, answered: int) -> None:
        super().__init__(
            case="redirected" if 300 <= answered < 400 else "detail", answered=answered
        )
        self.answered = answered
