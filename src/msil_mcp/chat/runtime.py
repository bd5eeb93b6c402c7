"""Conversations at work: what routes and the composition root need of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from msil_mcp.bus import Bus
from msil_mcp.chat.confirming import Confirmations
from msil_mcp.chat.live_runs import LiveRuns
from msil_mcp.chat.run_records import Write
from msil_mcp.chat.tables import Tables
from msil_mcp.chat.turn import TurnParts
from msil_mcp.chat.warming import Warming
from msil_mcp.db.database import Database
from msil_mcp.governance.approvals import Approvals
from msil_mcp.llm.llm_service import LLMService
from msil_mcp.observability.metrics import Metrics
from msil_mcp.settings import Settings
from msil_mcp.tools.call import ToolInvoker
from msil_mcp.tools.snapshot import SnapshotStore


@dataclass(frozen=True, slots=True)
class Chat:
    """The running conversations of a process; call `stop_streams` when it is told to stop."""

    parts: TurnParts
    runs: LiveRuns
    confirmations: Confirmations
    warming: Warming

    def stop_streams(self) -> None:
        """End the streams people listen to, so that the server need not wait for them."""
        self.runs.closing.set()


@asynccontextmanager
async def running_chat(
    *,
    settings: Settings,
    database: Database,
    bus: Bus,
    invoker: ToolInvoker,
    snapshots: SnapshotStore,
    approvals: Approvals,
    metrics: Metrics,
    record: Write,
    owner: str,
) -> AsyncIterator[Chat]:
    """Answer conversations while the context lasts; then interrupt and store what is open."""
    llm = LLMService(settings, metrics=metrics)
    await llm.start()
    try:
        parts = TurnParts(
            settings=settings,
            database=database,
            bus=bus,
            invoker=invoker,
            tables=Tables(snapshots),
            llm=llm,
            owner=owner,
            record=record,
        )
        runs = LiveRuns(parts)
        await runs.start(alone=settings.is_sqlite)
        metrics.set_gauge_source("chat_sessions_active", lambda: runs.count)
        warming = Warming(llm, settings)
        try:
            yield Chat(parts, runs, Confirmations(parts, runs, approvals), warming)
        finally:
            await warming.close()
            await runs.close()
    finally:
        await llm.close()


def chat_of(connection: HTTPConnection) -> Chat:
    """The application's conversations, for somebody who is about to use them."""
    chat: Chat = connection.app.state.chat
    chat.warming.chat_opened()
    return chat
