"""Helm, by its own library: lints and renders the chart for given values.

It is Helm's Go code behind a C interface, so it works in a process of its own: run as a program,
this module answers what it reads on standard input.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "helm" / "msil-mcp"
VALUES = DEPLOY / "helm" / "values"
RELEASE, NAMESPACE = "msil-mcp", "msil"
SETS = ("minimal", "dev", "prod")

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Rendered:
    """What Helm made of the values: its findings, the manifests, or why it refused."""

    findings: list[dict[str, Any]]
    texts: dict[str, str]
    error: str | None

    @cached_property
    def manifests(self) -> list[Manifest]:
        texts = (text for name, text in self.texts.items() if not name.endswith(".txt"))
        return [found for text in texts for found in yaml.safe_load_all(text) if found]

    def of_kind(self, kind: str) -> list[Manifest]:
        return [manifest for manifest in self.manifests if manifest["kind"] == kind]

    def named(self, kind: str, name: str = RELEASE) -> Manifest:
        (found,) = (one for one in self.of_kind(kind) if one["metadata"]["name"] == name)
        return found

    def pods(self) -> Iterator[tuple[str, Manifest]]:
        """Every pod template with the name of what makes it."""
        for manifest in (*self.of_kind("Deployment"), *self.of_kind("Job")):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]

    def containers(self) -> Iterator[tuple[str, Manifest]]:
        for name, pod in self.pods():
            for container in pod["spec"]["containers"]:
                yield f"{name}/{container['name']}", container


def values_of(name: str) -> dict[str, Any]:
    """One of the value sets that the repository shows."""
    return yaml.safe_load((VALUES / f"{name}.yaml").read_text(encoding="utf-8")) or {}


def render(*values: dict[str, Any]) -> list[Rendered]:
    """What Helm makes of each."""
    done = subprocess.run(
        [sys.executable, __file__], input=json.dumps(values), capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [Rendered(**answer) for answer in json.loads(done.stdout)]


def answer(values: dict[str, Any]) -> dict[str, Any]:
    from helm_python import HelmError
    from helm_python.chart import Chart, lint

    try:
        findings = lint(CHART, values, strict=True)["messages"]
        texts = Chart.load(CHART).render(values, name=RELEASE, namespace=NAMESPACE)
    except HelmError as error:
        return {"findings": [], "texts": {}, "error": str(error)}
    return {"findings": findings, "texts": texts, "error": None}


if __name__ == "__main__":
    print(json.dumps([answer(values) for values in json.load(sys.stdin)]))
