"""The plugin `maintenance`: nodes are taken out of placement and put back, `skep node drain|activate NAME`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Self

from skep import Metric, PlacementQuery, Plugin, PluginSettings, RequestError, Verdict
from skep_maintenance.drains import Drains

if TYPE_CHECKING:
    import click
    from aiohttp import web

__all__ = ["MaintenancePlugin", "MaintenanceSettings"]

_AGAIN = 60.0  # seconds, until the end of a drain that could not be kept is tried again


class MaintenanceSettings(PluginSettings, frozen=True, kw_only=True):
    """Where it is kept."""

    state_file: str = ""
    """The file that keeps which nodes are drained; "" is /var/lib/skep/maintenance.json, or for others than root that name in
    $XDG_STATE_HOME/skep."""

    def __post_init__(self) -> None:
        if self.state_file and not Path(self.state_file).is_absolute():
            raise ValueError(f"state_file: expected an absolute path, not {self.state_file!r}")

    @property
    def file(self) -> Path:
        """The file itself."""
        if self.state_file:
            return Path(self.state_file)
        if os.geteuid() == 0:
            folder = Path("/var/lib")
        else:
            folder = Path(os.environ.get("XDG_STATE_HOME") or Path(os.environ.get("HOME", "/"), ".local/state"))
        return folder / "skep" / "maintenance.json"


class MaintenancePlugin(Plugin):
    """Refuses drained nodes. Containers that are there already are not touched."""

    Settings = MaintenanceSettings
    settings: MaintenanceSettings
    name = "maintenance"
    replayable = False

    def __init__(self, settings: MaintenanceSettings | None = None) -> None:
        super().__init__(settings)
        self.drains = Drains(self.settings.file)

    async def __aenter__(self) -> Self:
        """Read which nodes are drained."""
        await self.drains.load()
        for drain in self.drains.current.values():
            self.log.info("node %s is %s", drain.node, drain)
        return self

    async def run(self) -> None:
        """End the drains whose time is over. Placement itself looks at no clock."""
        while True:
            self.drains.changed.clear()
            ends = sorted((drain.until, drain.node) for drain in self.drains.current.values() if drain.until)
            wait = ends[0][0] - time.time() if ends else None
            if wait is not None and wait <= 0:
                wait = await self._end(ends[0][1])
            try:
                async with asyncio.timeout(wait):
                    await self.drains.changed.wait()
            except TimeoutError:
                pass

    async def _end(self, node: str) -> float:
        """End a drain; returns how long to wait then."""
        try:
            await self.drains.remove(node)
        except RequestError as error:
            self.log.warning("the drain of node %s is over, but: %s", node, error)
            return _AGAIN
        self.log.info("node %s is active again: the drain is over", node)
        return 0

    def filter_nodes(self, query: PlacementQuery) -> Verdict | None:
        """Keep the nodes that are not drained."""
        drains = self.drains.current
        known = [node for name in drains if (node := query.state.get_node(name)) is not None]
        if not known:
            return None
        kept = query.nodes - query.state.node_set(known)
        return Verdict(kept, lambda node: str(drains[node.name]), lambda: ["a node that is not drained"])

    def add_commands(self) -> Iterable[click.Command]:
        """`skep node`."""
        from skep_maintenance.command import node

        return (node,)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """`GET /plugins/maintenance/nodes`, `POST …/drain`, `POST …/activate`."""
        from skep_maintenance.routes import add_routes

        add_routes(router, self)

    def metrics(self) -> Iterable[Metric]:
        """How many nodes are drained."""
        return (Metric("skep_maintenance_drained_nodes", len(self.drains.current), "Nodes taken out of placement."),)
