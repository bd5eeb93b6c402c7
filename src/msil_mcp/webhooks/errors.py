"""What can be wrong with a webhook."""

from msil_mcp.errors import Conflict, Forbidden, NotFound, Unprocessable


class UnknownWebhook(NotFound):
    """No webhook has the id."""

    slug = "unknown_webhook"
    title = "Unknown webhook"

    def __init__(self, webhook_id: str) -> None:
        super().__init__(f"There is no webhook {webhook_id}.")


class UnknownDelivery(NotFound):
    """The webhook has no such delivery."""

    slug = "unknown_delivery"
    title = "Unknown delivery"

    def __init__(self, delivery_id: int) -> None:
        super().__init__(f"This webhook has no delivery {delivery_id}; old ones are forgotten.")


class BadTarget(Unprocessable):
    """The URL is not one that events may be posted to."""

    slug = "bad_webhook_url"
    title = "Bad webhook URL"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Events cannot be posted to this URL: {reason}.")


class PrivateTarget(Forbidden):
    """Only an administrator opens the way into private networks."""

    slug = "private_webhook_target"
    title = "Private webhook target"

    def __init__(self) -> None:
        super().__init__(
            "Only an administrator may allow a webhook to reach private networks, or change the "
            "URL of one that does."
        )


class WebhookPaused(Conflict):
    """Nothing is delivered by a webhook that is not active."""

    slug = "webhook_paused"
    title = "Webhook paused"

    def __init__(self) -> None:
        super().__init__('The webhook is not active. Set "active" to true first.')
