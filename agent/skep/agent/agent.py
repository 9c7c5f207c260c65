"""`Agent`: owns, starts, supervises and stops everything, inside any running loop."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from skep.agent.control import control_server
from skep.agent.create import Created, create_container
from skep.agent.discovery import Discovery, choose
from skep.agent.listening import EventStream
from skep.agent.pending import Pending
from skep.agent.watchdog import Watchdog
from skep.cluster import Cluster
from skep.events import LifecycleEvent, NodeUnhealthy, PluginEvent
from skep.hooks import Plugin, Values
from skep.plugins import Lookups, PluginManager
from skep.scheduler import Decision, Decisions, Placement, PlacementRequest, Scheduler
from skep.settings import PluginTable, Settings

if TYPE_CHECKING:
    import aiodocker

    from skep.engine import Engine
    from skep.http import HttpServer

__all__ = ["Agent"]

_log = logging.getLogger("skep.agent")
_FIRST_LIST = 5.0  # seconds that discovery has before the agent goes on without it


class Agent:
    """One agent. `async with Agent(settings) as agent:` brings it up, and raises at once what keeps it from starting.

    plugins: besides those that the settings name: classes, objects, modules. It installs no signal handlers, configures no logging,
    and cancels no task but its own. Several may live in one process; each starts once.
    """

    def __init__(
        self, settings: Settings | None = None, *, plugins: Sequence[type[Plugin] | Plugin | ModuleType] = ()
    ) -> None:
        self.settings = settings or Settings()
        self.plugins = PluginManager(self.settings, plugins)
        self.cluster = Cluster(self.settings.cluster, self._publish)
        self.plugins.attach(self)
        self.expression_kinds: dict[str, str] = {}
        """All kinds of scheduling entries that plugins read, with the labels that keep them."""
        weights: dict[str, float] = {}
        for name, kinds in self.plugins.contributions("expression_kinds"):
            self.expression_kinds.update(kinds)
            weights |= dict.fromkeys(kinds, self.settings.plugins.get(name, PluginTable()).weight)
        self.scheduler = Scheduler(
            self.cluster.state,
            self.plugins.rules("filter_nodes"),
            self.plugins.rules("score_nodes"),
            relax=self.settings.placement.relax,
            weights=weights,
        )
        self.decisions = Decisions(
            self.scheduler,
            most=self.settings.placement.decisions,
            memory=self.settings.placement.decisions_memory,
        )
        self.lookups = Lookups(self.plugins)
        self.pending = Pending()
        self.watchdog: Watchdog | None = None
        self._server: HttpServer | None = None
        self._listeners: weakref.WeakSet[EventStream] = weakref.WeakSet()
        self._supervisor: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    # -- life

    async def __aenter__(self) -> Self:
        if self._supervisor is not None:
            raise RuntimeError("an agent starts once; make another one")
        ready = asyncio.Event()
        self._supervisor = supervisor = asyncio.create_task(self._supervise(ready), name="skep agent")
        waiting = asyncio.create_task(ready.wait(), name="skep agent: ready")
        try:
            await asyncio.wait([supervisor, waiting], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self._cancel(supervisor)
            raise
        finally:
            waiting.cancel()
        if supervisor.done():
            supervisor.result()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        supervisor = self._supervisor
        if supervisor is None:
            return
        self._stopping.set()
        try:
            await asyncio.wait([supervisor])
        except asyncio.CancelledError:
            await self._cancel(supervisor)
            raise
        if error is None:
            supervisor.result()
        elif not supervisor.cancelled() and (failure := supervisor.exception()) and failure is not error:
            _log.error("the agent failed: %s: %s", type(failure).__name__, failure, exc_info=failure)

    async def _cancel(self, supervisor: asyncio.Task[None]) -> None:
        """End at once, but in order; plugins have their timeouts."""
        supervisor.cancel()
        await asyncio.wait([supervisor])
        if not supervisor.cancelled():
            supervisor.exception()  # noted: whoever cancelled us does not want to know

    async def wait(self) -> None:
        """Return when the agent stops; raises what made it fail."""
        if self._supervisor is not None:
            await asyncio.shield(self._supervisor)

    async def _supervise(self, ready: asyncio.Event) -> None:
        failure: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group, AsyncExitStack() as stack:
                await self._start(group, stack)
                ready.set()
                await self._stopping.wait()
        except BaseExceptionGroup as errors:
            failure = _first(errors)
        if failure is not None:
            raise failure

    async def _start(self, group: asyncio.TaskGroup, stack: AsyncExitStack) -> None:
        """Bring everything up; `stack` takes it down again, the other way round."""
        stack.callback(self._end_listening)
        self.watchdog = Watchdog(self.plugins.blame)
        stack.callback(group.create_task(self.watchdog.run(), name="watchdog").cancel)
        backends = {
            scheme: backend
            for _, found in self.plugins.contributions("discovery_backends")
            for scheme, backend in found.items()
        }
        chosen = choose(self.settings.cluster, backends)
        await self.cluster.run(group)
        stack.push_async_callback(self.cluster.aclose)
        stack.push_async_callback(self.cluster.set_engines, [])
        await self.cluster.set_engines(self.settings.cluster.engines)
        if chosen is not None:
            discovery = Discovery(self.settings.cluster, *chosen, self._discovered)
            stack.push_async_callback(discovery.stop)
            await discovery.start(_FIRST_LIST)
        await self.cluster.tried()
        stack.push_async_callback(self.plugins.stop)
        stack.push_async_callback(self.lookups.aclose)
        await self.plugins.start()
        if self.settings.http.listen:
            self._server = control_server(self)
            stack.push_async_callback(self._server.stop)
            await self._server.start()

    async def _discovered(self, addresses: Sequence[str]) -> None:
        await self.cluster.set_engines([*self.settings.cluster.engines, *addresses])

    # -- events

    def _publish(self, event: LifecycleEvent) -> None:
        if isinstance(event, NodeUnhealthy):
            self.pending.give_up(event.node)
        self.plugins.publish(event)
        for listener in list(self._listeners):
            listener.put(event)

    def tell(self, event: PluginEvent) -> None:
        """Tell every plugin that has the hook `plugin_event`. Never waits, never raises."""
        self.plugins.publish(event)

    def events(self) -> EventStream:
        """Every lifecycle event from now on, to be iterated over. One that is too slow is handed `Lost` and should read the state again."""
        stream = EventStream()
        if self._stopping.is_set():
            stream.close()
        else:
            self._listeners.add(stream)
        return stream

    def _end_listening(self) -> None:
        self._stopping.set()
        for listener in list(self._listeners):
            listener.close()

    # -- containers

    def request(self, body: bytes, name: str = "") -> PlacementRequest:
        """Read a body of `POST /containers/create` as a request that can be placed. Raises RequestError, ExpressionError."""
        return PlacementRequest.from_create(body, name, kinds=self.expression_kinds)

    def place(self, request: PlacementRequest) -> Placement:
        """Say where a container would go and why, and change nothing. Raises as `Scheduler.place`."""
        return self.scheduler.place(request)

    async def create_container(self, request: PlacementRequest, **options: Any) -> Created:
        """Place a container and create it on the chosen node; see `skep.agent.create`."""
        return await create_container(self, request, **options)

    async def snapshot(self, decision: Decision) -> bytes:
        """A decision with all that it depends on, as JSON, for `skep.agent.replay`. Raises NotFoundError where that is forgotten."""
        from skep.agent.replay import record

        nodes = self.decisions.past(decision)
        return await asyncio.to_thread(record, self, decision, nodes)

    def engine(self, node: str) -> Engine:
        """The client of a node's engine. Raises NotFoundError."""
        return self.cluster.engine(node)

    def docker(self, node: str) -> aiodocker.Docker:
        """A client of the library aiodocker for a node's engine, closed with the agent. Raises NotFoundError."""
        return self.cluster.engine(node).docker

    # -- lookups

    async def lookup(
        self, name: str, properties: Mapping[str, object], *, max_age: float | None = None, timeout: float | None = None
    ) -> Values:
        """Turn a name into values, by the lookup `name` of a plugin. `lookups.known` are all.

        properties: texts, numbers, booleans, or lists of them. max_age: how old a kept answer may be, in seconds (0: ask anew; None: as the
        lookup says). timeout: how long to wait, in seconds (None: as the lookup says). Equal questions at one time are asked once.
        Raises as `Lookup.resolve`, NotFoundError where there is no such lookup, PluginError where it is broken.
        """
        return await self.lookups.ask(name, properties, max_age=max_age, timeout=timeout)

    @property
    def urls(self) -> list[str]:
        """Where its own HTTP server listens, with the real ports; empty without one."""
        return self._server.urls if self._server is not None else []


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error in a group that is none itself."""
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
