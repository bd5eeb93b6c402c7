"""What `demo` sets up: the booking tools in force, a key and an administrator, what to try."""

import os
from pathlib import Path

import msgspec
import uvicorn
from sqlalchemy import select

from booking_api.app import create_app, openapi_document
from booking_api.settings import BookingSettings
from msil_mcp.cli.catalogue import import_at
from msil_mcp.cli.database import Desk, desk
from msil_mcp.identity.keys import PURPOSE, NewKey, issue_key
from msil_mcp.identity.one_click import OneClick
from msil_mcp.identity.passwords import Passwords
from msil_mcp.identity.roles import ensure_roles, expose
from msil_mcp.identity.tables import ApiKey
from msil_mcp.identity.users import FIRST_USERNAME, ensure_administrator
from msil_mcp.pages.apps import WebApp
from msil_mcp.sealing import Keyring
from msil_mcp.settings import Settings
from msil_mcp.tools.plan import ImportReport, ImportRequest

BUNDLE = "service_booking"
KEY_NAME = "demo"
KEY_FILE = "demo.key"
DEMO_ROLE = "user"


def booking_server(port: int, *, data_dir: Path) -> uvicorn.Server:
    """The booking service on loopback, with its database in the demo's directory."""
    settings = BookingSettings(host="127.0.0.1", port=port, data_dir=data_dir)
    config = uvicorn.Config(
        create_app(settings), host="127.0.0.1", port=port, log_config=None, ws="none"
    )
    return uvicorn.Server(config)


def with_one_click(settings: Settings) -> Settings:
    """The demo lets whoever sits at this machine in, unless the settings say otherwise."""
    if settings.loopback_sign_in is not None:
        return settings
    return settings.model_copy(update={"loopback_sign_in": True})


async def prepare(settings: Settings, *, booking_url: str) -> str:
    """Import and publish the booking tools, make a key and, the first time, an administrator.

    Returns the text to print.
    """
    async with desk(settings) as at:
        async with at.database.unit_of_work() as session:
            await ensure_roles(session)
            await expose(session, role=DEMO_ROLE, kind="bundle", target=BUNDLE)
        report = await import_booking(at, booking_url=booking_url)
        key = await _demo_key(at, settings)
        password = await _administrator(at)
    return welcome(settings, report=report, key=key, password=password, booking_url=booking_url)


async def _administrator(at: Desk) -> str | None:
    """The password of the administrator who was made now; None where there was one before."""
    async with at.database.unit_of_work() as session:
        password = await ensure_administrator(session, passwords=Passwords())
    if password is not None:
        await at.record("user.created", target=FIRST_USERNAME, details={"username": FIRST_USERNAME})
    return password


async def import_booking(at: Desk, *, booking_url: str) -> ImportReport:
    """Bring the booking service's own document in force; nothing changes the second time."""
    document = msgspec.json.encode(openapi_document(server_url=booking_url))
    request = ImportRequest(
        raw=document,
        source="booking_api",
        bundle=BUNDLE,
        spec=BUNDLE,
        allow_private=True,
        publish=True,
    )
    return await import_at(at, request)


async def _demo_key(at: Desk, settings: Settings) -> str:
    """The key kept in the data directory, readable by its owner; a new one if it is not ours."""
    path = settings.data_dir / KEY_FILE
    mac = Keyring.from_settings(settings).mac(PURPOSE)
    token = path.read_text().strip() if path.exists() else ""
    async with at.database.unit_of_work() as session:
        query = select(ApiKey.id).where(
            ApiKey.digest == mac.digest(token.encode()), ApiKey.revoked_at.is_(None)
        )
        if token and await session.scalar(query) is not None:
            return token
        new = NewKey(name=KEY_NAME, roles=[DEMO_ROLE])
        issued = await issue_key(session, new=new, mac=mac, by=at.principal)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(issued.token + "\n")
    return issued.token


def client_configuration(settings: Settings, *, key: str) -> str:
    """The JSON most MCP clients take."""
    server = {
        "type": "http",
        "url": f"{settings.base_url}/mcp",
        "headers": {"Authorization": f"Bearer {key}"},
    }
    body = msgspec.json.encode({"mcpServers": {"msil": server}})
    return msgspec.json.format(body, indent=2).decode()


def pages(settings: Settings, *, password: str | None, built: bool) -> str:
    """Where the web pages are and how to enter them; or how to get them."""
    lines = [
        f"  Chat              {settings.base_url}/chat",
        f"  Admin             {settings.base_url}/admin",
    ]
    if not built:
        lines = [
            "The web pages are not built yet. With Node 20: make web",
            f"Then they are at {settings.base_url}/chat and {settings.base_url}/admin",
        ]
    entering = []
    if OneClick(settings).is_possible:
        entering.append("One click signs you in.")
    if password is not None:
        entering.append(
            f"The administrator is {FIRST_USERNAME}, password {password} (shown only now)."
        )
    return "\n".join([*lines, *(["", " ".join(entering)] if entering else [])])


def welcome(
    settings: Settings,
    *,
    report: ImportReport,
    key: str,
    password: str | None,
    booking_url: str,
) -> str:
    """What a newcomer needs to see."""
    web = pages(
        settings, password=password, built=WebApp("chat").is_built and WebApp("admin").is_built
    )
    tools = ", ".join(tool.name for tool in report.tools if tool.change != "removed")
    return f"""
MSIL MCP Server is starting. Everything runs on this machine and is kept in {settings.data_dir}/

{web}

  MCP endpoint      {settings.base_url}/mcp
  REST and docs     {settings.base_url}/docs
  Booking service   {booking_url}/openapi.json
  Tools             {tools}

Give this to an MCP client (Claude, VS Code, an agent):

{client_configuration(settings, key=key)}

Then ask it: Book a service for MH12AB1234 tomorrow at 10 AM near Hinjewadi, Pune.
(The number to give is 9876543210; the service type regular.)

Or talk to the built-in assistant, a scripted model until OPENAI_API_KEY is set:

  curl -s {settings.base_url}/api/chat/send -H "Authorization: Bearer {key}" \\
    -H "Content-Type: application/json" \\
    -d '{{"message": "Book a service for MH12AB1234 tomorrow at 10 AM near Hinjewadi, Pune"}}'

Or without either, in a second terminal:

  .venv/bin/msil-mcp tools list
  .venv/bin/msil-mcp tools call get_nearby_dealers city=Pune area=Hinjewadi
  .venv/bin/msil-mcp audit search

Stop with Ctrl+C.
"""
