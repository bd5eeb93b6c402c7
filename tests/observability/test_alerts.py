"""Alerts: each is shown at work by promtool, and has a page that says what to do."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from observability.expressions import DEPLOY, alerts, named_in, rules

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
SECTIONS = ["What it means", "How to see it", "What to do", "When it is over"]
TESTS = DEPLOY / "prometheus" / "alerts_test.yml"
LABEL_USED = re.compile(r"\$labels\.(\w+)")


def kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name.removeprefix("Msil")).lower()


def test_there_are_alerts() -> None:
    assert len(alerts()) >= 25
    assert len(list(rules())) > len(alerts())


@pytest.mark.parametrize(
    "alert", alerts(), ids=lambda alert: f"{alert['alert']} {alert['labels']['severity']}"
)
def test_alert_says_how_urgent_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["alert"].startswith("Msil")
    assert alert["labels"]["severity"] in {"page", "ticket"}
    notes = alert["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert notes["summary"]
    page = ROOT / notes["runbook_url"]
    assert page == RUNBOOKS / f"{kebab(alert['alert'])}.md"
    text = page.read_text()
    assert alert["alert"] in text.splitlines()[0]
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == SECTIONS


def test_each_runbook_is_of_an_alert_and_listed() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == {kebab(alert["alert"]) for alert in alerts()}
    listed = re.findall(r"\]\(([\w-]+)\.md\)", (RUNBOOKS / "README.md").read_text())
    assert sorted(listed) == sorted(pages)


def test_each_alert_is_shown_at_work() -> None:
    text = TESTS.read_text()
    shown = set(re.findall(r'alertname="(\w+)", severity="(\w+)"', text))
    assert shown == {(alert["alert"], alert["labels"]["severity"]) for alert in alerts()}
    silent = [one for one in yaml.safe_load(text)["tests"] if "ordinary" in one["name"]]
    assert any(
        check["expr"].startswith("count_over_time(ALERTS") and check["exp_samples"] == []
        for check in silent[0]["promql_expr_test"]
    )


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_alert_names_only_labels_its_expression_keeps(alert: dict[str, Any]) -> None:
    """Where an expression says what it keeps, the text may use nothing else."""
    kept = re.findall(r"\bby \(([^)]*)\)", alert["expr"])
    if not kept:
        return
    allowed = {label.strip() for labels in kept for label in labels.split(",")}
    used = set(LABEL_USED.findall(" ".join(alert["annotations"].values())))
    assert used <= allowed


def runbooks() -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(RUNBOOKS.glob("*.md"))}


def test_runbooks_name_commands_settings_and_metrics_that_exist() -> None:
    """Whoever reads them has no time for what is not there."""
    text = "\n".join(runbooks().values())
    reference = {path.stem: path.read_text() for path in (ROOT / "docs/reference").glob("*.md")}
    commands = set(re.findall(r"^## msil-mcp (.+)$", reference["cli"], flags=re.MULTILINE))
    named = re.findall(r"msil-mcp ((?:[a-z-]+ ?)+)", text)
    unknown = [one for one in named if not any(f"{one} ".startswith(f"{c} ") for c in commands)]
    assert unknown == []
    settings = set(re.findall(r"`(\w+)`", reference["settings"]))
    named = re.findall(r"\b(?:MSIL|OPENAI|DATABASE|HTTPS|SSL)_[A-Z_]+", text)
    assert sorted(set(named) - settings) == []

    metrics = set(re.findall(r"^\| `(\w+)`", reference["metrics"], flags=re.MULTILINE))
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    processes = {"up", "process_start_time_seconds", "process_resident_memory_bytes"}
    known = metrics | recorded | processes | {"process_cpu_seconds_total"}
    for block in re.findall(r"```promql\n(.*?)```", text, flags=re.DOTALL):
        for expression in re.sub(r"\n +", " ", block.strip()).split("\n"):
            for selector in named_in(expression).selectors:
                name = re.sub(r"\{.*|_(bucket|sum|count)(?=\{|$)", "", selector)
                assert name in known, expression


def test_links_between_runbooks_lead_somewhere() -> None:
    for page, text in runbooks().items():
        for link in re.findall(r"\]\(([^)#]+\.md)\)", text):
            assert (RUNBOOKS / link).resolve().is_file(), (page, link)
