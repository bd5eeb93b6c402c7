"""Holding conversations with a model: the real booking service, every rule, a fresh directory."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import uvicorn
from pydantic import SecretStr
from pydantic import ValidationError as BadOrder
from sqlalchemy import delete, select
from starlette.types import ASGIApp

from booking_api.app import create_app as create_booking_app
from booking_api.app import openapi_document
from booking_api.bookings import BookingOrder, book, booking_with_id
from booking_api.errors import BookingError
from booking_api.models import Booking, IdempotencyRecord
from booking_api.resources import Resources
from booking_api.settings import BookingSettings
from msil_mcp.chat.agent import Agent, Bounds, Governed
from msil_mcp.chat.evals.cases import Case, Suite, Turn, UnreadableCases
from msil_mcp.chat.evals.scoring import booking_faults, turn_faults
from msil_mcp.chat.instructions import instructions
from msil_mcp.chat.tables import Offer, Tables
from msil_mcp.cli.demo import BUNDLE, DEMO_ROLE
from msil_mcp.identity.authentication import cli_principal
from msil_mcp.identity.roles import ensure_roles, expose
from msil_mcp.llm.choice import ModelChoice, Models
from msil_mcp.llm.errors import LlmError
from msil_mcp.llm.llm_service import LLMService
from msil_mcp.llm.messages import Message, User
from msil_mcp.llm.scripted.server import QuietServer
from msil_mcp.llm.scripted.server import create_app as create_scripted_app
from msil_mcp.llm.usage import FREE, Cost, TokenUsage
from msil_mcp.observability.context import new_correlation_id
from msil_mcp.principal import BUILTIN_ROLES, Principal
from msil_mcp.services import Services, running
from msil_mcp.settings import Settings
from msil_mcp.tools.call import Confirmation
from msil_mcp.tools.importing import import_document, prepare_import
from msil_mcp.tools.plan import ImportRequest

PRINCIPAL: Final = Principal(
    id="system:eval",
    kind="system",
    name="evaluation",
    roles=frozenset({DEMO_ROLE}),
    permissions=frozenset(BUILTIN_ROLES[DEMO_ROLE]),
)
BOUNDS: Final = Bounds()


class CaseScore(msgspec.Struct, frozen=True):
    """How one conversation went; `faults` is empty when everything was as expected."""

    id: str
    language: str
    faults: Sequence[str]
    calls: int
    tokens: int
    cost_usd: Decimal | None
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether it went as expected."""
        return not self.faults


class ModelScore(msgspec.Struct, frozen=True):
    """How a model did."""

    model: str
    passed: int
    tokens: int
    cost_usd: Decimal | None
    seconds: float
    cases: Sequence[CaseScore]


@dataclass(frozen=True, slots=True)
class Stage:
    """The running parts that conversations are held among."""

    services: Services
    booking: Resources
    offer: Offer
    script_url: str
    now: datetime


async def evaluate(
    settings: Settings,
    suite: Suite,
    *,
    models: Sequence[str | None],
    on_case: Callable[[str, CaseScore], None],
) -> list[ModelScore]:
    """Hold every conversation with every model, one after the other; None is the configured one."""
    with TemporaryDirectory(prefix="msil-eval-") as folder:
        async with _stage(settings, Path(folder), now=suite.now) as stage:
            return [await _score(stage, settings, suite, name, on_case) for name in models]


async def _score(
    stage: Stage,
    settings: Settings,
    suite: Suite,
    name: str | None,
    on_case: Callable[[str, CaseScore], None],
) -> ModelScore:
    configured, shown = _settings_for(settings, name, script_url=stage.script_url)
    llm = LLMService(configured, metrics=stage.services.metrics)
    await llm.start()
    scores: list[CaseScore] = []
    try:
        for case in suite.cases:
            scores.append(await _hold(stage, llm, case))
            on_case(shown, scores[-1])
    finally:
        await llm.close()
    cost = sum((Cost(score.cost_usd) for score in scores), FREE)
    return ModelScore(
        model=shown,
        passed=sum(score.passed for score in scores),
        tokens=sum(score.tokens for score in scores),
        cost_usd=cost.usd,
        seconds=round(sum(score.seconds for score in scores), 3),
        cases=scores,
    )


async def _hold(stage: Stage, llm: LLMService, case: Case) -> CaseScore:
    """One conversation, from a database that holds only what the case gives."""
    given = await _prepare(stage.booking, case)
    case = case.naming({name: booking_id for name, booking_id in given if name})
    conversation = _Conversation(stage, llm, llm.models.default, case)
    started = time.perf_counter()
    faults = [fault async for fault in conversation.faults()]
    found = await _left(stage.booking, besides=[booking_id for _, booking_id in given])
    faults += booking_faults(case, found=found)
    return CaseScore(
        id=case.id,
        language=case.language,
        faults=faults,
        calls=conversation.calls,
        tokens=conversation.usage.total,
        cost_usd=conversation.cost.usd,
        seconds=round(time.perf_counter() - started, 3),
    )


