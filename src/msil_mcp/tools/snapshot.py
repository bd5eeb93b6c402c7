"""Everything a call reads, in memory: immutable, numbered, swapped whole.

tools/list and tools/call never wait for the database. A change anywhere raises the generation;
every process hears it on the bus, or sees it at its next poll, and rebuilds off the loop. A
process that has not been able to check for five seconds refuses to serve: it might be missing a
revocation, so it fails closed.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

import msgspec
import structlog
from sqlalchemy.exc import SQLAlchemyError

from msil_mcp.bus import Bus, BusInterrupted, BusUnavailable, SubscriberTooSlow
from msil_mcp.db.database import Database
from msil_mcp.db.generation import read_generation
from msil_mcp.errors import MsilError, NotFound, Unavailable
from msil_mcp.identity.snapshot import Exposure, IdentitySnapshot, load_identity
from msil_mcp.identity.tables import ExposureKind
from msil_mcp.principal import Principal
from msil_mcp.tools.compiling import (
    BundleInfo,
    CatalogueRows,
    bundle_infos,
    bundle_names,
    compile_version,
    read_catalogue,
)
from msil_mcp.tools.prompts import Prompt
from msil_mcp.tools.version import ToolVersion

TOPIC = "snapshot"
POLL_SECONDS = 0.5
STALE_SECONDS = 5.0
READ_SECONDS = 2.0
FIRST_READ_SECONDS = 20.0
MAX_VIEWS = 128

_Rights = tuple[frozenset[str], frozenset[str] | None]
_ViewKey = tuple[frozenset[str], frozenset[str] | None, str | None]

log = structlog.get_logger()


class FeedStale(Unavailable):
    """This process may have missed a change of configuration."""

    slug = "snapshot_stale"

    def __init__(self) -> None:
        super().__init__(retry_after=2)


class UnknownBundle(NotFound):
    """No bundle of this name is offered to the caller."""

    slug = "unknown_bundle"

    def __init__(self, name: str) -> None:
        super().__init__(name=name)


@dataclass(frozen=True)
class CatalogueView:
    """What one set of rights sees at one address, encoded once."""

    visible: Sequence[ToolVersion]
    known: Mapping[str, ToolVersion]
    bundles: Sequence[BundleInfo]

    @property
    def tools(self) -> Sequence[ToolVersion]:
        """The visible tools, by name."""
        return self.visible

    @cached_property
    def listing(self) -> bytes:
        """JSON array of MCP Tool objects."""
        return b"[" + b",".join(tool.encode() for tool in self.visible) + b"]"

    @cached_property
    def fingerprint(self) -> str:
        """Changes exactly when the listing does."""
        return hashlib.sha256(self.listing).hexdigest()[:32]

    @cached_property
    def prompts(self) -> Sequence[Prompt]:
        """Prompts of the visible bundles, first name wins."""
        found: dict[str, Prompt] = {}
        for bundle in self.bundles:
            for prompt in bundle.prompts:
                found.setdefault(prompt.name, prompt)
        return list(found.values())

    def find(self, name: str) -> ToolVersion | None:
        """A tool offered at this address, visible or not: the authorize rule decides."""
        return self.known.get(name)


@dataclass(frozen=True)
class Snapshot:
    """One generation of the catalogue and of who may see what.

    `views` and `bits` remember what was asked of it; they follow from the rest.
    """

    generation: int
    tools: Mapping[str, ToolVersion]
    bundles: Mapping[str, BundleInfo]
    identity: IdentitySnapshot
    views: dict[_ViewKey, CatalogueView] = field(default_factory=dict, repr=False)
    bits: dict[_Rights, int] = field(default_factory=dict, repr=False)

    def visible_bits(self, principal: Principal) -> int:
        """The caller's tools as a bitset over tool ids: granted by a role, within the scopes."""
        key = (principal.roles, principal.scopes)
        bits = self.bits.get(key)
        if bits is None:
            bits = self._granted(principal.roles) & self._scoped(principal.scopes)
            if len(self.bits) >= MAX_VIEWS:
                self.bits.clear()
            self.bits[key] = bits
        return bits

    def sees(self, principal: Principal, tool: ToolVersion) -> bool:
        """The one decision that both filters tools/list and opens tools/call."""
        return bool(self.visible_bits(principal) >> tool.index & 1)

    def view(self, principal: Principal, bundle: str | None = None) -> CatalogueView:
        """What the caller sees at /mcp or /mcp/{bundle}; UnknownBundle when nothing is there."""
        key = (principal.roles, principal.scopes, bundle)
        view = self.views.get(key)
        if view is None:
            view = self._build_view(self.visible_bits(principal), bundle)
            if len(self.views) >= MAX_VIEWS:
                self.views.clear()
            self.views[key] = view
        return view

    def warm(self, previous: "Snapshot") -> None:
        """Encode beforehand what callers of the previous snapshot looked at."""
        for roles, scopes, bundle in list(previous.views):
            with suppress(UnknownBundle):
                bits = self._granted(roles) & self._scoped(scopes)
                view = self._build_view(bits, bundle)
                _ = view.fingerprint
                self.views[roles, scopes, bundle] = view

    def _build_view(self, bits: int, bundle: str | None) -> CatalogueView:
        if bundle is None:
            known = self.tools
        else:
            info = self.bundles.get(bundle)
            if info is None or not info.tool_bits & bits:
                raise UnknownBundle(bundle)
            known = {n: t for n, t in self.tools.items() if info.tool_bits >> t.index & 1}
        return CatalogueView(
            visible=[tool for tool in known.values() if bits >> tool.index & 1],
            known=known,
            bundles=[
                info
                for info in self.bundles.values()
                if info.tool_bits & bits and bundle in {None, info.name}
            ],
        )

    def _granted(self, roles: Iterable[str]) -> int:
        bits = 0
        for role in roles:
            for exposure in self.identity.exposures.get(role, ()):
                bits |= self._exposed(exposure)
        return bits

    def _exposed(self, exposure: Exposure) -> int:
        if exposure.kind == "all":
            return self._all
        if exposure.kind == "bundle":
            info = self.bundles.get(exposure.target)
            return info.tool_bits if info else 0
        tool = self.tools.get(exposure.target)
        return 1 << tool.index if tool else 0

    def _scoped(self, scopes: frozenset[str] | None) -> int:
        narrowing = [
            scope
            for scope in scopes or ()
            if scope == "tools" or scope.startswith(("tool:", "bundle:"))
        ]
        if scopes is None or "tools" in narrowing:
            return self._all
        bits = 0
        for scope in narrowing:
            kind, _, target = scope.partition(":")
            narrowed: ExposureKind = "tool" if kind == "tool" else "bundle"
            bits |= self._exposed(Exposure(kind=narrowed, target=target))
        return bits

    @cached_property
    def _all(self) -> int:
        return sum(1 << tool.index for tool in self.tools.values())


