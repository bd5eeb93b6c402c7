"""Everything people do that is recorded is an event, or is left untold on purpose."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msil_mcp
from msil_mcp.audit.live import _BY_ACTION, EVENT_TYPES, UNTOLD, EventType
from msil_mcp.chat.models import RunState

SOURCES = Path(msil_mcp.__file__).parent
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "webhooks.md"
RECORDING = {"record", "record_admin", "admin_audit"}


def actions() -> Iterator[tuple[str, str]]:
    """Every action a source hands to the trail as it stands there, and where."""
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name not in RECORDING:
                continue
            given = [
                *node.args[:1],
                *(word.value for word in node.keywords if word.arg == "action"),
            ]
            for constant in (found for value in given for found in ast.walk(value)):
                if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                    yield constant.value, f"{path.relative_to(SOURCES)}:{node.lineno}"


def test_what_is_recorded_is_told_or_left_untold_on_purpose() -> None:
    known = set(_BY_ACTION) | UNTOLD
    found = {action: where for action, where in actions() if "." in action}
    assert len(found) > 20
    found.pop("approval.", None)  # the beginning of a name with the state behind it
    strange = {action: where for action, where in found.items() if action not in known}
    assert not strange, "name these in EVENT_TYPES or UNTOLD of audit/live.py"
    assert not UNTOLD & set(EVENT_TYPES)


def test_the_guide_names_every_event() -> None:
    said = set(re.findall(r"`([a-z]+\.[a-z_]+)`", GUIDE.read_text(encoding="utf-8")))
    assert not set(EVENT_TYPES) - said, "name these in docs/guides/webhooks.md"


def test_every_way_a_run_ends_is_an_event() -> None:
    going_on = {"queued", "running", "waiting_approval"}
    assert {f"run.{state}" for state in get_args(RunState) if state not in going_on} < set(
        get_args(EventType)
    )
