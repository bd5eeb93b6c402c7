"""The era of sessions (2024-11-05 to 2025-11-25): initialize, then POST, GET and DELETE."""

from typing import Any, Final

import mcp_types
import structlog

from msil_mcp.bus import Bus
from msil_mcp.errors import MsilError
from msil_mcp.mcp import service
from msil_mcp.mcp.admission import NotAcceptable
from msil_mcp.mcp.asking import Asking
from msil_mcp.mcp.changes import Changes
from msil_mcp.mcp.disconnect import DisconnectWatch
from msil_mcp.mcp.exchange import LOG_LEVELS, Exchange
from msil_mcp.mcp.faults import (
    HeaderMismatch,
    InvalidMessage,
    InvalidParams,
    MethodNotFound,
    MissingSession,
    ProtocolFault,
    UnknownResource,
)
from msil_mcp.mcp.http import send_empty, send_json
from msil_mcp.mcp.incoming import Incoming, InternalError, idempotency_key, progress_token
from msil_mcp.mcp.methods import Methods, read_params
from msil_mcp.mcp.providers import Answer
from msil_mcp.mcp.relay import Cancelled, LevelSet, Relay, Subscribed
from msil_mcp.mcp.replay import PREFIX, ReplayableStream, resume
from msil_mcp.mcp.session_stream import SessionStream
from msil_mcp.mcp.sessions import Session, Sessions
from msil_mcp.mcp.versions import BATCHING, has_priming_events, negotiate
from msil_mcp.mcp.wire import (
    Malformed,
    Message,
    Notification,
    Reply,
    Request,
    encode_error,
    encode_result,
    is_identifier,
    read_message,
)

SESSION_HEADER: Final = "mcp-session-id"
RESOURCE_NOT_FOUND: Final = -32002
MAX_BATCH: Final = 50
MAX_ROUNDS: Final = 10

log = structlog.get_logger()


class RequestCancelled(ProtocolFault):
    """The client took the request back; HTTP wants an end all the same."""

    code = -32800
    slug = "request_cancelled"


class TooManyRounds(InvalidParams):
    """The client was asked again and again, and the call still needs more."""

    slug = "too_many_rounds"

    def __init__(self) -> None:
        super().__init__(rounds=MAX_ROUNDS)


