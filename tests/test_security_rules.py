"""Rules whose breach would be a hole: each is shown to catch one, and to pass what is allowed."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).parent.parent
Rule = Callable[[ast.AST], bool]

UNSAFE_LOADERS = {"Loader", "UnsafeLoader", "FullLoader", "CLoader", "CFullLoader"}
AUTHORISING = ("identity", "governance", "mcp", "principal.py")
ADDRESSING = ("openapi", "upstream", "egress")
RELAYED_TO_A_LIBRARY = {"src/msil_mcp/identity/code_flow.py"}
"""The request there is one that we send, not one that we were sent."""

FIRST_WITHOUT_KNOWN_HOLE = {
    "h11": "0.16.0",  # CVE-2025-43859: chunked bodies read too leniently
    "jinja2": "3.1.6",  # CVE-2025-27516: a way out of the sandbox
    "starlette": "0.49.1",  # CVE-2025-62727: Range headers that cost quadratic time
    "urllib3": "2.6.0",  # CVE-2025-66418: unbounded chain of decompressions
    "requests": "2.32.4",  # CVE-2024-47081: credentials of .netrc sent elsewhere
    "idna": "3.7",  # CVE-2024-3651: quadratic time
    "certifi": "2024.7.4",  # CVE-2024-39689: a root that was withdrawn
    "python-multipart": "0.0.18",  # CVE-2024-53981: boundary read byte by byte
    "cryptography": "44.0.1",  # CVE-2024-12797: OpenSSL in the wheels
    "aiohttp": "3.12.14",  # CVE-2025-53643: trailers of chunked requests
}
"""Advisories known by heart; `make audit` asks for all of them."""


def text_of(node: ast.AST) -> str:
    return ast.unparse(node)


def reads_request_url(node: ast.AST) -> bool:
    """The URL is made of the Host header and the path as sent: neither may decide anything."""
    match node:
        case ast.Attribute(attr="url" | "base_url", value=ast.Name(id="request" | "connection")):
            return True
    return False


def joins_urls(node: ast.AST) -> bool:
    """An absolute or `//` path would name another host."""
    match node:
        case ast.Call(func=ast.Name(id="urljoin") | ast.Attribute(attr="urljoin")):
            return True
    return False


def loads_any_yaml(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="yaml"), attr=name, ctx=_)) if name in {
            "load",
            "load_all",
            "unsafe_load",
            "full_load",
        }:
            given = [word.value for word in node.keywords if word.arg == "Loader"] + node.args[1:2]
            loaders = {text_of(loader).rpartition(".")[2] for loader in given}
            return not loaders or bool(loaders & UNSAFE_LOADERS)
    return False


def trusts_any_certificate(node: ast.AST) -> bool:
    match node:
        case ast.keyword(arg="verify" | "ssl" | "verify_ssl", value=ast.Constant(value=False)):
            return True
        case ast.Attribute(attr="CERT_NONE" | "_create_unverified_context"):
            return True
        case ast.Assign(
            targets=[ast.Attribute(attr="check_hostname")], value=ast.Constant(value=False)
        ):
            return True
    return False


def runs_a_shell(node: ast.AST) -> bool:
    match node:
        case ast.keyword(arg="shell", value=value):
            return not (isinstance(value, ast.Constant) and value.value is False)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="os"), attr="system" | "popen")):
            return True
        case ast.Call(func=ast.Attribute(attr="create_subprocess_shell")):
            return True
    return False


def runs_what_it_reads(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="eval" | "exec")):
            return True
        case ast.Import(names=names):
            return bool({name.name for name in names} & {"pickle", "marshal", "shelve", "dill"})
        case ast.ImportFrom(module="pickle" | "marshal" | "shelve" | "dill"):
            return True
    return False


EVERYWHERE: tuple[Rule, ...] = (
    loads_any_yaml,
    trusts_any_certificate,
    runs_a_shell,
    runs_what_it_reads,
)
BAD = {
    "allowed = request.url.path in PUBLIC": reads_request_url,
    "connection.base_url": reads_request_url,
    "urljoin(base, path)": joins_urls,
    "parse.urljoin(base, path)": joins_urls,
    "yaml.load(text)": loads_any_yaml,
    "yaml.load(text, Loader=yaml.FullLoader)": loads_any_yaml,
    "yaml.load(text, yaml.UnsafeLoader)": loads_any_yaml,
    "yaml.unsafe_load(text)": loads_any_yaml,
    "httpx.get(url, verify=False)": trusts_any_certificate,
    "session.get(url, ssl=False)": trusts_any_certificate,
    "context.verify_mode = ssl.CERT_NONE": trusts_any_certificate,
    "context.check_hostname = False": trusts_any_certificate,
    "subprocess.run(command, shell=True)": runs_a_shell,
    "subprocess.run(command, shell=wanted)": runs_a_shell,
    "os.system(command)": runs_a_shell,
    "asyncio.create_subprocess_shell(command)": runs_a_shell,
    "eval(text)": runs_what_it_reads,
    "import pickle": runs_what_it_reads,
    "from pickle import loads": runs_what_it_reads,
}
GOOD = {
    "request.scope['path']": reads_request_url,
    "base + quote(path)": joins_urls,
    "yaml.load(text, Loader=yaml.BaseLoader)": loads_any_yaml,
    "yaml.safe_load(text)": loads_any_yaml,
    "httpx.get(url, verify=True)": trusts_any_certificate,
    "subprocess.run([program], shell=False)": runs_a_shell,
    "ast.literal_eval(text)": runs_what_it_reads,
}


def breaches(source: str, rule: Rule) -> list[int]:
    return [getattr(node, "lineno", 0) for node in ast.walk(ast.parse(source)) if rule(node)]


def modules(*rooms: str) -> Iterator[Path]:
    """Of these rooms, or all."""
    product = ROOT / "src" / "msil_mcp"
    for path in sorted((ROOT / "src").rglob("*.py")):
        if not rooms or any(path.is_relative_to(product / room) for room in rooms):
            yield path


def found(rule: Rule, *rooms: str) -> list[str]:
    paths = list(modules(*rooms))
    assert paths
    return [
        f"{path.relative_to(ROOT).as_posix()}:{line}"
        for path in paths
        for line in breaches(path.read_text(encoding="utf-8"), rule)
    ]


@pytest.mark.parametrize("sample", BAD)
def test_a_rule_catches_its_breach(sample: str) -> None:
    assert breaches(sample, BAD[sample])


@pytest.mark.parametrize("sample", GOOD)
def test_a_rule_passes_what_is_allowed(sample: str) -> None:
    assert breaches(sample, GOOD[sample]) == []


@pytest.mark.parametrize("rule", EVERYWHERE)
def test_no_module_breaks_the_rule(rule: Rule) -> None:
    assert found(rule) == []


def test_nothing_is_authorised_by_the_url_of_a_request() -> None:
    places = found(reads_request_url, *AUTHORISING)
    assert [place for place in places if place.partition(":")[0] not in RELAYED_TO_A_LIBRARY] == []


def test_no_address_of_an_upstream_is_joined() -> None:
    assert found(joins_urls, *ADDRESSING) == []


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt"])
def test_no_locked_package_has_a_hole_that_is_known_by_heart(lock: str) -> None:
    pins = dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", (ROOT / lock).read_text(), re.MULTILINE))
    old = [
        f"{name} {pins[name]} is before {first}"
        for name, first in FIRST_WITHOUT_KNOWN_HOLE.items()
        if name in pins and Version(pins[name]) < Version(first)
    ]
    assert pins
    assert old == []