class _Conversation:
    """Says the turns of a case, and answers for the person when a write asks."""

    def __init__(self, stage: Stage, llm: LLMService, choice: ModelChoice, case: Case) -> None:
        self._stage = stage
        self._case = case
        self._turn: Turn = case.turns[0]
        self._agent = Agent(
            llm=llm,
            choice=choice,
            governed=Governed(
                invoker=stage.services.invoker,
                principal=PRINCIPAL,
                offer=stage.offer,
                correlation_id="",
                seconds=stage.services.settings.call_timeout_seconds,
                confirm=self._confirm,
            ),
            system=instructions(now=stage.now, language=case.language),
            bounds=BOUNDS,
            whole=True,
        )
        self.calls = 0
        self.usage = TokenUsage()
        self.cost = FREE

    async def faults(self) -> AsyncIterator[str]:
        """What does not go as expected, by the number of the turn."""
        messages: list[Message] = []
        for number, turn in enumerate(self._case.turns, start=1):
            self._turn = turn
            messages.append(User(turn.say))
            governed = replace(self._agent.governed, correlation_id=new_correlation_id())
            try:
                answer = await replace(self._agent, governed=governed).answer(messages, _unheard)
            except LlmError as error:
                yield f"turn {number}: {error}"
                return
            self.calls += len(answer.made)
            self.usage = self.usage + answer.usage
            self.cost = self.cost + answer.cost
            for fault in turn_faults(turn, made=answer.made, said=answer.text):
                yield f"turn {number}: {fault}"

    async def _confirm(self, confirmation: Confirmation) -> None:
        await self._stage.services.approvals.decide(
            confirmation.approval_id,
            principal=PRINCIPAL,
            accepted=self._turn.approve,
            via="chat",
            reason=None if self._turn.approve else self._turn.reason,
        )


@asynccontextmanager
async def _stage(settings: Settings, folder: Path, *, now: datetime) -> AsyncIterator[Stage]:
    """The booking service and the product on loopback, where it is always `now`."""
    own = settings.model_copy(
        update={
            "database_url": "",
            "redis_url": "",
            "data_dir": folder,
            "secret_key": None,
            "rate_per_principal": 0.0,
            "redact_output": (),
            "upstream_credentials": {},
        }
    )
    here = BookingSettings(data_dir=folder, database_url="", public_url="")
    booking = create_booking_app(here, clock=lambda: now)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(booking.router.lifespan_context(booking))
        booking_url = await stack.enter_async_context(_served(booking))
        script = create_scripted_app(clock=lambda: now)
        script_url = await stack.enter_async_context(_served(script))
        services = await stack.enter_async_context(running(own, serving=False))
        await _import_tools(services, booking_url=booking_url)
        offer = await Tables(services.snapshots).of(PRINCIPAL)
        yield Stage(services, booking.state.resources, offer, f"{script_url}/v1", now)


@asynccontextmanager
async def _served(app: ASGIApp) -> AsyncIterator[str]:
    """The application on a free loopback port; yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", ws="none",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = QuietServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listener.close()


async def _import_tools(services: Services, *, booking_url: str) -> None:
    prepared = await prepare_import(
        ImportRequest(
            raw=msgspec.json.encode(openapi_document(server_url=booking_url)),
            source="booking_api",
            bundle=BUNDLE,
            spec=BUNDLE,
            allow_private=True,
            publish=True,
        )
    )
    async with services.database.unit_of_work() as session:
        await ensure_roles(session)
        await expose(session, role=DEMO_ROLE, kind="bundle", target=BUNDLE)
        await import_document(session, prepared, principal=cli_principal())
    await services.snapshots.announce()


def _settings_for(settings: Settings, name: str | None, *, script_url: str) -> tuple[Settings, str]:
    """The settings that make a model the default, without another to fall back to; and its name."""
    changes: dict[str, Any] = {"model_fallbacks": (), "models_by_role": {}}
    if name is not None:
        changes["openai_model"] = name
    wanted = settings.model_copy(update=changes)
    model = Models(wanted).default
    if not model.is_scripted:
        return wanted, str(model)
    # A script of our own, because it must believe that it is the day of the suite.
    named = f"openai:{model.name}"
    scripted = {
        "openai_model": named,
        "openai_base_url": script_url,
        "openai_api_key": SecretStr("none-needed"),
        "model_prices": {named: {"input": Decimal(0), "output": Decimal(0)}},
    }
    return wanted.model_copy(update=scripted), model.name


async def _prepare(booking: Resources, case: Case) -> list[tuple[str, str]]:
    """Forget what was booked and book what the case gives; names and ids of that."""
    async with booking.database.writing.begin() as session:
        await session.execute(delete(Booking))
        await session.execute(delete(IdempotencyRecord))
    made: list[tuple[str, str]] = []
    for given in case.given:
        for _ in range(given.times):
            try:
                order = BookingOrder.model_validate(given.order)
                details, _ = await book(booking, order=order, key=None)
            except (BadOrder, BookingError) as error:
                raise UnreadableCases(
                    case.id, f"what is given cannot be booked: {error}"
                ) from error
            made.append((given.name, details.booking_id))
    return made


async def _left(booking: Resources, *, besides: Iterable[str]) -> list[Mapping[str, Any]]:
    """Every other booking there is now."""
    async with booking.database.reading() as session:
        query = select(Booking.booking_id).where(Booking.booking_id.not_in(list(besides)))
        ids = (await session.scalars(query)).all()
        rows = [await booking_with_id(session, booking_id=each) for each in ids]
    return [row.model_dump(mode="json") for row in rows]


async def _unheard(_: str) -> None:
    pass
