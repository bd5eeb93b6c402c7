"""Questions of the legacy era: requests to the client on the stream of the call they belong to.

The client posts its answers, maybe to another replica; the relay brings them here.
"""

import asyncio
from typing import Any, Final

import mcp_types
from pydantic import BaseModel, ValidationError

from msil_mcp.errors import Unavailable
from msil_mcp.mcp.changes import Changes
from msil_mcp.mcp.exchange import Exchange
from msil_mcp.mcp.faults import InvalidParams, MissingCapability
from msil_mcp.mcp.providers import CAPABILITY_OF, NeedsInput
from msil_mcp.mcp.relay import Relay
from msil_mcp.mcp.sessions import Session
from msil_mcp.mcp.sse import KEEP_ALIVE_SECONDS, EventStream
from msil_mcp.mcp.versions import LATEST_LEGACY
from msil_mcp.mcp.wire import encode_request

ASKING_SECONDS: Final = 600.0
RESULT_OF: Final[dict[str, type[BaseModel]]] = {
    "elicitation/create": mcp_types.ElicitResult,
    "sampling/createMessage": mcp_types.CreateMessageResult,
    "roots/list": mcp_types.ListRootsResult,
}


class BadAnswer(InvalidParams):
    """The client refused the request, never answered it, or answered something else."""

    slug = "bad_answer"

    def __init__(self, method: str) -> None:
        super().__init__(method=method)


class Stopping(Unavailable):
    """The process ends while a person is still thinking."""

    slug = "stopping"


class Asking:
    """Puts what a provider needs to the client and gives the answers to the exchange."""

    def __init__(self, relay: Relay, changes: Changes) -> None:
        self._relay = relay
        self._changes = changes

    async def ask(self, needed: NeedsInput, exchange: Exchange, session: Session) -> None:
        """Ask one after the other; a form that is refused or never answered counts as closed."""
        responses: dict[str, Any] = {}
        for key, asked in needed.requests.items():
            capability = CAPABILITY_OF[asked.method]
            if exchange.stream is None or not exchange.declares(capability):
                raise MissingCapability(capability)
            request = asked.model_dump(by_alias=True, exclude_none=True, mode="json")
            params: dict[str, Any] = request.get("params", {})
            if session.version != LATEST_LEGACY:
                # Forms were the only mode before 2025-11-25, and had no name.
                params.pop("mode", None)
            result = await self._put(asked.method, params, exchange.stream, session)
            responses[key] = _read(asked.method, result)
        exchange.input_responses = responses
        exchange.state = needed.state

    async def _put(
        self, method: str, params: dict[str, Any], stream: EventStream, session: Session
    ) -> dict[str, Any] | None:
        loop = asyncio.get_running_loop()
        give_up = loop.time() + ASKING_SECONDS
        with self._relay.question(session.id) as (request_id, answer):
            await stream.send_message(encode_request(request_id, method, params))
            closed = asyncio.create_task(self._changes.closed())
            try:
                while not answer.done() and loop.time() < give_up:
                    awaited: set[asyncio.Future[Any]] = {answer, closed}
                    await asyncio.wait(
                        awaited, timeout=KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED
                    )
                    if answer.done():
                        return answer.result()
                    if closed.done():
                        raise Stopping
                    await stream.keep_alive()
            finally:
                closed.cancel()
            return None


def _read(method: str, result: dict[str, Any] | None) -> BaseModel:
    if result is not None:
        try:
            return RESULT_OF[method].model_validate(result, by_name=False)
        except ValidationError as error:
            raise BadAnswer(method) from error
    if method == "elicitation/create":
        return mcp_types.ElicitResult(action="cancel")
    raise BadAnswer(method)
