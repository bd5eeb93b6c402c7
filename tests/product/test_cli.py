"""Commands beside a running server, and what they refuse."""

import asyncio
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from commands import Commands, commands_on
from databases import Templates, command, settings_for
from msil_mcp.audit.records import AuditRecord
from msil_mcp.cli.database import desk
from msil_mcp.db.database import utc_now
from msil_mcp.settings import Settings
from product.ledger import KEPT, Ledger
from product.orders import order
from product.polling import eventually
from product.processes import ServerProcess, environment, server_processes
from running import Product, furnish

BOOK = "create_service_booking"


@pytest.fixture(params=["sqlite", "postgresql"])
def cli(
    request: pytest.FixtureRequest,
    templates: Templates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Commands]:
    """Commands on a database where nothing was done yet; what they log is not printed."""
    with capture_logs(), templates.clone(request.param) as url:
        yield from commands_on(url, tmp_path, monkeypatch)


@pytest.fixture
def furnished(cli: Commands, booking_url: str) -> Commands:
    """Commands on a database with the booking tools."""
    asyncio.run(furnish(Settings(_env_file=None), booking_url=booking_url))
    return cli


def actions(cli: Commands) -> list[str]:
    return [record["action"] for record in reversed(cli.json("audit", "search"))]


def test_a_key_is_made_shown_once_listed_and_revoked(cli: Commands) -> None:
    made = cli.json("keys", "create", "Nightly job", "--role", "user", "--scope", "tool:x")
    assert made["token"].startswith("msil_")
    [listed] = cli.json("keys", "list")
    assert (listed["name"], listed["roles"], listed["scopes"]) == (
        "Nightly job",
        ["user"],
        ["tool:x"],
    )
    assert listed["revoked_at"] is None
    assert made["token"] not in cli.run("keys", "list") + json.dumps(listed)
    cli.run("keys", "revoke", str(made["id"]))
    assert cli.json("keys", "list")[0]["revoked_at"] is not None
    assert "revoked" in cli.run("keys", "list")
    assert actions(cli) == ["key.created", "key.revoked"]


def test_a_user_is_made_with_a_password_shown_once(cli: Commands) -> None:
    made = cli.json("users", "create", "asha", "--role", "administrator", "--name", "Asha")
    assert len(made["password"]) >= 12
    assert made["password"] not in cli.run("users", "list")
    [listed] = cli.json("users", "list")
    assert (listed["username"], listed["active"]) == ("asha", True)
    assert "asha" in cli.run("users", "create", "asha", "--role", "user", code=1)
    assert actions(cli) == ["user.created"]


def test_a_role_is_shown_what_it_may_see(furnished: Commands) -> None:
    furnished.run("roles", "expose", "auditor", "tool:resolve_vehicle")
    sees = {role["name"]: role["sees"] for role in furnished.json("roles", "list")}
    assert sees["auditor"] == ["tool:resolve_vehicle"]
    assert sees["user"] == ["bundle:service_booking"]
    assert "auditor" in furnished.run("roles", "list")


def test_tools_are_imported_put_in_force_and_withdrawn(cli: Commands, ledger: Ledger) -> None:
    spec = cli.write("ledger.json", ledger.document())
    arguments = ("import", spec, "--bundle", "ledger", "--allow-private")
    assert "dry run" in cli.run(*arguments, "--dry-run")
    assert cli.json("tools", "list") == []
    assert "drafts" in cli.run(*arguments)
    assert {tool["published"] for tool in cli.json("tools", "list")} == {None}
    assert "3 tools" in cli.run("bundles", "publish", "ledger")
    assert "in force" in cli.run("tools", "list")
    assert "Nothing changed" in cli.run(*arguments)
    [bundle] = cli.json("bundles", "list")
    assert (bundle["tools"], bundle["published"]) == (3, 3)
    shown = cli.json("tools", "show", KEPT)
    assert (shown["risk"], shown["request"]["path"]) == ("write", "/kept")
    assert f"POST {ledger.url}/kept" in cli.run("tools", "show", KEPT)
    assert "is off" in cli.run("tools", "disable", KEPT)
    assert "was off" in cli.run("tools", "disable", KEPT)
    assert "is on" in cli.run("tools", "enable", KEPT)
    assert "3 tools" in cli.run("bundles", "withdraw", "ledger")
    assert "document.imported" in actions(cli)


def test_a_broken_document_is_named_by_its_place_and_changes_nothing(
    cli: Commands, ledger: Ledger
) -> None:
    broken = cli.write("broken.json", '{"openapi": "3.1.0",\n "paths": {,}}')
    said = cli.run("import", broken, "--bundle", "ledger", "--publish", code=1)
    assert one_line(said)
    assert f"{broken}:2:12: " in said
    assert cli.json("tools", "list") == []
    assert cli.json("bundles", "list") == []


