#!/usr/bin/env python3
"""Whether a deployment answers as it should: health, sign-in, the pages, MCP, metrics.

    python deploy/smoke.py https://mcp.example.com

Nothing is changed. MSIL_API_KEY, if it is set, is shown at the MCP endpoint, and a tool that only
reads can be called with --call; without a key the endpoint must refuse. MSIL_METRICS_TOKEN is shown
at /metrics. The exit code is 0 when everything holds, 1 when something does not, 2 for a wrong
command. It needs Python 3.11 and nothing else.
"""

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

PROTOCOL = "2025-06-18"
LARGEST = 8 << 20
PAGE_MARK = '<div id="root">'


class Wrong(Exception):
    """One check does not hold; the text says why."""


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Wrong(f"no JSON came, but {self.body[:60]!r}") from None

    def must_be(self, *statuses: int) -> "Answer":
        """Itself, unless the status is another."""
        if self.status not in statuses:
            raise Wrong(f"status {self.status}: {self.body[:200].decode(errors='replace')}")
        return self


@dataclass
class Deployment:
    """The address under test, what is shown there, and the MCP session once it began."""

    url: str
    key: str
    metrics_token: str
    timeout: float
    session: dict[str, str] = field(default_factory=dict)

    def ask(
        self, path: str, *, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """GET, or POST with a body; raises Wrong only where no answer came."""
        data = None if body is None else json.dumps(body).encode()
        sent = {"User-Agent": "msil-mcp-smoke", **(headers or {})}
        if data is not None:
            sent["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url + path, data=data, headers=sent)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as got:
                return Answer(got.status, _lowered(got.headers), got.read(LARGEST))
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, _lowered(refused.headers), refused.read(LARGEST))
        except (OSError, ValueError) as broken:
            raise Wrong(f"no answer: {broken}") from None

    def mcp(self, method: str, params: Mapping[str, Any], *, number: int) -> Answer:
        """One JSON-RPC request at /mcp, with the key if there is one."""
        headers = {"Accept": "application/json, text/event-stream", **self.session}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        return self.ask("/mcp", body=body, headers=headers)

    def result(self, method: str, params: Mapping[str, Any], *, number: int) -> Any:
        """The result of a JSON-RPC request, whether it came at once or as a stream."""
        answer = self.mcp(method, params, number=number).must_be(200)
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            message = _last_message(answer.body)
        else:
            message = answer.json
        if "result" not in message:
            raise Wrong(f"{method}: {message.get('error')}")
        self.session |= {
            "MCP-Protocol-Version": PROTOCOL,
            "Mcp-Session-Id": answer.headers.get("mcp-session-id")
            or self.session.get("Mcp-Session-Id", ""),
        }
        return message["result"]


def _lowered(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _last_message(stream: bytes) -> Any:
    events = [line[5:] for line in stream.decode().splitlines() if line.startswith("data:")]
    messages = [json.loads(event) for event in events if event.strip()]
    return next((one for one in reversed(messages) if "id" in one), {})


def check_health(at: Deployment, *, version: str) -> str:
    """The process lives, and is the version that was deployed."""
    found = at.ask("/health").must_be(200).json
    if version and found.get("version") != version:
        raise Wrong(f"version {found.get('version')} answers, not {version}")
    return f"version {found.get('version')}, up for {found.get('uptime_seconds', 0):.0f} s"


def check_readiness(at: Deployment) -> str:
    """What it depends on answers."""
    checks = at.ask("/ready").must_be(200).json["checks"]
    return ", ".join(f"{name} {state}" for name, state in checks.items())


def check_metrics(at: Deployment) -> str:
    """Prometheus finds what it asks for; closed is fine where no token was given."""
    headers = {"Authorization": f"Bearer {at.metrics_token}"} if at.metrics_token else {}
    answer = at.ask("/metrics", headers=headers)
    if not at.metrics_token and answer.status == 401:
        return "closed without a token, as it was set"
    text = answer.must_be(200).body.decode()
    if "http_requests_total" not in text:
        raise Wrong("http_requests_total is missing")
    return f"{sum(not line.startswith('#') for line in text.splitlines())} series"


def check_sign_in(at: Deployment) -> str:
    """People are offered a way in."""
    options = at.ask("/api/auth/options").must_be(200).json
    return ", ".join(sorted(name for name, value in options.items() if value)) or "by key only"


def check_chat(at: Deployment) -> str:
    """The chat is served, under its policy."""
    page = at.ask("/chat/", headers={"Accept": "text/html"}).must_be(200)
    if PAGE_MARK not in page.body.decode(errors="replace"):
        raise Wrong("the web apps were not built into this server")
    if "content-security-policy" not in page.headers:
        raise Wrong("no Content-Security-Policy came with it")
    return f"{len(page.body)} bytes with a policy"


def check_refusal(at: Deployment) -> str:
    """Without a key nothing is told."""
    answer = at.mcp("tools/list", {}, number=1).must_be(401)
    if "www-authenticate" not in answer.headers:
        raise Wrong("refused without saying how to authenticate")
    return "refused without a key"


def check_initialize(at: Deployment) -> str:
    """A client can begin."""
    client = {"name": "msil-mcp-smoke", "version": "1"}
    params = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": client}
    begun = at.result("initialize", params, number=1)
    return f"{begun['serverInfo']['name']}, protocol {begun['protocolVersion']}"


def check_tools(at: Deployment, *, fewest: int) -> str:
    """The key sees tools."""
    tools = at.result("tools/list", {}, number=2)["tools"]
    if len(tools) < fewest:
        raise Wrong(f"{len(tools)} tools are visible, not {fewest} or more")
    return f"{len(tools)} tools"


def check_call(at: Deployment, *, tool: str, arguments: Mapping[str, Any]) -> str:
    """A tool that only reads answers through every rule."""
    listed = {one["name"]: one for one in at.result("tools/list", {}, number=3)["tools"]}
    if tool not in listed:
        raise Wrong(f"{tool} is not visible to this key")
    if not listed[tool].get("annotations", {}).get("readOnlyHint"):
        raise Wrong(f"{tool} may change something, so it is not called")
    called = at.result("tools/call", {"name": tool, "arguments": arguments}, number=4)
    said = "".join(part.get("text", "") for part in called["content"])
    if called.get("isError"):
        raise Wrong(said[:200])
    return f"{tool} answered {len(said)} characters"


def checks_of(options: argparse.Namespace, at: Deployment) -> dict[str, Callable[[], str]]:
    """What is looked at, in order."""
    checks: dict[str, Callable[[], str]] = {
        "health": lambda: check_health(at, version=options.version),
        "ready": lambda: check_readiness(at),
        "metrics": lambda: check_metrics(at),
        "sign-in": lambda: check_sign_in(at),
    }
    if not options.without_pages:
        checks["chat"] = lambda: check_chat(at)
    if not at.key:
        return checks | {"mcp": lambda: check_refusal(at)}
    checks |= {
        "initialize": lambda: check_initialize(at),
        "tools/list": lambda: check_tools(at, fewest=options.tools),
    }
    if options.call:
        checks["tools/call"] = lambda: check_call(
            at, tool=options.call, arguments=options.arguments
        )
    return checks


def wait_until_ready(at: Deployment, *, seconds: float) -> None:
    """Give a deployment that is coming up its time; what is wrong then, the checks say."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            at.ask("/ready").must_be(200)
        except Wrong:
            time.sleep(min(2.0, max(0.0, deadline - time.monotonic())))
        else:
            return


def run(checks: Mapping[str, Callable[[], str]]) -> int:
    """Every check, a line each; how many do not hold."""
    failed = 0
    for name, check in checks.items():
        begun = time.monotonic()
        try:
            said, mark = check(), "ok  "
        except Wrong as wrong:
            said, mark = str(wrong), "FAIL"
        except (KeyError, TypeError, AttributeError) as odd:
            said, mark = f"not the answer of this product: {odd!r}", "FAIL"
        failed += mark == "FAIL"
        print(f"{mark}  {name:<11} {(time.monotonic() - begun) * 1000:6.0f} ms  {said}", flush=True)
    return failed


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError("an address like https://mcp.example.com is needed")
    return text.rstrip("/")


def _object(text: str) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError("a JSON object is needed")
    return found


def read_command(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    summary, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", type=_address, help="where people and clients connect")
    parser.add_argument(
        "--wait", type=float, default=0, metavar="SECONDS", help="until it is ready"
    )
    parser.add_argument("--timeout", type=float, default=10, metavar="SECONDS", help="of a request")
    parser.add_argument("--version", default="", help="the version that must answer")
    parser.add_argument("--tools", type=int, default=1, metavar="N", help="fewest the key must see")
    parser.add_argument("--call", default="", metavar="TOOL", help="call a tool that only reads")
    parser.add_argument(
        "--arguments", type=_object, default={}, metavar="JSON", help="of that call"
    )
    parser.add_argument(
        "--without-pages", action="store_true", help="the web apps are not built in"
    )
    options = parser.parse_args(arguments)
    if options.call and not os.environ.get("MSIL_API_KEY"):
        parser.error("--call needs a key in MSIL_API_KEY")
    return options


def main() -> int:
    """Check, and say how it went."""
    options = read_command()
    at = Deployment(
        options.url,
        key=os.environ.get("MSIL_API_KEY", "").strip(),
        metrics_token=os.environ.get("MSIL_METRICS_TOKEN", "").strip(),
        timeout=options.timeout,
    )
    wait_until_ready(at, seconds=options.wait)
    checks = checks_of(options, at)
    failed = run(checks)
    if failed:
        print(f"{failed} of {len(checks)} checks of {at.url} failed", file=sys.stderr)
        return 1
    print(f"{at.url} holds all {len(checks)} checks")
    return 0


if __name__ == "__main__":
    sys.exit(main())
