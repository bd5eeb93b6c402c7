"""`msil-mcp eval` holds conversations with a model and says where it went wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from commands import Commands, commands_on

JOURNEY = """
now: 2026-11-23T08:00:00+05:30
cases:
  - id: journey
    turns:
      - say: Express service for MH12AB1234 tomorrow at 10 near Baner, Pune
        calls:
          - get_nearby_dealers: {city: Pune, area: AREA}
        never: [NEVER]
        answer: [Swift]
      - {say: "9876543210, yes", approve: APPROVE}
    bookings:
      - {vehicle_registration: MH12AB1234, service_type: SERVICE}
"""
AS_IT_GOES = {"AREA": "Baner", "NEVER": "none", "APPROVE": "true", "SERVICE": "express"}


def journey(**changes: str) -> str:
    text = JOURNEY
    for name, value in (AS_IT_GOES | changes).items():
        text = text.replace(name, value)
    return text


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)
    with capture_logs():
        yield from commands_on(f"sqlite:///{tmp_path / 'own.db'}", tmp_path, monkeypatch)


@pytest.mark.slow
def test_the_shipped_conversations_go_well_with_the_scripted_model(cli: Commands) -> None:
    [score] = cli.json("eval")
    failed = {case["id"]: case["faults"] for case in score["cases"] if case["faults"]}
    assert failed == {}
    assert score["model"] == "msil-scripted"
    assert score["passed"] == len(score["cases"]) >= 30
    assert {case["language"] for case in score["cases"]} == {"en", "hi"}
    assert [path.name for path in cli.folder.iterdir()] == [], "something was left behind"


def test_what_did_not_go_as_expected_is_told_and_fails(cli: Commands) -> None:
    wrong = {
        "dealers": journey(AREA="Wakad"),
        "called": journey(NEVER="resolve_vehicle"),
        "words": journey().replace("[Swift]", "[Ertiga]"),
        "row": journey(SERVICE="regular"),
        "refused": journey(APPROVE="false"),
    }
    cases = [text.split("cases:\n")[1].replace("journey", name) for name, text in wrong.items()]
    path = cli.write("wrong.yaml", JOURNEY.split("  - id")[0] + "".join(cases))
    lines = cli.run("eval", path, code=1).splitlines()
    assert len(lines) == 1 + len(wrong) + 1
    told = {line.split()[0]: line for line in lines[1:-1] if not line.startswith(" ")}
    assert "did not call get_nearby_dealers(city=Pune, area=Wakad), but" in told["dealers"]
    assert "called resolve_vehicle, which it should not" in told["called"]
    assert "did not say 'Ertiga'" in told["words"]
    assert "no booking has" in told["row"]
    assert "no booking has" in told["refused"]
    assert lines[-1].startswith("msil-scripted: 0 of 5 passed")


def test_two_models_are_compared(cli: Commands) -> None:
    path = cli.write("one.yaml", journey())
    said = cli.run("eval", path, "--compare", "scripted", "scripted:demo-401", code=1)
    header, row, _, first, second = said.splitlines()
    assert header.split()[1:3] == ["MSIL-SCRIPTED", "DEMO-401"]
    assert row.split()[1:3] == ["passed", "FAILED"]
    assert "did not accept the API key" in row
    assert "1 of 1 passed" in first
    assert "0 of 1 passed" in second


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("now: x", "Invalid RFC3339"),
        (journey().replace("never", "nevr"), "nevr"),
        (journey().replace("+05:30", ""), "now needs an offset"),
        (journey() + journey().split("cases:\n")[1], "used twice: ['journey']"),
        ("cases: [", "line"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_in_one_line(cli: Commands, text: str, why: str) -> None:
    said = cli.run("eval", cli.write("bad.yaml", text), code=2)
    assert "bad.yaml is not a file of conversations" in said
    assert why in said
    assert said.count("\n") == 1
