"""/api/webhooks: subscriptions and their deliveries; a secret is shown once, when it is made."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.requests import Request

from msil_mcp.audit.live import EVENT_TYPES, EventType
from msil_mcp.db.database import database_of
from msil_mcp.identity.administering import administering
from msil_mcp.identity.rotation import RotationBody
from msil_mcp.pagination import Cursor, Limit, Page, decode_cursor, page_of
from msil_mcp.principal import Principal, require
from msil_mcp.webhooks import deliveries, subscriptions
from msil_mcp.webhooks.deliveries import DeliveryFilters
from msil_mcp.webhooks.errors import (
    BadTarget,
    PrivateTarget,
    UnknownDelivery,
    UnknownWebhook,
    WebhookPaused,
)
from msil_mcp.webhooks.models import DeliveryState, WebhookDelivery
from msil_mcp.webhooks.subscriptions import NewWebhook
from msil_mcp.webhooks.targets import host_of
from msil_mcp.webhooks.wiring import Webhooks, webhooks_of

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])
Manager = Annotated[Principal, Depends(require("webhooks:manage"))]
Hooks = Annotated[Webhooks, Depends(webhooks_of)]
Url = Annotated[str, Field(min_length=1, max_length=2000)]
EventTypes = Annotated[list[EventType], Field(min_length=1, max_length=len(EVENT_TYPES))]
MISSING: Final[dict[int | str, dict[str, Any]]] = {404: {"description": UnknownWebhook.title}}
TARGET: Final[dict[int | str, dict[str, Any]]] = {
    403: {"description": PrivateTarget.title},
    422: {"description": BadTarget.title},
}
OPEN: Final[dict[int | str, dict[str, Any]]] = {
    404: {"description": UnknownDelivery.title},
    409: {"description": WebhookPaused.title},
}


class WebhookView(BaseModel):
    """A webhook without its secret; since `failing_since` nothing it sent was accepted."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    url: str
    description: str
    event_types: list[str]
    allow_private: bool
    active: bool
    paused_because: str | None
    failing_since: datetime | None
    previous_until: datetime | None
    created_by: str
    created_at: datetime


class WebhookBody(BaseModel):
    """A webhook to make; only an administrator may set `allow_private`."""

    model_config = ConfigDict(extra="forbid")

    url: Url
    event_types: EventTypes
    description: str = Field("", max_length=500)
    allow_private: bool = False


class WebhookChange(BaseModel):
    """What to change; the rest stays."""

    model_config = ConfigDict(extra="forbid")

    url: Url = ""
    event_types: EventTypes = []
    description: str = Field("", max_length=500)
    allow_private: bool = False
    active: bool = True


class ReplayBody(BaseModel):
    """Which of the dead deliveries to send again: those made at or after a time, else all."""

    model_config = ConfigDict(extra="forbid")

    since: AwareDatetime | None = None


class FreshWebhook(BaseModel):
    """A webhook with the secret just made; it is shown only now."""

    webhook: WebhookView
    secret: str


