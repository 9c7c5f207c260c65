"""The plugin: its settings, and the server that it runs."""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, Self

from msgspec import Meta

from skep import HttpServer, Plugin, PluginSettings, ServerTLS, ServerTlsSettings, SettingsError
from skep_docker_api.build_places import BuildPlaces
from skep_docker_api.event_log import EventLog
from skep_docker_api.known_execs import KnownExecs
from skep_docker_api.routing import application
from skep_docker_api.rows import Rows
from skep_docker_api.summary import ClusterInfo, ServerHeaders

__all__ = ["DockerApiPlugin", "DockerApiSettings"]

_SHUTDOWN = 5.0  # seconds that streams have to end in
_RENEW_EVERY = 30.0  # seconds between looks at the certificates' files


class DockerApiSettings(PluginSettings, frozen=True, kw_only=True):
    """Where the endpoint listens, and how it shows the cluster."""

    listen: tuple[str, ...] = ("tcp://127.0.0.1:2375",)
    """`unix:///path`, `tcp://host:port`; port 0 is any free one."""
    socket_mode: str = "600"
    """Permissions of unix sockets, in octal."""
    tls: ServerTlsSettings | None = None
    """For the tcp addresses."""
    allow_insecure: bool = False
    """Serve plain tcp to other machines too: whoever reaches it is root on every node."""
    hosts: tuple[str, ...] = ()
    """Names by which clients reach plain tcp addresses; IP addresses, `localhost` and this machine's own name need no mention."""
    names: Literal["auto", "node", "plain"] = "auto"
    """How containers are listed: `node/name`, or as an engine does; `auto` puts the node before it where there is more than one."""
    build_images: Literal["node", "all"] = "node"
    """Where images that were built or committed here are: "node", on the node where they were made; "all": copied to all that answer."""
    pull_constraints: tuple[str, ...] = ()
    """To which nodes images are pulled, loaded and imported, such as `storage==ssd`; a request may say something else."""
    max_connections: Annotated[int, Meta(ge=0)] = 2000
    """How many connections one client (an address, or a user of this machine) may have at a time; 0 is any number."""
    max_requests: Annotated[int, Meta(ge=0)] = 1000
    """How many requests one client (by certificate, user or address) may have under way, streams among them; 0 is any number."""

    def __post_init__(self) -> None:
        if not self.listen:
            raise ValueError('listen: expected an address at least, such as ["tcp://127.0.0.1:2375"]')
        if not (1 <= len(self.socket_mode) <= 4 and set(self.socket_mode) <= set("01234567")):
            raise ValueError(f'socket_mode: {self.socket_mode!r} is not a mode in octal, such as "660"')
        if self.tls is not None and not (self.tls.cert and self.tls.key):
            raise ValueError("tls: expected cert and key, paths of PEM files")
        if self.tls is not None and not self.tls.ca and not self.allow_insecure:
            for address in filter(_is_exposed, self.listen):
                raise ValueError(
                    f"tls: without ca, whoever reaches {address} would be root on every node: give the authorities that clients' "
                    "certificates come from, or set allow_insecure"
                )


def _is_exposed(address: str) -> bool:
    """Whether other machines may reach it."""
    if address.startswith("unix://"):
        return False
    host = address.rpartition("://")[2].rpartition(":")[0].strip("[]")
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


class DockerApiPlugin(Plugin):
    """Serves the Docker API."""

    Settings = DockerApiSettings
    settings: DockerApiSettings
    server: HttpServer
    event_log: EventLog
    server_headers: ServerHeaders
    info: ClusterInfo

    def __init__(self, settings: PluginSettings | None = None) -> None:
        super().__init__(settings)
        self.rows = Rows()
        self.execs = KnownExecs()
        self.build_places = BuildPlaces()
        self._certificates = self._tls()

    @property
    def urls(self) -> list[str]:
        """Where it listens, with the real ports."""
        return self.server.urls

    @property
    def shows_nodes(self) -> bool:
        """Whether the node stands before a container's name in listings."""
        several = len(self.agent.cluster.state.nodes) > 1
        return self.settings.names == "node" or (self.settings.names == "auto" and several)

    async def __aenter__(self) -> Self:
        self.event_log = EventLog(self.agent)
        self.server_headers = ServerHeaders(self.agent)
        self.info = ClusterInfo(self.agent)
        self.server = HttpServer(
            application(self),
            self.settings.listen,
            tls=self._certificates,
            unix_mode=int(self.settings.socket_mode, 8),
            allow_insecure=self.settings.allow_insecure,
            max_connections=self.settings.max_connections,
            shutdown_timeout=_SHUTDOWN,
        )
        await self.server.start()
        self.log.info("the Docker API is served on %s", ", ".join(self.urls))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.event_log.end()
        await self.server.stop()

    async def run(self) -> None:
        """Collect the nodes' events, and take up new certificates."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.event_log.run(), name="docker_api: events")
            if self._certificates is not None:
                group.create_task(self._renew(self._certificates), name="docker_api: certificates")

    async def _renew(self, certificates: ServerTLS) -> None:
        while True:
            await asyncio.sleep(_RENEW_EVERY)
            try:
                if await certificates.reload():
                    self.log.info("new certificates are in use")
            except SettingsError as error:
                self.log.error("the old certificates stay in use: %s", error)

    def _tls(self) -> ServerTLS | None:
        tls = self.settings.tls
        if tls is None:
            return None
        return ServerTLS(Path(tls.cert), Path(tls.key), Path(tls.ca) if tls.ca else None)
