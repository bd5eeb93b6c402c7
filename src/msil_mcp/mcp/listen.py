"""`subscriptions/listen` (2026-07-28): a POST whose answer is a stream of change notices."""

from typing import Any, Final

import mcp_types
import msgspec

from msil_mcp.mcp import service
from msil_mcp.mcp.admission import NotAcceptable
from msil_mcp.mcp.changes import Changes
from msil_mcp.mcp.exchange import Caller
from msil_mcp.mcp.incoming import Incoming
from msil_mcp.mcp.methods import Methods, read_params
from msil_mcp.mcp.providers import Fingerprints
from msil_mcp.mcp.sse import EventStream
from msil_mcp.mcp.wire import Request, RequestId, encode_notification, encode_result

LISTEN: Final = "subscriptions/listen"
SUBSCRIPTION_META: Final = "io.modelcontextprotocol/subscriptionId"
MAX_URIS: Final = 100


class ListenStreams:
    """Serves listen requests; sends only the kinds that were asked for."""

    def __init__(self, methods: Methods, changes: Changes) -> None:
        self._methods = methods
        self._changes = changes

    async def serve(self, incoming: Incoming, request: Request) -> None:
        """Acknowledge, then report until the client closes the stream or the process drains."""
        if not incoming.accepted.events:
            raise NotAcceptable("text/event-stream")
        wanted = read_params(mcp_types.SubscriptionsListenRequestParams, request.params)
        honoured = _honoured(wanted.notifications)
        subscription = _Subscription(self._methods, incoming.caller, request.id, honoured)
        stream = EventStream(incoming.send)

        async def begin() -> None:
            await stream.send_message(subscription.acknowledgement())

        async def look(caller: Caller) -> None:
            for notice in subscription.notices(caller):
                await stream.send_message(notice)

        if await self._changes.follow(incoming, stream, begin=begin, look=look):
            await stream.finish(subscription.farewell(request.id))


class _Subscription:
    """What one stream was last told."""

    def __init__(
        self,
        methods: Methods,
        caller: Caller,
        request_id: RequestId,
        honoured: mcp_types.SubscriptionFilter,
    ) -> None:
        self._methods = methods
        self._honoured = honoured
        self._meta = {SUBSCRIPTION_META: request_id}
        self._seen = methods.fingerprints(caller)
        self._versions = {
            uri: methods.resource_version(caller, uri)
            for uri in honoured.resource_subscriptions or ()
        }

    def acknowledgement(self) -> bytes:
        """The first event: which kinds will be reported."""
        honoured = self._honoured.model_dump(by_alias=True, exclude_none=True)
        return self._notice("notifications/subscriptions/acknowledged", {"notifications": honoured})

    def notices(self, caller: Caller) -> list[bytes]:
        """What changed for the caller since the last look."""
        seen, before = self._methods.fingerprints(caller), self._seen
        self._seen = seen
        notices = [self._notice(method, {}) for method in self._changed(before, seen)]
        for uri, version in self._versions.items():
            current = self._methods.resource_version(caller, uri)
            if current != version:
                self._versions[uri] = current
                notices.append(self._notice("notifications/resources/updated", {"uri": uri}))
        return notices

    def farewell(self, request_id: RequestId) -> bytes:
        """The response that ends the stream on purpose."""
        meta = {**service.SERVER_INFO_META, **self._meta}
        body = msgspec.json.encode({"resultType": "complete", "_meta": meta})
        return b"".join(encode_result(request_id, body))

    def _changed(self, before: Fingerprints, seen: Fingerprints) -> list[str]:
        wanted = self._honoured
        kinds = (
            ("tools", wanted.tools_list_changed, before.tools != seen.tools),
            ("prompts", wanted.prompts_list_changed, before.prompts != seen.prompts),
            ("resources", wanted.resources_list_changed, before.resources != seen.resources),
        )
        return [
            f"notifications/{kind}/list_changed"
            for kind, is_wanted, is_changed in kinds
            if is_wanted and is_changed
        ]

    def _notice(self, method: str, params: dict[str, Any]) -> bytes:
        return encode_notification(method, {**params, "_meta": self._meta})


def _honoured(wanted: mcp_types.SubscriptionFilter) -> mcp_types.SubscriptionFilter:
    uris = (wanted.resource_subscriptions or [])[:MAX_URIS]
    return mcp_types.SubscriptionFilter(
        tools_list_changed=wanted.tools_list_changed or None,
        prompts_list_changed=wanted.prompts_list_changed or None,
        resources_list_changed=wanted.resources_list_changed or None,
        resource_subscriptions=uris or None,
    )
