"""People who talk: each says something, and reads the answer to its end."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

import aiohttp

from bench.chat_model import WORD
from bench.document import WITNESS
from bench.processes import NotMeasured

SAID = "Where is my parcel PX000001?"
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer: how long after the model its first word came, and how long it took."""

    first_ms: float
    seconds: float


class Talker(Protocol):
    """One kind of server: how a conversation is opened, and how something is said in it."""

    async def open(self, http: aiohttp.ClientSession, *, model: str) -> str:
        """A new conversation."""
        ...

    def say(
        self, http: aiohttp.ClientSession, conversation: str, *, model: str
    ) -> AsyncIterator[bytes]:
        """The lines of the answer's stream."""
        ...


@dataclass(frozen=True, slots=True)
class Ours:
    """A message is stored, then the answer is followed."""

    headers: Mapping[str, str] = field(default_factory=dict)

    async def open(self, http: aiohttp.ClientSession, *, model: str) -> str:
        """See Talker."""
        body = {"model": f"openai:{model}"}
        async with http.post("/api/chat/sessions", json=body, headers=self.headers) as answer:
            if answer.status != 201:
                raise NotMeasured(f"no session: {(await answer.text())[:300]}")
            identity: str = (await answer.json())["id"]
            return identity

    async def say(
        self,
        http: aiohttp.ClientSession,
        conversation: str,
        *,
        model: str,  # noqa: ARG002
    ) -> AsyncIterator[bytes]:
        """See Talker."""
        path = f"/api/chat/sessions/{conversation}/turns"
        async with http.post(path, json={"text": SAID}, headers=self.headers) as answer:
            if answer.status != 202:
                raise NotMeasured(f"no turn: {(await answer.text())[:300]}")
            events = (await answer.json())["events"]
        async with http.get(events, headers=self.headers) as answer:
            async for line in answer.content:
                yield line


@dataclass(frozen=True, slots=True)
class Peer:
    """One request: the answer is its response."""

    async def open(self, http: aiohttp.ClientSession, *, model: str) -> str:  # noqa: ARG002
        """Nothing to do."""
        return uuid4().hex

    async def say(
        self, http: aiohttp.ClientSession, conversation: str, *, model: str
    ) -> AsyncIterator[bytes]:
        """See Talker."""
        message = {"id": "1", "role": "user", "parts": [{"type": "text", "text": SAID}]}
        body = {"trigger": "submit-message", "id": conversation, "messages": [message]}
        async with http.post("/chat", params={"model": model}, json=body) as answer:
            async for line in answer.content:
                yield line


async def talk(
    talker: Talker, http: aiohttp.ClientSession, conversation: str, *, model: str
) -> Heard:
    """Say something and read the answer; NotMeasured when it is not whole."""
    began = time.perf_counter()
    text: list[str] = []
    kinds: set[str] = set()
    sent = heard = 0
    ended = used = False
    async with asyncio.timeout(PATIENCE):
        async for line in talker.say(http, conversation, model=model):
            if not line.startswith(b"data: "):
                continue
            if line.startswith(b"data: [DONE]"):
                ended = True
                continue
            chunk = json.loads(line[6:])
            kinds.add(chunk["type"])
            if chunk["type"] == "text-delta":
                if not text:
                    heard, sent = time.time_ns(), int(chunk["delta"].split()[0])
                text.append(chunk["delta"])
            elif chunk["type"] == "tool-output-available":
                used = WITNESS in json.dumps(chunk["output"])
    words = int(model.split("-")[1])
    if not (ended and used and "finish" in kinds and "error" not in kinds):
        raise NotMeasured(f"an answer without its end: {sorted(kinds)}")
    if "".join(text) != str(sent) + WORD * (words - 1):
        raise NotMeasured(f"an answer of {len(text)} pieces instead of {words} words")
    return Heard((heard - sent) / 1e6, time.perf_counter() - began)


async def crowd(
    url: str, talker: Talker, *, model: str, people: int, turns: int, begun: Callable[[], None]
) -> list[Heard | str]:
    """So many people at once, each turn in a conversation of its own; what failed, in words.

    `begun` is called between opening the conversations and talking.
    """
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector) as http:
        opened = [
            [await talker.open(http, model=model) for _ in range(turns)] for _ in range(people)
        ]
        begun()

        async def person(conversations: list[str]) -> list[Heard | str]:
            return [await _told(talker, http, each, model=model) for each in conversations]

        heard = await asyncio.gather(*(person(conversations) for conversations in opened))
        return [each for one in heard for each in one]


async def _told(
    talker: Talker, http: aiohttp.ClientSession, conversation: str, *, model: str
) -> Heard | str:
    try:
        return await talk(talker, http, conversation, model=model)
    except (NotMeasured, aiohttp.ClientError, TimeoutError, OSError) as error:
        return f"{type(error).__name__}: {error}"
