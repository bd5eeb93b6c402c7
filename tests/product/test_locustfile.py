"""The locustfile by itself, for a few seconds, against the whole product."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from running import Product

ROOT = Path(__file__).parents[2]
DONE_BY_EVERYBODY = {
    "MCP initialize",
    "MCP tools/list",
    "REST ask to book",
    "REST approve",
    "REST book",
    "chat send",
}


def locust(folder: Path, *options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(ROOT / "locustfile.py"), "--headless", *options],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def entries(folder: Path) -> dict[str, dict[str, Any]]:
    found = json.loads((folder / "counted.json").read_text())
    return {entry["name"]: entry for entry in found}


def test_every_kind_of_user_gets_its_answers(embedded_product: Product, tmp_path: Path) -> None:
    done = locust(
        tmp_path, "--host", embedded_product.url, "--users", "25", "--spawn-rate", "100",
        "--run-time", "12s", "--per-minute", "1500,3000", "--stage-seconds", "2",
        "--json-file", "counted", "--only-summary",
        MSIL_API_KEY=f"{embedded_product.keys['user']}, {embedded_product.keys['user']}",
        LOCUST_APPROVER_KEY=embedded_product.keys["administrator"],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = entries(tmp_path)
    assert set(found) >= DONE_BY_EVERYBODY
    assert sum(entry["num_failures"] for entry in found.values()) == 0
    # Two seconds at 25 a second, then ten at 50; fewer where the machine is busy, never more.
    assert 80 < sum(entry["num_requests"] for entry in found.values()) < 600
    (booked,) = embedded_product.query(
        "SELECT count(*) FROM tool_executions WHERE tool_name = 'create_service_booking' "
        "AND state = 'succeeded'"
    )[0]
    assert booked >= 1


def test_without_a_key_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = locust(tmp_path, "--host", "http://127.0.0.1:9", "--run-time", "1s")
    assert done.returncode != 0
    assert "msil-mcp keys create" in done.stdout + done.stderr


def test_what_is_refused_is_a_failure(embedded_product: Product, tmp_path: Path) -> None:
    done = locust(
        tmp_path, "--host", embedded_product.url, "--users", "10", "--spawn-rate", "100",
        "--run-time", "3s", "--per-minute", "1200", "--json-file", "counted", "--only-summary",
        MSIL_API_KEY="msil_notakey_",
    )  # fmt: skip
    assert done.returncode == 1
    found = entries(tmp_path).values()
    assert sum(entry["num_failures"] for entry in found) > 0
    assert all(entry["num_failures"] == entry["num_requests"] for entry in found)
