"""Commands about who may do what: keys, users, roles."""

from datetime import timedelta
from typing import Annotated, Any

import typer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.cli.database import desk
from msil_mcp.cli.output import AsJson, fail, load_settings, run, show_json, show_table
from msil_mcp.db.database import utc_now
from msil_mcp.identity.keys import PURPOSE, IssuedKey, NewKey, issue_key, list_keys, revoke_key
from msil_mcp.identity.passwords import Passwords, generate_password
from msil_mcp.identity.roles import ensure_roles, expose, list_exposures, list_roles
from msil_mcp.identity.tables import ApiKey, ExposureKind, User
from msil_mcp.identity.users import create_user, list_users
from msil_mcp.sealing import Keyring

ALL = 100_000
keys = typer.Typer(help="API keys.", no_args_is_help=True)
users = typer.Typer(help="Local users.", no_args_is_help=True)
roles = typer.Typer(help="Roles, and the tools each may see.", no_args_is_help=True)
RoleNames = Annotated[list[str], typer.Option("--role", help="A role; may repeat.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(keys, name="keys")
    app.add_typer(users, name="users")
    app.add_typer(roles, name="roles")


async def anybody_known(session: AsyncSession) -> bool:
    """Whether at least one user or key could authenticate."""
    key = select(ApiKey.id).where(ApiKey.revoked_at.is_(None)).limit(1)
    user = select(User.id).where(User.active.is_(True)).limit(1)
    return await session.scalar(key) is not None or await session.scalar(user) is not None


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="Whose or what for.")],
    role: RoleNames,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="Narrow to tool:NAME or bundle:NAME; may repeat."),
    ] = None,
    days: Annotated[int | None, typer.Option(help="Days until it expires.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key; it is shown this once."""
    settings = load_settings()

    async def work() -> IssuedKey:
        async with desk(settings) as at:
            new = NewKey(
                name=name,
                roles=role,
                scopes=scope or None,
                expires_at=None if days is None else utc_now() + timedelta(days=days),
            )
            mac = Keyring.from_settings(settings).mac(PURPOSE)
            async with at.database.unit_of_work() as session:
                await ensure_roles(session)
                issued = await issue_key(session, new=new, mac=mac, by=at.principal)
            details = {"name": name, "roles": role, "scopes": scope}
            await at.record("key.created", target=f"key:{issued.row.id}", details=details)
            return issued

    issued = run(work())
    if as_json:
        show_json({"id": issued.row.id, "token": issued.token, "roles": role})
    else:
        print(issued.token)
        print("Keep it now: it is not stored and cannot be shown again.")


@keys.command("list")
def show_keys(as_json: AsJson = False) -> None:
    """List the keys, without their secrets."""

    async def work() -> list[dict[str, Any]]:
        async with desk(load_settings()) as at, at.database.reading() as session:
            rows = await list_keys(session, after=0, limit=ALL)
        return [
            {
                "id": row.id,
                "name": row.name,
                "prefix": row.prefix,
                "roles": row.roles,
                "scopes": row.scopes,
                "expires_at": row.expires_at,
                "last_used_at": row.last_used_at,
                "revoked_at": row.revoked_at,
            }
            for row in rows
        ]

    rows = run(work())
    if as_json:
        show_json(rows)
        return
    show_table(
        ("id", "name", "prefix", "roles", "scopes", "state"),
        [
            (
                r["id"],
                r["name"],
                r["prefix"],
                ",".join(r["roles"]),
                ",".join(r["scopes"] or ["all"]),
                "revoked" if r["revoked_at"] else "active",
            )
            for r in rows
        ],
        empty="No keys yet. Make one with: msil-mcp keys create NAME --role user",
    )


@keys.command("revoke")
def end_key(key_id: Annotated[int, typer.Argument(help="Its id, as listed.")]) -> None:
    """Revoke a key everywhere within a second."""

    async def work() -> None:
        async with desk(load_settings()) as at:
            async with at.database.unit_of_work() as session:
                await revoke_key(session, key_id=key_id)
            await at.record("key.revoked", target=f"key:{key_id}", details={})

    run(work())
    print(f"Key {key_id} is revoked.")


@users.command("create")
def add_user(
    username: Annotated[str, typer.Argument(help="Name to sign in with.")],
    role: RoleNames,
    name: Annotated[str | None, typer.Option(help="Name to show.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a local user with a generated password, shown this once."""
    password = generate_password()

    async def work() -> int:
        hashed = await Passwords().hash(password)
        async with desk(load_settings()) as at:
            async with at.database.unit_of_work() as session:
                await ensure_roles(session)
                user = await create_user(
                    session,
                    username=username,
                    display_name=name or username,
                    roles=role,
                    password_hash=hashed,
                    by=at.principal,
                )
            await at.record("user.created", target=f"user:{user.id}", details={"roles": role})
            return user.id

    user_id = run(work())
    if as_json:
        show_json({"id": user_id, "username": username, "password": password})
    else:
        print(f"{username} may sign in with the password {password}")
        print("Keep it now: it is not stored and cannot be shown again.")


@users.command("list")
def show_users(as_json: AsJson = False) -> None:
    """List the local users."""

    async def work() -> list[dict[str, Any]]:
        async with desk(load_settings()) as at, at.database.reading() as session:
            rows = await list_users(session, after=0, limit=ALL)
        return [
            {"id": row.id, "username": row.username, "roles": row.roles, "active": row.active}
            for row in rows
        ]

    rows = run(work())
    if as_json:
        show_json(rows)
        return
    show_table(
        ("id", "username", "roles", "state"),
        [
            (r["id"], r["username"], ",".join(r["roles"]), "active" if r["active"] else "off")
            for r in rows
        ],
        empty="No users yet. Make one with: msil-mcp users create NAME --role administrator",
    )


@roles.command("list")
def show_roles(as_json: AsJson = False) -> None:
    """List the roles and what each may see."""

    async def work() -> list[dict[str, Any]]:
        async with desk(load_settings()) as at:
            async with at.database.unit_of_work() as session:
                await ensure_roles(session)
            async with at.database.reading() as session:
                rows = await list_roles(session, after="", limit=ALL)
                grants = await list_exposures(session, after=0, limit=ALL)
        seen: dict[str, list[str]] = {}
        for grant in grants:
            shown = grant.kind if grant.kind == "all" else f"{grant.kind}:{grant.target}"
            seen.setdefault(grant.role, []).append(shown)
        return [
            {"name": row.name, "permissions": row.permissions, "sees": seen.get(row.name, [])}
            for row in rows
        ]

    rows = run(work())
    if as_json:
        show_json(rows)
        return
    show_table(
        ("role", "sees", "permissions"),
        [
            (r["name"], ", ".join(r["sees"]) or "nothing", ", ".join(sorted(r["permissions"])))
            for r in rows
        ],
        empty="No roles.",
    )


@roles.command("expose")
def expose_tools(
    role: Annotated[str, typer.Argument(help="The role.")],
    target: Annotated[str, typer.Argument(help="`all`, bundle:NAME or tool:NAME.")],
) -> None:
    """Let a role see and call tools, everywhere within a second."""
    kind, _, name = target.partition(":")
    if kind not in {"all", "bundle", "tool"} or (kind == "all") != (not name):
        fail(f"{target!r} must be all, bundle:NAME or tool:NAME", code=2)
    chosen: ExposureKind = "all" if kind == "all" else "bundle" if kind == "bundle" else "tool"

    async def work() -> None:
        async with desk(load_settings()) as at:
            async with at.database.unit_of_work() as session:
                await ensure_roles(session)
                await expose(session, role=role, kind=chosen, target=name)
            await at.record("exposure.granted", target=role, details={"sees": target})

    run(work())
    print(f"{role} sees {target}.")
