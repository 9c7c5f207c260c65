"""`Agent`: owns, starts, supervises and stops everything, inside any running loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from skep.agent.create import Created, create_container
from skep.cluster import Cluster
from skep.events import LifecycleEvent
from skep.hooks import Plugin
from skep.plugins import PluginManager
from skep.scheduler import Placement, PlacementRequest, Scheduler
from skep.settings import Settings

if TYPE_CHECKING:
    import aiodocker

__all__ = ["Agent"]

_log = logging.getLogger("skep.agent")


class Agent:
    """One agent. `async with Agent(settings) as agent:` brings it up, and raises at once what keeps it from starting.

    It installs no signal handlers, configures no logging, and cancels no task but its own. Several may live in one process.
    """

    def __init__(self, settings: Settings | None = None, *, plugins: Sequence[type[Plugin] | Plugin] = ()) -> None:
        self.settings = settings or Settings()
        self.plugins = PluginManager(self.settings, plugins)
        self.cluster = Cluster(self.settings.cluster, self._publish)
        self.scheduler = Scheduler(
            self.cluster.state, self.plugins.rules("filter_nodes"), self.plugins.rules("score_nodes")
        )
        self._listeners: set[asyncio.Queue[LifecycleEvent]] = set()
        self._supervisor: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self.plugins.attach(self)

    @property
    def expression_kinds(self) -> Mapping[str, str]:
        """All kinds of scheduling entries that plugins read, with the labels that keep them."""
        return {
            kind: label for _, kinds in self.plugins.contributions("expression_kinds") for kind, label in kinds.items()
        }

    async def __aenter__(self) -> Self:
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._supervisor = asyncio.create_task(self._supervise(ready), name="skep agent")
        await asyncio.wait([self._supervisor, ready], return_when=asyncio.FIRST_COMPLETED)
        if self._supervisor.done():
            self._supervisor.result()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._supervisor is not None:
            await self._supervisor

    async def wait(self) -> None:
        """Return when the agent stops; raises what made it fail."""
        if self._supervisor is not None:
            await asyncio.shield(self._supervisor)

    async def _supervise(self, ready: asyncio.Future[None]) -> None:
        async with asyncio.TaskGroup() as group, AsyncExitStack() as stack:
            await self.cluster.run(group)
            stack.push_async_callback(self.cluster.aclose)
            watching = [group.create_task(self._discover(), name="discovery")]
            await self.cluster.set_engines(self.settings.cluster.engines)
            await self.cluster.tried()
            for plugin in self.plugins.plugins.values():
                await stack.enter_async_context(plugin)
            runs = [group.create_task(call(), name=f"plugin {name}") for name, call in self.plugins.implementing("run")]
            ready.set_result(None)
            await self._stopping.wait()
            for task in [*runs, *watching]:
                task.cancel()
            await self.cluster.set_engines([])

    async def _discover(self) -> None:
        scheme, separator, rest = self.settings.cluster.discovery.partition("://")
        if not separator:
            return
        for _, backends in self.plugins.contributions("discovery_backends"):
            if scheme in backends:
                watch = backends[scheme].watch(
                    rest, self.settings.cluster.discovery_options, self.settings.cluster.heartbeat
                )
                async for addresses in watch:
                    await self.cluster.set_engines([*self.settings.cluster.engines, *addresses])

    def _publish(self, event: LifecycleEvent) -> None:
        self.plugins.publish(event)
        for queue in self._listeners:
            queue.put_nowait(event)

    async def events(self) -> AsyncIterator[LifecycleEvent]:
        """Every lifecycle event from now on."""
        queue: asyncio.Queue[LifecycleEvent] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    def request(self, body: bytes, name: str = "") -> PlacementRequest:
        """Read a body of `POST /containers/create` as a request that can be placed. Raises RequestError, ExpressionError."""
        return PlacementRequest.from_create(body, name, kinds=self.expression_kinds)

    def place(self, request: PlacementRequest) -> Placement:
        """Say where a container would go and why, and change nothing. Raises as `Scheduler.place`."""
        return self.scheduler.place(request)

    async def create_container(self, request: PlacementRequest, **options: Any) -> Created:
        """Place a container and create it on the chosen node; see `skep.agent.create`."""
        return await create_container(self, request, **options)

    def docker(self, node: str) -> aiodocker.Docker:
        """A client of the library aiodocker for a node's engine, closed with the agent. Raises NotFoundError."""
        return self.cluster.engine(node).docker
