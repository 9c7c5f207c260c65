"""A running agent with the plugin and a real nginx, things to put behind it, and a client."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from skep import Agent, parse_settings
from skep.testing import EmbeddedEngine
from skep_nginx import NginxPlugin, NginxSettings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def until(condition: Callable[[], Any], seconds: float = 15.0, what: Callable[[], str] | None = None) -> Any:
    """Wait until a condition holds; the value that made it true. `what` says how things are when it does not."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not (value := condition()):
        assert asyncio.get_running_loop().time() < deadline, what() if what else "the condition never held"
        await asyncio.sleep(0.02)
    return value


async def ask(port: int, host: str, path: str = "/", headers: str = "", ip: str = "127.0.0.1") -> tuple[int, str]:
    """One request through nginx: status (0: no answer) and body."""
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(ip, port)
            with contextlib.closing(writer):
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n".encode())
                answer = (await reader.read()).decode()
    except (OSError, TimeoutError):
        return 0, ""
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]) if head else 0, body


async def answers(
    port: int, host: str, status: int, text: str = "", seconds: float = 15.0, ip: str = "127.0.0.1"
) -> None:
    """Wait until a host is answered with a status, and a text in the body."""
    got: tuple[int, str] = 0, ""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (got := await ask(port, host, ip=ip))[0] != status or text not in got[1]:
                await asyncio.sleep(0.03)
            return
    raise AssertionError(f"{host} is answered with {got}, not with {status} {text!r}")


class Backend:
    """An HTTP server that answers with its name and the request as it got it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self.held: asyncio.Event | None = None
        """While it is not set, answers wait."""

    async def __aenter__(self) -> "Backend":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            if self.held is not None:
                await self.held.wait()
            body = self.name.encode() + b"\n" + request
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class Served:
    """An agent with the plugin, on embedded engines."""

    def __init__(self, agent: Agent, plugin: NginxPlugin, port: int, folder: Path) -> None:
        self.agent = agent
        self.plugin = plugin
        self.port = port
        self.folder = folder

    @property
    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = self.status["counts"]
        return counts

    @property
    def status(self) -> dict[str, Any]:
        return self.plugin.status()

    async def live(self, *hosts: str, seconds: float = 15.0) -> None:
        """Wait until exactly these hosts are live."""
        await until(
            lambda: self.status["state"] == "live" and list(self.status["sites"]) == sorted(hosts),
            seconds,
            lambda: f"{hosts} are not live: {self.status}",
        )

    def pid(self) -> int:
        return int((self.folder / "run/nginx.pid").read_text())

    async def answers(self, host: str, status: int, text: str = "") -> None:
        await answers(self.port, host, status, text)


@contextlib.asynccontextmanager
async def serving(
    folder: Path, *engines: EmbeddedEngine | str, port: int = 0, **settings: Any
) -> AsyncIterator[Served]:
    """Run an agent with the plugin in `folder`."""
    port = port or free_port()
    own = {"listen": (f"127.0.0.1:{port}",), "directory": str(folder), "direct": False, "workers": 1, "drain": 0.1}
    plugin = NginxPlugin(NginxSettings(**{**own, **settings}))
    plugin.name = "nginx"
    urls = [engine if isinstance(engine, str) else engine.url for engine in engines]
    async with Agent(parse_settings({"cluster": {"engines": urls}}), plugins=[plugin]) as agent:
        yield Served(agent, plugin, port, folder)


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
