"""What the REST routes of tools take and answer with."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from msil_mcp.identity.tables import ExposureKind
from msil_mcp.openapi.definitions import Confirming, Risk
from msil_mcp.openapi.operations import Location
from msil_mcp.openapi.template import Style
from msil_mcp.pagination import Page
from msil_mcp.tools.differences import Impact, Kind
from msil_mcp.tools.listing import ToolState


class View(BaseModel):
    """Read from an object's attributes."""

    model_config = ConfigDict(from_attributes=True)


class Body(BaseModel):
    """Refuses what it does not know."""

    model_config = ConfigDict(extra="forbid")


class ToolLine(View):
    """A tool as a line of a list.

    `tokens` is about what it costs a model that is shown it. Callers who may not change tools see
    those in force alone, and neither their document nor whether they were edited.
    """

    name: str
    title: str
    risk: Risk
    state: ToolState
    bundles: tuple[str, ...]
    spec: str | None
    operation_id: str
    method: str
    path: str
    tokens: int
    version: int
    published_version: int | None
    edited: bool | None
    updated_at: datetime


class ToolPage(Page[ToolLine]):
    """A page of the list; `total` counts all that match."""

    total: int


class ParameterView(View):
    """Where one argument goes outside the body; `name` is its name on the wire."""

    argument: str
    name: str
    location: Location
    style: Style
    explode: bool


class FieldView(View):
    """An argument that is a member of the body."""

    argument: str
    name: str


class BodyView(View):
    """The body: one argument as a whole, or an object of several."""

    media_type: str
    required: bool
    argument: str | None
    fields: tuple[FieldView, ...]


class RouteView(BaseModel):
    """Where a call goes, and how its arguments become the request."""

    method: str
    base_url: str
    path: str
    allow_private: bool
    parameters: tuple[ParameterView, ...]
    body: BodyView | None


class PersonalField(View):
    """A place that holds personal data: masked in records and logs. `*` stands for any item."""

    where: Literal["input", "output"]
    path: str
    kind: str


class EditsView(View):
    """What a person changed; null is as the document says, which `imported` holds."""

    title: str | None
    description: str | None
    risk: Risk | None
    confirmation: Confirming | None
    edited_by: str
    edited_at: datetime
    imported: "ImportedTexts"


class ImportedTexts(BaseModel):
    """What the document says of what can be edited."""

    title: str
    description: str
    risk: Risk


class ToolDetail(ToolLine):
    """A tool's whole story; `model_view` is exactly what MCP clients and their models see."""

    description: str
    hash: str
    enabled: bool
    removed_at: datetime | None
    needs_confirmation: bool
    deprecated: bool
    idempotent_upstream: bool
    tags: tuple[str, ...]
    audit_subjects: tuple[str, ...]
    personal: tuple[PersonalField, ...]
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None
    model_view: dict[str, Any]
    route: RouteView
    edits: EditsView | None


class ToolPatch(Body):
    """What to change; what is absent stays, and null goes back to what the document says."""

    enabled: bool | None = None
    title: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    description: Annotated[str, Field(min_length=1, max_length=8_000)] | None = None
    risk: Risk | None = None
    confirmation: Confirming | None = None
    publish: bool = Field(default=False, description="Put the edited version in force at once.")


class DifferenceView(View):
    """One place in which versions differ: a JSON pointer into the definition."""

    pointer: str
    kind: Kind
    impact: Impact
    before: Any
    after: Any


class ToolChanged(BaseModel):
    """What a change did, or with `dry_run` would do."""

    changed: bool
    dry_run: bool
    tool: ToolDetail
    differences: list[DifferenceView]


class VersionLine(View):
    """An immutable version of a tool."""

    number: int
    hash: str
    title: str
    risk: Risk
    tokens: int
    base_url: str
    document: int
    created_at: datetime
    created_by: str
    published: bool
    latest: bool


class VersionDifferences(BaseModel):
    """What changed from one version to another."""

    since: int | None
    version: int
    differences: list[DifferenceView]


class PublishBody(Body):
    """The version to put in force; null takes the tool out of force."""

    version: int | None = Field(ge=1)


class Grant(View):
    """An exposure by which a role sees a tool."""

    exposure_id: int
    role: str
    kind: ExposureKind
    target: str


class RoleSight(BaseModel):
    """Whether a role sees a tool, and by which exposures."""

    role: str
    visible: bool
    grants: list[Grant]


class ToolVisibility(BaseModel):
    """Who sees a tool; nobody does while it is not in force."""

    tool: str
    in_force: bool
    roles: list[RoleSight]


Sight = Literal["granted", "not_in_force", "inactive", "no_grant", "outside_scopes"]


class PrincipalVisibility(BaseModel):
    """Whether one user or key sees a tool, and why."""

    tool: str
    principal_id: str
    name: str
    roles: list[str]
    scopes: list[str] | None
    visible: bool
    reason: Sight
    grants: list[Grant]


class BundleOut(View):
    """A bundle with its counts; `tokens` is about what a model pays that is shown all of it."""

    name: str
    title: str
    description: str
    tools: int
    published: int
    tokens: int


class Changed(BaseModel):
    """How many tools a change touched."""

    changed: int
