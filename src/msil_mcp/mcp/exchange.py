"""One call in progress, as a provider sees it: who asks, and what may be sent meanwhile.

Progress, logging and asking live here and never in the invoker. An exchange costs a plain call
almost nothing: the event stream opens with the first message that is sent.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import mcp_types

from msil_mcp.mcp.sse import EventStream
from msil_mcp.mcp.wire import encode_notification
from msil_mcp.principal import Principal

LOG_LEVELS: Final = (
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and at which address: `bundle` of None is /mcp."""

    principal: Principal
    bundle: str | None


@dataclass(slots=True, kw_only=True)
class Exchange:
    """The context of one request.

    `timeout_seconds` is how long the work itself may take. A provider that needs something of the
    client returns NeedsInput, where `can_be_asked`; it is then called again with the client's
    `input_responses` and its own `state`. `log_level` of None means that no log messages are
    wanted. `is_shielded` says that the call has effects and is not to be cancelled.
    """

    caller: Caller
    version: str
    is_modern: bool
    can_be_asked: bool
    capabilities: Mapping[str, Any]
    correlation_id: str
    timeout_seconds: float
    stream: EventStream | None = None
    progress_token: int | str | None = None
    log_level: str | None = None
    idempotency_key: str | None = None
    session_id: str | None = None
    input_responses: Mapping[str, mcp_types.InputResponse] = field(default_factory=dict)
    state: bytes | None = None
    is_shielded: bool = False

    def declares(self, capability: str) -> bool:
        """Whether the client declared a capability such as `elicitation`."""
        return isinstance(self.capabilities.get(capability), dict)

    @property
    def takes_forms(self) -> bool:
        """Whether a form can be put to a person at the client within this call."""
        declared = self.capabilities.get("elicitation")
        if not self.can_be_asked or not isinstance(declared, dict):
            return False
        return "form" in declared or "url" not in declared

    @property
    def survives_disconnect(self) -> bool:
        """Whether a client that lost the connection can still fetch the answer."""
        return self.stream is not None and self.stream.is_open and self.stream.is_resumable

    async def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a notification on this call's own stream, if there can be one."""
        if self.stream is not None:
            await self.stream.send_message(encode_notification(method, params))

    async def progress(
        self, progress: float, *, total: float | None = None, message: str | None = None
    ) -> None:
        """Report progress if the client asked for it."""
        if self.progress_token is None:
            return
        params: dict[str, Any] = {"progressToken": self.progress_token, "progress": progress}
        if total is not None:
            params["total"] = total
        if message is not None:
            params["message"] = message
        await self.notify("notifications/progress", params)

    async def log(self, level: str, data: object, *, logger: str) -> None:
        """Send a log message if the client wants messages of this level."""
        wanted = self.log_level
        if wanted is None or LOG_LEVELS.index(level) < LOG_LEVELS.index(wanted):
            return
        params = {"level": level, "logger": logger, "data": data}
        await self.notify("notifications/message", params)

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Within, neither a cancellation nor a disconnect stops the call: it has effects."""
        self.is_shielded = True
        try:
            yield
        finally:
            self.is_shielded = False
