"""What keeps a governed call from an answer, beside what egress itself reports."""

from http import HTTPStatus

from msil_mcp.errors import MsilError, Unavailable
from msil_mcp.locales import Message


class CredentialMissing(MsilError):
    """A credential the bundle needs is not configured in this process."""

    status = 502
    slug = "upstream_credential_missing"


class CredentialsMisconfigured(MsilError):
    """The declared credential references cannot be used."""

    slug = "upstream_credentials_misconfigured"

    def __init__(self, *, problem: str) -> None:
        super().__init__(problem=problem)


class CircuitOpen(Unavailable):
    """The service failed too often in a row and is left alone for a while."""

    slug = "upstream_circuit_open"

    def __init__(self, *, retry_after: float) -> None:
        super().__init__(seconds=max(1, round(retry_after)), retry_after=retry_after)


class UpstreamBusy(Unavailable):
    """As many calls to the service are running as one process allows."""

    slug = "upstream_busy"

    def __init__(self) -> None:
        super().__init__(retry_after=1.0)


class DeadlinePassed(MsilError):
    """The call's time was used up before anything was sent."""

    status = 504
    slug = "deadline_passed"


class OutcomeUnknown(MsilError):
    """A write was sent and it cannot be said whether it took effect."""

    status = 502
    slug = "upstream_outcome_unknown"

    def __init__(self, *, answered: int | None = None) -> None:
        if answered:
            super().__init__(case="answered", answered=answered)
        else:
            super().__init__()


class CallBroke(MsilError):
    """A defect of this server between request and answer; the log has the rest."""

    slug = "upstream_call_broke"


class UpstreamRedirected(MsilError):
    """A redirect, which is not followed."""

    status = 502
    slug = "upstream_redirected"

    def __init__(self, *, answered: int) -> None:
        super().__init__(answered=answered)


class UnreadableAnswer(MsilError):
    """The call worked and its answer is not text."""

    status = 502
    slug = "upstream_answer_unreadable"

    def __init__(self, *, answered: int, media_type: str, size: int) -> None:
        super().__init__(
            answered=answered,
            media_type=media_type or Message("reasons.upstream.binary"),
            size=size,
        )


class UpstreamRefusedCredential(MsilError):
    """401 or 403: a matter between this server and the service."""

    status = 502
    slug = "upstream_unauthorized"

    def __init__(self, *, answered: int, detail: str = "") -> None:
        if detail:
            super().__init__(case="said", answered=answered, said=detail)
        else:
            super().__init__(answered=answered)


class UpstreamRefused(MsilError):
    """Any other answer that says no; `detail` is the service's own explanation."""

    status = 502
    slug = "upstream_rejected"

    def __init__(self, *, answered: int, detail: str, advice: Message) -> None:
        super().__init__(
            answered=f"{answered}{_phrase(answered)}",
            said=detail.rstrip(".") or Message("reasons.upstream.unexplained"),
            advice=advice,
        )


class UpstreamRateLimited(UpstreamRefused):
    """429: the service wants fewer calls."""

    slug = "upstream_rate_limited"


class UpstreamBroken(UpstreamRefused):
    """5xx: the service failed by itself."""

    slug = "upstream_error"


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""
