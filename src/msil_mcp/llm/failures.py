"""From what pydantic-ai, its SDKs and their HTTP client raise to one of our own errors.

Imported on first use only, because it imports the model libraries.
"""

from typing import Any

import httpx2
from pydantic_ai import exceptions as raised

from msil_mcp.llm.errors import (
    BadKey,
    ContentRefused,
    ContextTooLong,
    LlmError,
    ModelGarbled,
    ModelNotFound,
    ModelRateLimited,
    ModelRefusedRequest,
    ModelTimeout,
    ModelUnavailable,
    QuotaExhausted,
)

_FILTER_CODES = frozenset({"content_filter", "content_policy_violation"})
_LONGEST_REASON = 200


def failure_of(error: BaseException, *, model: str) -> LlmError | None:
    """The error to show; None when it is not about the model."""
    match error:
        case LlmError():
            return error
        case raised.FallbackExceptionGroup():
            # The last model asked is the one whose failure is still current.
            found = (failure_of(each, model=model) for each in reversed(error.exceptions))
            return next((each for each in found if each is not None), None)
        case raised.ContentFilterError():
            return ContentRefused(model=model)
        case raised.ModelRequestTimeout() | raised.ModelTimeoutError() | httpx2.TimeoutException():
            return ModelTimeout(model=model)
        case raised.ModelAPIError():
            return _refusal(error, model=model)
        case raised.UnexpectedModelBehavior():
            return ModelGarbled(model=model)
        case httpx2.TransportError():
            return ModelUnavailable(model=model)
    return None


def _refusal(error: raised.ModelAPIError, *, model: str) -> LlmError:
    """What the provider said, by its category."""
    if error.provider_error_code in _FILTER_CODES:
        return ContentRefused(model=model)
    match error:
        case raised.ModelAuthenticationError():
            return BadKey(model=model)
        case raised.ModelQuotaExceededError():
            return QuotaExhausted(model=model)
        case raised.ModelRateLimitError():
            return ModelRateLimited(model=model, retry_after=error.retry_after)
        case raised.ModelContextWindowExceededError():
            return ContextTooLong(model=model)
        case raised.ModelNotFoundError():
            return ModelNotFound(model=model)
        case raised.ModelRequestRejectedError():
            return ModelRefusedRequest(model=model, reason=_reason(error.body))
        case raised.ModelUnavailableError() | raised.ModelServerError():
            return ModelUnavailable(model=model)
        case raised.ModelConnectionError():
            return ModelUnavailable(model=model)
        case raised.ModelHTTPError() if error.status_code >= 500:
            return ModelUnavailable(model=model)
    if isinstance(error.__cause__, httpx2.TransportError):
        return ModelUnavailable(model=model)
    return ModelGarbled(model=model)


def _reason(body: Any) -> str:
    """The provider's sentence, short, or nothing; requests hold no secrets, so neither does it."""
    message = body.get("message") if isinstance(body, dict) else None
    text = " ".join(message.split()) if isinstance(message, str) else ""
    text = text[:_LONGEST_REASON]
    return text if not text or text.endswith((".", "!", "?")) else text + "."
