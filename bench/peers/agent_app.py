"""pydantic-ai's agent and its Vercel adapter alone: what a streamed turn costs at the least.

The same libraries of the same versions, the same model, the same tool over HTTP. Nobody is
authenticated, nothing is stored, recorded, limited, masked or replayed, and only the one who asked
hears the answer.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Literal

import aiohttp
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.ui.vercel_ai import VercelAIAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

provider = OpenAIProvider(base_url=os.environ["OPENAI_BASE_URL"], api_key="none")
agent = Agent(instructions="Answer briefly, from what the tools say.")
upstream: aiohttp.ClientSession


@agent.tool_plain
async def track_parcel(
    parcel_id: str, detail: Literal["summary", "history", "everything"], language: str = "en"
) -> dict[str, Any]:
    """Where a parcel is now, when it should arrive, and who carries it."""
    asked = {"detail": detail, "language": language}
    async with upstream.get(f"/parcels/{parcel_id}/track", params=asked) as answer:
        record: dict[str, Any] = json.loads(await answer.read())
        return record


@cache
def model_of(name: str) -> OpenAIChatModel:
    return OpenAIChatModel(name, provider=provider)


async def chat(request: Request) -> Response:
    model = model_of(request.query_params["model"])
    return await VercelAIAdapter.dispatch_request(request, agent=agent, model=model, sdk_version=7)


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    global upstream
    upstream = aiohttp.ClientSession(os.environ["BENCH_UPSTREAM"])
    yield
    await upstream.close()


async def ready(_: Request) -> Response:
    return Response("ready")


app = Starlette(
    routes=[Route("/ready", ready), Route("/chat", chat, methods=["POST"])], lifespan=lifespan
)