def test_a_read_is_called_and_found_in_the_audit(furnished: Commands) -> None:
    called = furnished.json("tools", "call", "resolve_vehicle", "registration_number=MH12AB1234")
    assert called["outcome"] == "succeeded"
    assert "Swift" in called["text"]
    [record] = furnished.json("audit", "search", "--tool", "resolve_vehicle")
    assert (record["principal_id"], record["origin"]) == ("system:cli", "batch")
    refused = furnished.run("tools", "call", "resolve_vehicle", "plate=MH12AB1234", code=1)
    assert one_line(refused)
    assert "registration_number" in refused
    denied = furnished.json("audit", "search", "--outcome", "denied")
    assert [record["rule"] for record in denied] == ["validate"]
    assert "intact" in furnished.run("audit", "verify")
    exported = furnished.run("audit", "export", "--tool", "resolve_vehicle").splitlines()
    assert [json.loads(line)["outcome"] for line in exported] == ["denied", "succeeded"]


def test_whole_days_are_exported_to_a_file(cli: Commands) -> None:
    now = utc_now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    times = {
        "today": now,
        "yesterday": midnight - timedelta(seconds=1),
        "the day before": midnight - timedelta(days=1, seconds=1),
    }

    async def write() -> None:
        async with desk(Settings(_env_file=None)) as at:
            for name, moment in times.items():
                record = AuditRecord(
                    kind="admin", action="any", outcome="succeeded", target=name, at=moment
                )
                await at.audit.write(record)

    asyncio.run(write())
    file = cli.folder / "one-day.jsonl"
    assert cli.run("audit", "export", "--days", "1", "--output", str(file)) == ""
    lines = file.read_text().splitlines()
    assert [json.loads(line)["target"] for line in lines] == ["yesterday"]
    assert len(cli.run("audit", "export", "--days", "2").splitlines()) == 2
    said = cli.run("audit", "export", "--output", str(cli.folder / "none" / "any"), code=1)
    assert "No such file or directory" in said


def test_a_write_waits_for_the_person_at_the_terminal(
    furnished: Commands, request: pytest.FixtureRequest
) -> None:
    time = "14:00" if "sqlite" in request.node.name else "14:30"
    call = (
        *("tools", "call", BOOK, "--key", "terminal"),
        *("--arguments", json.dumps(order(appointment_time=time))),
    )
    asked = furnished.run(*call)
    assert "msil-mcp approvals approve" in asked
    [waiting] = furnished.json("approvals", "list")
    assert "9876543211" not in json.dumps(waiting)
    assert waiting["id"] in asked
    assert waiting["id"] in furnished.run("approvals", "list")
    assert "Approved" in furnished.run("approvals", "approve", waiting["id"])
    booked = json.loads(furnished.json(*call)["text"])
    assert booked["booking_id"].startswith("BK")
    assert json.loads(furnished.json(*call)["text"]) == booked
    found = furnished.json("audit", "search", "--subject", booked["booking_id"])
    assert [record["replayed"] for record in found] == [True, False]
    assert furnished.json("approvals", "list") == []
    again = furnished.run("approvals", "approve", waiting["id"], code=1)
    assert "used" in again


def test_a_declined_write_says_so(furnished: Commands) -> None:
    call = ("tools", "call", BOOK, "--arguments", json.dumps(order(appointment_time="16:30")))
    furnished.run(*call)
    [waiting] = furnished.json("approvals", "list")
    assert "Declined" in furnished.run("approvals", "decline", waiting["id"], "--reason", "no")
    said = furnished.run(*call, "--approval", waiting["id"], code=1)
    assert one_line(said)
    assert "declined" in said


