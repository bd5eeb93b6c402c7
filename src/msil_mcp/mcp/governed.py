"""The product's own provider: the snapshot's catalogue, called through the governed invoker."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import mcp_types
import msgspec

from msil_mcp.db.database import Database
from msil_mcp.mcp.calling import Calling
from msil_mcp.mcp.confirmation import ApprovalDecider
from msil_mcp.mcp.documents import Documents
from msil_mcp.mcp.exchange import Caller, Exchange
from msil_mcp.mcp.faults import InvalidParams
from msil_mcp.mcp.param_headers import MirroredParam, mirrored_params
from msil_mcp.mcp.providers import Fingerprints, Outcome, answer
from msil_mcp.tools.call import ToolInvoker
from msil_mcp.tools.prompts import Prompt
from msil_mcp.tools.snapshot import CatalogueView, SnapshotStore
from msil_mcp.tools.version import ToolVersion

REMEMBERED: Final = 4096
SUGGESTIONS: Final = 100


@dataclass(frozen=True, slots=True)
class GovernedTool:
    """A tool version at the moment of a call."""

    calling: Calling
    version: ToolVersion
    mirrored: tuple[MirroredParam, ...]

    async def call(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome | None:
        """Through every rule; None when the authorize rule will not have it known."""
        return await self.calling.call(self.version, arguments, exchange)


class GovernedProvider:
    """Serves what the snapshot shows a caller; every call passes the whole chain of rules."""

    def __init__(
        self,
        *,
        snapshots: SnapshotStore,
        invoker: ToolInvoker,
        decide: ApprovalDecider,
        database: Database,
    ) -> None:
        self._snapshots = snapshots
        self._calling = Calling(invoker=invoker, decide=decide)
        self._documents = Documents(database)
        self._mirrored: dict[str, tuple[MirroredParam, ...]] = {}

    def fingerprints(self, caller: Caller) -> Fingerprints:
        """From the encoded listing, the prompts and the documents in force."""
        view = self._view(caller)
        documents = [info.documents for info in view.bundles]
        return Fingerprints(
            tools=view.fingerprint,
            prompts=_digest(view.prompts),
            resources=_digest((view.fingerprint, documents)),
        )

    def listing(self, caller: Caller) -> bytes:
        """The view's own bytes, encoded once for all callers of the same rights."""
        return self._view(caller).listing

    def find_tool(self, caller: Caller, name: str) -> GovernedTool | None:
        """Any tool at this address; whether the caller may know of it the call itself decides."""
        snapshot = self._snapshots.current()
        version = snapshot.view(caller.principal, caller.bundle).find(name)
        if version is None:
            return None
        mirrored = self._mirrored_params(version)
        if mirrored and not snapshot.sees(caller.principal, version):
            mirrored = ()
        return GovernedTool(self._calling, version, mirrored)

    def prompts(self, caller: Caller) -> Sequence[mcp_types.Prompt]:
        """Conversation starters of the visible bundles."""
        return [_shown(prompt) for prompt in self._view(caller).prompts]

    async def get_prompt(
        self, caller: Caller, params: mcp_types.GetPromptRequestParams, _exchange: Exchange
    ) -> Outcome | None:
        """The template with its blanks filled, as one user message."""
        prompt = self._prompt(caller, params.name)
        if prompt is None:
            return None
        values = params.arguments or {}
        missing = [a.name for a in prompt.arguments if a.required and a.name not in values]
        if missing:
            raise InvalidParams(f"Invalid params: arguments: {', '.join(missing)} must be given")
        content = mcp_types.TextContent(text=prompt.render(values))
        return answer(
            mcp_types.GetPromptResult(
                description=prompt.description or None,
                messages=[mcp_types.PromptMessage(role="user", content=content)],
            )
        )

    def resources(self, caller: Caller) -> Sequence[mcp_types.Resource]:
        """The OpenAPI documents of the visible bundles and a page for each visible tool."""
        return self._documents.resources(self._view(caller))

    def resource_templates(self, _caller: Caller) -> Sequence[mcp_types.ResourceTemplate]:
        """How to address a tool's page."""
        return self._documents.templates()

    def resource_version(self, caller: Caller, uri: str) -> str | None:
        """The document's id, or the tool version's hash."""
        return self._documents.version(self._view(caller), uri)

    async def read_resource(self, caller: Caller, uri: str, _exchange: Exchange) -> Outcome | None:
        """The document's own text, or the page."""
        return await self._documents.read(self._view(caller), uri)

    def complete(
        self, caller: Caller, params: mcp_types.CompleteRequestParams
    ) -> mcp_types.Completion | None:
        """Declared examples of a prompt's argument, or names of tools, by prefix."""
        candidates = self._candidates(caller, params)
        if candidates is None:
            return None
        typed = params.argument.value.lower()
        found = [value for value in candidates if value.lower().startswith(typed)]
        return mcp_types.Completion(
            values=found[:SUGGESTIONS], total=len(found), has_more=len(found) > SUGGESTIONS
        )

    def _candidates(
        self, caller: Caller, params: mcp_types.CompleteRequestParams
    ) -> Sequence[str] | None:
        if isinstance(params.ref, mcp_types.PromptReference):
            prompt = self._prompt(caller, params.ref.name)
            if prompt is None:
                return None
            named = (a.examples for a in prompt.arguments if a.name == params.argument.name)
            return next(named, ())
        known = {template.uri_template for template in self._documents.templates()}
        if params.ref.uri not in known:
            return None
        return [tool.name for tool in self._view(caller).tools]

    def _view(self, caller: Caller) -> CatalogueView:
        return self._snapshots.current().view(caller.principal, caller.bundle)

    def _prompt(self, caller: Caller, name: str) -> Prompt | None:
        return next((p for p in self._view(caller).prompts if p.name == name), None)

    def _mirrored_params(self, version: ToolVersion) -> tuple[MirroredParam, ...]:
        found = self._mirrored.get(version.hash)
        if found is None:
            if len(self._mirrored) >= REMEMBERED:
                self._mirrored.clear()
            found = mirrored_params(version.definition.input_schema)
            self._mirrored[version.hash] = found
        return found


def _digest(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:32]


def _shown(prompt: Prompt) -> mcp_types.Prompt:
    return mcp_types.Prompt(
        name=prompt.name,
        title=prompt.title,
        description=prompt.description or None,
        arguments=[
            mcp_types.PromptArgument(
                name=argument.name,
                description=argument.description or None,
                required=argument.required,
            )
            for argument in prompt.arguments
        ],
    )
