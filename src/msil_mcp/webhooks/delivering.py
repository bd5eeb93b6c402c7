"""Sends what is due, one webhook at a time in one job, so that a slow receiver delays no other.

A delivery may be sent twice when its process dies between the answer and the note of it; the
receiver knows it by its webhook-id.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.database import Database, utc_now
from msil_mcp.egress import Answer, Egress, EgressError, EgressRefused
from msil_mcp.observability.metrics import DeliveryOutcome
from msil_mcp.sealing import BadSeal, Sealer
from msil_mcp.webhooks.errors import UnknownWebhook
from msil_mcp.webhooks.models import DeliveryState, Webhook, WebhookDelivery
from msil_mcp.webhooks.signing import signed_headers
from msil_mcp.webhooks.subscriptions import hold_webhook, secrets_in_force

log = structlog.get_logger()

ATTEMPTS: Final = 10
BACKOFF_SECONDS: Final = (5.0, 3600.0)
GROWTH: Final = 3.0
AT_ONCE: Final = 8
TIMEOUT_SECONDS: Final = 10.0
ANSWER_BYTES: Final = 256 << 10
JOB_SECONDS: Final = 240.0
GONE: Final = 410


OnAttempt = Callable[[DeliveryOutcome], None]


class Outcome(NamedTuple):
    """What came of one attempt; `retry_after` is what the receiver asked for, in seconds."""

    delivered: bool
    status: int | None = None
    error: str | None = None
    hopeless: bool = False
    retry_after: float = 0.0


class Delivering:
    """The handler of the job `webhook.deliver`."""

    def __init__(
        self,
        *,
        database: Database,
        egress: Egress,
        sealer: Sealer,
        on_attempt: OnAttempt | None = None,
        attempts: int = ATTEMPTS,
        backoff_seconds: tuple[float, float] = BACKOFF_SECONDS,
    ) -> None:
        self._database = database
        self._egress = egress
        self._sealer = sealer
        self._on_attempt = on_attempt
        self._attempts = attempts
        self._backoff_seconds = backoff_seconds

    async def deliver(self, payload: Mapping[str, Any]) -> None:
        """Send until nothing is due, or a whole round got nowhere."""
        webhook_id: str = payload["webhook_id"]
        until = time.monotonic() + JOB_SECONDS
        while time.monotonic() < until:
            async with self._database.reading() as session:
                webhook = await session.get(Webhook, webhook_id)
                due = await _due(session, webhook_id)
            if webhook is None or not webhook.active or not due:
                return
            outcomes = await asyncio.gather(*(self._attempt(webhook, one) for one in due))
            try:
                async with self._database.unit_of_work() as session:
                    webhook = await hold_webhook(session, webhook_id)
                    await self._note(session, webhook, due, outcomes)
            except UnknownWebhook:
                return
            if not any(outcome.delivered for outcome in outcomes):
                return

    async def _attempt(self, webhook: Webhook, delivery: WebhookDelivery) -> Outcome:
        body = delivery.payload.encode()
        try:
            headers = signed_headers(
                body,
                message_id=delivery.event_id,
                timestamp=int(time.time()),
                secrets_in_force=secrets_in_force(webhook, sealer=self._sealer),
            )
            answer = await self._egress.request(
                method="POST",
                url=webhook.url,
                headers=headers | {"content-type": "application/json"},
                body=body,
                timeout_seconds=TIMEOUT_SECONDS,
                max_bytes=ANSWER_BYTES,
                purpose="webhook",
                allow_private=webhook.allow_private,
            )
        except EgressRefused as error:
            return Outcome(delivered=False, error=f"refused: {error.reason}", hopeless=True)
        except EgressError as error:
            return Outcome(delivered=False, error=f"{error.slug}: {error.title}")
        except BadSeal:
            error_text = "its secret was sealed with a key that is gone; rotate it"
            return Outcome(delivered=False, error=error_text, hopeless=True)
        return _judged(answer)

    async def _note(
        self,
        session: AsyncSession,
        webhook: Webhook,
        due: Sequence[WebhookDelivery],
        outcomes: Sequence[Outcome],
    ) -> None:
        now = utc_now()
        for delivery, outcome in zip(due, outcomes, strict=True):
            values = self._values(delivery, outcome, now)
            # Replayed, or noted by another process meanwhile: then this attempt does not count.
            await session.execute(
                update(WebhookDelivery)
                .where(
                    WebhookDelivery.id == delivery.id,
                    WebhookDelivery.attempts == delivery.attempts,
                    WebhookDelivery.state == delivery.state,
                )
                .values(values)
            )
            _tell(delivery, outcome, state=values["state"])
            if self._on_attempt is not None:
                self._on_attempt(values["state"])
        if any(outcome.delivered for outcome in outcomes):
            webhook.failing_since = None
        elif webhook.failing_since is None:
            webhook.failing_since = now
        if any(outcome.status == GONE for outcome in outcomes):
            webhook.active, webhook.paused_because = False, "The receiver answered 410 Gone."
            log.warning("webhook_gone", webhook=webhook.id)

    def _values(self, delivery: WebhookDelivery, outcome: Outcome, now: datetime) -> dict[str, Any]:
        attempts = delivery.attempts + 1
        state: DeliveryOutcome = "delivered" if outcome.delivered else "failed"
        next_at = None
        if not outcome.delivered:
            if outcome.hopeless or attempts >= self._attempts:
                state = "dead"
            else:
                next_at = now + timedelta(seconds=self._pause(attempts, outcome.retry_after))
        return {
            "state": state,
            "attempts": attempts,
            "last_status": outcome.status,
            "last_error": outcome.error,
            "next_at": next_at,
            "delivered_at": now if outcome.delivered else None,
        }

    def _pause(self, attempts: int, retry_after: float) -> float:
        first, longest = self._backoff_seconds
        grown = first * GROWTH ** min(attempts - 1, 20) * random.uniform(0.9, 1.1)  # noqa: S311
        return min(longest, max(grown, retry_after))


async def _due(session: AsyncSession, webhook_id: str) -> Sequence[WebhookDelivery]:
    row = WebhookDelivery
    query = (
        select(row)
        .where(
            row.webhook_id == webhook_id,
            row.state.in_(("pending", "failed")),
            row.next_at <= utc_now(),
        )
        .order_by(row.id)
        .limit(AT_ONCE)
    )
    return (await session.scalars(query)).all()


def _judged(answer: Answer) -> Outcome:
    status = answer.status
    if 200 <= status < 300:
        return Outcome(delivered=True, status=status)
    error = f"answered {status}"
    if 300 <= status < 400:
        error += "; redirects are not followed, use the final address"
    wish = answer.headers.get("Retry-After", "")
    return Outcome(
        delivered=False,
        status=status,
        error=error,
        hopeless=status == GONE,
        retry_after=float(wish) if wish.isdecimal() and len(wish) < 9 else 0.0,
    )


def _tell(delivery: WebhookDelivery, outcome: Outcome, *, state: DeliveryState) -> None:
    facts = {
        "webhook": delivery.webhook_id,
        "event_id": delivery.event_id,
        "type": delivery.event_type,
        "attempts": delivery.attempts + 1,
    }
    if outcome.delivered:
        log.info("webhook_delivered", **facts, status=outcome.status)
    elif state == "dead":
        log.error("webhook_given_up", **facts, error=outcome.error)
    else:
        log.warning("webhook_not_delivered", **facts, error=outcome.error)
