"""The one door to language models: which model, its answers, their tokens and their price.

The model libraries are imported on first use, or by `warm` in the background after start-up;
importing this module loads none of them.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from msil_mcp import locales
from msil_mcp.llm.choice import ModelChoice, Models
from msil_mcp.llm.errors import ModelMisconfigured
from msil_mcp.llm.loading import Loading
from msil_mcp.llm.messages import Completion, Message, System, User
from msil_mcp.llm.prices import PriceList
from msil_mcp.llm.retrying import Patience
from msil_mcp.llm.tools import MOST_TOOLS, ToolSpec, ToolTable
from msil_mcp.llm.usage import Charge, TokenUsage
from msil_mcp.observability.metrics import Metrics
from msil_mcp.settings import Settings

if TYPE_CHECKING:
    import httpx2
    from pydantic_ai.models import Model

    from msil_mcp.llm.streaming import CompletionStream

_LIBRARIES: Final = (
    "msil_mcp.llm.failures",
    "msil_mcp.llm.guarded_model",
    "msil_mcp.llm.history",
    "msil_mcp.llm.providers",
    "msil_mcp.llm.streaming",
)
NO_TOOLS: Final = ToolTable(())


@dataclass(frozen=True, slots=True)
class _Running:
    """What lives between start and close."""

    client: "httpx2.AsyncClient"
    scripted_url: str | None


class LLMService:
    """Completions with and without tools, by any provider; use it between `start` and `close`."""

    def __init__(
        self, settings: Settings, *, metrics: Metrics, first_retry_seconds: float = 0.5
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._prices = PriceList(settings.model_prices, openai_base_url=settings.openai_base_url)
        self._patience = Patience(
            retries=settings.model_retries,
            whole=settings.model_timeout_seconds,
            first_token=settings.model_first_token_seconds,
            first_delay=first_retry_seconds,
        )
        self.models = Models(settings)
        self._built: dict[ModelChoice, Model] = {}
        self._stack = AsyncExitStack()
        self._running: _Running | None = None
        self._opening = asyncio.Lock()
        self._loading = Loading()
        self._scripted_url: str | None = None

    @property
    def is_scripted(self) -> bool:
        """Whether the chat's model is the scripted one; people are told so everywhere."""
        return self.models.default.is_scripted

    async def start(self) -> None:
        """Open the scripted model's server where it is needed; loads no model library."""
        self._metrics.expect_model(self.models.default.name)
        if self.models.needs_script:
            from msil_mcp.llm.scripted.server import scripted_server

            self._scripted_url = await self._stack.enter_async_context(scripted_server())

    async def close(self) -> None:
        """End every connection, and the scripted model's server."""
        self._built.clear()
        if self._running is not None:
            await self._running.client.aclose()
            self._running = None
        await self._stack.aclose()

    async def warm(self, *also: str) -> None:
        """Load the model libraries, and modules that stand on them, without haste; then the model.

        The first conversation need not wait for them then.
        """
        await asyncio.to_thread(self._loading.load, (*_LIBRARIES, *also))
        await self.chat_model()

    async def load(self, *also: str) -> None:
        """The same as quickly as can be: somebody waits."""
        wanted = (*_LIBRARIES, *also)
        if not self._loading.has(wanted):
            self.hurry()
            await asyncio.to_thread(self._loading.load, wanted)

    def hurry(self) -> None:
        """Whatever is being loaded is needed now."""
        self._loading.hurry()

    async def chat_model(self, choice: ModelChoice | None = None) -> "Model":
        """The model for an agent: bounded, counted, repeated where safe, then its fallbacks.

        Raises:
            ModelMisconfigured: A setting or an installed part is missing.
        """
        wanted = choice or self.models.default
        found = self._built.get(wanted)
        if found is None:
            await self.load()
            running = await self._opened()
            # Providers' clients load parts of themselves when they are made.
            found = await asyncio.to_thread(self._build, wanted, running)
            if self.models.label(wanted) == wanted.name:
                self._built[wanted] = found
        return found

    async def complete(
        self,
        messages: str | Sequence[Message],
        *,
        system: str = "",
        tools: ToolTable | Iterable[ToolSpec] = NO_TOOLS,
        used: Collection[str] = (),
        choice: ModelChoice | None = None,
        max_tokens: int | None = None,
    ) -> Completion:
        """One answer: words, or calls of the tools, by their own names.

        Raises:
            LlmError: One of its subclasses says what is wrong.
        """
        async with self.stream(
            messages,
            system=system,
            tools=tools,
            used=used,
            choice=choice,
            max_tokens=max_tokens,
            whole=True,
        ) as stream:
            return stream.completion

    @asynccontextmanager
    async def stream(
        self,
        messages: str | Sequence[Message],
        *,
        system: str = "",
        tools: ToolTable | Iterable[ToolSpec] = NO_TOOLS,
        used: Collection[str] = (),
        choice: ModelChoice | None = None,
        max_tokens: int | None = None,
        whole: bool = False,
    ) -> "AsyncIterator[CompletionStream]":
        """The same answer piece by piece: iterate for its text, then read `completion`.

        With `whole` it is asked for in one piece, and there is nothing to iterate.
        """
        model = await self.chat_model(choice)
        from msil_mcp.llm.streaming import open_completion

        table = tools if isinstance(tools, ToolTable) else ToolTable(tools)
        said: Sequence[Message] = [User(messages)] if isinstance(messages, str) else messages
        if system:
            said = [System(system), *said]
        offered = table.offer(
            conversation=" ".join(each.text for each in said[-4:] if isinstance(each, User)),
            used=used,
            most=MOST_TOOLS,
        )
        async with open_completion(
            model,
            said,
            tools=table,
            offered=offered,
            max_tokens=max_tokens,
            whole=whole,
            price=self.charge,
            wanted=choice or self.models.default,
        ) as stream:
            yield stream

    def charge(self, wanted: ModelChoice, answered: str, usage: TokenUsage) -> Charge:
        """What an answer costs; the one that gave it may be a fallback of the model wanted.

        Providers name a version behind the name that was asked for.
        """
        named = [
            each for each in (wanted, *self.models.fallbacks) if answered.startswith(each.name)
        ]
        choice = max(named, key=lambda each: len(each.name), default=wanted)
        return Charge(str(choice), self._prices.cost(choice, usage))

    async def _opened(self) -> _Running:
        from msil_mcp.llm.providers import model_client

        async with self._opening:
            if self._running is None:
                client = await asyncio.to_thread(model_client, self._settings)
                self._running = _Running(client, self._scripted_url)
        return self._running

    def _build(self, choice: ModelChoice, running: _Running) -> "Model":
        from pydantic_ai.models.fallback import FallbackModel

        from msil_mcp.llm.guarded_model import LastResort, falls_back

        chain = (choice, *(each for each in self.models.fallbacks if each != choice))
        models = [self._guarded(each, running) for each in chain]
        if len(models) == 1:
            return models[0]
        fallback = FallbackModel(models[0], *models[1:], fallback_on=falls_back)
        return LastResort(fallback, name=choice.name)

    def _guarded(self, choice: ModelChoice, running: _Running) -> "Model":
        from msil_mcp.llm.guarded_model import GuardedModel
        from msil_mcp.llm.providers import build_model

        if choice.is_scripted and running.scripted_url is None:
            raise ModelMisconfigured(
                model=str(choice),
                remedy=locales.Message("reasons.model.script_not_chosen"),
            )
        model = build_model(
            choice, self._settings, client=running.client, scripted_url=running.scripted_url
        )
        return GuardedModel(
            model,
            name=choice.name,
            label=self.models.label(choice),
            patience=self._patience,
            metrics=self._metrics,
            price=partial(self._prices.cost, choice),
        )
