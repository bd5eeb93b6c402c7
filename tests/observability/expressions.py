"""Every PromQL expression that ships: of dashboards, their variables, rules and alerts."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import promql_parser
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARDS = DEPLOY / "grafana" / "dashboards"
RULES = DEPLOY / "prometheus" / "rules.yml"
CHOICE = re.compile(r"label_values\((?P<selector>.+), (?P<label>\w+)\)")


def boards() -> dict[str, dict[str, Any]]:
    """The dashboards by their file's name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))}


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Panels that ask something, with the dashboard they are on."""
    for name, board in boards().items():
        for panel in board["panels"]:
            if panel["type"] != "row":
                yield name, panel


def chosen(expression: str) -> str:
    """The expression with everything chosen at the top of the dashboard."""
    expression = expression.replace("$__rate_interval", "1m")
    return re.sub(r"\$\w+", ".*", expression)


def panel_expressions() -> dict[str, str]:
    """What each panel asks, by where it is."""
    return {
        f"{board}: {panel['title']}: {target['refId']}": chosen(target["expr"])
        for board, panel in panels()
        for target in panel["targets"]
    }


def choices() -> dict[str, tuple[str, str]]:
    """The selector and the label that each variable offers the values of."""
    found = {}
    for name, board in boards().items():
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                match = CHOICE.fullmatch(variable["query"]["query"])
                assert match, variable["query"]
                found[f"{name}: ${variable['name']}"] = (
                    chosen(match["selector"]), match["label"]
                )  # fmt: skip
    return found


def rules() -> Iterator[dict[str, Any]]:
    """Recording rules and alerts."""
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from group["rules"]


def alerts() -> list[dict[str, Any]]:
    """The alerts among them."""
    return [rule for rule in rules() if "alert" in rule]


@dataclass
class Named:
    """The series an expression asks for, and the labels it names."""

    selectors: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)

    def visit(self, node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql_parser.VectorSelector):
            self.selectors.add(re.sub(r"\s+", " ", node.prettify()))
            self.labels |= {matcher.name for matcher in node.matchers.matchers}
        elif isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            self.labels |= set(node.modifier.labels)
        elif isinstance(node, promql_parser.BinaryExpr) and node.modifier:
            matching = node.modifier.matching
            self.labels |= set(matching.labels if matching else ())
            self.labels |= set(node.modifier.group_labels or ())


def named_in(expression: str) -> Named:
    """What an expression names; ranges and what is done with the values are left out."""
    named = Named()
    promql_parser.walk(promql_parser.parse(expression), named.visit)
    return named
