"""The methods both eras share, from decoded params to an outcome.

tools/list and tools/call are hand-made; the others read their params with the official models.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import mcp_types
from pydantic import BaseModel, ValidationError

from msil_mcp.errors import MsilError
from msil_mcp.mcp.exchange import Caller, Exchange
from msil_mcp.mcp.faults import InvalidParams, UnknownPrompt, UnknownResource, UnknownTool
from msil_mcp.mcp.param_headers import check_mirrored
from msil_mcp.mcp.providers import Answer, Fingerprints, Outcome, Provider, answer
from msil_mcp.pagination import BadCursor, decode_cursor, encode_cursor

PAGE: Final = 200
CACHED: Final = frozenset(
    {"tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read"}
)
NAMED_BY: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""The parameter that the Mcp-Name header repeats."""

Handler = Callable[[dict[str, Any], Exchange, Mapping[str, str]], Awaitable[Outcome]]
Params = TypeVar("Params", bound=BaseModel)
Item = TypeVar("Item")


def read_params(model: type[Params], params: Mapping[str, Any]) -> Params:
    """Typed params; InvalidParams names each member that is wrong."""
    try:
        return model.model_validate(params, by_name=False)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, item['loc'])) or 'params'}: {item['msg']}"
            for item in error.errors(include_url=False, include_context=False)[:3]
        ]
        raise InvalidParams(f"Invalid params: {'; '.join(problems)}") from error


OnOperation = Callable[[str, float, str], None]
"""Hears of every handled request: its method, seconds, and the error's slug or nothing."""


def unheard(_method: str, _seconds: float, _slug: str) -> None:
    """Nobody counts."""


