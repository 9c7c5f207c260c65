"""The plugin: looks at the cluster's state whenever that may have changed, and makes nginx serve it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from skep import ContainerStopping, LifecycleEvent, Lost, Metric, Plugin, PluginSettings, SkepError
from skep_nginx.apply import Applier
from skep_nginx.collect import Collector, Picture
from skep_nginx.debounce import Debounce
from skep_nginx.hosts import parse_host
from skep_nginx.leaving import Leaving
from skep_nginx.model import Listen
from skep_nginx.places import ContainerPlace, ExternalPlace, Place, ProcessPlace
from skep_nginx.render import Style
from skep_nginx.settings import NginxSettings
from skep_nginx.status import describe, samples

if TYPE_CHECKING:
    import click
    from aiohttp import web

__all__ = ["NginxPlugin"]

_LOOK = 1.0  # seconds; the state's version says whether there is anything to do
_ANYWAY = 30.0  # seconds; nginx's side may have changed too


class NginxPlugin(Plugin):
    """Serves containers that name a VIRTUAL_HOST through nginx."""

    Settings = NginxSettings
    settings: NginxSettings
    _place: Place
    _applier: Applier

    def __init__(self, settings: PluginSettings | None = None) -> None:
        super().__init__(settings)
        own = self.settings
        self.error = ""
        """Why the last change is not live; "" when it is."""
        self._picture = Picture()
        self._collector = Collector(own.health, own.most_hosts, frozenset(map(parse_host, own.reserved)))
        self._leaving = Leaving()
        self._debounce = Debounce(own.quiet, own.longest)
        self._seen: tuple[int, frozenset[str]] | None = None
        self._told: frozenset[object] = frozenset()
        self._done = asyncio.Condition()
        self._out: frozenset[str] = frozenset()  # those about to be stopped that nginx has let go

    async def __aenter__(self) -> Self:
        self._place = self._find_place()
        self._applier = Applier(self._place, self._style(), self.log, verify_timeout=self.settings.verify_timeout)
        return self

    # -- the work

    async def run(self) -> None:
        """Keep nginx, and what it serves, as the cluster's state wants it."""
        self._seen = None
        async with asyncio.TaskGroup() as group:
            group.create_task(self._place.run(), name="nginx place")
            group.create_task(self._follow(), name="nginx follow")

    async def _follow(self) -> None:
        failures, looked = 0, 0.0
        clock = asyncio.get_running_loop().time
        self._debounce.mark()
        while True:
            pause = min(2.0 ** min(failures - 1, 20), self.settings.retry) if failures else _LOOK
            await self._debounce.wait(pause)
            if not failures and self._seen == self._now() and clock() - looked < _ANYWAY:
                continue
            self._seen, looked = self._now(), clock()
            try:
                await self._converge()
                failures = 0
            except SkepError as error:
                failures += 1
                self._fail(str(error))
            async with self._done:
                self._done.notify_all()

    def _now(self) -> tuple[int, frozenset[str]]:
        return self.agent.cluster.state.version, self._leaving.ids()

    async def _converge(self) -> None:
        state = self.agent.cluster.state
        if not state.healthy_nodes():
            # Nobody can be asked: the agent is cut off, or just starting, rather than all containers gone.
            self.error = "no node answers: the last configuration stays"
            return
        view = await self._place.locate()
        self._leaving.prune(state)
        leaving = self._leaving.ids()
        self._picture = self._collector.collect(state, view, leaving)
        self._tell()
        before = self._applier.live
        await self._applier.apply(self._picture.backends)
        if self.error or self._applier.live != before:
            self.log.info("nginx serves %d hosts", len({h for b in self._applier.backends for h in b.hosts}))
        self.error, self._out = "", leaving

    def _fail(self, error: str) -> None:
        self._applier.counts.failures += 1
        if error != self.error:
            self.log.error("%s; the last good configuration stays, this is tried again", error)
        self.error = error

    def _tell(self) -> None:
        """Log each container that is left out, once."""
        for rejection in self._picture.rejections:
            if rejection not in self._told:
                self.log.warning("container %s on %s is left out: %s", rejection.name, rejection.node, rejection.reason)
        self._told = frozenset(self._picture.rejections)

    def _find_place(self) -> Place:
        if self.settings.mode == "container":
            return ContainerPlace(self.settings, lambda: self.agent.cluster)
        return (
            ExternalPlace(self.settings) if self.settings.mode == "external" else ProcessPlace(self.settings, self.log)
        )

    def _style(self) -> Style:
        own = self.settings
        return Style(
            listen=tuple(map(Listen.parse, own.listen)),
            # Somebody else's nginx, killed, would leave the socket behind, and not start again because of it.
            status=own.status_socket if own.mode == "process" else None,
            prefix=own.run if own.mode == "process" else None,
            unknown_host=own.unknown_host,
            default_server=own.default_server,
            trust_forwarded=own.trust_forwarded,
            max_body=own.max_body,
            access_log=own.access_log,
            include=own.include,
            workers=own.workers,
            worker_connections=own.worker_connections,
            shutdown_timeout=own.shutdown_timeout,
        )

    # -- hooks

    async def lifecycle_event(self, event: LifecycleEvent) -> None:
        """Look again soon."""
        self._debounce.mark()

    async def events_lost(self, lost: Lost) -> None:
        """Look again soon: the state has everything."""
        self._debounce.mark()

    async def container_stopping(self, stopping: ContainerStopping) -> None:
        """Take the container out of nginx before its process ends, and give its last requests `drain` seconds."""
        container = stopping.container
        asks = any(entry.startswith("VIRTUAL_HOST=") for entry in container.env)
        if stopping.action == "kill" or not container.state.is_up or not asks:
            return
        self._leaving.add(container)  # even if nginx does not know it yet
        if not any(backend.id == container.id and backend.server for backend in self._picture.backends):
            return
        self._debounce.mark()
        try:
            async with asyncio.timeout(self.settings.stop_timeout), self._done:
                await self._done.wait_for(lambda: container.id in self._out)
        except TimeoutError:
            self.log.warning("%s stops although nginx still sends it requests: %s", container.name, self.error)
            return
        await asyncio.sleep(self.settings.drain)

    # -- contributions

    def status(self) -> dict[str, object]:
        """What `skep nginx status` shows."""
        starts = getattr(self._place, "starts", 0)
        return describe(self._picture, self._applier, mode=self.settings.mode, error=self.error, starts=starts)

    def metrics(self) -> Iterable[Metric]:
        """Counts and sizes."""
        return samples(self._picture, self._applier, error=self.error, starts=getattr(self._place, "starts", 0))

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """`/plugins/nginx/status`."""
        from aiohttp import web

        async def status(request: web.Request) -> web.Response:
            return web.json_response(self.status())

        router.add_get(f"/plugins/{self.name}/status", status)

    def add_commands(self) -> Iterable[click.Command]:
        """`skep nginx`."""
        from skep_nginx.command import nginx

        return (nginx,)
