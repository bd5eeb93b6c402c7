"""Settings of the booking service, from BOOKING_* variables or .env."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class BookingSettings(BaseSettings):
    """Everything a deployment may set; each field's description is its documentation."""

    model_config = SettingsConfigDict(
        env_prefix="BOOKING_", env_file=".env", extra="ignore", frozen=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8001, ge=0, le=65535, description="TCP port.")
    public_url: str = Field(
        "",
        description="Base URL that clients use, for the servers entry of the OpenAPI document. "
        "Empty: http:// with host and port.",
    )
    data_dir: Path = Field(Path(".data"), description="Where the SQLite file is kept.")
    database_url: str = Field(
        "",
        description="SQLAlchemy URL, sqlite:///file or postgresql://…. Empty: booking.db in the "
        "data directory.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe level logged."
    )

    @property
    def base_url(self) -> str:
        """Where clients reach the service, without a trailing slash."""
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"

    @property
    def effective_database_url(self) -> str:
        """The database to open when none was named."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'booking.db').as_posix()}"
