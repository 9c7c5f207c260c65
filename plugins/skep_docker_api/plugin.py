"""The plugin: its settings, and the server that it runs."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from aiohttp import web

from skep import HttpServer, Plugin, PluginSettings, ServerTLS, TlsSettings
from skep_docker_api.routing import application

__all__ = ["DockerApiPlugin", "DockerApiSettings"]


class DockerApiSettings(PluginSettings, frozen=True, kw_only=True):
    """Where the endpoint listens."""

    listen: tuple[str, ...] = ("tcp://127.0.0.1:2375",)
    """`unix:///path`, `tcp://host:port`."""
    tls: TlsSettings | None = None
    allow_insecure: bool = False
    """Serve plain tcp to other machines too: whoever reaches it is root on every node."""


class DockerApiPlugin(Plugin):
    """Serves the Docker API."""

    Settings = DockerApiSettings
    settings: DockerApiSettings
    server: HttpServer

    @property
    def urls(self) -> list[str]:
        """Where it listens, with the real ports."""
        return self.server.urls

    async def __aenter__(self) -> Self:
        app: web.Application = application(self)
        self.server = HttpServer(
            app, self.settings.listen, tls=self._tls(), allow_insecure=self.settings.allow_insecure
        )
        await self.server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.server.stop()

    def _tls(self) -> ServerTLS | None:
        tls = self.settings.tls
        if tls is None:
            return None
        from pathlib import Path

        return ServerTLS(Path(tls.cert), Path(tls.key), Path(tls.ca) if tls.ca else None)
