"""The smoke test of deployments, as the pipeline runs it, against the whole product."""

import subprocess
import sys
from pathlib import Path

import pytest

from msil_mcp.pages.apps import WebApp
from running import Product, free_port

SMOKE = Path(__file__).parents[2] / "deploy" / "smoke.py"
PAGES = () if WebApp("chat").is_built else ("--without-pages",)
VEHICLE = '{"registration_number": "MH12AB1234"}'


def smoke(url: str, *options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", str(SMOKE), url, *options],
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def outcomes(done: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    """For each check whether it holds, as printed."""
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith(("ok", "FAIL"))]
    return {name: mark for mark, name, *_ in lines}


def test_a_deployment_that_is_well_holds_every_check(embedded_product: Product) -> None:
    done = smoke(
        embedded_product.url, "--tools", "6", "--call", "resolve_vehicle", "--arguments", VEHICLE,
        *PAGES, MSIL_API_KEY=embedded_product.keys["user"],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    checks = ["health", "ready", "metrics", "sign-in", *([] if PAGES else ["chat"])]
    expected = [*checks, "initialize", "tools/list", "tools/call"]
    assert outcomes(done) == dict.fromkeys(expected, "ok")
    assert f"holds all {len(expected)} checks" in done.stdout


def test_without_a_key_the_endpoint_must_refuse(embedded_product: Product) -> None:
    done = smoke(embedded_product.url, *PAGES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert outcomes(done)["mcp"] == "ok"


@pytest.mark.parametrize(
    ("options", "failing", "said"),
    [
        (("--version", "9.9.9"), "health", "not 9.9.9"),
        (("--tools", "7"), "tools/list", "6 tools are visible, not 7 or more"),
        (("--call", "create_service_booking"), "tools/call", "may change something"),
        (("--call", "resolve_vehicle"), "tools/call", "registration_number"),
        (("--call", "nothing"), "tools/call", "not visible"),
    ],
)
def test_what_does_not_hold_is_named_and_fails(
    embedded_product: Product, options: tuple[str, ...], failing: str, said: str
) -> None:
    done = smoke(embedded_product.url, *options, *PAGES, MSIL_API_KEY=embedded_product.keys["user"])
    assert done.returncode == 1
    assert [name for name, mark in outcomes(done).items() if mark == "FAIL"] == [failing]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("FAIL"))
    assert said in line


def test_a_key_that_is_not_known_fails_only_at_mcp(embedded_product: Product) -> None:
    done = smoke(embedded_product.url, *PAGES, MSIL_API_KEY="msil_notakey_")
    assert done.returncode == 1
    failed = [name for name, mark in outcomes(done).items() if mark == "FAIL"]
    assert failed == ["initialize", "tools/list"]


def test_another_service_fails(booking_url: str) -> None:
    done = smoke(booking_url)
    assert done.returncode == 1
    failed = [name for name, mark in outcomes(done).items() if mark == "FAIL"]
    assert failed == ["metrics", "sign-in", "chat", "mcp"]


def test_nobody_there_fails_with_the_reason() -> None:
    done = smoke(f"http://127.0.0.1:{free_port()}", "--wait", "0.1")
    assert done.returncode == 1
    assert set(outcomes(done).values()) == {"FAIL"}
    assert "refused" in done.stdout


@pytest.mark.parametrize("wrong", [("mcp.example.com",), ("http://127.0.0.1", "--call", "tool")])
def test_a_wrong_command_is_told_apart(wrong: tuple[str, ...]) -> None:
    assert smoke(*wrong).returncode == 2
