"""What the measurements of nginx stand on: many sites that are there already, an agent with the plugin, engines to start containers on."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import multiprocessing
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from contrib.lab import Lab
from skep import Agent, Engine, parse_settings
from skep.testing import EmbeddedEngine
from skep_nginx import NginxPlugin, NginxSettings

__all__ = ["Created", "World", "body", "create", "engine_to_start_on", "free_port", "status_of", "until", "world"]


class Created(msgspec.Struct):
    """What an engine answers to a create request."""

    id: str = msgspec.field(name="Id")


class World:
    """A running agent with the plugin; `sites` are there from the beginning."""

    def __init__(self, agent: Agent, plugin: NginxPlugin, port: int, endpoint: str) -> None:
        self.agent = agent
        self.endpoint = endpoint
        self.plugin = plugin
        self.port = port

    @property
    def counts(self) -> Mapping[str, int]:
        """What happened so far."""
        return vars(self.plugin.work.applier.counts)

    async def settled(self, hosts: int) -> None:
        """Wait until nginx serves so many hosts."""
        await until(lambda: len({h for b in self.plugin.work.applier.backends for h in b.hosts}) >= hosts)


@contextlib.asynccontextmanager
async def world(sites: int, *engines: str, **settings: Any) -> AsyncIterator[World]:
    """An agent on these engines, and on an embedded one in another process with so many sites; its Docker API is at `World.endpoint`."""
    with _folder() as folder, _many(sites) as many:
        port = free_port()
        own = {"listen": (f"127.0.0.1:{port}",), "directory": str(folder), "direct": False, "drain": 0.5, **settings}
        plugin = NginxPlugin(NginxSettings(**own))
        plugin.name = "nginx"
        endpoint = f"unix://{folder}/docker.sock"
        table = {"cluster": {"engines": [*engines, *many]}, "plugins": {"docker_api": {"listen": [endpoint]}}}
        async with Agent(parse_settings(table), plugins=[plugin]) as agent:
            found = World(agent, plugin, port, endpoint)
            await found.settled(sites)
            yield found


@contextlib.asynccontextmanager
async def engine_to_start_on(
    *, real: bool, images: tuple[str, ...] = ("busybox",)
) -> AsyncIterator[tuple[str, Lab | None]]:
    """A real engine in the lab, or an embedded one in this process."""
    if real:
        async with Lab(["web1"], images=list(images)) as lab:
            yield lab["web1"].url, lab
        return
    async with EmbeddedEngine("web1") as engine:
        yield engine.url, None


def body(host: str, *, real: bool, port: int = 0, image: str = "busybox") -> dict[str, Any]:
    """A create request for a container that serves `host`; on an embedded engine something else answers at `port` of all addresses."""
    loopback = ".".join(map(str, (127, *hashlib.sha256(host.encode()).digest()[:3])))  # each its own
    published = {"80/tcp": [{"HostIp": "" if real else loopback, "HostPort": "" if real else str(port)}]}
    script = f"mkdir /www; echo {host} > /www/index.html; exec httpd -f -p 80 -h /www"
    return {
        "Image": image,
        **({"Cmd": ["sh", "-c", script], "StopSignal": "SIGKILL"} if image == "busybox" else {}),
        "Env": [f"VIRTUAL_HOST={host}"],
        "ExposedPorts": {"80/tcp": {}},
        "HostConfig": {"PortBindings": published},
    }


async def create(engine: Engine, host: str, *, real: bool, port: int = 0, image: str = "busybox") -> str:
    """Create such a container; its id."""
    answer = await engine.call("POST", "/containers/create", json=body(host, real=real, port=port, image=image))
    return msgspec.json.decode(answer, type=Created).id


async def status_of(port: int, host: str) -> int:
    """The status of one request; 0 for no answer."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        head = await reader.read(64)
        writer.close()
    except OSError:
        return 0
    return int(head[9:12]) if head.startswith(b"HTTP/1") else 0


async def until(condition: Callable[[], Any], seconds: float = 120.0) -> None:
    """Wait until a condition holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="skep-bench-", dir="/tmp"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _many(sites: int) -> Iterator[list[str]]:
    """The address of an engine in another process with so many sites; none for no sites."""
    if not sites:
        yield []
        return
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, sites))
    process.start()
    try:
        yield [ours.recv()]
    finally:
        ours.send(None)
        process.join()


def _serve(pipe: Connection, sites: int) -> None:
    async def serve() -> None:
        async with EmbeddedEngine("many") as engine:
            for number in range(sites):
                host = f"site{number}.example"
                engine.run(f"site{number}", env={"VIRTUAL_HOST": host}, ports={"80/tcp": f"127.0.0.1:{20000 + number}"})
            pipe.send(engine.url)
            await asyncio.to_thread(pipe.recv)

    asyncio.run(serve())
