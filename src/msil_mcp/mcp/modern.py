"""The stateless era (2026-07-28): one POST, one request, one answer; everything is in it."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import mcp_types
import msgspec
import structlog
from pydantic import TypeAdapter, ValidationError

from msil_mcp.errors import MsilError
from msil_mcp.mcp import service
from msil_mcp.mcp.disconnect import DisconnectWatch
from msil_mcp.mcp.exchange import LOG_LEVELS, Exchange
from msil_mcp.mcp.faults import (
    HeaderMismatch,
    InvalidMessage,
    InvalidParams,
    MethodNotFound,
    MissingCapability,
    ProtocolFault,
    UnsupportedVersion,
)
from msil_mcp.mcp.http import repeated, send_empty
from msil_mcp.mcp.incoming import Incoming, InternalError, idempotency_key, progress_token
from msil_mcp.mcp.input_state import InputStates
from msil_mcp.mcp.listen import LISTEN, ListenStreams
from msil_mcp.mcp.methods import CACHED, NAMED_BY, Methods
from msil_mcp.mcp.param_headers import decode_header
from msil_mcp.mcp.providers import CAPABILITY_OF, Answer, NeedsInput
from msil_mcp.mcp.sse import EventStream
from msil_mcp.mcp.versions import MODERN
from msil_mcp.mcp.wire import Malformed, Notification, Request, encode_result, read_message

DISCOVER: Final = "server/discover"
ROUTING: Final = (b"mcp-protocol-version", b"mcp-method", b"mcp-name")
VERSION_META: Final = mcp_types.PROTOCOL_VERSION_META_KEY
CAPABILITIES_META: Final = mcp_types.CLIENT_CAPABILITIES_META_KEY
LOG_LEVEL_META: Final = mcp_types.LOG_LEVEL_META_KEY

COMPLETE: Final = b'{"resultType":"complete",' + service.SERVER_META
CACHEABLE: Final = COMPLETE + b',"ttlMs":%d,"cacheScope":"private"' % service.LIST_TTL_MS

log = structlog.get_logger()


class ModernEra:
    """Serves POSTs whose version header is not a legacy one."""

    def __init__(
        self,
        methods: Methods,
        *,
        states: InputStates,
        listens: ListenStreams,
        call_timeout_seconds: float,
    ) -> None:
        self._methods = methods
        self._states = states
        self._listens = listens
        self._timeout = call_timeout_seconds
        self._discovery = _discovery()

    async def handle(self, incoming: Incoming, tree: Any) -> None:
        """Answer one decoded body."""
        message = read_message(tree)
        if type(message) is Request:
            await self._answer(incoming, message)
            return
        if isinstance(message, Notification):
            # Nothing to act on: this era cancels by closing the response.
            requested = incoming.headers.get("mcp-protocol-version", "")
            if requested in MODERN:
                await send_empty(incoming.send, 202)
                return
            fault: ProtocolFault = UnsupportedVersion(requested, supported=MODERN)
            await incoming.send_error(None, fault, status=fault.status)
            return
        if isinstance(message, Malformed):
            await incoming.send_error(message.id, message.fault, status=message.fault.status)
            return
        fault = InvalidMessage("an answer cannot be posted at this version")
        await incoming.send_error(None, fault, status=fault.status)

    async def _answer(self, incoming: Incoming, request: Request) -> None:
        stream = EventStream(incoming.send) if incoming.accepted.events else None
        try:
            meta = _check_envelope(incoming, request)
            if request.method == LISTEN:
                await self._listens.serve(incoming, request)
                return
            incoming.check_acceptable()
            if request.method == DISCOVER:
                self._methods.check_address(incoming.caller)
                parts = encode_result(request.id, self._discovery)
                await incoming.send_result(*parts, stream=stream)
                return
            exchange = self._exchange(incoming, request, meta, stream)
            await self._run(incoming, request, exchange)
        except MsilError as error:
            await incoming.send_error(request.id, error, status=error.status, stream=stream)
        except Exception:
            log.exception("mcp_request_failed", method=request.method[:100])
            broken = InternalError(incoming.correlation_id)
            await incoming.send_error(request.id, broken, status=broken.status, stream=stream)

    async def _run(self, incoming: Incoming, request: Request, exchange: Exchange) -> None:
        method = request.method
        handler = self._methods.handlers.get(method)
        if handler is None:
            raise MethodNotFound(method)
        watch = DisconnectWatch(incoming.receive, exchange)
        async with watch:
            outcome = await handler(request.params, exchange, incoming.headers)
        if watch.was_cancelled:
            return
        if not isinstance(outcome, Answer):
            parts = self._question(incoming, request, exchange, outcome)
            await incoming.send_result(*parts, stream=exchange.stream)
            return
        head = CACHEABLE if method in CACHED else COMPLETE
        first, *more = outcome.parts
        rest = first[1:] if first == b"{}" else b"," + first[1:]
        parts = encode_result(request.id, head, rest, *more)
        await incoming.send_result(*parts, stream=exchange.stream)

    def _exchange(
        self,
        incoming: Incoming,
        request: Request,
        meta: dict[str, Any],
        stream: EventStream | None,
    ) -> Exchange:
        params = request.params
        exchange = Exchange(
            caller=incoming.caller,
            version=meta[VERSION_META],
            is_modern=True,
            can_be_asked=request.method in NAMED_BY,
            capabilities=meta[CAPABILITIES_META],
            correlation_id=incoming.correlation_id,
            timeout_seconds=self._timeout,
            stream=stream,
            progress_token=progress_token(meta),
            log_level=_log_level(meta),
            idempotency_key=idempotency_key(incoming, meta),
        )
        if request.method in NAMED_BY:
            if params.get("inputResponses") is not None:
                exchange.input_responses = _read_responses(params["inputResponses"])
            if params.get("requestState") is not None:
                exchange.state = self._states.open(
                    params["requestState"],
                    principal=incoming.caller.principal,
                    method=request.method,
                    params=params,
                )
        return exchange

    def _question(
        self, incoming: Incoming, request: Request, exchange: Exchange, needed: NeedsInput
    ) -> tuple[bytes, ...]:
        for asked in needed.requests.values():
            if not exchange.declares(CAPABILITY_OF[asked.method]):
                raise MissingCapability(CAPABILITY_OF[asked.method])
        shown: dict[str, Any] = {
            "resultType": "input_required",
            "inputRequests": {
                key: asked.model_dump(by_alias=True, exclude_none=True, mode="json")
                for key, asked in needed.requests.items()
            },
        }
        if needed.state is not None:
            shown["requestState"] = self._states.seal(
                needed.state,
                principal=incoming.caller.principal,
                method=request.method,
                params=request.params,
            )
        body = msgspec.json.encode(shown)
        return encode_result(request.id, b"{" + service.SERVER_META + b",", body[1:])


def _check_envelope(incoming: Incoming, request: Request) -> dict[str, Any]:
    """The request's `_meta`, after the checks of the envelope and of the mirrored headers."""
    headers, params = incoming.headers, request.params
    header = headers.get("mcp-protocol-version", "")
    meta = params.get("_meta")
    if header not in MODERN and (
        type(meta) is not dict or meta.get(VERSION_META, header) == header
    ):
        raise UnsupportedVersion(header, supported=MODERN)
    if type(meta) is not dict:
        raise InvalidParams(
            f"params._meta must be an object with {VERSION_META} and {CAPABILITIES_META}."
        )
    version = meta.get(VERSION_META)
    if type(version) is not str or type(meta.get(CAPABILITIES_META)) is not dict:
        key = CAPABILITIES_META if type(version) is str else VERSION_META
        raise InvalidParams(f"params._meta must have {key}.")
    if len(headers) != len(incoming.scope["headers"]):
        twice = repeated(incoming.scope, ROUTING)
        if twice is not None:
            raise HeaderMismatch(f"The header {twice} is sent more than once.")
    if version != header:
        raise HeaderMismatch(f"MCP-Protocol-Version does not equal params._meta.{VERSION_META}.")
    if headers.get("mcp-method") != request.method:
        raise HeaderMismatch("Mcp-Method must equal the method of the body.")
    named_by = NAMED_BY.get(request.method)
    if named_by is not None:
        name = params.get(named_by)
        sent = headers.get("mcp-name")
        if type(name) is str and sent != name and decode_header(sent or "") != name:
            raise HeaderMismatch(f"Mcp-Name must equal params.{named_by}.")
    return meta


def _log_level(meta: Mapping[str, Any]) -> str | None:
    level = meta.get(LOG_LEVEL_META)
    if level is None or level in LOG_LEVELS:
        return level
    raise InvalidParams(f"params._meta.{LOG_LEVEL_META} must be one of {', '.join(LOG_LEVELS)}.")


@cache
def _responses() -> TypeAdapter[mcp_types.InputResponses]:
    return TypeAdapter(mcp_types.InputResponses)


def _read_responses(raw: object) -> mcp_types.InputResponses:
    try:
        return _responses().validate_python(raw, by_name=False)
    except ValidationError as error:
        raise InvalidParams("Invalid params: inputResponses: not answers to requests") from error


def _discovery() -> bytes:
    result = mcp_types.DiscoverResult(
        supported_versions=list(MODERN),
        capabilities=service.MODERN_CAPABILITIES,
        instructions=service.INSTRUCTIONS,
        ttl_ms=service.SERVICE_TTL_MS,
        cache_scope="private",
    )
    body = result.model_dump_json(by_alias=True, exclude_none=True, exclude={"meta"}).encode()
    return b"{" + service.SERVER_META + b"," + body[1:]