class Methods:
    """Answers requests out of the providers; what an era alone has is added by the era."""

    def __init__(
        self, providers: Sequence[Provider], *, on_operation: OnOperation = unheard
    ) -> None:
        self._providers = tuple(providers)
        self._on_operation = on_operation
        handlers: Mapping[str, Handler] = {
            "tools/call": self.call_tool,
            "tools/list": self.list_tools,
            "prompts/list": self.list_prompts,
            "prompts/get": self.get_prompt,
            "resources/list": self.list_resources,
            "resources/templates/list": self.list_resource_templates,
            "resources/read": self.read_resource,
            "completion/complete": self.complete,
        }
        self.handlers: Final[Mapping[str, Handler]] = {
            method: self._timed(method, handler) for method, handler in handlers.items()
        }

    def _timed(self, method: str, handler: Handler) -> Handler:
        heard = self._on_operation

        async def timed(
            params: dict[str, Any], exchange: Exchange, headers: Mapping[str, str]
        ) -> Outcome:
            started = time.perf_counter()
            slug = ""
            try:
                return await handler(params, exchange, headers)
            except MsilError as error:
                slug = error.slug
                raise
            finally:
                heard(method, time.perf_counter() - started, slug)

        return timed

    def check_address(self, caller: Caller) -> None:
        """Raise what any request would: NotFound for a bundle that is not there, Unavailable."""
        for provider in self._providers:
            provider.fingerprints(caller)

    def fingerprints(self, caller: Caller) -> Fingerprints:
        """What the caller sees of all providers, in short."""
        seen = [provider.fingerprints(caller) for provider in self._providers]
        return Fingerprints(
            tools=".".join(each.tools for each in seen),
            prompts=".".join(each.prompts for each in seen),
            resources=".".join(each.resources for each in seen),
        )

    def resource_version(self, caller: Caller, uri: str) -> str | None:
        """Changes exactly when the resource does; None when no provider has it."""
        versions = (provider.resource_version(caller, uri) for provider in self._providers)
        return next((version for version in versions if version is not None), None)

    async def list_tools(
        self, params: dict[str, Any], exchange: Exchange, _headers: Mapping[str, str]
    ) -> Outcome:
        """All visible tools on one page."""
        if params.get("cursor") is not None:
            raise InvalidParams("tools/list has one page; leave out the cursor.")
        listings = [provider.listing(exchange.caller) for provider in self._providers]
        if len(listings) > 1:
            inner = b",".join(listing[1:-1] for listing in listings if len(listing) > 2)
            listings = [b"[" + inner + b"]"]
        return Answer((b'{"tools":', *listings, b"}"))

    async def call_tool(
        self, params: dict[str, Any], exchange: Exchange, headers: Mapping[str, str]
    ) -> Outcome:
        """Run a tool; UnknownTool when there is none, or none that the caller may know of."""
        name = params.get("name")
        if type(name) is not str:
            raise InvalidParams("Invalid params: name: must be a string")
        arguments = params.get("arguments")
        if arguments is None:
            arguments = {}
        elif type(arguments) is not dict:
            raise InvalidParams("Invalid params: arguments: must be an object")
        for provider in self._providers:
            tool = provider.find_tool(exchange.caller, name)
            if tool is None:
                continue
            if tool.mirrored and exchange.is_modern:
                check_mirrored(tool.mirrored, arguments, headers)
            outcome = await tool.call(arguments, exchange)
            if outcome is not None:
                return outcome
        raise UnknownTool(name)

    async def list_prompts(
        self, params: dict[str, Any], exchange: Exchange, _headers: Mapping[str, str]
    ) -> Outcome:
        """One page of prompts."""
        cursor = read_params(mcp_types.PaginatedRequestParams, params).cursor
        found = [item for each in self._providers for item in each.prompts(exchange.caller)]
        page, following = _page(found, cursor, key=lambda prompt: prompt.name)
        return answer(mcp_types.ListPromptsResult(prompts=page, next_cursor=following))

    async def get_prompt(
        self, params: dict[str, Any], exchange: Exchange, _headers: Mapping[str, str]
    ) -> Outcome:
        """A prompt's messages."""
        wanted = read_params(mcp_types.GetPromptRequestParams, params)
        for provider in self._providers:
            outcome = await provider.get_prompt(exchange.caller, wanted, exchange)
            if outcome is not None:
                return outcome
        raise UnknownPrompt(wanted.name)

    async def list_resources(
        self, params: dict[str, Any], exchange: Exchange, _headers: Mapping[str, str]
    ) -> Outcome:
        """One page of resources."""
        cursor = read_params(mcp_types.PaginatedRequestParams, params).cursor
        found = [item for each in self._providers for item in each.resources(exchange.caller)]
        page, following = _page(found, cursor, key=lambda resource: resource.uri)
        return answer(mcp_types.ListResourcesResult(resources=page, next_cursor=following))

    async def list_resource_templates(
        self, params: dict[str, Any], exchange: Exchange, _headers: Mapping[str, str]
    ) -> Outcome:
        """One page of resource templates."""
        cursor = read_params(mcp_types.PaginatedRequestParams, params).cursor
        caller = exchange.caller
        found = [item for each in self._providers for item in each.resource_templates(caller)]
        page, following = _page(found, cursor, key=lambda template: template.uri_template)
        return answer(
            mcp_types.ListResourceTemplatesResult(resource_templates=page, next_cursor=following)
        )

    async def read_resource(
        self, params: dict[str, Any], exchange: Exchange, _headers: Mapping[str, str]
    ) -> Outcome:
        """A resource's contents."""
        uri = read_params(mcp_types.ReadResourceRequestParams, params).uri
        for provider in self._providers:
            outcome = await provider.read_resource(exchange.caller, uri, exchange)
            if outcome is not None:
                return outcome
        raise UnknownResource(uri)

    async def complete(
        self, params: dict[str, Any], exchange: Exchange, _headers: Mapping[str, str]
    ) -> Outcome:
        """Suggestions for an argument."""
        wanted = read_params(mcp_types.CompleteRequestParams, params)
        for provider in self._providers:
            completion = provider.complete(exchange.caller, wanted)
            if completion is not None:
                return answer(mcp_types.CompleteResult(completion=completion))
        raise InvalidParams("Invalid params: ref: there is no such prompt or resource template")


def _page(
    items: list[Item], cursor: str | None, *, key: Callable[[Item], str]
) -> tuple[list[Item], str | None]:
    items = sorted(items, key=key)
    if cursor is not None:
        try:
            (after,) = decode_cursor(cursor, tuple[str])
        except BadCursor as error:
            raise InvalidParams(str(error)) from error
        items = [item for item in items if key(item) > after]
    if len(items) <= PAGE:
        return items, None
    return items[:PAGE], encode_cursor(key(items[PAGE - 1]))
