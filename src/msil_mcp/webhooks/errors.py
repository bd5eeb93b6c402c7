"""What can be wrong with a webhook."""

from msil_mcp.errors import Conflict, Forbidden, NotFound, Unprocessable
from msil_mcp.locales import Message


class UnknownWebhook(NotFound):
    """No webhook has the id."""

    slug = "unknown_webhook"

    def __init__(self, webhook_id: str) -> None:
        super().__init__(webhook_id=webhook_id)


class UnknownDelivery(NotFound):
    """The webhook has no such delivery."""

    slug = "unknown_delivery"

    def __init__(self, delivery_id: int) -> None:
        super().__init__(delivery_id=delivery_id)


class BadTarget(Unprocessable):
    """The URL is not one that events may be posted to."""

    slug = "bad_webhook_url"

    def __init__(self, reason: Message) -> None:
        super().__init__(reason=reason)


class PrivateTarget(Forbidden):
    """Only an administrator opens the way into private networks."""

    slug = "private_webhook_target"


class WebhookPaused(Conflict):
    """Nothing is delivered by a webhook that is not active."""

    slug = "webhook_paused"
