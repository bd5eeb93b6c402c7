"""What a route is told that makes the successor of a key or of a secret."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

LONGEST_OVERLAP: Final = 30 * 86_400


class RotationBody(BaseModel):
    """How long the old one counts beside the new one, in seconds; 0 ends it at once."""

    model_config = ConfigDict(extra="forbid")

    overlap_seconds: int = Field(86_400, ge=0, le=LONGEST_OVERLAP)
