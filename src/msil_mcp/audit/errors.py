"""What can go wrong with the trail."""

from msil_mcp.errors import Conflict, MsilError, Unavailable


class AuditUnavailable(Unavailable):
    """The record could not be made durable, so whatever depends on it must not happen."""

    slug = "audit_unavailable"

    def __init__(self) -> None:
        super().__init__(retry_after=2)


class RowConflict(Conflict):
    """A row that was to be written together with the record breaks a constraint of its table."""

    slug = "row_conflict"

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class RecordRejected(MsilError):
    """This one record, or a row with it, can never be stored; others are not affected."""

    slug = "audit_record_rejected"

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class AlreadyVerifying(Conflict):
    """One check of the whole trail is enough at a time."""

    slug = "already_verifying"
