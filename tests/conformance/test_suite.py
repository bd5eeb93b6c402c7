"""The official conformance suite against the endpoint: every scored scenario, counted by name."""

import re
from pathlib import Path

import httpx2
import pytest

from nodes import Node

SUITE = "node_modules/@modelcontextprotocol/conformance/dist/index.js"
SCORED = {"2025-11-25": 30, "2026-07-28": 37}
EXTENSION = re.compile(r"^\s+[✓✗] (\S+) \(extension\)", re.MULTILINE)
UNSCORED = re.compile(r"^\s+[✓✗] (\S+) \(", re.MULTILINE)
VERDICT = re.compile(r"^([✓✗]) (\S+): (\d+) passed, (\d+) failed", re.MULTILINE)
DISCOVER = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "server/discover",
    "params": {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    },
}
HEADERS = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "server/discover"}


def assert_is_up(url: str) -> None:
    """Some checks of the suite pass when nobody answers."""
    response = httpx2.post(url, json=DISCOVER, headers=HEADERS)
    assert response.status_code == 200, response.text
    assert response.json()["result"]["supportedVersions"] == ["2026-07-28"]


@pytest.mark.parametrize("revision", SCORED)
def test_every_scored_scenario_of_the_revision_passes(
    revision: str, node: Node, fixture_url: str, tmp_path: Path
) -> None:
    assert_is_up(fixture_url)

    run = node.run(SUITE, "server", "--url", fixture_url, "--requirements", revision, home=tmp_path)

    assert_is_up(fixture_url)
    verdicts = {
        name: (int(passed), int(failed)) for _, name, passed, failed in VERDICT.findall(run.stdout)
    }
    scored = verdicts.keys() - set(UNSCORED.findall(run.stdout))
    assert len(scored) == SCORED[revision], run.stdout[-4000:] + run.stderr[-2000:]
    # Tasks are an extension that is not offered; whatever else is unscored has to pass as well.
    offered = verdicts.keys() - set(EXTENSION.findall(run.stdout))
    failing = {name: verdicts[name] for name in offered if verdicts[name][1]}
    assert not failing, run.stdout[-8000:]
    assert all(verdicts[name][0] for name in offered)
    assert run.returncode == 0
