"""What can go wrong with the trail."""

from msil_mcp.errors import Conflict, MsilError, Unavailable


class AuditUnavailable(Unavailable):
    """The record could not be made durable, so whatever depends on it must not happen."""

    slug = "audit_unavailable"
    title = "Audit unavailable"

    def __init__(self) -> None:
        super().__init__(
            "The audit trail cannot be written just now, so nothing may be changed. "
            "Try again in a moment.",
            retry_after=2,
        )


class RowConflict(Conflict):
    """A row that was to be written together with the record breaks a constraint of its table."""

    slug = "row_conflict"
    title = "Conflicting row"

    def __init__(self, reason: str) -> None:
        super().__init__("Something else has already written this. Nothing was done.")
        self.reason = reason


class RecordRejected(MsilError):
    """This one record, or a row with it, can never be stored; others are not affected."""

    slug = "audit_record_rejected"
    title = "Audit record rejected"

    def __init__(self, reason: str) -> None:
        super().__init__("The audit record of this call cannot be stored, so it was refused.")
        self.reason = reason


class AlreadyVerifying(Conflict):
    """One check of the whole trail is enough at a time."""

    slug = "already_verifying"
    title = "Already verifying"

    def __init__(self) -> None:
        super().__init__("The trail is being verified just now. Ask again when that is done.")
