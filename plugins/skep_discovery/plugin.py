"""The plugin: its settings, its backends, and the token service on the agent's own HTTP server."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from msgspec import Meta

from skep import DiscoveryBackend, Plugin, PluginSettings
from skep_discovery.lists import FileBackend, NodesBackend
from skep_discovery.tokens import TokenBackend

if TYPE_CHECKING:
    import click
    from aiohttp import web

    from skep_discovery.service import TokenService

__all__ = ["DiscoveryPlugin", "DiscoverySettings"]


class DiscoverySettings(PluginSettings, frozen=True, kw_only=True):
    """How `token://` finds its service, and whether this agent is one."""

    service: str = ""
    """URL of the service that keeps the lists of `token://TOKEN`: `http://host:7070`. "" is the environment's SKEP_DISCOVERY_SERVICE."""
    serve: bool = True
    """Be such a service, below /v1/clusters of the agent's own HTTP server (`http.listen`)."""
    state_file: str = ""
    """Where the service keeps tokens and addresses over restarts; "" is nowhere, and every member joins again by itself."""
    max_clusters: Annotated[int, Meta(ge=1, le=1_000_000)] = 1000
    """How many tokens the service knows at most."""
    max_members: Annotated[int, Meta(ge=1, le=10_000)] = 1000
    """How many addresses one cluster has at most."""


class DiscoveryPlugin(Plugin):
    """Brings `nodes://`, `file://`, `token://`, and the service behind the last."""

    Settings = DiscoverySettings
    settings: DiscoverySettings
    _service: TokenService | None = None

    def discovery_backends(self) -> Mapping[str, DiscoveryBackend]:
        """The three schemes."""
        service = self.settings.service or os.environ.get("SKEP_DISCOVERY_SERVICE", "")
        return {"nodes": NodesBackend(), "file": FileBackend(), "token": TokenBackend(service)}

    async def __aenter__(self) -> Self:
        if self.settings.serve:
            await self._made().load()
        return self

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """The token service, below /v1/clusters: the path belongs to the protocol."""
        if self.settings.serve:
            self._made().add_routes(router)

    def add_commands(self) -> Iterable[click.Command]:
        """`skep discovery-service`."""
        from skep_discovery.commands import discovery_service

        return [discovery_service]

    def _made(self) -> TokenService:
        if self._service is None:
            from skep_discovery.clusters import Clusters
            from skep_discovery.service import TokenService

            clusters = Clusters(most_clusters=self.settings.max_clusters, most_members=self.settings.max_members)
            state_file = Path(self.settings.state_file) if self.settings.state_file else None
            self._service = TokenService(clusters, state_file)
        return self._service
