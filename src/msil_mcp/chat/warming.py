"""Loading the model libraries before the first answer needs them, behind whatever else is done."""

import asyncio
from typing import Final

import structlog

from msil_mcp.errors import MsilError
from msil_mcp.llm.llm_service import LLMService
from msil_mcp.settings import Settings

SETTLE_SECONDS: Final = 1.0
"""How long after its start a server is left alone."""
ANSWERING: Final = "msil_mcp.chat.answering"
log = structlog.get_logger()


class Warming:
    """Begins once, when the setting says so; see `MSIL_WARM_MODELS`."""

    def __init__(self, llm: LLMService, settings: Settings) -> None:
        self._llm = llm
        self._on_opening = settings.warm_models == "chat"
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        if settings.warm_models == "start":
            self._begin(SETTLE_SECONDS)

    def chat_opened(self) -> None:
        """Somebody is about to converse; may be said on any thread."""
        if self._on_opening:
            self._on_opening = False
            self._loop.call_soon_threadsafe(self._begin, 0.0)

    async def close(self) -> None:
        """What is being loaded is loaded without further pauses."""
        self._llm.hurry()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin(self, after: float) -> None:
        self._task = asyncio.create_task(self._warm(after), name="chat-warm")

    async def _warm(self, after: float) -> None:
        await asyncio.sleep(after)
        try:
            await self._llm.warm(ANSWERING)
        except (MsilError, ImportError) as error:
            # The first answer will say what is wrong.
            log.warning("models_not_warmed", error=repr(error))
