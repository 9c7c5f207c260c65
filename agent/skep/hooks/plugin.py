"""`Plugin`, the typed base class: every hook as a method that does nothing; overriding one implements it.

Three kinds of hook, three rules:

- *questions* are put to one plugin after another, in the order of the settings, within one deadline;
- *events* wait in a bounded mailbox for the plugin, one after another, and never hold anything else up;
- *contributions* are asked for once, at the start.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

from skep.settings import PluginSettings

if TYPE_CHECKING:
    import click
    from aiohttp import web

    from skep import events
    from skep.agent import Agent
    from skep.hooks.api import ApiAnswered, ApiRequest
    from skep.hooks.requests import (
        ContainerCreating,
        ContainerStopping,
        CustomResource,
        DiscoveryBackend,
        Lookup,
        Metric,
    )
    from skep.scheduler import PlacementQuery, Scores, Verdict

__all__ = ["Plugin"]


class Plugin:
    """Base of plugins. Derive, name your settings' class in `Settings`, and override the hooks that you want.

    Making one does no I/O. `settings` are checked already. `agent` and `log` are set before any hook is called; `name` is the
    name that the settings give it.
    """

    Settings: ClassVar[type[PluginSettings]] = PluginSettings
    agent: Agent
    log: logging.Logger
    name: str = ""
    replayable: ClassVar[bool] = True
    """Whether filters and strategies depend on nothing but the query and the settings. If not, `skep decisions replay` takes their
    recorded answers instead of asking again."""

    def __init__(self, settings: PluginSettings | None = None) -> None:
        self.settings = self.Settings() if settings is None else settings

    # -- lifecycle

    async def __aenter__(self) -> Self:
        """Open what the plugin needs; the agent is up when all plugins have returned. `startup_error` says what a failure means."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it again, within the plugin's `timeout`."""

    async def run(self) -> None:
        """Work in the background for as long as the agent is up; cancelled at its end.

        Runs once the cluster's first state is known. If it raises, that is logged and counted, and it is run again with back-off.
        """

    # -- questions: placement (pure: no I/O, no clock, no change)

    def filter_nodes(self, query: PlacementQuery) -> Verdict | None:
        """Say which of `query.nodes` may take the container, and why the others may not; None is no opinion.

        If it raises, the request is refused.
        """
        return None

    def score_nodes(self, query: PlacementQuery) -> Scores | None:
        """Say how well each of `query.nodes` suits; higher is better. None is no opinion. If it raises, it is passed over."""
        return None

    # -- questions: requests (awaited)

    async def api_request(self, request: ApiRequest) -> ApiRequest | None:
        """Change or refuse a request to the Docker API before anything is done: return another one, None to leave it, or raise RequestError.

        Where a plugin implements this, requests are read strictly, and what no plugin could have judged is refused. If it fails otherwise, or
        takes too long, the request is refused (503).
        """
        return None

    async def api_answered(self, answered: ApiAnswered) -> None:
        """Take note of a request to the Docker API that was served or refused. If it fails, it is passed over."""

    async def container_creating(self, creating: ContainerCreating) -> ContainerCreating | None:
        """Change or refuse a create request before it is placed: return another one, None to leave it, or raise RequestError.

        If it fails otherwise, or takes too long, the request is refused.
        """
        return None

    async def container_stopping(self, stopping: ContainerStopping) -> None:
        """Prepare for the end of a container that is being stopped through skep; raise RequestError to refuse.

        The stop waits for it, within the plugin's `timeout`. If it fails otherwise, the stop goes on.
        """

    # -- events

    async def lifecycle_event(self, event: events.LifecycleEvent) -> None:
        """Called for every event, after its own hook."""

    async def events_lost(self, lost: events.Lost) -> None:
        """The plugin was too slow and missed events: look at the state again."""

    async def node_joined(self, event: events.NodeJoined) -> None:
        """A node is known; its containers are told next."""

    async def node_updated(self, event: events.NodeUpdated) -> None:
        """Labels, resources or version of a node changed."""

    async def node_unhealthy(self, event: events.NodeUnhealthy) -> None:
        """A node does not answer; its last known state stays, as stale."""

    async def node_recovered(self, event: events.NodeRecovered) -> None:
        """A node answers again; what changed is told next."""

    async def node_left(self, event: events.NodeLeft) -> None:
        """A node is no longer a member, and its containers are no longer known."""

    async def container_created(self, event: events.ContainerCreated) -> None:
        """A container is there."""

    async def container_started(self, event: events.ContainerStarted) -> None:
        """A container's process runs."""

    async def container_health_changed(self, event: events.ContainerHealthChanged) -> None:
        """A container's health check found something else."""

    async def container_paused(self, event: events.ContainerPaused) -> None:
        """A container's process is frozen."""

    async def container_unpaused(self, event: events.ContainerUnpaused) -> None:
        """A container's process goes on."""

    async def container_renamed(self, event: events.ContainerRenamed) -> None:
        """A container has another name."""

    async def container_updated(self, event: events.ContainerUpdated) -> None:
        """A container's networks, ports or limits changed, and nothing else happened to it."""

    async def container_died(self, event: events.ContainerDied) -> None:
        """A container's process ended."""

    async def container_destroyed(self, event: events.ContainerDestroyed) -> None:
        """A container is gone."""

    async def plugin_event(self, event: events.PluginEvent) -> None:
        """Another plugin, or this one, tells something: that an env file changed, for instance. `lifecycle_event` is not called."""

    # -- contributions

    def expression_kinds(self) -> Mapping[str, str]:
        """Scheduling entries that the plugin reads: prefix in a container's environment (`constraint`) to the label that keeps them.

        An `EntryLabel` allows entries that are a key alone, or checks each.
        """
        return {}

    def add_commands(self) -> Iterable[click.Command]:
        """Commands for `skep`. Called without an agent."""
        return ()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add routes to the agent's own HTTP server, below `/plugins/NAME/` unless a protocol says otherwise."""

    def discovery_backends(self) -> Mapping[str, DiscoveryBackend]:
        """Ways to find engines, by URL scheme. Called without an agent too."""
        return {}

    def lookups(self) -> Mapping[str, Lookup]:
        """Ways to turn a name into values, by name. Called without an agent too."""
        return {}

    def custom_resources(self) -> Mapping[str, CustomResource]:
        """Custom resources of CloudFormation that make or change something, by name; lookups are ones already."""
        return {}

    def metrics(self) -> Iterable[Metric]:
        """Samples for /metrics, each time it is read. Must be quick."""
        return ()
