"""A person in a conversation, by REST: says things, listens, decides."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import msgspec

from booking_api.schedule import INDIA
from running import Product, Reply

BASE = "/api/chat/sessions"
BOOKING_TOOLS = [
    "resolve_vehicle",
    "get_nearby_dealers",
    "get_available_slots",
    "create_service_booking",
    "get_booking_status",
]


def by_model(url: str) -> dict[str, Any]:
    """Settings of a product whose model answers at this URL."""
    return {
        "openai_api_key": "none",
        "openai_base_url": url,
        "openai_model": "openai:msil-scripted",
    }


def open_day() -> str:
    """A day the dealers are open, in words."""
    day = datetime.now(INDIA) + timedelta(days=3)
    while day.weekday() != 2:
        day += timedelta(days=1)
    return f"{day:%d %B %Y}"


def order(time: str, *, plate: str = "MH12AB1234") -> str:
    return f"Book a service for {plate} on {open_day()} at {time} near Hinjewadi, Pune"


@dataclass
class Event:
    """A server-sent event; the number is empty where nobody can resume after it."""

    number: str
    data: Any


@dataclass
class Conversation:
    """One session of the product's user."""

    product: Product
    id: str
    role: str = "user"
    runs: list[str] = field(default_factory=list)

    async def ask(self, method: str, path: str, **options: Any) -> Reply:
        options.setdefault("role", self.role)
        return await self.product.request(method, f"{BASE}/{self.id}{path}", **options)

    async def begin(self, text: str | None = None, **body: Any) -> Any:
        """Begin a turn: its view."""
        said = body if text is None else {"text": text, **body}
        reply = await self.ask("POST", "/turns", json=said)
        assert reply.status == 202, reply.body
        self.runs.append(reply.json["run_id"])
        return reply.json

    async def wait(self, run: str | None = None) -> Any:
        """How the turn ended, or what it waits for."""
        reply = await self.ask("POST", f"/turns/{run or self.runs[-1]}/wait")
        assert reply.status == 200, reply.body
        return reply.json

    async def say(self, text: str, **body: Any) -> Any:
        await self.begin(text, **body)
        return await self.wait()

    async def decide(self, asked: Any, decision: str, **facts: Any) -> Reply:
        body = {"decision": decision, **facts}
        return await self.ask("POST", f"/approvals/{asked['id']}/decision", json=body)

    async def messages(self, branch: str = "active") -> list[Any]:
        items: list[Any] = (await self.ask("GET", f"/messages?branch={branch}&limit=100")).json[
            "items"
        ]
        return items

    @asynccontextmanager
    async def following(
        self, run: str | None = None, *, after: str | None = None
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """The turn's stream, from its beginning or after an event."""
        path = f"{BASE}/{self.id}/turns/{run or self.runs[-1]}/events"
        headers = self.product.headers(self.role) | ({"Last-Event-ID": after} if after else {})
        async with (
            aiohttp.ClientSession(self.product.url) as http,
            http.get(path, headers=headers) as response,
        ):
            assert response.status == 200, await response.read()
            assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
            yield _events(response.content)

    async def listen(self, run: str | None = None, *, after: str | None = None) -> list[Event]:
        """The whole rest of the turn's stream."""
        async with self.following(run, after=after) as events:
            return [event async for event in events]


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[Event]:
    number = ""
    async for raw in content:
        line = raw.decode().rstrip("\n")
        if line.startswith("id: "):
            number = line[4:]
        elif line.startswith("data: "):
            body = line[6:]
            yield Event(number, body if body == "[DONE]" else msgspec.json.decode(body))
            number = ""


async def opened(product: Product, *, role: str = "user", **body: Any) -> Conversation:
    reply = await product.request("POST", BASE, role=role, json=body)
    assert reply.status == 201, reply.body
    return Conversation(product, reply.json["id"], role)


def kinds(events: list[Event]) -> list[str]:
    return [event.data["type"] for event in events if event.data != "[DONE]"]


def said(events: list[Event]) -> str:
    return "".join(
        event.data["delta"]
        for event in events
        if event.data != "[DONE]" and event.data["type"] == "text-delta"
    )


def numbers(events: list[Event]) -> list[int]:
    return [int(event.number.partition(".")[2]) for event in events if event.number]


def booking_id(text: str) -> str:
    found = re.search(r"BK\d{6}[A-Z0-9]{4}", text)
    assert found, text
    return found[0]


def tools(view: Any) -> list[str]:
    return [use["tool"] for use in view["tool_calls"]]
