"""Tools as a model is offered them: converted, at most 128, the most relevant of many."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from msil_mcp.llm.relevance import Relevance
from msil_mcp.llm.schemas import Renaming, convert_schema
from msil_mcp.llm.tool_names import tool_names

MOST_TOOLS: Final = 128
LONGEST_DESCRIPTION: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool by its own name, with its own input schema."""

    name: str
    description: str
    input_schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTool:
    """The same tool as a model sees it."""

    name: str
    description: str
    parameters: dict[str, Any]
    own_name: str
    renaming: Renaming

    def own_arguments(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """A model's arguments under the tool's own property names."""
        if not self.renaming.is_needed:
            return dict(arguments)
        restored: dict[str, Any] = self.renaming.restore(arguments)
        return restored

    def shown_arguments(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The tool's own arguments as a model would give them."""
        shown: dict[str, Any] = self.renaming.apply(arguments)
        return shown


class ToolTable:
    """All tools of a caller, converted once; which of them a request offers is chosen by need."""

    def __init__(self, specs: Iterable[ToolSpec]) -> None:
        ordered = sorted(specs, key=lambda spec: spec.name)
        names = tool_names(spec.name for spec in ordered)
        self._tools = {names[spec.name]: _converted(spec, names[spec.name]) for spec in ordered}
        self._by_own_name = {tool.own_name: tool for tool in self._tools.values()}
        self._relevance: Relevance | None = None

    def __len__(self) -> int:
        return len(self._tools)

    def tool(self, name: str) -> ModelTool | None:
        """The tool a model called by this name."""
        return self._tools.get(name)

    def offer(
        self, *, conversation: str = "", used: Collection[str] = (), most: int = MOST_TOOLS
    ) -> Sequence[ModelTool]:
        """The tools of a request, by name, so that a prompt's beginning stays the same.

        Where there are more than `most`, those used already (by their own names) stay and the
        rest are the ones nearest to the conversation.
        """
        tools = list(self._tools.values())
        if len(tools) <= most:
            return tools
        if self._relevance is None:
            self._relevance = Relevance(
                (tool.own_name, f"{tool.own_name} {tool.description}") for tool in tools
            )
        kept = [name for name in dict.fromkeys(used) if name in self._by_own_name][-most:]
        ranked = self._relevance.rank(conversation)
        chosen = dict.fromkeys([*kept, *ranked])
        names = set(list(chosen)[:most])
        return [tool for tool in tools if tool.own_name in names]


def _converted(spec: ToolSpec, name: str) -> ModelTool:
    parameters, renaming = convert_schema(spec.input_schema)
    description = " ".join(spec.description.split())
    if len(description) > LONGEST_DESCRIPTION:
        description = description[: LONGEST_DESCRIPTION - 1].rstrip() + "…"
    return ModelTool(
        name=name,
        description=description,
        parameters=parameters,
        own_name=spec.name,
        renaming=renaming,
    )
