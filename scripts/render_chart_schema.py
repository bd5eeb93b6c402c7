"""Writes what the Helm chart has from elsewhere: its schema, and its rules and dashboards.

The schema holds the settings there are, so that Helm refuses what is none. Rules and dashboards
are copies, because links are plain files in a checkout on Windows. `make docs` runs this; tests
compare all of it.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AliasChoices, SecretStr, TypeAdapter
from pydantic.fields import FieldInfo

from msil_mcp.settings import Settings

DEPLOY: Final = Path(__file__).parent.parent / "deploy"
HELM: Final = DEPLOY / "helm"
FILES: Final = HELM / "msil-mcp" / "files"
VALUES: Final = HELM / "values.json"
SCHEMA: Final = HELM / "msil-mcp" / "values.schema.json"
GENERATED: Final = (
    "Written by `make docs` from deploy/helm/values.json and the settings in the code."
)
OF_THE_SECRET: Final = {"DATABASE_URL", "DATABASE_READ_URL", "REDIS_URL"}
"""URLs that hold passwords, so they belong to the Secret with what is declared a secret."""
OF_THE_CHART: Final = {"PORT", "MSIL_DATA_DIR"}
OF_OTHER_COMMANDS: Final = {"MSIL_MCP_URL", "MSIL_LOOPBACK_SIGN_IN"}


def variables() -> dict[str, FieldInfo]:
    """Every setting by its variable."""
    prefix = Settings.model_config.get("env_prefix") or ""
    return {_variable(name, field, prefix): field for name, field in Settings.model_fields.items()}


def _variable(name: str, field: FieldInfo, prefix: str) -> str:
    match field.validation_alias:
        case AliasChoices(choices=[str(first), *_]) | str(first):
            return first
    return prefix + name.upper()


def secrets() -> set[str]:
    """Variables that belong into a Secret."""
    declared = {name for name, field in variables().items() if field.annotation == SecretStr | None}
    return declared | OF_THE_SECRET


def settings_schema() -> dict[str, Any]:
    """What `settings` of the chart may hold, by variable."""
    elsewhere = secrets() | OF_THE_CHART | OF_OTHER_COMMANDS
    return {
        name: _schema_of(field)
        for name, field in sorted(variables().items())
        if name not in elsewhere
    }


def _schema_of(field: FieldInfo) -> dict[str, Any]:
    annotation = (
        Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    )
    made = TypeAdapter(annotation).json_schema()
    branches = [branch for branch in made.pop("anyOf", [made]) if branch.get("type") != "null"]
    for branch in branches:
        branch.pop("format", None)
    if branches[0].get("type") in {"array", "object"}:
        # As the environment holds it, too: separated by commas, or JSON.
        branches.append({"type": "string"})
    one = branches[0] if len(branches) == 1 else {"anyOf": branches}
    return {"description": field.description, **one}


def render() -> str:
    """The schema of the values with the settings as they are in the code."""
    values = json.loads(VALUES.read_text(encoding="utf-8"))
    schema = {"$comment": GENERATED, **values}
    schema["properties"]["settings"]["properties"] = settings_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def copies() -> dict[Path, str]:
    """What stands below `files` of the chart, by path; dashboards without their white space."""
    rules = (DEPLOY / "prometheus" / "rules.yml").read_text(encoding="utf-8")
    found = {FILES / "rules.yml": rules}
    for path in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        compact = json.dumps(board, separators=(",", ":"), ensure_ascii=False)
        found[FILES / "dashboards" / path.name] = compact + "\n"
    return found


def main() -> None:
    """Write all of it, and remove copies of what is gone."""
    SCHEMA.write_text(render(), encoding="utf-8")
    for path, text in copies().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in (FILES / "dashboards").iterdir():
        if path not in copies():
            path.unlink()


if __name__ == "__main__":
    main()
