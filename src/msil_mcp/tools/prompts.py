"""Prompts that a document offers with its tools (`x-msil-prompts`), shown as starting points."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from msil_mcp.errors import Unprocessable
from msil_mcp.locales import Message
from msil_mcp.openapi.document import Document

EXTENSION = "x-msil-prompts"
PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
PromptName = r"^[A-Za-z0-9_-]{1,64}$"


class PromptArgument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One blank in a prompt's text."""

    name: str
    description: str = ""
    required: bool = False
    examples: tuple[str, ...] = ()


class Prompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A conversation starter; `template` holds its arguments as {name}."""

    name: str
    title: str
    template: str
    description: str = ""
    arguments: tuple[PromptArgument, ...] = ()

    def render(self, values: Mapping[str, str]) -> str:
        """The text with its blanks filled; a missing optional one leaves no trace."""
        return PLACEHOLDER.sub(lambda match: values.get(match[1], ""), self.template)


class BadPrompt(Unprocessable):
    """A document's prompt extension cannot be used."""

    slug = "bad_prompt"

    def __init__(self, source: str, pointer: str, reason: Message) -> None:
        super().__init__(source=source, pointer=pointer, reason=reason)


def prompts_of(document: Document, *, source: str) -> tuple[Prompt, ...]:
    """The document's prompts; BadPrompt names the place of the first that is wrong."""
    raw: Any = document.root.get(EXTENSION, [])
    try:
        prompts = msgspec.convert(raw, type=tuple[Prompt, ...])
    except msgspec.ValidationError as error:
        raise BadPrompt(source, f"/{EXTENSION}", Message("verbatim", text=str(error))) from error
    check_prompts(prompts, source=source, pointer=f"/{EXTENSION}")
    return prompts


def check_prompts(prompts: Iterable[Prompt], *, source: str, pointer: str) -> None:
    """BadPrompt names the place of the first that cannot be used."""
    for number, prompt in enumerate(prompts):
        _check(prompt, source=source, pointer=f"{pointer}/{number}")


def _check(prompt: Prompt, *, source: str, pointer: str) -> None:
    if not re.match(PromptName, prompt.name):
        raise BadPrompt(source, f"{pointer}/name", Message("reasons.prompt.name"))
    declared = {argument.name for argument in prompt.arguments}
    used = set(PLACEHOLDER.findall(prompt.template))
    if used != declared:
        odd = sorted(used ^ declared)
        raise BadPrompt(
            source,
            f"{pointer}/arguments",
            Message("reasons.prompt.arguments", names=", ".join(odd)),
        )


def stored(prompts: Sequence[Prompt]) -> list[dict[str, Any]]:
    """Prompts as JSON values for the documents table."""
    builtins: list[dict[str, Any]] = msgspec.to_builtins(prompts)
    return builtins


def loaded(rows: Sequence[Mapping[str, Any]]) -> tuple[Prompt, ...]:
    """Prompts as the documents table holds them."""
    return msgspec.convert(rows, type=tuple[Prompt, ...])
