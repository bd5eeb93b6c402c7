"""Rules of this repository that a reviewer should never have to repeat."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts
from packaging.requirements import Requirement

from msil_mcp.principal import ROUTE_PERMISSION, public, require

ROOT = Path(__file__).parent.parent
LOCKS = (
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-setup.txt",
    "requirements-booking.txt",
    "requirements-checkov.txt",
    "requirements-audit.txt",
)
LONGEST_MODULE = 400

MACHINE_PATH = re.compile(r"(?<![\w.~/-])/(?:root|work|home|Users)/\w")
PACKAGE_INDEX = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs|registry\.yarnpkg|--(?:extra-)?index-url[ =]"
)
STATUS_PAGE = re.compile(
    r"(^|[_-])(summary|status|plan|notes|todo|progress|report)s?\b", re.IGNORECASE
)
CARELESS_NAME = re.compile(r"^(utils?|helpers?|common|misc|\w*manager|base_\w+)$")
EVENT = re.compile(r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")
LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical"}
OWN_IDENTIFIERS = {"src/msil_mcp/audit/store.py"}
"""Modules that put together names of our own tables and columns; values are always bound."""
SQL_FUNCTIONS = {"execute", "exec_driver_sql", "executemany", "text", "scalar", "scalars"}
PIN = re.compile(r"^([\w.-]+)==([^\s;\\]+)")


def tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    # The checkout may belong to somebody else than the runner, as in containers.
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = (ROOT / name for name in listed.split("\0") if name)
    return [path for path in paths if path.is_file()]


def tracked_texts() -> Iterator[tuple[str, str]]:
    for path in tracked_files():
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def source_modules() -> list[Path]:
    return sorted((ROOT / "src").rglob("*.py"))


def syntax_trees() -> Iterator[tuple[str, ast.Module]]:
    for path in source_modules():
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def calls_in(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def is_constant(value: ast.expr) -> bool:
    """Whether an interpolated value is a module's constant, by its name."""
    match value:
        case ast.FormattedValue(value=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name.isupper()
    return False


def is_built_from_parts(node: ast.expr) -> bool:
    """Whether a string is put together at run time rather than written down."""
    match node:
        case ast.JoinedStr(values=values):
            return not all(
                isinstance(value, ast.Constant) or is_constant(value) for value in values
            )
        case ast.BinOp(op=ast.Add() | ast.Mod()):
            return True
        case ast.Call(func=ast.Attribute(attr="format")):
            return True
    return False


def guards_of(dependant: Dependant) -> Iterator[str]:
    """Permissions that a route's dependencies insist on, however deep."""
    permission = getattr(dependant.call, ROUTE_PERMISSION, None)
    if permission is not None:
        yield permission
    for dependency in dependant.dependencies:
        yield from guards_of(dependency)


def unguarded_routes(app: FastAPI) -> list[str]:
    return [
        f"{sorted(context.methods or {'WEBSOCKET'})} {context.path}"
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, APIRoute | APIWebSocketRoute)
        and not list(guards_of(context.dependant))
    ]


def pins(lock: str) -> dict[str, str]:
    lines = (ROOT / lock).read_text().splitlines()
    return dict(match.groups() for line in lines if (match := PIN.match(line)))


def test_no_file_names_a_path_of_one_machine() -> None:
    assert [
        f"{name}: {match.group()}"
        for name, text in tracked_texts()
        if (match := MACHINE_PATH.search(text))
    ] == []


