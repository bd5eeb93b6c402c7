"""GET /api/connect: where clients find this server, what they show, and how each is set up.

`app.state`: `settings` and `snapshots`.
"""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request

from msil_mcp.mcp.clients import (
    CHECKED,
    CLIENTS,
    Basis,
    ClientId,
    Era,
    McpClient,
    SnippetLanguage,
    Support,
)
from msil_mcp.mcp.metadata import ENDPOINT_PATH, METADATA_PATH
from msil_mcp.mcp.versions import LEGACY, MODERN
from msil_mcp.principal import Principal, require
from msil_mcp.problems import problems
from msil_mcp.settings import Settings
from msil_mcp.tools.snapshot import CatalogueView, SnapshotStore, UnknownBundle

router = APIRouter(prefix="/api/connect", tags=["connect"])
Caller = Annotated[Principal, Depends(require("tools:read"))]
PLACEHOLDER: Final = "YOUR_KEY"
SERVER_NAME: Final = "msil"


class _View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Endpoint(BaseModel):
    """An MCP address as it is seen from outside; without a bundle it has all the caller's tools."""

    bundle: str | None
    title: str
    description: str
    url: str
    tools: int


class Authentication(BaseModel):
    """A way to prove who is calling; `header` is what carries it, `issuer` who gives tokens."""

    kind: Literal["api_key", "access_token"]
    header: str
    issuer: str | None
    metadata_url: str | None


class SupportsView(_View):
    """What a client does with what this server offers.

    Without elicitation a write is agreed to on a page of this server, and then repeated. `key` is
    an API key in a header; `oauth` is signing in at the identity provider by URL alone.
    """

    tools: Support
    resources: Support
    prompts: Support
    elicitation: Support
    progress: Support
    list_changes: Support
    key: Support
    oauth: Support


class SnippetView(BaseModel):
    """What to type, or to write into a file; YOUR_KEY stands for an API key."""

    title: str
    language: SnippetLanguage
    file: str | None
    text: str


class ClientView(BaseModel):
    """One client; `tested` ones talk to this server in its own test suite."""

    id: ClientId
    title: str
    kind: Literal["application", "code"]
    era: Era
    transport: Literal["http", "stdio"]
    supports: SupportsView
    basis: Basis
    note: str
    snippets: list[SnippetView]


class ConnectView(BaseModel):
    """Everything one needs to connect; the snippets are for `url`."""

    url: str
    placeholder: str
    endpoints: list[Endpoint]
    authentication: list[Authentication]
    session_versions: list[str]
    stateless_versions: list[str]
    checked: str
    clients: list[ClientView]


@router.get("", responses=problems(UnknownBundle))
async def read_connect(
    principal: Caller,
    request: Request,
    bundle: Annotated[
        str | None, Query(max_length=64, description="Snippets for this bundle's address.")
    ] = None,
) -> ConnectView:
    """The addresses of the caller's tools, and how to tell a client of them."""
    settings: Settings = request.app.state.settings
    snapshots: SnapshotStore = request.app.state.snapshots
    snapshot = snapshots.current()
    whole = snapshot.view(principal)
    if bundle is not None and bundle not in {one.name for one in whole.bundles}:
        raise UnknownBundle(bundle)
    url = _url(settings, bundle)
    return ConnectView(
        url=url,
        placeholder=PLACEHOLDER,
        endpoints=[
            _endpoint(settings, None, whole),
            *(
                _endpoint(settings, one.name, snapshot.view(principal, one.name))
                for one in whole.bundles
            ),
        ],
        authentication=_authentication(settings),
        session_versions=list(LEGACY),
        stateless_versions=list(MODERN),
        checked=CHECKED,
        clients=[_client(client, url, name=bundle or SERVER_NAME) for client in CLIENTS],
    )


def _url(settings: Settings, bundle: str | None) -> str:
    return settings.base_url + ENDPOINT_PATH + (f"/{bundle}" if bundle else "")


def _endpoint(settings: Settings, bundle: str | None, view: CatalogueView) -> Endpoint:
    info = view.bundles[0] if bundle and view.bundles else None
    return Endpoint(
        bundle=bundle,
        title=info.title if info else "Every tool you may use",
        description=info.description if info else "",
        url=_url(settings, bundle),
        tools=len(view.tools),
    )


def _authentication(settings: Settings) -> list[Authentication]:
    found = [Authentication(kind="api_key", header="Authorization", issuer=None, metadata_url=None)]
    if settings.oidc_issuer:
        metadata = settings.base_url + METADATA_PATH + ENDPOINT_PATH
        found.append(
            Authentication(
                kind="access_token",
                header="Authorization",
                issuer=settings.oidc_issuer,
                metadata_url=metadata,
            )
        )
    return found


def _client(client: McpClient, url: str, *, name: str) -> ClientView:
    return ClientView(
        id=client.id,
        title=client.title,
        kind=client.kind,
        era=client.era,
        transport=client.transport,
        supports=SupportsView.model_validate(client.supports),
        basis=client.basis,
        note=client.note,
        snippets=[
            SnippetView(
                title=snippet.title,
                language=snippet.language,
                file=snippet.file,
                text=snippet.filled(url=url, key=PLACEHOLDER, name=name),
            )
            for snippet in client.snippets
        ],
    )
