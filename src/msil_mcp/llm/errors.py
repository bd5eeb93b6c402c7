"""What can go wrong with a language model; every sentence can be shown to the person who asked."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from typing_extensions import override

from msil_mcp.errors import MsilError
from msil_mcp.locales import Message


class LlmError(MsilError):
    """A model gave no usable answer.

    `may_retry` says that asking again may help while nothing was shown, and `may_fall_back` that
    another model may still answer.
    """

    status = 502
    slug = "model_failed"
    may_retry: ClassVar[bool] = False
    may_fall_back: ClassVar[bool] = True

    def __init__(self, *, model: str, case: str = "detail", **told: Any) -> None:
        super().__init__(case=case, model=model, **told)


class BadKey(LlmError):
    """The provider does not accept the key, or not for this model."""

    slug = "model_bad_key"


class QuotaExhausted(LlmError):
    """The account has no credit left; waiting does not help."""

    status = 503
    slug = "model_quota_exhausted"


class ModelRateLimited(LlmError):
    """The provider asks to wait; `retry_after` is in seconds, None when it does not say."""

    status = 503
    slug = "model_rate_limited"
    may_retry = True

    def __init__(self, *, model: str, retry_after: float | None) -> None:
        if retry_after is None:
            super().__init__(model=model)
        else:
            super().__init__(model=model, case="seconds", count=max(1, round(retry_after)))
        self.retry_after = retry_after

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        if self.retry_after is None:
            return {}
        return {"Retry-After": str(max(1, round(self.retry_after)))}


class ContextTooLong(LlmError):
    """The conversation does not fit the model."""

    status = 413
    slug = "model_context_too_long"


class ModelTimeout(LlmError):
    """No answer came in time."""

    status = 504
    slug = "model_timeout"
    may_retry = True


class ContentRefused(LlmError):
    """The provider's content filter refused the question or the answer."""

    status = 422
    slug = "model_content_refused"
    may_fall_back = False


class ModelUnavailable(LlmError):
    """The provider cannot be reached, is overloaded, or lost the connection."""

    status = 503
    slug = "model_unavailable"
    may_retry = True


class ModelGarbled(LlmError):
    """The answer is not what the provider's API promises."""

    slug = "model_garbled"
    may_retry = True


class ModelRefusedRequest(LlmError):
    """The provider finds fault with the request itself."""

    slug = "model_refused_request"

    def __init__(self, *, model: str, reason: str) -> None:
        super().__init__(model=model, reason=reason or Message("reasons.model.unexplained"))


class ModelNotFound(LlmError):
    """The provider has no such model."""

    slug = "model_not_found"


class ModelNotAllowed(LlmError):
    """The caller's roles do not include the model."""

    status = 403
    slug = "model_not_allowed"
    may_fall_back = False

    def __init__(self, *, model: str, allowed: Iterable[str]) -> None:
        self.allowed = tuple(allowed)
        super().__init__(model=model, allowed=", ".join(self.allowed))

    @property
    @override
    def facts(self) -> Mapping[str, Any]:
        return {"allowed": list(self.allowed)}


class ModelMisconfigured(LlmError):
    """Settings or installed parts do not suffice for the provider."""

    status = 500
    slug = "model_misconfigured"
    may_fall_back = False

    def __init__(self, *, model: str, remedy: Message) -> None:
        super().__init__(model=model, remedy=remedy)