def test_no_file_names_a_package_index() -> None:
    assert [
        f"{name}: {match.group()}"
        for name, text in tracked_texts()
        if (match := PACKAGE_INDEX.search(text))
    ] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_host_and_hashes_every_pin(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    blocks = re.split(r"\n(?=[\w])", "\n" + text)
    unhashed = [block.splitlines()[0] for block in blocks[1:] if "--hash=sha256:" not in block]
    assert unhashed == []


def test_node_locks_name_no_host() -> None:
    locks = [path for path in tracked_files() if path.name == "package-lock.json"]
    # What links within the workspace is "resolved" to its folder.
    assert [path.name for path in locks if re.search(r'"resolved": "\w+:', path.read_text())] == []


def test_locks_agree_with_each_other() -> None:
    development = pins("requirements-dev.txt")
    runtime = pins("requirements.txt")
    assert {name: development.get(name) for name in runtime} == runtime
    booking = pins("requirements-booking.txt")
    assert {name: runtime.get(name) for name in booking} == booking
    setup = pins("requirements-setup.txt")
    assert {name: development.get(name, pin) for name, pin in setup.items()} == setup


def test_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {
        "requirements.txt": project["project"]["dependencies"],
        "requirements-dev.txt": project["dependency-groups"]["dev"],
        "requirements-setup.txt": project["build-system"]["requires"],
    }
    stale = []
    for lock, requirements in wanted.items():
        locked = pins(lock)
        for requirement in map(Requirement, requirements):
            pinned = locked.get(requirement.name.lower())
            if pinned is None or pinned not in requirement.specifier:
                stale.append(f"{lock}: {requirement} is locked as {pinned}; run make lock")
    assert stale == []


def test_environment_is_read_by_settings_alone() -> None:
    readers = []
    for name, tree in syntax_trees():
        if name.endswith("/settings.py"):
            continue
        for node in ast.walk(tree):
            match node:
                case ast.Attribute(
                    value=ast.Name(id="os"), attr="environ" | "environb" | "getenv", ctx=ast.Load()
                ):
                    readers.append(f"{name}:{node.lineno}")
                case ast.ImportFrom(module="os", names=names) if {"environ", "getenv"} & {
                    alias.name for alias in names
                }:
                    readers.append(f"{name}:{node.lineno}")
    assert readers == []


def test_log_events_are_static_names() -> None:
    wrong = []
    for name, tree in syntax_trees():
        for call in calls_in(tree):
            match call:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log" | "_log" | "logger"), attr=method),
                    args=[event, *_],
                ) if method in LOG_METHODS:
                    static = isinstance(event, ast.Constant) and EVENT.match(str(event.value))
                    if not static:
                        wrong.append(f"{name}:{call.lineno}: {ast.unparse(event)}")
    assert wrong == []


def test_sql_is_never_put_together_from_strings() -> None:
    wrong = []
    for name, tree in syntax_trees():
        if name in OWN_IDENTIFIERS:
            continue
        for call in calls_in(tree):
            function = call.func
            called = getattr(function, "attr", None) or getattr(function, "id", None)
            if called not in SQL_FUNCTIONS or not call.args:
                continue
            statement = ast.unparse(call.args[0])
            # Neither takes bound parameters, and neither can hold a value from outside.
            if is_built_from_parts(call.args[0]) and not re.match(r"f'(PRAGMA|BEGIN) ", statement):
                wrong.append(f"{name}:{call.lineno}: {statement}")
    assert wrong == []


def test_no_middleware_wraps_the_request_in_a_task() -> None:
    pattern = re.compile(r"\bBaseHTTPMiddleware\b|\.middleware\(\s*[\"']http")
    names = [path for path in source_modules() if pattern.search(path.read_text())]
    assert names == []


def test_no_page_reports_on_the_work() -> None:
    pages = [path for path in tracked_files() if path.suffix in {".md", ".txt", ".rst"}]
    reports = [path for path in pages if STATUS_PAGE.search(path.stem)]
    # Helm prints the file of this name after an installation, and knows no other.
    assert [path.name for path in reports if path.parts[-2:] != ("templates", "NOTES.txt")] == []


def test_modules_are_named_by_concept() -> None:
    assert [path.name for path in source_modules() if CARELESS_NAME.match(path.stem)] == []


def test_no_module_outgrows_a_room() -> None:
    # A migration is a record of one moment, as long as that moment's schema.
    modules = [path for path in source_modules() if "migrations" not in path.parts]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_every_door_is_kept_from_the_upstream() -> None:
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    kept = contracts["importlinter:contract:governed"]["source_modules"].split()
    doors = [door for door in ("mcp", "chat") if (ROOT / "src/msil_mcp" / door).is_dir()]
    assert kept == [f"msil_mcp.{door}" for door in doors]


def test_every_rest_route_declares_who_may_use_it() -> None:
    main = pytest.importorskip("msil_mcp.main")
    assert unguarded_routes(main.create_app()) == []


def test_a_route_without_a_permission_is_noticed() -> None:
    app = FastAPI()
    router = APIRouter(prefix="/api")
    router.add_api_route("/open", lambda: None, dependencies=[public])
    router.add_api_route("/guarded", lambda: None, dependencies=[Depends(require("audit:read"))])
    router.add_api_route("/forgotten", lambda: None)
    app.include_router(router)
    assert unguarded_routes(app) == ["['GET'] /api/forgotten"]
