"""Tables of the catalogue: documents by series, bundles, tools and their immutable versions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column

from msil_mcp.db.database import Base, UtcDateTime, utc_now
from msil_mcp.openapi.definitions import Confirming, Risk


class Spec(Base):
    """A series of documents describing one API as it changes; tools belong to it."""

    __tablename__ = "specs"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Document(Base):
    """One imported OpenAPI document, byte for byte, with what the import said of it.

    `excluded` are the operations that a person left out.
    """

    __tablename__ = "documents"
    __table_args__ = (UniqueConstraint("spec_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    spec_id: Mapped[int] = mapped_column(ForeignKey("specs.id"))
    number: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    api_version: Mapped[str] = mapped_column(String(100))
    openapi_version: Mapped[str] = mapped_column(String(20))
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    report: Mapped[list[Mapping[str, Any]]] = mapped_column(JSON)
    prompts: Mapped[list[Mapping[str, Any]]] = mapped_column(JSON)
    excluded: Mapped[list[str]] = mapped_column(JSON, default=list)
    imported_by: Mapped[str] = mapped_column(String(200))
    imported_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Bundle(Base):
    """A set of tools offered together at /mcp/{name}, usually one business journey.

    Without `prompts` of its own it has those of its documents.
    """

    __tablename__ = "bundles"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, default="")
    prompts: Mapped[list[Mapping[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class BundleTool(Base):
    """Membership: a tool may be in several bundles.

    One that a person took out stays as `excluded`, so that no import brings it back.
    """

    __tablename__ = "bundle_tools"
    __table_args__ = (Index(None, "tool_id"),)

    bundle_id: Mapped[int] = mapped_column(ForeignKey("bundles.id"), primary_key=True)
    tool_id: Mapped[int] = mapped_column(ForeignKey("tools.id"), primary_key=True)
    excluded: Mapped[bool] = mapped_column(default=False, server_default=false())


class BundleSpec(Base):
    """Which document series a bundle was filled from, for its prompts and resources."""

    __tablename__ = "bundle_specs"

    bundle_id: Mapped[int] = mapped_column(ForeignKey("bundles.id"), primary_key=True)
    spec_id: Mapped[int] = mapped_column(ForeignKey("specs.id"), primary_key=True)


class Tool(Base):
    """A callable operation under a stable name; what it is lives in its versions."""

    __tablename__ = "tools"
    __table_args__ = (UniqueConstraint("spec_id", "operation_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    spec_id: Mapped[int] = mapped_column(ForeignKey("specs.id"))
    operation_id: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(64), unique=True)
    enabled: Mapped[bool] = mapped_column(default=True)
    latest_version_id: Mapped[int | None]
    published_version_id: Mapped[int | None]
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class ToolVersionRow(Base):
    """An immutable version: the definition as JSON, where it is sent, and their hash.

    What lists show, sort and search by is kept beside the definition; `tokens` is about what the
    tool costs a model that is shown it.
    """

    __tablename__ = "tool_versions"
    __table_args__ = (UniqueConstraint("tool_id", "number"), Index(None, "tool_id", "hash"))

    id: Mapped[int] = mapped_column(primary_key=True)
    tool_id: Mapped[int] = mapped_column(ForeignKey("tools.id"))
    number: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))
    definition: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    risk: Mapped[Risk] = mapped_column(String(12))
    method: Mapped[str] = mapped_column(String(10))
    path: Mapped[str] = mapped_column(Text)
    tokens: Mapped[int]
    searched: Mapped[str] = mapped_column(Text)
    base_url: Mapped[str] = mapped_column(Text)
    allow_private: Mapped[bool]
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id"))
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class ToolEdit(Base):
    """What a person changed of a tool; None leaves what the document says.

    `imported` is the definition as the document has it, to return to.
    """

    __tablename__ = "tool_edits"

    tool_id: Mapped[int] = mapped_column(
        ForeignKey("tools.id"), primary_key=True, autoincrement=False
    )
    title: Mapped[str | None] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    risk: Mapped[Risk | None] = mapped_column(String(12))
    confirmation: Mapped[Confirming | None] = mapped_column(String(12))
    imported: Mapped[str] = mapped_column(Text)
    edited_by: Mapped[str] = mapped_column(String(500))
    edited_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
