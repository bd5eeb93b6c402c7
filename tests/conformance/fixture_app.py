"""The product's MCP endpoint over the suite's catalogue: real ASGI stack, memory bus, no database.

Everybody is the same caller, unless a request carries another name in `X-Caller`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from conformance.catalogue import ConformanceProvider
from msil_mcp.bus import Bus, MemoryBus
from msil_mcp.errors import Unauthenticated
from msil_mcp.mcp.app import McpEndpoint, is_for_mcp
from msil_mcp.mcp.build import RunningMcp, running_mcp
from msil_mcp.mcp.providers import Provider
from msil_mcp.principal import Authenticator, Principal
from msil_mcp.sealing import Keyring
from msil_mcp.settings import Settings

KEYRING = Keyring([b"k" * 32])


class Everybody:
    """Lets every caller in, except those who say that they are nobody."""

    async def authenticate(self, headers: Mapping[str, str], /) -> Principal:
        name = headers.get("x-caller", "tester")
        if name == "nobody":
            raise Unauthenticated("Show a key.")
        return Principal(
            id=f"key:{name}",
            kind="key",
            name=name,
            roles=frozenset({"user"}),
            permissions=frozenset(),
        )


@dataclass
class MemoryRevocations:
    """Shared by the replicas of one test."""

    ended: set[str] = field(default_factory=set)

    def is_revoked(self, session_id: str) -> bool:
        return session_id in self.ended

    async def revoke(self, session_id: str, *, expires_at: int) -> None:
        self.ended.add(session_id)


class McpMiddleware:
    """Takes what is for the endpoint before any router looks at it."""

    def __init__(self, app: ASGIApp, *, endpoint: McpEndpoint) -> None:
        self._app = app
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._endpoint if is_for_mcp(scope) else self._app)(scope, receive, send)


@dataclass
class FixtureApp:
    """One replica; replicas given the same bus and revocations serve the same sessions."""

    bus: Bus = field(default_factory=MemoryBus)
    revocations: MemoryRevocations = field(default_factory=MemoryRevocations)
    settings: Settings = field(default_factory=lambda: Settings(_env_file=None))
    provider: ConformanceProvider = field(default_factory=ConformanceProvider)
    more_providers: Sequence[Provider] = ()
    authenticator: Authenticator = field(default_factory=Everybody)
    running: RunningMcp | None = None

    def create(self) -> Starlette:
        endpoint = McpEndpoint()

        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            async with AsyncExitStack() as stack:
                await self.bus.start()
                self.running = await stack.enter_async_context(
                    running_mcp(
                        providers=[self.provider, *self.more_providers],
                        authenticator=self.authenticator,
                        bus=self.bus,
                        keyring=KEYRING,
                        settings=self.settings,
                        revocations=self.revocations,
                    )
                )
                self.provider.watch(self.running.changes)
                endpoint.use(self.running.app)
                yield
                endpoint.use(None)

        app = Starlette(lifespan=lifespan)
        app.add_middleware(McpMiddleware, endpoint=endpoint)
        return app


def side_by_side(**replicas: FixtureApp) -> Starlette:
    """Replicas on one event loop, each below its name; they share what they were given alike."""
    apps = {name: replica.create() for name, replica in replicas.items()}

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for inner in apps.values():
                await stack.enter_async_context(inner.router.lifespan_context(inner))
            yield

    mounts = [Mount(f"/{name}", app=inner) for name, inner in apps.items()]
    return Starlette(routes=mounts, lifespan=lifespan)


def create_app() -> Starlette:
    """For `uvicorn --factory conformance.fixture_app:create_app`."""
    return FixtureApp().create()
