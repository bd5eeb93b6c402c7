"""The one tree of domain errors.

Each door has one mapper: HTTP in `msil_mcp.problems`, JSON-RPC in `msil_mcp.mcp`, SSE in
`msil_mcp.chat`. A subclass carries its status, JSON-RPC code and a stable slug; its constructor
takes facts. The sentence a person or a model can act on, and the title, are in the catalogues of
`msil_mcp.locales` below `errors` and the slug: people read them in their language, programs and
logs in English.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from typing_extensions import override

from msil_mcp.locales import ENGLISH, Language, Message, entries

ERROR_BASE = "https://msil-mcp.invalid/errors/"


class MsilError(Exception):
    """Root of every error this product raises on purpose; `str(error)` is the English sentence.

    `told` are the facts of the sentence, and `case` is its name in the catalogue where a slug has
    several. A sentence given as text stays as it is in every language.
    """

    status: ClassVar[int] = 500
    code: ClassVar[int] = -32603
    slug: ClassVar[str] = "internal_error"
    title: ClassVar[str] = str(Message("errors.internal_error.title"))

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "slug" in vars(cls) and "title" not in vars(cls):
            cls.title = entries(ENGLISH).get(f"errors.{cls.slug}.title", cls.title)

    def __init__(self, sentence: str | None = None, *, case: str = "detail", **told: Any) -> None:
        super().__init__()
        if sentence is None:
            self.message = Message(f"errors.{self.slug}.{case}", **told)
        else:
            self.message = Message("verbatim", text=sentence)

    @override
    def __str__(self) -> str:
        return self.message.told(ENGLISH)

    def titled(self, language: Language) -> str:
        """The title in a language."""
        return entries(language).get(f"errors.{self.slug}.title", self.title)

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers that belong to the error, such as Retry-After."""
        return {}

    @property
    def facts(self) -> Mapping[str, Any]:
        """Extra members of the problem document; JSON values only, never secrets."""
        return {}


class BadRequest(MsilError):
    """The request itself is wrong; repeating it unchanged cannot help."""

    status = 400
    code = -32602
    slug = "bad_request"


class Unauthenticated(MsilError):
    """No credential, or one that does not hold; `challenge` is the WWW-Authenticate value."""

    status = 401
    code = -32001
    slug = "unauthenticated"

    def __init__(
        self, sentence: str | None = None, *, challenge: str = "Bearer", **told: Any
    ) -> None:
        super().__init__(sentence, **told)
        self.challenge = challenge

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        return {"WWW-Authenticate": self.challenge}


class Forbidden(MsilError):
    """The caller is known and may not do this."""

    status = 403
    code = -32003
    slug = "forbidden"


class NotFound(MsilError):
    """There is no such thing, or the caller may not know that there is."""

    status = 404
    code = -32602
    slug = "not_found"


class Conflict(MsilError):
    """The request contradicts the present state."""

    status = 409
    code = -32602
    slug = "conflict"


class ContentTooLarge(MsilError):
    """The body is larger than configured."""

    status = 413
    slug = "content_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(limit=limit)


class Unprocessable(MsilError):
    """Well formed, and still not acceptable."""

    status = 422
    code = -32602
    slug = "unprocessable"


class TooManyRequests(MsilError):
    """A limit was reached; `retry_after` is in seconds."""

    status = 429
    code = -32029
    slug = "rate_limited"

    def __init__(self, sentence: str | None = None, *, retry_after: float, **told: Any) -> None:
        super().__init__(sentence, **told)
        self.retry_after = retry_after

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": str(max(1, round(self.retry_after)))}


class Unavailable(MsilError):
    """This process cannot serve safely just now; `retry_after` is in seconds."""

    status = 503
    code = -32050
    slug = "unavailable"

    def __init__(
        self, sentence: str | None = None, *, retry_after: float = 1.0, **told: Any
    ) -> None:
        super().__init__(sentence, **told)
        self.retry_after = retry_after

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": str(max(1, round(self.retry_after)))}
