"""What keeps a governed call from an answer, beside what egress itself reports."""

from http import HTTPStatus

from msil_mcp.errors import MsilError, Unavailable


class CredentialMissing(MsilError):
    """A credential the bundle needs is not configured in this process."""

    status = 502
    slug = "upstream_credential_missing"
    title = "Service credential missing"

    def __init__(self) -> None:
        super().__init__(
            "The credential for the remote service is not configured, so it was not called. "
            "An administrator must provide it; repeating the call will not help."
        )


class CredentialsMisconfigured(MsilError):
    """The declared credential references cannot be used."""

    slug = "upstream_credentials_misconfigured"
    title = "Service credentials are misconfigured"

    def __init__(self, *, problem: str) -> None:
        super().__init__(
            f"MSIL_UPSTREAM_CREDENTIALS is not usable: {problem}. For each bundle give the kind "
            "(bearer, basic or api_key), the variable that holds the secret, and for api_key the "
            "header."
        )


class CircuitOpen(Unavailable):
    """The service failed too often in a row and is left alone for a while."""

    slug = "upstream_circuit_open"
    title = "Remote service paused"

    def __init__(self, *, retry_after: float) -> None:
        super().__init__(
            "The remote service has failed repeatedly and is not called for now. Nothing was "
            f"sent; try again in {max(1, round(retry_after))} seconds.",
            retry_after=retry_after,
        )


class UpstreamBusy(Unavailable):
    """As many calls to the service are running as one process allows."""

    slug = "upstream_busy"
    title = "Remote service busy"

    def __init__(self) -> None:
        super().__init__(
            "Too many calls to the remote service are running at once. Nothing was sent; "
            "try again in a moment.",
            retry_after=1.0,
        )


class DeadlinePassed(MsilError):
    """The call's time was used up before anything was sent."""

    status = 504
    slug = "deadline_passed"
    title = "Deadline passed"

    def __init__(self) -> None:
        super().__init__(
            "The time for this call ran out before the remote service was called. Nothing was "
            "sent; call again."
        )


class OutcomeUnknown(MsilError):
    """A write was sent and it cannot be said whether it took effect."""

    status = 502
    slug = "upstream_outcome_unknown"
    title = "Outcome unknown"

    def __init__(self, *, answered: int | None = None) -> None:
        what = f"it answered {answered}" if answered else "no complete answer came back"
        super().__init__(
            f"The request was sent to the remote service, but {what}, so it is not known whether "
            "it took effect. Do not simply repeat it: read the present state first."
        )


class CallBroke(MsilError):
    """A defect of this server between request and answer; the log has the rest."""

    slug = "upstream_call_broke"
    title = "Call broke"

    def __init__(self) -> None:
        super().__init__(
            "This server could not complete the call. An administrator can find the reason in "
            "its log by the correlation id."
        )


class UpstreamRedirected(MsilError):
    """A redirect, which is not followed."""

    status = 502
    slug = "upstream_redirected"
    title = "Remote service redirects"

    def __init__(self, *, answered: int) -> None:
        super().__init__(
            f"The remote service answered {answered} and redirects elsewhere, which is not "
            "followed. An administrator must correct the service's address."
        )


class UnreadableAnswer(MsilError):
    """The call worked and its answer is not text."""

    status = 502
    slug = "upstream_answer_unreadable"
    title = "Answer is not text"

    def __init__(self, *, answered: int, media_type: str, size: int) -> None:
        super().__init__(
            f"The remote service carried out the call ({answered}), but its answer is "
            f"{media_type or 'binary data'} of {size:,} bytes, which cannot be shown as text."
        )


class UpstreamRefusedCredential(MsilError):
    """401 or 403: a matter between this server and the service."""

    status = 502
    slug = "upstream_unauthorized"
    title = "Service credential refused"

    def __init__(self, *, answered: int, detail: str = "") -> None:
        said = f" It said: {detail}." if detail else ""
        super().__init__(
            f"The remote service refused this server's own credential ({answered}).{said} "
            "An administrator must check that credential; repeating the call will not help."
        )


class UpstreamRefused(MsilError):
    """Any other answer that says no; `detail` is the service's own explanation."""

    status = 502
    slug = "upstream_rejected"
    title = "Remote service refused"

    def __init__(self, *, answered: int, detail: str, advice: str) -> None:
        said = detail.rstrip(".") or "it gave no explanation"
        super().__init__(
            f"The remote service answered {answered}{_phrase(answered)}: {said}. {advice}"
        )


class UpstreamRateLimited(UpstreamRefused):
    """429: the service wants fewer calls."""

    slug = "upstream_rate_limited"
    title = "Remote service rate limit"


class UpstreamBroken(UpstreamRefused):
    """5xx: the service failed by itself."""

    slug = "upstream_error"
    title = "Remote service failed"


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""
