"""Protocol faults: what becomes a JSON-RPC error object instead of a result.

The table of codes and HTTP statuses is this module's; both eras read it. Everything past the
protocol (a denial, an upstream failure) is a result with `isError`, never one of these.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from msil_mcp.errors import MsilError

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
HEADER_MISMATCH: Final = -32020
MISSING_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022


class ProtocolFault(MsilError):
    """A request the protocol refuses; `data` is the JSON-RPC error's data member.

    `status` answers the modern era. The legacy era answers 200 to a fault of a well-formed
    request, except where `always` says that the status belongs to the fault itself.
    """

    status: ClassVar[int] = 400
    code: ClassVar[int] = INVALID_REQUEST
    slug: ClassVar[str] = "invalid_request"
    always: ClassVar[bool] = False

    @property
    def data(self) -> Mapping[str, Any] | None:
        """Machine-readable detail for the client."""
        return None


class ParseFault(ProtocolFault):
    """The body is not JSON as RFC 8259 and I-JSON have it."""

    code = PARSE_ERROR
    slug = "parse_error"
    always = True

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class InvalidMessage(ProtocolFault):
    """JSON, but not one JSON-RPC message of a shape accepted here."""

    always = True

    def __init__(self, reason: str) -> None:
        super().__init__(case="message", reason=reason)


class MethodNotFound(ProtocolFault):
    """This protocol version has no such method."""

    status = 404
    code = METHOD_NOT_FOUND
    slug = "method_not_found"

    def __init__(self, method: str) -> None:
        super().__init__(method=method[:100])


class InvalidParams(ProtocolFault):
    """The method's parameters do not hold; the sentence says which and why."""

    code = INVALID_PARAMS
    slug = "invalid_params"


class UnknownTool(InvalidParams):
    """No such tool, or one this caller may not see: both look the same."""

    slug = "unknown_tool"

    def __init__(self, name: str) -> None:
        super().__init__(case="mcp", name=name[:200])


class UnknownPrompt(InvalidParams):
    """No such prompt for this caller."""

    slug = "unknown_prompt"

    def __init__(self, name: str) -> None:
        super().__init__(name=name[:200])


class UnknownResource(InvalidParams):
    """No such resource for this caller; 2025-11-25 and older give it a code of its own."""

    slug = "unknown_resource"

    def __init__(self, uri: str) -> None:
        super().__init__(uri=uri[:500])
        self.uri = uri

    @property
    def data(self) -> Mapping[str, Any]:
        """The URI that was asked for."""
        return {"uri": self.uri[:500]}


class HeaderMismatch(ProtocolFault):
    """A mirrored header and the body disagree, so somebody on the way could be misled."""

    code = HEADER_MISMATCH
    slug = "header_mismatch"
    always = True


class MissingCapability(ProtocolFault):
    """The call needs something of the client that it did not declare."""

    code = MISSING_CAPABILITY
    slug = "missing_capability"

    def __init__(self, capability: str) -> None:
        super().__init__(capability=capability)
        self.capability = capability

    @property
    def data(self) -> Mapping[str, Any]:
        """The capabilities to declare, in the shape of ClientCapabilities."""
        return {"requiredCapabilities": {self.capability: {}}}


class UnsupportedVersion(ProtocolFault):
    """The version asked for is not served here."""

    code = UNSUPPORTED_VERSION
    slug = "unsupported_version"
    always = True

    def __init__(self, requested: str, *, supported: tuple[str, ...]) -> None:
        super().__init__(requested=requested[:40])
        self.requested = requested
        self.supported = supported

    @property
    def data(self) -> Mapping[str, Any]:
        """What is served, and what was asked for."""
        return {"supported": list(self.supported), "requested": self.requested}


class MissingSession(ProtocolFault):
    """A legacy message that needs a session came without one."""

    slug = "missing_session"
    always = True


class UnknownSession(ProtocolFault):
    """The session is forged, expired, ended, or somebody else's: all look the same."""

    status = 404
    slug = "unknown_session"
    always = True
