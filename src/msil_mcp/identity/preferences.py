"""How a person wants to be met: language, theme, time zone. What is not set follows the browser."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from msil_mcp.locales import Language


def _known_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError) as error:
        raise PydanticCustomError("time_zone", "is not the name of a time zone") from error


TimeZone = Annotated[
    str,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$", max_length=64, examples=["Asia/Kolkata"]),
    AfterValidator(_known_zone),
]


class Preferences(BaseModel):
    """What a person has chosen; null follows the browser. `theme` of `auto` follows the system."""

    model_config = ConfigDict(extra="forbid")

    locale: Language | None = None
    theme: Literal["light", "dark", "auto"] | None = None
    time_zone: TimeZone | None = None

    def chosen(self) -> dict[str, Any]:
        """What is set, as it is stored."""
        return self.model_dump(exclude_none=True)

    def onto(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """The stored ones, changed by what was sent: what is absent stays, null goes."""
        sent = self.model_dump(exclude_unset=True)
        return {name: value for name, value in {**stored, **sent}.items() if value is not None}