def one_line(said: str) -> bool:
    return said.startswith("error: ") and said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("keys", "create", "x", "--role", "king"), 1, "king"),
        (("keys", "revoke", "4711"), 1, "4711"),
        (("users", "create", "x", "--role", "king"), 1, "king"),
        (("roles", "expose", "king", "all"), 1, "king"),
        (("roles", "expose", "user", "everything"), 2, "bundle:NAME"),
        (("tools", "show", "nothing"), 1, "nothing"),
        (("tools", "call", "nothing"), 1, "nothing"),
        (("tools", "call", "nothing", "pair"), 2, "name=value"),
        (("tools", "call", "nothing", "--arguments", "[1]"), 2, "object"),
        (("tools", "disable", "nothing"), 1, "nothing"),
        (("bundles", "publish", "nothing"), 1, "nothing"),
        (("import", "absent.json", "--bundle", "x"), 1, "absent.json"),
        (("import", "http://127.0.0.1:1/x.json", "--bundle", "x"), 1, "127.0.0.1"),
        (("import", "absent.json", "--bundle", "x", "--by", "path"), 2, "tag"),
        (("approvals", "approve", "nothing"), 1, "approval"),
        (("audit", "export", "--format", "pdf"), 2, "jsonl"),
        (("migrate", "--down", "0815"), 1, "0815"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_an_error_is_one_line_that_names_it(
    templates: Templates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    named: str,
) -> None:
    with templates.clone("sqlite") as url:
        for cli in commands_on(url, tmp_path, monkeypatch):
            said = cli.run(*arguments, code=code)
    assert one_line(said), said
    assert named in said


def test_a_server_that_could_not_work_says_what_to_do(
    templates: Templates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with templates.clone("postgresql") as url:
        [cli] = commands_on(url, tmp_path, monkeypatch)
        said = cli.run("serve", "--host", "0.0.0.0", code=2)
        assert one_line(said)
        assert "keys create" in said
        assert "base" in cli.run("migrate", "--down", "base")
        said = cli.run("serve", code=1)
        assert one_line(said)
        assert "msil-mcp migrate" in said
        assert "nothing" in cli.run("migrate")
        assert "already" in cli.run("migrate")
        monkeypatch.delenv("MSIL_SECRET_KEY")
        said = cli.run("serve", code=2)
        assert one_line(said)
        assert "msil-mcp secret" in said
    with templates.clone("sqlite") as url:
        [cli] = commands_on(url, tmp_path, monkeypatch)
        said = cli.run("serve", "--workers", "2", code=2)
        assert one_line(said)
        assert "DATABASE_URL" in said
        monkeypatch.setenv("PORT", "http")
        assert "PORT" in cli.run("serve", code=2)
    [cli] = commands_on("postgresql://postgres@127.0.0.1:1/x", tmp_path, monkeypatch)
    monkeypatch.delenv("PORT")
    said = cli.run("serve", code=1)
    assert one_line(said)
    assert "DATABASE_URL" in said


@dataclass
class Beside:
    """A server process on SQLite, and the environment to run commands beside it."""

    product: Product
    server: ServerProcess
    env: dict[str, str]
    folder: Path

    def command(self, *arguments: str) -> str:
        done = command(*arguments, env=self.env)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def beside(
    templates: Templates, booking_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Beside]:
    folder = tmp_path_factory.mktemp("beside")
    with templates.clone("sqlite") as url:
        settings = settings_for(url)
        keys = asyncio.run(furnish(settings, booking_url=booking_url))
        env = environment(url, folder)
        with server_processes(env, folder) as [server]:
            product = Product(settings, booking_url, url=server.url, keys=keys)
            yield Beside(product, server, env, folder)


@pytest.mark.anyio
async def test_a_key_revoked_by_a_command_is_refused_within_a_second(beside: Beside) -> None:
    made = json.loads(
        await asyncio.to_thread(beside.command, "keys", "create", "x", "--role", "user", "--json")
    )
    user = Product(beside.product.settings, "", url=beside.server.url, keys={"user": made["token"]})

    async def accepted() -> bool:
        return (await user.request("GET", "/api/tools")).status == 200

    async def refused() -> bool:
        return (await user.request("GET", "/api/tools")).status == 401

    await eventually(accepted, within=1)
    await asyncio.to_thread(beside.command, "keys", "revoke", str(made["id"]))
    await eventually(refused, within=1)


@pytest.mark.anyio
async def test_a_document_imported_by_a_command_is_live_within_a_second(
    beside: Beside, ledger: Ledger
) -> None:
    spec = beside.folder / "ledger.json"
    spec.write_text(json.dumps(ledger.document()))
    await asyncio.to_thread(
        beside.command, "import", str(spec), "--bundle", "ledger", "--allow-private", "--publish"
    )

    async def listed() -> bool:
        reply = await beside.product.request("GET", "/api/tools", role="administrator")
        return KEPT in {tool["name"] for tool in reply.json["items"]}

    async def callable_now() -> bool:
        reply = await beside.product.call("read_page", {"number": 1}, role="administrator")
        return reply.status == 200

    await eventually(callable_now, within=1)
    assert await listed()


@pytest.mark.anyio
async def test_a_second_server_on_the_same_file_is_refused(beside: Beside) -> None:
    done = await asyncio.to_thread(command, "serve", "--port", "0", env=beside.env)
    assert done.returncode == 1
    assert one_line(done.stderr), done.stderr
    assert "Another server" in done.stderr
    assert done.stdout == ""
    assert (await beside.product.request("GET", "/ready", role=None)).status == 200


def test_an_idle_connection_is_closed_when_the_setting_says(
    templates: Templates, tmp_path: Path
) -> None:
    with templates.clone("sqlite") as url:
        env = environment(url, tmp_path, MSIL_KEEP_ALIVE_SECONDS="1")
        with server_processes(env, tmp_path, count=1) as [server]:
            address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
            with socket.create_connection(address, timeout=4) as connection:
                connection.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
                while connection.recv(1 << 16):
                    pass
