"""A person, the official openai client, the scripted model and the booking service in one talk."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
import msgspec
from openai import AsyncOpenAI

from booking_api.app import openapi_document
from booking_api.schedule import INDIA

MONDAY = datetime(2026, 11, 23, 8, 0, tzinfo=INDIA)
"""The moment it is in these tests, for the model and for the booking service."""

ROUTES = {
    "resolve_customer": "/api/customer/resolve",
    "resolve_vehicle": "/api/vehicle/resolve",
    "get_nearby_dealers": "/api/dealers/nearby",
    "get_available_slots": "/api/slots/available",
    "create_service_booking": "/api/booking/create",
    "get_booking_status": "/api/booking/{booking_id}",
}
MOST_STEPS = 12


def monday() -> datetime:
    return MONDAY


def tool(name: str, **parameters: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": parameters}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


TOOLS = [tool(name) for name in ROUTES]


def operation_schemas() -> dict[str, Any]:
    """The input schemas of the six operations, as their document has them, with definitions."""
    document = openapi_document()
    definitions = msgspec.json.decode(
        msgspec.json.encode(document["components"]["schemas"]).replace(
            b"#/components/schemas/", b"#/$defs/"
        )
    )
    found = {}
    for path in document["paths"].values():
        for operation in path.values():
            body = operation.get("requestBody")
            if body is None:
                parameters = {
                    each["name"]: each["schema"] | {"description": each.get("description", "")}
                    for each in operation["parameters"]
                }
                schema = {"type": "object", "properties": parameters, "required": list(parameters)}
            else:
                reference = body["content"]["application/json"]["schema"]["$ref"]
                schema = definitions[reference.rpartition("/")[2]] | {"$defs": definitions}
            found[operation["operationId"]] = (operation["description"], schema)
    return found


class BookingService:
    """Runs tools against the booking service, and says what it says."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def run(self, name: str, arguments: dict[str, Any]) -> str:
        path = ROUTES[name].format(**arguments)
        method = "GET" if name == "get_booking_status" else "POST"
        async with (
            aiohttp.ClientSession(self.url) as http,
            http.request(method, path, json=None if method == "GET" else arguments) as answer,
        ):
            body = await answer.read()
        if answer.status < 300:
            return body.decode()
        problem = msgspec.json.decode(body)
        return (
            f"The service refused the call ({answer.status}): {problem['title']}: "
            + (problem["detail"])
        )


@dataclass
class Talk:
    """One conversation; `called` lists the tools the model asked for, in order."""

    client: AsyncOpenAI
    service: BookingService
    model: str = "msil-scripted"
    tools: list[dict[str, Any]] = field(default_factory=lambda: TOOLS)
    messages: list[dict[str, Any]] = field(default_factory=list)
    called: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    """What a tool answers instead of running, for what the service would not do by itself."""

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.called]

    async def say(self, text: str) -> str:
        """Speak, let the tools run, and return the model's words."""
        self.messages.append({"role": "user", "content": text})
        for _ in range(MOST_STEPS):
            options: dict[str, Any] = {"tools": self.tools} if self.tools else {}
            answer = await self.client.chat.completions.create(
                model=self.model, messages=self.messages, **options
            )
            message = answer.choices[0].message
            self.messages.append(message.model_dump(exclude_none=True))
            if not message.tool_calls:
                return message.content or ""
            for call in message.tool_calls:
                name, arguments = call.function.name, msgspec.json.decode(call.function.arguments)
                self.called.append((name, arguments))
                plain = next(known for known in ROUTES if name.endswith(known))
                content = self.answers.get(plain) or await self.service.run(plain, arguments)
                self.messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
        raise AssertionError("the model never stopped calling tools")

    async def hold(self, *lines: str) -> str:
        """Say several things; the last answer."""
        reply = ""
        for line in lines:
            reply = await self.say(line)
        return reply
