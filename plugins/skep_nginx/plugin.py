"""The plugin: what its hooks do. The work itself is `work`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from skep import (
    ContainerDied,
    ContainerHealthChanged,
    ContainerPaused,
    ContainerStopping,
    Health,
    LifecycleEvent,
    Lost,
    Metric,
    NodeLeft,
    NodeUnhealthy,
    Plugin,
)
from skep_nginx.settings import NginxSettings
from skep_nginx.status import describe, samples
from skep_nginx.work import Work

if TYPE_CHECKING:
    import click
    from aiohttp import web

__all__ = ["NginxPlugin"]


class NginxPlugin(Plugin):
    """Serves containers that name a VIRTUAL_HOST through nginx."""

    Settings = NginxSettings
    settings: NginxSettings
    work: Work

    async def __aenter__(self) -> Self:
        self.work = Work(self.settings, self.log, lambda: self.agent.cluster, lambda: self.agent.urls)
        return self

    async def run(self) -> None:
        """Keep nginx, and what it serves, as the cluster's state wants it."""
        await self.work.run()

    # -- hooks

    async def lifecycle_event(self, event: LifecycleEvent) -> None:
        """Look again soon; sooner where somebody must go."""
        self.work.mark(urgent=_takes_out(event))

    async def events_lost(self, lost: Lost) -> None:
        """Look again soon: the state has everything."""
        self.work.mark(urgent=True)

    async def container_stopping(self, stopping: ContainerStopping) -> None:
        """Take the container out of nginx before its process ends, and give its last requests `drain` seconds."""
        if stopping.action != "kill":
            await self.work.release(stopping.container)

    # -- contributions

    def status(self) -> dict[str, object]:
        """What `skep nginx status` shows."""
        return describe(self.work, self.settings.mode)

    def metrics(self) -> Iterable[Metric]:
        """Counts and sizes."""
        return samples(self.work)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """`/plugins/nginx/status`, `/explain` and `/render`."""
        from skep_nginx.routes import add_routes

        add_routes(router, self)

    def add_commands(self) -> Iterable[click.Command]:
        """`skep nginx`."""
        from skep_nginx.command import nginx

        return (nginx,)


def _takes_out(event: LifecycleEvent) -> bool:
    """Whether nginx sends requests where none may go any more."""
    if isinstance(event, ContainerHealthChanged):
        return event.container.health is Health.UNHEALTHY
    return isinstance(event, ContainerDied | ContainerPaused | NodeUnhealthy | NodeLeft)