class LegacyEra:
    """Serves requests without a version header, or with a legacy one."""

    def __init__(
        self,
        methods: Methods,
        *,
        sessions: Sessions,
        relay: Relay,
        bus: Bus,
        changes: Changes,
        call_timeout_seconds: float,
    ) -> None:
        self._methods = methods
        self._sessions = sessions
        self._relay = relay
        self._bus = bus
        self._changes = changes
        self._asking = Asking(relay, changes)
        self._stream = SessionStream(methods, relay, changes)
        self._timeout = call_timeout_seconds
        self._own: Final = {
            "ping": self._ping,
            "logging/setLevel": self._set_level,
            "resources/subscribe": self._subscribe,
            "resources/unsubscribe": self._unsubscribe,
        }

    async def handle(self, incoming: Incoming, tree: Any) -> None:
        """Answer one decoded body of a POST."""
        if type(tree) is list:
            await self._handle_batch(incoming, tree)
            return
        message = read_message(tree)
        if isinstance(message, Malformed):
            await incoming.send_error(message.id, message.fault, status=message.fault.status)
            return
        request_id = None if isinstance(message, Notification) else message.id
        try:
            if isinstance(message, Request) and message.method == "initialize":
                await self._initialize(incoming, message)
                return
            session = self._session(incoming, message)
            if isinstance(message, Request):
                await self._answer(incoming, message, session)
                return
            await self._take(message, session)
            await send_empty(incoming.send, 202)
        except MsilError as error:
            await incoming.send_error(request_id, error, status=_status(error))

    async def open_stream(self, incoming: Incoming) -> None:
        """GET: notices of the session, or the rest of an answer stream that broke off."""
        try:
            session = self._session(incoming, None)
            if not incoming.accepted.events:
                raise NotAcceptable("text/event-stream")
            last_event_id = incoming.headers.get("last-event-id", "")
            if last_event_id.startswith(PREFIX):
                await resume(
                    incoming,
                    bus=self._bus,
                    changes=self._changes,
                    session_id=session.id,
                    last_event_id=last_event_id,
                )
                return
            await self._stream.serve(incoming, session, last_event_id)
        except MsilError as error:
            await incoming.send_error(None, error, status=_status(error))

    async def end_session(self, incoming: Incoming) -> None:
        """DELETE: the session is over at every replica."""
        try:
            await self._sessions.end(self._session(incoming, None))
        except MsilError as error:
            await incoming.send_error(None, error, status=_status(error))
            return
        await send_empty(incoming.send, 204)

    async def _handle_batch(self, incoming: Incoming, tree: list[Any]) -> None:
        try:
            session = self._session(incoming, None)
            if session.version != BATCHING:
                raise InvalidMessage("a batch is not allowed at this version")
            if not 0 < len(tree) <= MAX_BATCH:
                raise InvalidMessage(f"a batch has 1 to {MAX_BATCH} messages")
        except MsilError as error:
            await incoming.send_error(None, error, status=_status(error))
            return
        answers = []
        for entry in tree:
            answer = await self._answer_entry(incoming, read_message(entry), session)
            if answer is not None:
                answers.append(answer)
        if not answers:
            await send_empty(incoming.send, 202)
            return
        await incoming.send_result(b"[" + b",".join(answers) + b"]", stream=None)

    async def _answer_entry(
        self, incoming: Incoming, message: Message, session: Session
    ) -> bytes | None:
        if isinstance(message, Malformed):
            return encode_error(message.id, message.fault)
        request_id = message.id if isinstance(message, Request) else None
        try:
            if not isinstance(message, Request):
                await self._take(message, session)
                return None
            if message.method == "initialize":
                raise InvalidMessage("initialize cannot be part of a batch")
            exchange = self._exchange(incoming, message, session, stream=None)
            return b"".join(await self._result(message, exchange, session, incoming))
        except MsilError as error:
            return encode_error(request_id, error, code=_code(error))

    def _session(self, incoming: Incoming, message: Message | None) -> Session:
        token = incoming.headers.get(SESSION_HEADER)
        if token is not None:
            return self._sessions.open(token, incoming.caller.principal)
        meta = message.params.get("_meta") if isinstance(message, Request) else None
        if isinstance(meta, dict) and mcp_types.PROTOCOL_VERSION_META_KEY in meta:
            raise HeaderMismatch("The MCP-Protocol-Version header is missing.")
        raise MissingSession

    async def _initialize(self, incoming: Incoming, request: Request) -> None:
        params = read_params(mcp_types.InitializeRequestParams, request.params)
        self._methods.check_address(incoming.caller)
        version = negotiate(params.protocol_version)
        token = self._sessions.begin(
            incoming.caller.principal, version=version, capabilities=params.capabilities
        )
        result = mcp_types.InitializeResult(
            protocol_version=version,
            capabilities=service.LEGACY_CAPABILITIES,
            server_info=service.IMPLEMENTATION,
            instructions=service.INSTRUCTIONS,
        )
        body = result.model_dump_json(by_alias=True, exclude_none=True).encode()
        await send_json(
            incoming.send,
            *encode_result(request.id, body),
            headers=[(SESSION_HEADER.encode(), token.encode())],
        )

    async def _take(self, message: Notification | Reply, session: Session) -> None:
        if isinstance(message, Reply):
            await self._relay.answer(session.id, message)
        elif message.method == "notifications/cancelled":
            request_id = message.params.get("requestId")
            if is_identifier(request_id):
                await self._relay.tell(Cancelled(session.id, request_id))

    async def _answer(self, incoming: Incoming, request: Request, session: Session) -> None:
        incoming.check_acceptable()
        stream = None
        if incoming.accepted.events:
            stream = ReplayableStream(
                incoming.send,
                bus=self._bus,
                session_id=session.id,
                primed=has_priming_events(session.version),
            )
        try:
            exchange = self._exchange(incoming, request, session, stream=stream)
            parts = await self._watched_result(request, exchange, session, incoming)
        except MsilError as error:
            await incoming.send_error(
                request.id, error, status=_status(error), code=_code(error), stream=stream
            )
            return
        except Exception:
            log.exception("mcp_request_failed", method=request.method[:100])
            broken = InternalError(incoming.correlation_id)
            await incoming.send_error(request.id, broken, status=broken.status, stream=stream)
            return
        await incoming.send_result(*parts, stream=stream)

    async def _watched_result(
        self, request: Request, exchange: Exchange, session: Session, incoming: Incoming
    ) -> tuple[bytes, ...]:
        watch = DisconnectWatch(incoming.receive, exchange)
        async with watch:
            with self._relay.running(session.id, request.id, watch):
                return await self._result(request, exchange, session, incoming)
        raise RequestCancelled

    async def _result(
        self, request: Request, exchange: Exchange, session: Session, incoming: Incoming
    ) -> tuple[bytes, ...]:
        own = self._own.get(request.method)
        if own is not None:
            await own(request.params, exchange, session)
            return encode_result(request.id, b"{}")
        handler = self._methods.handlers.get(request.method)
        if handler is None:
            raise MethodNotFound(request.method)
        outcome = await handler(request.params, exchange, incoming.headers)
        for _ in range(MAX_ROUNDS):
            if isinstance(outcome, Answer):
                return encode_result(request.id, *outcome.parts)
            await self._asking.ask(outcome, exchange, session)
            outcome = await handler(request.params, exchange, incoming.headers)
        raise TooManyRounds

    def _exchange(
        self,
        incoming: Incoming,
        request: Request,
        session: Session,
        *,
        stream: ReplayableStream | None,
    ) -> Exchange:
        meta = request.params.get("_meta")
        if type(meta) is not dict:
            meta = {}
        return Exchange(
            caller=incoming.caller,
            version=session.version,
            is_modern=False,
            can_be_asked=stream is not None,
            capabilities=session.capabilities,
            correlation_id=incoming.correlation_id,
            timeout_seconds=self._timeout,
            stream=stream,
            progress_token=progress_token(meta),
            log_level=self._relay.notes(session.id).level,
            idempotency_key=idempotency_key(incoming, meta),
            session_id=session.id,
        )

    async def _ping(self, _params: dict[str, Any], _exchange: Exchange, _session: Session) -> None:
        """Nothing to do."""

    async def _set_level(
        self, params: dict[str, Any], _exchange: Exchange, session: Session
    ) -> None:
        level = params.get("level")
        if level not in LOG_LEVELS:
            raise InvalidParams(f"Invalid params: level: must be one of {', '.join(LOG_LEVELS)}")
        await self._relay.tell(LevelSet(session.id, level))

    async def _subscribe(
        self, params: dict[str, Any], exchange: Exchange, session: Session
    ) -> None:
        uri = read_params(mcp_types.SubscribeRequestParams, params).uri
        version = self._methods.resource_version(exchange.caller, uri)
        if version is None:
            raise UnknownResource(uri)
        await self._relay.tell(Subscribed(session.id, uri, version))

    async def _unsubscribe(
        self, params: dict[str, Any], _exchange: Exchange, session: Session
    ) -> None:
        uri = read_params(mcp_types.UnsubscribeRequestParams, params).uri
        await self._relay.tell(Subscribed(session.id, uri, None))


def _status(error: MsilError) -> int:
    if isinstance(error, ProtocolFault) and not error.always:
        return 200
    return error.status


def _code(error: MsilError) -> int | None:
    return RESOURCE_NOT_FOUND if isinstance(error, UnknownResource) else None
