"""The tools, prompts and resources that the official conformance suite calls by name.

One more provider behind the product's own ASGI stack, for tests alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
import msgspec

from msil_mcp.mcp.changes import Changes
from msil_mcp.mcp.exchange import Caller, Exchange
from msil_mcp.mcp.faults import MissingCapability
from msil_mcp.mcp.param_headers import MirroredParam, mirrored_params
from msil_mcp.mcp.providers import Fingerprints, NeedsInput, Outcome, answer

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5E"
    "rkJggg=="
)
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
PAUSE = 0.01

JSON_SCHEMA_2020_12: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}

Run = Callable[[Mapping[str, Any], Exchange], Awaitable[Outcome]]


def text(value: str) -> types.TextContent:
    return types.TextContent(text=value)


def image() -> types.ImageContent:
    return types.ImageContent(data=PNG, mime_type="image/png")


def embedded(uri: str, mime_type: str, value: str) -> types.EmbeddedResource:
    contents = types.TextResourceContents(uri=uri, mime_type=mime_type, text=value)
    return types.EmbeddedResource(resource=contents)


def done(*content: types.ContentBlock | str, is_error: bool = False) -> Outcome:
    blocks = [text(block) if isinstance(block, str) else block for block in content]
    return answer(types.CallToolResult(content=blocks, is_error=is_error))


def form(message: str, **fields: str) -> types.ElicitRequest:
    schema = {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in fields.items()},
        "required": list(fields),
    }
    return form_of(message, schema)


def form_of(message: str, schema: dict[str, Any]) -> types.ElicitRequest:
    params = types.ElicitRequestFormParams(message=message, requested_schema=schema)
    return types.ElicitRequest(params=params)


def sampling(question: str) -> types.CreateMessageRequest:
    message = types.SamplingMessage(role="user", content=text(question))
    params = types.CreateMessageRequestParams(messages=[message], max_tokens=100)
    return types.CreateMessageRequest(params=params)


def entered(exchange: Exchange, question: str, name: str) -> Any:
    response = exchange.input_responses.get(question)
    if not isinstance(response, types.ElicitResult) or response.action != "accept":
        return None
    return (response.content or {}).get(name)


def said(exchange: Exchange, question: str) -> str | None:
    response = exchange.input_responses.get(question)
    if not isinstance(response, types.CreateMessageResult):
        return None
    return response.content.text if isinstance(response.content, types.TextContent) else ""


@dataclass(frozen=True)
class FixtureTool:
    name: str
    run: Run
    schema: dict[str, Any]

    @property
    def mirrored(self) -> Sequence[MirroredParam]:
        return mirrored_params(self.schema)

    @property
    def encoded(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "description": f"Conformance fixture {self.name}.",
            "inputSchema": self.schema,
        }

    async def call(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        return await self.run(arguments, exchange)


@dataclass
class ConformanceProvider:
    """Knows who may see it only as far as the endpoint does: it shows everything to everybody."""

    announce: Callable[[], None] = lambda: None
    tool_changes: int = 0
    prompt_changes: int = 0
    tools: dict[str, FixtureTool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, run in {
            "test_simple_text": self._simple_text,
            "test_image_content": self._image,
            "test_audio_content": self._audio,
            "test_embedded_resource": self._embedded,
            "test_multiple_content_types": self._mixed,
            "test_error_handling": self._error,
            "test_tool_with_logging": self._logging,
            "test_logging_tool": self._logging,
            "test_tool_with_progress": self._progress,
            "test_reconnection": self._reconnection,
            "test_streaming_elicitation": self._ask_name,
            "test_missing_capability": self._missing_capability,
            "test_trigger_tool_change": self._change_tools,
            "test_trigger_prompt_change": self._change_prompts,
            "test_elicitation_sep1034_defaults": self._defaults,
            "test_elicitation_sep1330_enums": self._enums,
            "test_input_required_result_elicitation": self._ask_name,
            "test_input_required_result_sampling": self._ask_model,
            "test_input_required_result_list_roots": self._ask_roots,
            "test_input_required_result_request_state": self._stateful,
            "test_input_required_result_multiple_inputs": self._ask_all,
            "test_input_required_result_multi_round": self._rounds,
            "test_input_required_result_tampered_state": self._stateful,
            "test_input_required_result_capabilities": self._ask_declared,
        }.items():
            self._add(name, run)
        self._add("test_sampling", self._sampling, prompt={"type": "string"})
        self._add("test_elicitation", self._elicitation, message={"type": "string"})
        self._add(
            "test_x_mcp_header", self._region, region={"type": "string", "x-mcp-header": "Region"}
        )
        self.tools["json_schema_2020_12_tool"] = FixtureTool(
            "json_schema_2020_12_tool", self._simple_text, JSON_SCHEMA_2020_12
        )

    def watch(self, changes: Changes) -> None:
        self.announce = changes.announce

    def _add(self, name: str, run: Run, **properties: dict[str, Any]) -> None:
        schema: dict[str, Any] = {"type": "object"}
        if properties:
            schema["properties"] = properties
        self.tools[name] = FixtureTool(name, run, schema)

    def fingerprints(self, caller: Caller) -> Fingerprints:
        return Fingerprints(
            tools=str(self.tool_changes), prompts=str(self.prompt_changes), resources="0"
        )

    def listing(self, caller: Caller) -> bytes:
        return msgspec.json.encode([tool.encoded for tool in self.tools.values()])

    def find_tool(self, caller: Caller, name: str) -> FixtureTool | None:
        return self.tools.get(name)

    async def _simple_text(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        return done("This is a simple text response for testing.")

    async def _image(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        return done(image())

    async def _audio(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        return done(types.AudioContent(data=WAV, mime_type="audio/wav"))

    async def _embedded(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        return done(
            embedded("test://embedded-resource", "text/plain", "This is an embedded resource.")
        )

    async def _mixed(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        data = embedded(
            "test://mixed-content-resource", "application/json", '{"test":"data","value":123}'
        )
        return done("Multiple content types test:", image(), data)

    async def _error(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        return done("This tool intentionally returns an error for testing", is_error=True)

    async def _logging(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        for step in ("started", "processing data", "completed"):
            await exchange.log("info", f"Tool execution {step}", logger="fixtures")
            await asyncio.sleep(PAUSE)
        return done("logged")

    async def _progress(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        for step in (0, 50, 100):
            await exchange.progress(step, total=100, message=f"Completed step {step} of 100")
            await asyncio.sleep(PAUSE)
        return done("finished")

    async def _reconnection(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        await exchange.log("info", "before", logger="fixtures")
        if exchange.stream is not None:
            await exchange.stream.release()
        await asyncio.sleep(PAUSE)
        return done("Reconnection test completed")

    async def _region(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        return done(f"region={arguments.get('region')}")

    async def _missing_capability(
        self, arguments: Mapping[str, Any], exchange: Exchange
    ) -> Outcome:
        if not exchange.declares("sampling"):
            raise MissingCapability("sampling")
        return done("declared")

    async def _change_tools(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        self.tool_changes += 1
        self.announce()
        return done("changed")

    async def _change_prompts(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        self.prompt_changes += 1
        self.announce()
        return done("changed")

    async def _sampling(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        reply = said(exchange, "reply")
        if reply is None:
            return NeedsInput({"reply": sampling(str(arguments.get("prompt", "")))})
        return done(f"LLM response: {reply}")

    async def _elicitation(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        return self._elicited(exchange, form(str(arguments.get("message", "")), response="string"))

    async def _defaults(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        properties = {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "verified": {"type": "boolean", "default": True},
            "status": {
                "type": "string",
                "enum": ["active", "inactive", "pending"],
                "default": "active",
            },
        }
        return self._elicited(
            exchange, form_of("defaults", {"type": "object", "properties": properties})
        )

    async def _enums(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        options = ["option1", "option2", "option3"]
        titled = [{"const": f"value{n}", "title": f"Title {n}"} for n in (1, 2, 3)]
        properties = {
            "untitledSingle": {"type": "string", "enum": options},
            "titledSingle": {"type": "string", "oneOf": titled},
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["One", "Two", "Three"],
            },
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
            "titledMulti": {"type": "array", "items": {"anyOf": titled}},
        }
        return self._elicited(
            exchange, form_of("enums", {"type": "object", "properties": properties})
        )

    def _elicited(self, exchange: Exchange, asked: types.ElicitRequest) -> Outcome:
        response = exchange.input_responses.get("form")
        if not isinstance(response, types.ElicitResult):
            return NeedsInput({"form": asked})
        content = msgspec.json.encode(response.content or {}).decode()
        return done(f"User response: action={response.action}, content={content}")

    async def _ask_name(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        name = entered(exchange, "user_name", "name")
        if not isinstance(name, str):
            return NeedsInput({"user_name": form("What is your name?", name="string")})
        return done(f"Hello, {name}!")

    async def _ask_model(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        reply = said(exchange, "capital_question")
        if reply is None:
            return NeedsInput({"capital_question": sampling("What is the capital of France?")})
        return done(f"Model said: {reply}")

    async def _ask_roots(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        roots = exchange.input_responses.get("client_roots")
        if not isinstance(roots, types.ListRootsResult):
            return NeedsInput({"client_roots": types.ListRootsRequest()})
        return done(f"{len(roots.roots)} root(s)")

    async def _stateful(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        if exchange.state == b"round-1" and entered(exchange, "confirm", "ok") is not None:
            return done("state-ok: confirmed")
        return NeedsInput({"confirm": form("Please confirm", ok="boolean")}, b"round-1")

    async def _ask_all(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        questions = {
            "user_name": form("What is your name?", name="string"),
            "greeting": sampling("Generate a greeting"),
            "client_roots": types.ListRootsRequest(),
        }
        if questions.keys() <= exchange.input_responses.keys():
            return done("All inputs received.")
        return NeedsInput(questions, b"multiple")

    async def _rounds(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        number, _, name = (exchange.state or b"").decode().partition(":")
        if number == "1" and entered(exchange, "step1", "name") is not None:
            step = form("Step 2: What is your favourite colour?", color="string")
            state = f"2:{entered(exchange, 'step1', 'name')}"
            return NeedsInput({"step2": step}, state.encode())
        if number == "2" and entered(exchange, "step2", "color") is not None:
            return done(f"{name} likes {entered(exchange, 'step2', 'color')}")
        return NeedsInput({"step1": form("Step 1: What is your name?", name="string")}, b"1:")

    async def _ask_declared(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        questions: dict[str, types.InputRequest] = {
            "sampling": sampling("Say hello"),
            "elicitation": form("What is your name?", name="string"),
        }
        declared = {key: asked for key, asked in questions.items() if exchange.declares(key)}
        return NeedsInput(declared, b"declared")

    def prompts(self, caller: Caller) -> Sequence[types.Prompt]:
        described = {
            "test_simple_prompt": (),
            "test_prompt_with_arguments": ("arg1", "arg2"),
            "test_prompt_with_embedded_resource": ("resourceUri",),
            "test_prompt_with_image": (),
            "test_input_required_result_prompt": (),
        }
        return [
            types.Prompt(
                name=name,
                description=f"Conformance fixture {name}.",
                arguments=[
                    types.PromptArgument(name=argument, description="A value.", required=True)
                    for argument in arguments
                ],
            )
            for name, arguments in described.items()
        ]

    async def get_prompt(
        self, caller: Caller, params: types.GetPromptRequestParams, exchange: Exchange
    ) -> Outcome | None:
        values = params.arguments or {}
        content: list[types.ContentBlock]
        if params.name == "test_simple_prompt":
            content = [text("This is a simple prompt for testing.")]
        elif params.name == "test_prompt_with_arguments":
            filled = f"arg1='{values.get('arg1')}', arg2='{values.get('arg2')}'"
            content = [text(f"Prompt with arguments: {filled}")]
        elif params.name == "test_prompt_with_embedded_resource":
            uri = values.get("resourceUri", "")
            resource = embedded(uri, "text/plain", "Embedded resource content for testing.")
            content = [resource, text("Please process the embedded resource above.")]
        elif params.name == "test_prompt_with_image":
            content = [image(), text("Please analyze the image above.")]
        elif params.name == "test_input_required_result_prompt":
            context = entered(exchange, "user_context", "context")
            if context is None:
                return NeedsInput({"user_context": form("Which context?", context="string")})
            content = [text(f"The context is {context}.")]
        else:
            return None
        messages = [types.PromptMessage(role="user", content=block) for block in content]
        return answer(types.GetPromptResult(messages=messages))

    def resources(self, caller: Caller) -> Sequence[types.Resource]:
        described = {
            "test://static-text": "text/plain",
            "test://static-binary": "image/png",
            "test://watched-resource": "text/plain",
        }
        return [
            types.Resource(uri=uri, name=uri.removeprefix("test://"), mime_type=mime_type)
            for uri, mime_type in described.items()
        ]

    def resource_templates(self, caller: Caller) -> Sequence[types.ResourceTemplate]:
        return [
            types.ResourceTemplate(
                uri_template="test://template/{id}/data",
                name="template",
                mime_type="application/json",
            )
        ]

    def resource_version(self, caller: Caller, uri: str) -> str | None:
        known = {resource.uri for resource in self.resources(caller)}
        return str(self.tool_changes) if uri in known else None

    async def read_resource(self, caller: Caller, uri: str, exchange: Exchange) -> Outcome | None:
        contents: types.TextResourceContents | types.BlobResourceContents
        if uri == "test://static-text":
            contents = types.TextResourceContents(
                uri=uri,
                mime_type="text/plain",
                text="This is the content of the static text resource.",
            )
        elif uri == "test://static-binary":
            contents = types.BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)
        elif uri == "test://watched-resource":
            contents = types.TextResourceContents(uri=uri, mime_type="text/plain", text="watched")
        elif uri.startswith("test://template/") and uri.endswith("/data"):
            number = uri.removeprefix("test://template/").removesuffix("/data")
            data = {"id": number, "templateTest": True, "data": f"Data for ID: {number}"}
            contents = types.TextResourceContents(
                uri=uri, mime_type="application/json", text=msgspec.json.encode(data).decode()
            )
        else:
            return None
        return answer(types.ReadResourceResult(contents=[contents]))

    def complete(
        self, caller: Caller, params: types.CompleteRequestParams
    ) -> types.Completion | None:
        if isinstance(params.ref, types.PromptReference):
            known = {prompt.name for prompt in self.prompts(caller)}
            named = params.ref.name
        else:
            known = {template.uri_template for template in self.resource_templates(caller)}
            named = params.ref.uri
        return types.Completion(values=[], total=0, has_more=False) if named in known else None
