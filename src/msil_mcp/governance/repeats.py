"""Why a call with a known idempotency key is neither answered nor made again."""

from msil_mcp.errors import BadRequest, Conflict, MsilError, Unprocessable


class BadIdempotencyKey(BadRequest):
    """The idempotency key cannot be stored."""

    slug = "bad_idempotency_key"


class KeyReused(Unprocessable):
    """The same idempotency key came with another tool or other arguments."""

    slug = "idempotency_key_reused"


class StillRunning(Conflict):
    """The same keyed call is in flight."""

    slug = "call_in_flight"


class ChangedSince(Conflict):
    """An unfinished call cannot go on, because its tool is another now."""

    slug = "tool_changed_since"

    def __init__(self, name: str) -> None:
        super().__init__(name=name)


class OutcomeUnknown(Conflict):
    """The effect may or may not have happened, and asking again could double it."""

    slug = "outcome_unknown"


class ResultForgotten(MsilError):
    """The keyed call was made and ended; its result was kept for a while and is gone."""

    status = 410
    slug = "result_forgotten"

    def __init__(self, state: str) -> None:
        super().__init__(state=state)
