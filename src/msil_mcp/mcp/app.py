"""The ASGI door of /mcp and /mcp/{bundle}: admission, authentication, then the protocol's era."""

from typing import Any, Final

import structlog

from msil_mcp.errors import Forbidden, MsilError, NotFound, Unauthenticated, Unavailable
from msil_mcp.mcp.admission import Admission, UnsupportedMediaType, accepted, is_json
from msil_mcp.mcp.exchange import Caller
from msil_mcp.mcp.faults import ParseFault
from msil_mcp.mcp.http import (
    ClientGone,
    Receive,
    Scope,
    Send,
    read_body,
    read_headers,
    send_empty,
    send_problem,
)
from msil_mcp.mcp.incoming import Incoming
from msil_mcp.mcp.legacy import LegacyEra
from msil_mcp.mcp.metadata import METADATA_PATH, ResourceMetadata
from msil_mcp.mcp.modern import ModernEra
from msil_mcp.mcp.versions import is_legacy
from msil_mcp.mcp.wire import parse_json
from msil_mcp.principal import Authenticator, Principal

PATH: Final = "/mcp"
_POST_ONLY: Final = ((b"allow", b"POST"),)
_SESSIONS: Final = ((b"allow", b"GET, POST, DELETE"),)

log = structlog.get_logger()


class UnknownAddress(NotFound):
    """There is nothing at this path below /mcp."""

    slug = "unknown_address"


class Starting(Unavailable):
    """The endpoint is not running yet, or not any more."""

    slug = "not_running"


class McpApp:
    """Serves one request; standing streams end with `Changes.close`."""

    def __init__(
        self,
        *,
        admission: Admission,
        authenticator: Authenticator,
        metadata: ResourceMetadata,
        modern: ModernEra,
        legacy: LegacyEra,
        max_body_bytes: int,
    ) -> None:
        self._admission = admission
        self._authenticator = authenticator
        self._metadata = metadata
        self._modern = modern
        self._legacy = legacy
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request to /mcp or below, or for the resource metadata."""
        if METADATA_PATH in scope["path"]:
            await self._metadata.serve(scope, send)
            return
        headers = read_headers(scope)
        state = scope.setdefault("state", {})
        correlation_id = state.get("correlation_id") or ""
        try:
            bundle = _bundle_of(scope)
            state["endpoint"] = PATH if bundle is None else PATH + "/{bundle}"
            self._admission.check(headers)
            principal = await self._authenticate(headers, bundle)
        except MsilError as error:
            await send_problem(send, error, correlation_id=correlation_id)
            return
        incoming = Incoming(
            scope=scope,
            receive=receive,
            send=send,
            headers=headers,
            caller=Caller(principal, bundle),
            correlation_id=correlation_id,
            accepted=accepted(headers.get("accept", "")),
        )
        try:
            await self._serve(incoming)
        except ClientGone:
            log.debug("mcp_client_gone")
        except MsilError as error:
            await send_problem(send, error, correlation_id=correlation_id)

    async def _authenticate(self, headers: dict[str, str], bundle: str | None) -> Principal:
        try:
            return await self._authenticator.authenticate(headers)
        except Unauthenticated as error:
            raise self._metadata.challenge(error, bundle=bundle) from error
        except Forbidden as error:
            raise self._metadata.forbidden(error, bundle=bundle) from error

    async def _serve(self, incoming: Incoming) -> None:
        method = incoming.scope["method"]
        legacy = is_legacy(incoming.headers.get("mcp-protocol-version"))
        if method == "POST":
            if not is_json(incoming.headers.get("content-type", "")):
                raise UnsupportedMediaType
            body = await read_body(incoming.receive, incoming.headers, limit=self._max_body_bytes)
            try:
                tree = parse_json(body)
            except ParseFault as fault:
                await incoming.send_error(None, fault, status=fault.status)
                return
            era: Any = self._legacy if legacy else self._modern
            await era.handle(incoming, tree)
        elif not legacy:
            await send_empty(incoming.send, 405, headers=_POST_ONLY)
        elif method == "GET":
            await self._legacy.open_stream(incoming)
        elif method == "DELETE":
            await self._legacy.end_session(incoming)
        else:
            await send_empty(incoming.send, 405, headers=_SESSIONS)


class McpEndpoint:
    """Stands where the running McpApp will be, since an application is built before it runs."""

    def __init__(self) -> None:
        self._running: McpApp | None = None

    def use(self, running: McpApp | None) -> None:
        """Serve by this app from now on; None stops."""
        self._running = running

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say that nothing runs."""
        if self._running is None:
            correlation_id = scope.get("state", {}).get("correlation_id")
            await send_problem(send, Starting(), correlation_id=correlation_id)
            return
        await self._running(scope, receive, send)


def is_for_mcp(scope: Scope) -> bool:
    """Whether a request is for /mcp, an address below it, or the resource metadata."""
    if scope["type"] != "http":
        return False
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path == PATH or path.startswith((PATH + "/", METADATA_PATH))


def _bundle_of(scope: Scope) -> str | None:
    root = scope.get("root_path", "").removesuffix(PATH)
    rest = scope["path"].removeprefix(root).removeprefix(PATH).removeprefix("/")
    if "/" in rest:
        raise UnknownAddress
    return rest or None
