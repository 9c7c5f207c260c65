"""Websockets through a real nginx: both ways, by TLS, and what becomes of them when one side ends."""

import asyncio
import ssl
from pathlib import Path

import pytest

from skep.testing import EmbeddedEngine
from tests.plugins.nginx.nginx_certificates import Authority
from tests.plugins.nginx.nginx_https import securing
from tests.plugins.nginx.nginx_raw import open_tunnel, tunnels
from tests.plugins.nginx.nginx_tools import Backend, serving

MUCH = b"x" * 1_000_000


def run(node: EmbeddedEngine, name: str, port: int, **env: str) -> None:
    node.run(name, env={"VIRTUAL_HOST": f"{name}.example", "VIRTUAL_PORT": str(port), **env}, NetworkMode="host")


@pytest.mark.parametrize("first", ["client", "container"])
async def test_what_was_sent_before_an_end_arrives(folder: Path, node: EmbeddedEngine, first: str) -> None:
    """nginx closes both halves when one is: whoever ended its half has been heard in full by then, and nothing is left open."""
    async with tunnels() as (port, ends), asyncio.timeout(20):
        run(node, "chat", port)
        async with serving(folder, node) as served:
            await served.live("chat.example")
            client = await open_tunnel(served.port, "chat.example")
            container = await ends.get()
            for (_, speaks), (hears, _) in ((client, container), (container, client)):
                speaks.write(b"hello")
                assert await hears.readexactly(5) == b"hello"
            ending, other = (client, container) if first == "client" else (container, client)
            ending[1].write(MUCH)
            ending[1].write_eof()
            assert await other[0].read() == MUCH
            other[1].close()
            assert await ending[0].read() == b""
            ending[1].close()


async def test_both_talk_at_once(folder: Path, node: EmbeddedEngine) -> None:
    async with tunnels() as (port, ends), asyncio.timeout(20):
        run(node, "chat", port)
        async with serving(folder, node) as served:
            await served.live("chat.example")
            client = await open_tunnel(served.port, "chat.example")
            container = await ends.get()
            for _, writer in (client, container):
                writer.write(MUCH)
            got = await asyncio.gather(*(reader.readexactly(len(MUCH)) for reader, _ in (client, container)))
            assert got == [MUCH, MUCH]
            client[1].close()
            container[1].close()


async def test_by_tls(folder: Path, node: EmbeddedEngine) -> None:
    ca = Authority()
    ca.write(folder / "certs", "chat.example")
    context = ssl.create_default_context(cadata=ca.pem.decode())
    async with tunnels() as (port, ends), asyncio.timeout(20):
        run(node, "chat", port)
        async with securing(folder, ca, node) as web:
            await web.served.live("chat.example")
            client = await open_tunnel(web.https, "chat.example", context)
            container = await ends.get()
            client[1].write(b"hello")
            assert await container[0].readexactly(5) == b"hello"
            container[1].write(b"bye")
            container[1].close()
            assert await client[0].read() == b"bye"
            client[1].close()


async def test_a_tunnel_outlives_reloads(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    async with tunnels() as (port, ends), asyncio.timeout(20):
        run(node, "chat", port)
        async with serving(folder, node) as served:
            await served.live("chat.example")
            client = await open_tunnel(served.port, "chat.example")
            container = await ends.get()
            for number in range(3):
                run(node, f"new{number}", one.port)
                await served.live("chat.example", *(f"new{done}.example" for done in range(number + 1)))
                client[1].write(b"still here")
                assert await container[0].readexactly(10) == b"still here"
            client[1].close()
            container[1].close()