class DeliveryView(BaseModel):
    """One event on its way to one webhook; `event_id` is the webhook-id its receiver sees."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    webhook_id: str
    event_id: str
    event_type: str
    state: DeliveryState
    attempts: int
    last_status: int | None
    last_error: str | None
    next_at: datetime | None
    created_at: datetime
    delivered_at: datetime | None


class DeliveryDetail(DeliveryView):
    """A delivery with what is sent."""

    payload: Any

    @classmethod
    def of(cls, row: WebhookDelivery) -> "DeliveryDetail":
        """With the payload as the JSON that it is."""
        view = DeliveryView.model_validate(row).model_dump()
        return cls(**view, payload=msgspec.json.decode(row.payload))


class Replayed(BaseModel):
    """How many deliveries are sent again."""

    replayed: int


def _filters(
    state: Annotated[DeliveryState | None, Query(description="Only in this state.")] = None,
    event_type: Annotated[str | None, Query(max_length=64)] = None,
    event_id: Annotated[str | None, Query(max_length=64)] = None,
) -> DeliveryFilters:
    return DeliveryFilters(state=state, event_type=event_type, event_id=event_id)


@router.get("")
async def read_webhooks(
    _: Manager, request: Request, limit: Limit = 50, cursor: Cursor = None
) -> Page[WebhookView]:
    """Webhooks by id, paused ones included."""
    after = decode_cursor(cursor, tuple[str])[0] if cursor else ""
    async with database_of(request).reading() as session:
        found = await subscriptions.list_webhooks(session, after=after, limit=limit)
    rows, following = page_of(found, limit=limit, key=lambda row: (row.id,))
    return Page(items=[WebhookView.model_validate(row) for row in rows], next_cursor=following)


@router.get("/event-types")
async def read_event_types(_: Manager) -> list[str]:
    """What can be subscribed to."""
    return list(EVENT_TYPES)


@router.post("", status_code=201, responses=TARGET)
async def add_webhook(
    body: WebhookBody, by: Manager, request: Request, hooks: Hooks
) -> FreshWebhook:
    """Subscribe to what happens from now on; the answer alone shows the secret."""
    new = NewWebhook(**body.model_dump())
    async with administering(request, by) as change:
        row, secret = await subscriptions.add_webhook(
            change.session, new=new, sealer=hooks.sealer, by=by
        )
        facts = body.model_dump(include={"event_types", "allow_private"})
        change.record("webhook.created", row.id, host=host_of(row.url), **facts)
    await hooks.relay.changed()
    return FreshWebhook(webhook=WebhookView.model_validate(row), secret=secret)


@router.get("/{webhook_id}", responses=MISSING)
async def read_webhook(webhook_id: str, _: Manager, request: Request) -> WebhookView:
    """One webhook."""
    async with database_of(request).reading() as session:
        return WebhookView.model_validate(await subscriptions.get_webhook(session, webhook_id))


@router.patch("/{webhook_id}", responses=MISSING | TARGET)
async def edit_webhook(
    webhook_id: str, body: WebhookChange, by: Manager, request: Request, hooks: Hooks
) -> WebhookView:
    """Change or pause it; what happens while it is paused is not delivered later."""
    wanted = body.model_dump(exclude_unset=True)
    async with administering(request, by) as change:
        row = await subscriptions.change_webhook(
            change.session, webhook_id=webhook_id, wanted=wanted, by=by
        )
        facts = body.model_dump(exclude_unset=True, exclude={"url"})
        change.record("webhook.changed", row.id, host=host_of(row.url), **facts)
    await hooks.relay.changed()
    return WebhookView.model_validate(row)


@router.delete("/{webhook_id}", status_code=204, responses=MISSING)
async def end_webhook(webhook_id: str, by: Manager, request: Request, hooks: Hooks) -> None:
    """End the subscription and forget its deliveries."""
    async with administering(request, by) as change:
        row = await subscriptions.delete_webhook(change.session, webhook_id=webhook_id)
        change.record("webhook.deleted", row.id, host=host_of(row.url))
    await hooks.relay.changed()


@router.post("/{webhook_id}/rotate", responses=MISSING)
async def rotate_secret(
    webhook_id: str, body: RotationBody, by: Manager, request: Request, hooks: Hooks
) -> FreshWebhook:
    """Make a new secret; for the overlap events are signed with both."""
    overlap = timedelta(seconds=body.overlap_seconds)
    async with administering(request, by) as change:
        row, secret = await subscriptions.rotate_secret(
            change.session, webhook_id=webhook_id, overlap=overlap, sealer=hooks.sealer
        )
        change.record("webhook.secret_rotated", row.id, overlap_seconds=body.overlap_seconds)
    return FreshWebhook(webhook=WebhookView.model_validate(row), secret=secret)


@router.post("/{webhook_id}/test", status_code=202, responses=MISSING | OPEN)
async def send_test(webhook_id: str, by: Manager, request: Request, hooks: Hooks) -> DeliveryView:
    """Send an event of the type webhook.test, whatever it subscribed to."""
    async with administering(request, by) as change:
        row = await deliveries.add_test(change.session, webhook_id=webhook_id)
        change.record("webhook.tested", webhook_id, event_id=row.event_id)
    await hooks.relay.changed()
    return DeliveryView.model_validate(row)


@router.get("/{webhook_id}/deliveries", responses=MISSING)
async def read_deliveries(
    webhook_id: str,
    _: Manager,
    request: Request,
    filters: Annotated[DeliveryFilters, Depends(_filters)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[DeliveryView]:
    """Its deliveries, newest first."""
    before = decode_cursor(cursor, tuple[int])[0] if cursor else None
    async with database_of(request).reading() as session:
        found = await deliveries.list_deliveries(
            session, webhook_id=webhook_id, filters=filters, before=before, limit=limit
        )
    rows, following = page_of(found, limit=limit, key=lambda row: (row.id,))
    return Page(items=[DeliveryView.model_validate(row) for row in rows], next_cursor=following)


@router.get("/{webhook_id}/deliveries/{delivery_id}", responses=OPEN)
async def read_delivery(
    webhook_id: str, delivery_id: int, _: Manager, request: Request
) -> DeliveryDetail:
    """One delivery with its payload."""
    async with database_of(request).reading() as session:
        row = await deliveries.get_delivery(session, webhook_id=webhook_id, delivery_id=delivery_id)
    return DeliveryDetail.of(row)


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/replay", status_code=202, responses=MISSING | OPEN
)
async def replay_delivery(
    webhook_id: str, delivery_id: int, by: Manager, request: Request, hooks: Hooks
) -> DeliveryView:
    """Send one again, whatever became of it."""
    async with administering(request, by) as change:
        row = await deliveries.replay_delivery(
            change.session, webhook_id=webhook_id, delivery_id=delivery_id
        )
        change.record("webhook.replayed", webhook_id, event_id=row.event_id)
    await hooks.relay.changed()
    return DeliveryView.model_validate(row)


@router.post("/{webhook_id}/replay", status_code=202, responses=MISSING | OPEN)
async def replay_dead(
    webhook_id: str, body: ReplayBody, by: Manager, request: Request, hooks: Hooks
) -> Replayed:
    """Send all dead deliveries again."""
    async with administering(request, by) as change:
        count = await deliveries.replay_dead(
            change.session, webhook_id=webhook_id, since=body.since
        )
        change.record("webhook.replayed", webhook_id, deliveries=count)
    await hooks.relay.changed()
    return Replayed(replayed=count)
