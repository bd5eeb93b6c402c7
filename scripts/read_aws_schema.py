"""Writes what the AWS provider knows of the resources that deploy/terraform uses, for the tests.

    terraform providers schema -json | python scripts/read_aws_schema.py terraform 5.100.0
    python scripts/read_aws_schema.py wheel cdktf_cdktf_provider_aws-….whl

The first is the provider's own word, and what `make terraform-schema` runs. The second reads
bindings made from a provider that is not at hand, so that the next major version can be looked at.
Names and whether they are required are kept, and nothing else.
"""

import json
import re
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
SOURCES: Final = ROOT / "deploy" / "terraform"
TARGET: Final = ROOT / "tests" / "deploy" / "aws_schema"
USED: Final = re.compile(r'^(resource|data|ephemeral) "(aws_\w+)"', re.MULTILINE)
ADDRESS: Final = "registry.terraform.io/hashicorp/aws"
KINDS: Final = {
    "resource": "resource_schemas",
    "data": "data_source_schemas",
    "ephemeral": "ephemeral_resource_schemas",
}
# Terraform's own, which every resource takes.
UNTOLD: Final = {"id", "timeouts"}

Kind = dict[str, Any]


def used_types() -> dict[str, list[str]]:
    """Types of the configuration, by kind."""
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for path in SOURCES.rglob("*.tf"):
        for kind, name in USED.findall(path.read_text(encoding="utf-8")):
            found[kind].add(name)
    return {kind: sorted(names) for kind, names in found.items()}


def of_provider(schema: Mapping[str, Any]) -> Kind:
    """From the answer of `terraform providers schema -json`."""
    known = schema["provider_schemas"][ADDRESS]
    return {
        kind: {name: _of_block(known[KINDS[kind]][name]["block"]) for name in names}
        for kind, names in used_types().items()
    }


def _of_block(block: Mapping[str, Any]) -> Kind:
    made: Kind = {"required": [], "optional": [], "computed": [], "blocks": {}}
    for name, attribute in block.get("attributes", {}).items():
        if attribute.get("required"):
            made["required"].append(name)
        elif attribute.get("optional"):
            made["optional"].append(name)
        else:
            made["computed"].append(name)
    for name, below in block.get("block_types", {}).items():
        if name not in UNTOLD:
            made["blocks"][name] = _of_block(below["block"])
            if below.get("min_items"):
                made["required"].append(name)
    return {name: value for name, value in made.items() if value}


def of_wheel(path: Path) -> tuple[str, Kind]:
    """From the bindings' assembly: the provider's version, and what it knows."""
    with zipfile.ZipFile(path) as wheel:
        (bundle,) = (name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
        archive = tarfile.open(fileobj=BytesIO(wheel.read(bundle)))  # noqa: SIM115 closed below
    with archive:
        package = json.load(archive.extractfile("package/package.json"))  # type: ignore[arg-type]
        types = json.load(archive.extractfile("package/.jsii"))["types"]  # type: ignore[arg-type]
    named = ((_terraform_name(one), one) for one in types.values() if _is_resource(one))
    classes = {name: one for name, one in named if name is not None}
    made: Kind = {
        kind: {name: _of_class(classes[kind, name], types) for name in names}
        for kind, names in used_types().items()
        if kind != "ephemeral"
    }
    return package["cdktf"]["provider"]["version"], made


def _is_resource(one: Mapping[str, Any]) -> bool:
    return any(part["name"] == "tfResourceType" for part in one.get("properties", ()))


def _terraform_name(one: Mapping[str, Any]) -> tuple[str, str] | None:
    told = re.search(r"/docs/([\w-]+)/\S+ (aws_\w+|data_aws_\w+)\}", one["docs"]["summary"])
    if told is None:
        return None  # the provider itself
    kind = "data" if told[1] == "data-sources" else "resource"
    return kind, told[2].removeprefix("data_")


def _of_class(one: Mapping[str, Any], types: Mapping[str, Any]) -> Kind:
    given = one["initializer"]["parameters"][-1]["type"]["fqn"]
    made = _of_struct(types[given], types)
    told = {*made.get("required", ()), *made.get("optional", ()), *made.get("blocks", ())}
    computed = {
        _snake(part["name"]) for part in one.get("properties", ()) if not part.get("static")
    }
    made["computed"] = sorted(name for name in computed - told if not name.endswith("_input"))
    return made


def _of_struct(struct: Mapping[str, Any], types: Mapping[str, Any]) -> Kind:
    made: Kind = {"required": [], "optional": [], "blocks": {}}
    for part in struct.get("properties", ()):
        docs = part.get("docs", {})
        named = re.search(r"/docs/\S+#(\w+) ", docs.get("summary", "") + docs.get("remarks", ""))
        if named is None:
            continue  # of the bindings, not of the provider
        name = named[1]
        below = next((types[fqn] for fqn in _names_in(part["type"]) if fqn in types), None)
        if below is not None and name not in UNTOLD:
            made["blocks"][name] = _of_struct(below, types)
        if name in UNTOLD:
            made["optional"].append(name)
        elif not part.get("optional"):
            made["required"].append(name)
        elif below is None:
            made["optional"].append(name)
    return {name: value for name, value in made.items() if value}


def _names_in(kind: Mapping[str, Any]) -> list[str]:
    if "fqn" in kind:
        return [kind["fqn"]]
    if "collection" in kind:
        return _names_in(kind["collection"]["elementtype"])
    return [name for one in kind.get("union", {}).get("types", ()) for name in _names_in(one)]


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def write(version: str, known: Kind) -> None:
    """One line for a type, so that a difference can be read."""
    lines = [f'  "version": {json.dumps(version)}']
    for kind, types in known.items():
        rows = [f"    {json.dumps(name)}: {json.dumps(types[name])}" for name in sorted(types)]
        lines.append(f"  {json.dumps(kind)}: {{\n" + ",\n".join(rows) + "\n  }")
    TARGET.mkdir(parents=True, exist_ok=True)
    path = TARGET / f"{version.split('.')[0]}.json"
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main() -> None:
    """Read one source and write its file."""
    match sys.argv[1:]:
        case ["terraform", version]:
            write(version, of_provider(json.load(sys.stdin)))
        case ["wheel", path]:
            write(*of_wheel(Path(path)))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
