"""What can go wrong with a request that leaves this process.

The sentences go to models and callers: they name no address, host or library.
"""

from typing import ClassVar

from msil_mcp.errors import MsilError


class EgressError(MsilError):
    """An outgoing request got no usable answer.

    `dispatched` says whether the other side may have received the request, and so whether a
    write may have happened.
    """

    status = 502
    slug = "egress_failed"
    title = "Outgoing request failed"
    dispatched: ClassVar[bool] = False


class EgressMisconfigured(EgressError):
    """The CA bundle or the proxy in the settings cannot be used."""

    status = 500
    slug = "egress_misconfigured"
    title = "Outgoing requests are misconfigured"


class EgressRefused(EgressError):
    """This process will not connect there, whoever asks."""

    slug = "egress_refused"
    title = "Address refused"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The remote service was not called: {reason}. Repeating the call cannot help; "
            "an administrator has to correct or allow the service's address."
        )
        self.reason = reason


class UpstreamUnreachable(EgressError):
    """No connection was made, so nothing was sent."""

    slug = "upstream_unreachable"
    title = "Remote service unreachable"

    def __init__(self, reason: str = "it cannot be connected to") -> None:
        super().__init__(
            f"The remote service was not reached: {reason}. Nothing was sent; "
            "try again in a moment, and tell an administrator if it goes on."
        )
        self.reason = reason


class UpstreamTimeout(EgressError):
    """The request was sent and the answer did not come in time."""

    status = 504
    slug = "upstream_timeout"
    title = "Remote service too slow"
    dispatched = True

    def __init__(self, *, seconds: float) -> None:
        super().__init__(
            f"The remote service did not answer within {seconds:.3g} seconds. "
            "Try again later, or ask for less at once."
        )
        self.seconds = seconds


class UpstreamDisconnected(EgressError):
    """The connection ended before the answer was complete."""

    slug = "upstream_disconnected"
    title = "Remote service broke off"
    dispatched = True

    def __init__(self) -> None:
        super().__init__(
            "The remote service closed the connection before its answer was complete. "
            "Try again in a moment, and tell an administrator if it goes on."
        )


class UpstreamGarbled(EgressError):
    """What came back is not HTTP, or not in the encoding it claims."""

    slug = "upstream_garbled"
    title = "Remote service answered nonsense"
    dispatched = True

    def __init__(self) -> None:
        super().__init__(
            "The remote service answered with something that is not valid HTTP. "
            "An administrator has to look at the service; repeating the call will not help."
        )


class AnswerTooLarge(EgressError):
    """The answer, decompressed, exceeds what may be read."""

    slug = "answer_too_large"
    title = "Answer too large"
    dispatched = True

    def __init__(self, *, max_bytes: int) -> None:
        super().__init__(
            f"The remote service's answer is larger than the {max_bytes:,} bytes that are read. "
            "Ask for less: a filter, a shorter range or a smaller page."
        )
        self.max_bytes = max_bytes


class FetchFailed(EgressError):
    """A document was answered with something other than 200."""

    slug = "fetch_failed"
    title = "Document not available"

    def __init__(self, *, answered: int) -> None:
        hint = (
            "Redirects are not followed: use the final address."
            if 300 <= answered < 400
            else "Check the address, and whether it needs a credential."
        )
        super().__init__(f"The document's server answered with status {answered}. {hint}")
        self.answered = answered
