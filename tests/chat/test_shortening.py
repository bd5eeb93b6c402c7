"""Large results of earlier turns become a line that says what they held and how to get it again."""

import msgspec
import pytest

from chat.conversations import call, result
from msil_mcp.chat.context import Entry, approximate_tokens
from msil_mcp.chat.executions import FORGOTTEN
from msil_mcp.chat.parts import ToolResultPart
from msil_mcp.chat.shortening import Shortener
from msil_mcp.llm.summarising import LEFT_OUT

DEALERS = msgspec.json.encode(
    {
        "city": "Pune",
        "dealers": [{"code": f"D-{number}", "name": "x" * 400} for number in range(20)],
        "total": 20,
        "centre": {"lat": 18.5, "lon": 73.8},
    }
).decode()


def shortened(text: str, *, reads: frozenset[str] = frozenset(), **facts: object) -> str:
    part = result("c1", text=text, execution_id="0a1b", **facts)
    entry = Entry("m1", "assistant", (call("c1"), part))
    made = Shortener(1_000, reads)(entry).parts[1]
    assert isinstance(made, ToolResultPart)
    assert (made.call_id, made.outcome, made.execution_id) == ("c1", part.outcome, "0a1b")
    return made.text or ""


def test_a_reference_names_tool_size_content_and_execution_on_one_line() -> None:
    line = shortened(DEALERS, reads=frozenset({"resolve_vehicle"}))
    assert line.startswith(LEFT_OUT)
    assert "\n" not in line
    for fact in (
        "resolve_vehicle",
        f"{len(DEALERS):,} bytes",
        "execution 0a1b",
        'city "Pune"',
        "dealers (20 items with code, name)",
        "total 20",
        "centre (an object with lat, lon)",
    ):
        assert fact in line
    assert line.endswith("To see it again, call resolve_vehicle again.]")
    assert approximate_tokens(line) < 150


def test_a_model_is_never_told_to_repeat_a_write() -> None:
    line = shortened(DEALERS, reads=frozenset({"get_nearby_dealers"}))
    assert "call resolve_vehicle again" not in line
    assert "use a tool that reads" in line


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("words " * 2_000, "words words"),
        (msgspec.json.encode(list(range(5_000))).decode(), "(5000 items)"),
        (msgspec.json.encode([{"id": "x" * 9_000}]).decode(), "(1 item with id)"),
        (msgspec.json.encode({f"key{n}": n for n in range(900)}).decode(), "key0 0, key1 1"),
    ],
)
def test_whatever_a_result_holds_its_line_is_short(text: str, held: str) -> None:
    line = shortened(text)
    assert held in line
    assert approximate_tokens(line) < 150


def test_a_failure_keeps_its_first_words() -> None:
    assert "no such dealer" in shortened("no such dealer " * 1_000, outcome="failed")


@pytest.mark.parametrize("text", ["a Swift", FORGOTTEN, ""])
def test_a_small_result_stays_as_it_is(text: str) -> None:
    assert shortened(text) == text


def test_without_a_limit_nothing_is_shortened() -> None:
    entry = Entry("m1", "assistant", (call("c1"), result("c1", text=DEALERS)))
    assert Shortener(0)(entry) is entry
