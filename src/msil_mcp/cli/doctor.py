"""`doctor`: looks at what usually goes wrong, and says what to do about it."""

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, requires
from typing import Any, Final, Literal

import aiohttp
import typer
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from msil_mcp.cli.access import anybody_known
from msil_mcp.cli.output import AsJson, load_settings, run, show_json
from msil_mcp.db.database import Database, database_url, read_url
from msil_mcp.db.migrate import HEAD, schema_revision
from msil_mcp.errors import MsilError
from msil_mcp.sealing import Keyring
from msil_mcp.settings import Settings
from msil_mcp.tools.catalogue import Catalogue

SECONDS: Final = 5.0
Verdict = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found; `advice` says what to do where something is to be done."""

    what: str
    verdict: Verdict
    detail: str
    advice: str = ""


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("doctor")(doctor)


def doctor(as_json: AsJson = False) -> None:
    """Check packages, settings, database, Redis and server; exit 1 when something is wrong."""
    settings = load_settings()
    findings = run(examine(settings))
    if as_json:
        show_json([{name: getattr(f, name) for name in Finding.__slots__} for f in findings])
    else:
        for finding in findings:
            print(f"{finding.verdict:8} {finding.what}: {finding.detail}")
            if finding.advice:
                print(f"{'':8} -> {finding.advice}")
    if any(finding.verdict == "problem" for finding in findings):
        raise typer.Exit(1)


async def examine(settings: Settings) -> list[Finding]:
    """Every look, in the order in which one thing depends on another."""
    looks: tuple[Callable[[Settings], Coroutine[Any, Any, Finding]], ...] = (
        _packages,
        _data_directory,
        _secret,
        _database,
        _replica,
        _redis,
        _server,
    )
    findings = [await look(settings) for look in looks]
    return findings + [finding async for finding in _catalogue(settings)]


async def _packages(_settings: Settings) -> Finding:
    # What is for some systems, or optional, has a marker.
    asked = [line for line in requires("msil-mcp") or [] if ";" not in line]
    missing = []
    for name in (re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in asked):
        try:
            distribution(name)
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        advice = "In the environment that runs this: pip install -r requirements.txt"
        return Finding("packages", "problem", f"{', '.join(missing)} not installed", advice)
    return Finding("packages", "ok", f"{len(asked)} installed")


async def _data_directory(settings: Settings) -> Finding:
    path = settings.data_dir
    if not path.exists():
        return Finding("data directory", "note", f"{path} will be made on first use")
    if os.access(path, os.W_OK):
        return Finding("data directory", "ok", f"{path} can be written")
    advice = "Give the user that runs the server write access, or set MSIL_DATA_DIR."
    return Finding("data directory", "problem", f"{path} cannot be written", advice)


async def _secret(settings: Settings) -> Finding:
    if settings.secret_key is None and not (settings.data_dir / "secret.key").exists():
        return Finding("secret key", "note", "will be made in the data directory on first use")
    try:
        Keyring.from_settings(settings)
    except MsilError as error:
        return Finding("secret key", "problem", str(error))
    return Finding("secret key", "ok", "can be used")


async def _database(settings: Settings) -> Finding:
    database = Database(database_url(settings))
    shown = database.url.render_as_string(hide_password=True)
    try:
        async with asyncio.timeout(SECONDS):
            revision = await schema_revision(database)
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        advice = (
            "Start PostgreSQL and check DATABASE_URL; with Docker: "
            "docker ps, then docker start <container>."
        )
        reason = str(getattr(error, "orig", error)).splitlines() or [type(error).__name__]
        return Finding("database", "problem", f"{shown} does not answer: {reason[0]}", advice)
    finally:
        await database.close()
    if revision == HEAD:
        return Finding("database", "ok", f"{shown} is at schema {HEAD}")
    verdict: Verdict = "note" if settings.is_sqlite else "problem"
    detail = f"{shown} is at schema {revision or 'none'}, this release needs {HEAD}"
    return Finding("database", verdict, detail, "Run: msil-mcp migrate")


async def _replica(settings: Settings) -> Finding:
    what = "read replica"
    url = read_url(settings)
    if url is None:
        return Finding(what, "note", "not configured; the primary answers every query")
    database = Database(database_url(settings), replica_url=url)
    try:
        lag = None if database.replica is None else await database.replica.lag_seconds()
    finally:
        await database.close()
    shown = url.render_as_string(hide_password=True)
    if lag is None:
        advice = "Check DATABASE_READ_URL; until then the primary answers what it would."
        return Finding(what, "problem", f"{shown} does not answer", advice)
    return Finding(what, "ok", f"{shown} is {lag:.1f} s behind")


async def _redis(settings: Settings) -> Finding:
    if not settings.redis_url:
        return Finding("redis", "note", "not configured; each process limits rates by itself")
    client = Redis.from_url(settings.redis_url, socket_connect_timeout=SECONDS)
    try:
        await client.ping()
    except (RedisError, OSError) as error:
        advice = "Start Redis or check REDIS_URL; until then each process limits more strictly."
        return Finding("redis", "problem", f"does not answer: {error}", advice)
    finally:
        await client.aclose()
    return Finding("redis", "ok", "answers")


async def _server(settings: Settings) -> Finding:
    url = f"http://{settings.host}:{settings.port}"
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http:
            async with http.get(f"{url}/ready") as response:
                ready = response.status
            async with http.get(f"{url}/metrics") as response:
                metrics = response.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        return _port(settings, url)
    if metrics == 404:
        advice = "Another program listens on this port. Stop it, or set PORT."
        return Finding("server", "problem", f"{url}/metrics answers 404", advice)
    if ready != 200:
        return Finding("server", "problem", f"{url} is not ready", f"Look at {url}/ready")
    return Finding("server", "ok", f"{url} is ready")


def _port(settings: Settings, url: str) -> Finding:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            advice = "Stop what holds it, or set PORT."
            return Finding("server", "problem", f"{url} cannot be used: {error.strerror}", advice)
    return Finding("server", "note", f"none runs at {url}; the port is free")


async def _catalogue(settings: Settings) -> AsyncIterator[Finding]:
    database = Database(database_url(settings))
    try:
        async with database.reading() as session:
            known = await anybody_known(session)
            published = sum(bundle.published for bundle in await Catalogue(session).bundles())
    except SQLAlchemyError:
        return
    finally:
        await database.close()
    if not known and not settings.oidc_issuer:
        advice = "Make a key with: msil-mcp keys create NAME --role user"
        yield Finding("access", "note", "nobody can sign in or call yet", advice)
    if not published:
        advice = "Import an API with: msil-mcp import openapi.json --bundle NAME --publish"
        yield Finding("tools", "note", "no tool is in force", advice)
    else:
        yield Finding("tools", "ok", f"{published} in force")
