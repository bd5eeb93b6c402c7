"""The Terraform configuration as read: modules, what they declare, and what they name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hcl2

from deploy.charts import DEPLOY

TERRAFORM = DEPLOY / "terraform"
NOTES = {"__comments__", "__inline_comments__", "__is_block__"}
META = {"count", "for_each", "provider", "depends_on", "lifecycle", "dynamic"}
OF_CALLS = {"source", "count", "for_each", "providers", "depends_on"}
LITERAL = re.compile(r'"(?:[^"\\$]|\\.|\$(?!\{))*"')
NAMED = re.compile(
    r"(?<![\w.-])(?P<root>var|local|module|data|ephemeral|aws_\w+)\.(?P<rest>[A-Za-z_][\w-]*)"
)
STEP = re.compile(r"\.([A-Za-z_][\w-]*)")

Body = dict[str, Any]


@dataclass(frozen=True)
class Resource:
    """One resource, data source or ephemeral resource."""

    kind: str
    type: str
    name: str
    body: Body

    def __str__(self) -> str:
        return f"{'' if self.kind == 'resource' else self.kind + '.'}{self.type}.{self.name}"


@dataclass(frozen=True)
class Reference:
    """Something named in an expression: `aws_x.y.z` has root aws_x and path (y, z)."""

    root: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join((self.root, *self.path))


@dataclass
class Module:
    """A folder of the configuration."""

    path: Path
    variables: dict[str, Body] = field(default_factory=dict)
    outputs: dict[str, Body] = field(default_factory=dict)
    locals: dict[str, Any] = field(default_factory=dict)
    calls: dict[str, Body] = field(default_factory=dict)
    resources: dict[tuple[str, str, str], Resource] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)

    def __str__(self) -> str:
        return self.path.relative_to(TERRAFORM).as_posix()

    def of_type(self, type_: str) -> list[Resource]:
        return [found for found in self.resources.values() if found.type == type_]

    def one(self, type_: str, name: str = "this") -> Body:
        """The body of a resource."""
        return self.resources["resource", type_, name].body

    def source_of(self, call: str) -> Path:
        return (self.path / text(self.calls[call]["source"])).resolve()


def text(value: Any) -> str:
    """A plain string, without the quotes it is parsed with."""
    assert isinstance(value, str), value
    return value.removeprefix('"').removesuffix('"')


def read_modules() -> dict[str, Module]:
    """Every folder with configuration, by its path."""
    folders = sorted({path.parent for path in TERRAFORM.rglob("*.tf")})
    folders = [folder for folder in folders if ".terraform" not in folder.parts]
    return {str(module): module for module in map(_read, folders)}


def _read(folder: Path) -> Module:
    module = Module(folder)
    for path in sorted(folder.glob("*.tf")):
        for kind, found in hcl2.loads(path.read_text(encoding="utf-8")).items():
            if kind not in NOTES:
                for block in found:
                    _take(module, kind, block)
                module.references += references_in(found)
    return module


def _take(module: Module, kind: str, block: Body) -> None:
    named = {text(name): body for name, body in block.items() if name not in NOTES}
    match kind:
        case "variable":
            module.variables |= named
        case "output":
            module.outputs |= named
        case "locals":
            module.locals |= named
        case "module":
            module.calls |= named
        case "resource" | "data" | "ephemeral":
            for type_, below in named.items():
                for name, body in below.items():
                    if name not in NOTES:
                        one = Resource(kind, type_, text(name), body)
                        module.resources[kind, type_, one.name] = one
        case "terraform" | "provider":
            pass
        case _:
            raise AssertionError(f"{module}: a block {kind}")


def references_in(value: Any) -> Iterator[Reference]:
    """What the expressions below a value name."""
    match value:
        case str():
            yield from _references(value)
        case list():
            for item in value:
                yield from references_in(item)
        case dict():
            for name, item in value.items():
                if name not in NOTES and name != "lifecycle":
                    yield from references_in(item)


def _references(expression: str) -> Iterator[Reference]:
    code = LITERAL.sub('""', expression)
    for found in NAMED.finditer(code):
        path, at = [found["rest"]], found.end()
        while True:
            at = _past_index(code, at)
            step = STEP.match(code, at)
            if step is None:
                break
            path.append(step[1])
            at = step.end()
        yield Reference(found["root"], tuple(path))


def _past_index(code: str, at: int) -> int:
    while at < len(code) and code[at] == "[":
        depth = 0
        for end in range(at, len(code)):
            depth += {"[": 1, "]": -1}.get(code[end], 0)
            if depth == 0:
                at = end + 1
                break
        else:
            break
    return at


def is_block(value: Any) -> bool:
    """Whether what stands under a name are nested blocks rather than an argument."""
    return isinstance(value, list) and all(
        isinstance(item, dict) and item.get("__is_block__") for item in value
    )


def blocks_in(body: Body, name: str) -> list[Body]:
    """Nested blocks, also those made by `dynamic`."""
    found = [block for block in body.get(name, ()) if is_block(body[name])]
    for block in body.get("dynamic", ()):
        found += [
            content for made, one in block.items() if text(made) == name
            for content in one["content"]
        ]  # fmt: skip
    return found
