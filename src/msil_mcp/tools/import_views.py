"""What the REST routes of documents and imports take and answer with."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from msil_mcp.openapi.definitions import Risk
from msil_mcp.tools.differences import Impact
from msil_mcp.tools.drafts import DraftState, Stage
from msil_mcp.tools.plan import Change
from msil_mcp.tools.previews import PlannedChange
from msil_mcp.tools.views import Body, DifferenceView, View

BundleName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
SpecName = Annotated[str, Field(min_length=1, max_length=100)]
Address = Annotated[str, Field(max_length=2_000)]


class VerdictView(View):
    """What became of an operation; a degraded one has one for each note."""

    outcome: Literal["imported", "degraded", "rejected"]
    operation: str
    pointer: str
    reason: str
    tool: str


class ToolChangeView(View):
    """What an import did to one tool; an excluded one was left out by a person."""

    name: str
    operation_id: str
    change: Change
    bundle: str
    risk: Risk | None
    version: int


class ImportOut(View):
    """What an import did, or with `dry_run` would do."""

    spec: str
    bundles: tuple[str, ...]
    document: int
    title: str
    api_version: str
    base_url: str
    published: bool
    dry_run: bool
    changed: bool
    tools: list[ToolChangeView]
    verdicts: list[VerdictView]


class NoteView(View):
    """Something the document says that the tool does not carry over, and what was done."""

    pointer: str
    reason: str


class OperationView(View):
    """What the import would do to one tool; `operation_id` is what selections name.

    `tokens` is about the size of what a model sees, `tokens_before` that of the latest version.
    `impact` is the gravest of the differences, of which at most 25 are listed.
    """

    operation_id: str
    operation: str
    tool: str
    title: str
    risk: Risk | None
    bundle: str
    change: PlannedChange
    selected: bool
    edited: bool
    deprecated: bool
    tokens: int
    tokens_before: int | None
    impact: Impact | None
    differences: list[DifferenceView]
    notes: list[NoteView]


class RejectionView(View):
    """An operation of which no tool can come, and why; `pointer` is its place in the document."""

    operation: str
    pointer: str
    reason: str


class CountsView(View):
    """How many operations of each kind; `degraded` are those with notes."""

    added: int
    changed: int
    unchanged: int
    removed: int
    restored: int
    rejected: int
    degraded: int


class PlanView(View):
    """Everything an import would do; `tokens` is the sum of what is selected."""

    spec: str
    document: int
    same_document: bool
    title: str
    api_version: str
    openapi_version: str
    base_url: str
    sha256: str
    size: int
    bundles: list[str]
    tokens: int
    counts: CountsView
    operations: list[OperationView]
    rejected: list[RejectionView]


class DraftOptions(View):
    """How a draft is to be imported."""

    bundle: str
    spec: str | None
    by_tag: bool
    base_url: str | None
    allow_private: bool


class DraftProgress(View):
    """How far reading is; `total` is 0 until the number of operations is known."""

    stage: Stage
    done: int
    total: int


class DraftProblem(View):
    """Why a draft cannot be imported; `code` is the slug of the error."""

    code: str
    title: str
    detail: str


class DraftView(View):
    """A document that may be imported, and once it was read, what that would do."""

    id: str
    state: DraftState
    source: str
    options: DraftOptions
    progress: DraftProgress
    error: DraftProblem | None
    plan: PlanView | None
    created_by: str
    created_at: datetime
    expires_at: datetime


class DraftPatch(Body):
    """Options to change; what is absent stays. The document is then read again."""

    bundle: BundleName | None = None
    spec: SpecName | None = None
    by_tag: bool | None = None
    base_url: Address | None = None
    allow_private: bool | None = None


class DraftImport(Body):
    """Which changes to import; null takes those the plan shows as selected."""

    select: list[str] | None = Field(default=None, max_length=20_000)
    publish: bool = Field(default=False, description="Put the tools in force at once.")


class SpecLine(View):
    """A series of documents that describe one API as it changes; the facts are the newest's."""

    name: str
    title: str
    api_version: str
    openapi_version: str
    source: str
    document: int
    imported_at: datetime
    imported_by: str
    tools: int
    published: int
    removed: int
    bundles: list[str]


class DocumentLine(View):
    """One imported document."""

    number: int
    title: str
    api_version: str
    openapi_version: str
    source: str
    sha256: str
    size: int
    imported_at: datetime
    imported_by: str


class DocumentTool(View):
    """A version of a tool that an import of the document made."""

    name: str
    version: int


class DocumentDetail(DocumentLine):
    """A document with what the import said of it, and the versions it made."""

    excluded: list[str]
    verdicts: list[VerdictView]
    versions: list[DocumentTool]
