"""Why a call with a known idempotency key is neither answered nor made again."""

from msil_mcp.errors import BadRequest, Conflict, MsilError, Unprocessable


class BadIdempotencyKey(BadRequest):
    """The idempotency key cannot be stored."""

    slug = "bad_idempotency_key"
    title = "Bad idempotency key"

    def __init__(self) -> None:
        super().__init__("The idempotency key holds a NUL character. Use printable ones.")


class KeyReused(Unprocessable):
    """The same idempotency key came with another tool or other arguments."""

    slug = "idempotency_key_reused"
    title = "Idempotency key reused"

    def __init__(self) -> None:
        super().__init__(
            "This idempotency key was used for a call with another tool or other arguments. "
            "Repeat the first call unchanged, or use a new key for a new call."
        )


class StillRunning(Conflict):
    """The same keyed call is in flight."""

    slug = "call_in_flight"
    title = "Call in flight"

    def __init__(self) -> None:
        super().__init__(
            "A call with this idempotency key is still running. Repeat it in a few seconds to "
            "get its result; it will not be done twice."
        )


class ChangedSince(Conflict):
    """An unfinished call cannot go on, because its tool is another now."""

    slug = "tool_changed_since"
    title = "Tool changed since"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The tool {name!r} has changed since this call was first made, so it is not sent "
            "again. Read the present state, then make a new call with a new key."
        )


class OutcomeUnknown(Conflict):
    """The effect may or may not have happened, and asking again could double it."""

    slug = "outcome_unknown"
    title = "Outcome unknown"

    def __init__(self) -> None:
        super().__init__(
            "An earlier attempt was sent and its outcome is not known. It is not sent again, "
            "because it could happen twice. Check with a status tool whether it took effect."
        )


class ResultForgotten(MsilError):
    """The keyed call was made and ended; its result was kept for a while and is gone."""

    status = 410
    slug = "result_forgotten"
    title = "Result forgotten"

    def __init__(self, state: str) -> None:
        super().__init__(
            f"A call with this idempotency key was made and has {state}; its result is no longer "
            "kept, and it is not made again. Read what it changed with another tool, or use a new "
            "key for a new call."
        )
