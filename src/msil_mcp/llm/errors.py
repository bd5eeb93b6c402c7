"""What can go wrong with a language model; every sentence can be shown to the person who asked."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from typing_extensions import override

from msil_mcp.errors import MsilError


class LlmError(MsilError):
    """A model gave no usable answer.

    `may_retry` says that asking again may help while nothing was shown, and `may_fall_back` that
    another model may still answer.
    """

    status = 502
    slug = "model_failed"
    title = "Model failed"
    may_retry: ClassVar[bool] = False
    may_fall_back: ClassVar[bool] = True


class BadKey(LlmError):
    """The provider does not accept the key, or not for this model."""

    slug = "model_bad_key"
    title = "Model provider refused the key"

    def __init__(self, *, model: str) -> None:
        super().__init__(
            f"The provider of {model} did not accept the API key. An administrator has to check "
            "the key in the settings, and that it may use this model."
        )


class QuotaExhausted(LlmError):
    """The account has no credit left; waiting does not help."""

    status = 503
    slug = "model_quota_exhausted"
    title = "Model quota exhausted"

    def __init__(self, *, model: str) -> None:
        super().__init__(
            f"The account for {model} has used up its quota or credit. An administrator has to "
            "raise it with the provider."
        )


class ModelRateLimited(LlmError):
    """The provider asks to wait; `retry_after` is in seconds, None when it does not say."""

    status = 503
    slug = "model_rate_limited"
    title = "Model rate limited"
    may_retry = True

    def __init__(self, *, model: str, retry_after: float | None) -> None:
        wait = "a moment" if retry_after is None else f"{max(1, round(retry_after))} seconds"
        super().__init__(f"{model} has too many requests just now. Try again in {wait}.")
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
    title = "Conversation too long"

    def __init__(self, *, model: str) -> None:
        super().__init__(
            f"The conversation is longer than {model} can read. Start a new conversation, or ask "
            "with less text."
        )


class ModelTimeout(LlmError):
    """No answer came in time."""

    status = 504
    slug = "model_timeout"
    title = "Model too slow"
    may_retry = True

    def __init__(self, *, model: str) -> None:
        super().__init__(f"{model} did not answer in time. Try again in a moment.")


class ContentRefused(LlmError):
    """The provider's content filter refused the question or the answer."""

    status = 422
    slug = "model_content_refused"
    title = "Content refused"
    may_fall_back = False

    def __init__(self, *, model: str) -> None:
        super().__init__(
            f"{model} refused to answer because of its content rules. Ask in another way."
        )


class ModelUnavailable(LlmError):
    """The provider cannot be reached, is overloaded, or lost the connection."""

    status = 503
    slug = "model_unavailable"
    title = "Model unavailable"
    may_retry = True

    def __init__(self, *, model: str) -> None:
        super().__init__(f"{model} is not available just now. Try again in a moment.")


class ModelGarbled(LlmError):
    """The answer is not what the provider's API promises."""

    slug = "model_garbled"
    title = "Model answer unreadable"
    may_retry = True

    def __init__(self, *, model: str) -> None:
        super().__init__(
            f"The answer of {model} could not be read. Try again; if it goes on, an administrator "
            "has to check the provider's base URL."
        )


class ModelRefusedRequest(LlmError):
    """The provider finds fault with the request itself."""

    slug = "model_refused_request"
    title = "Model refused the request"

    def __init__(self, *, model: str, reason: str) -> None:
        super().__init__(
            f"{model} did not accept the request: {reason} Repeating it cannot help; an "
            "administrator has to look at it."
        )


class ModelNotFound(LlmError):
    """The provider has no such model."""

    slug = "model_not_found"
    title = "Model not found"

    def __init__(self, *, model: str) -> None:
        super().__init__(
            f"The provider does not know the model {model}. An administrator has to correct its "
            "name or the provider's base URL in the settings."
        )


class ModelNotAllowed(LlmError):
    """The caller's roles do not include the model."""

    status = 403
    slug = "model_not_allowed"
    title = "Model not allowed"
    may_fall_back = False

    def __init__(self, *, model: str, allowed: Iterable[str]) -> None:
        self.allowed = tuple(allowed)
        super().__init__(
            f"You may not use the model {model}. You may use: {', '.join(self.allowed)}."
        )

    @property
    @override
    def facts(self) -> Mapping[str, Any]:
        return {"allowed": list(self.allowed)}


class ModelMisconfigured(LlmError):
    """Settings or installed parts do not suffice for the provider."""

    status = 500
    slug = "model_misconfigured"
    title = "Model misconfigured"
    may_fall_back = False

    def __init__(self, *, model: str, remedy: str) -> None:
        super().__init__(f"The model {model} cannot be used: {remedy}")