class SnapshotStore:
    """Holds the current snapshot and keeps it true."""

    def __init__(self, *, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._snapshot: Snapshot | None = None
        self._checked = 0.0
        self._compiled: dict[tuple[int, tuple[str, ...]], ToolVersion] = {}
        self._listeners: list[Callable[[Snapshot], None]] = []
        self._refreshing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def on_change(self, listener: Callable[[Snapshot], None]) -> None:
        """Call the listener with every new snapshot, and at once with the present one."""
        self._listeners.append(listener)
        if self._snapshot is not None:
            listener(self._snapshot)

    def current(self) -> Snapshot:
        """The snapshot to decide by; FeedStale when it may have missed a change."""
        if self._snapshot is None or time.monotonic() - self._checked > STALE_SECONDS:
            raise FeedStale
        return self._snapshot

    @property
    def is_fresh(self) -> bool:
        """Whether `current` would answer."""
        return self._snapshot is not None and time.monotonic() - self._checked <= STALE_SECONDS

    @property
    def age_seconds(self) -> float:
        """Seconds since the snapshot was last known to be current."""
        return time.monotonic() - self._checked

    @property
    def generation(self) -> int:
        """Generation in memory; 0 before the first."""
        return self._snapshot.generation if self._snapshot else 0

    @property
    def published(self) -> int:
        """How many tools are in force."""
        return len(self._snapshot.tools) if self._snapshot else 0

    async def start(self) -> None:
        """Load the first snapshot and begin to follow changes."""
        # Nobody waits for an answer yet, and where many start at once a slow start beats none.
        await self.refresh(within=FIRST_READ_SECONDS)
        self._tasks = [
            asyncio.create_task(self._listen(), name="snapshot-listen"),
            asyncio.create_task(self._poll(), name="snapshot-poll"),
        ]

    async def close(self) -> None:
        """Stop following."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def announce(self) -> None:
        """Make a committed change live here, and tell the other processes."""
        await self.refresh()
        await self._bus.publish(TOPIC, str(self.generation).encode())

    async def refresh(self, *, within: float = READ_SECONDS) -> None:
        """Check the generation and rebuild when it moved; reading may take `within` seconds."""
        async with self._refreshing:
            started = time.monotonic()
            async with (
                asyncio.timeout(within),
                self._database.reading(of_one_moment=True) as session,
            ):
                generation = await read_generation(session)
                if self._snapshot is not None and generation == self._snapshot.generation:
                    self._checked = started
                    return
                rows = await read_catalogue(session)
                identity = await load_identity(session)
            snapshot = await asyncio.to_thread(self._compile, generation, rows, identity)
            self._snapshot, self._checked = snapshot, started
        log.info("snapshot_swapped", generation=generation, tools=len(snapshot.tools))
        for listener in self._listeners:
            listener(snapshot)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._bus.subscribe(TOPIC) as events:
                    async for _ in events:
                        self._wake.set()
            except (BusInterrupted, BusUnavailable, SubscriberTooSlow) as error:
                # The poll goes on meanwhile, so a change is late by half a second at most.
                log.warning("snapshot_news_interrupted", error=type(error).__name__)
                self._wake.set()
                await asyncio.sleep(POLL_SECONDS)

    async def _poll(self) -> None:
        while True:
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self.refresh()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("snapshot_check_failed", error=type(error).__name__)
            except Exception:  # The edge of a task: if it ended, nothing would ever be fresh again.
                log.exception("snapshot_check_broke")

    def _compile(
        self, generation: int, rows: CatalogueRows, identity: IdentitySnapshot
    ) -> Snapshot:
        names = bundle_names(rows)
        compiled: dict[tuple[int, tuple[str, ...]], ToolVersion] = {}
        tools: dict[str, ToolVersion] = {}
        for tool, version in rows.tools:
            key = (version.id, names.get(tool.id, ()))
            known = self._compiled.get(key)
            try:
                if known is None:
                    known = compile_version(tool, version, bundles=key[1])
                    known.encode()
            except (MsilError, msgspec.MsgspecError) as error:
                # One that another release stored must not take the others out of force.
                log.error("tool_version_unusable", tool=tool.name, reason=str(error))  # noqa: TRY400
                continue
            compiled[key] = tools[tool.name] = known
        self._compiled = compiled
        snapshot = Snapshot(
            generation=generation,
            tools=tools,
            bundles=bundle_infos(rows, tools),
            identity=identity,
        )
        if self._snapshot is not None:
            snapshot.warm(self._snapshot)
        return snapshot
