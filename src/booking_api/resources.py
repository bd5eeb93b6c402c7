"""What a request may use: sessions and the clock, handed out as FastAPI dependencies."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from booking_api.database import Database
from booking_api.schedule import Clock


@dataclass(frozen=True)
class Resources:
    """Everything a running service holds; `draw_suffix` ends each new booking id."""

    database: Database
    clock: Clock
    draw_suffix: Callable[[], str]


def resources_of(request: Request) -> Resources:
    """The resources that the application's lifespan opened."""
    resources: Resources = request.app.state.resources
    return resources


Held = Annotated[Resources, Depends(resources_of)]


async def _reading(resources: Held) -> AsyncIterator[AsyncSession]:
    async with resources.database.reading() as session:
        yield session


# Scope "function": the connection goes back before the answer is sent.
ReadSession = Annotated[AsyncSession, Depends(_reading, scope="function")]
