"""HTTP/2 without TLS, to the nginx of Debian's next release: it takes it from whoever begins with it."""

from pathlib import Path

import httpx
import pytest

from skep.testing import EmbeddedEngine
from tests.plugins.nginx.conftest import folder, node, one
from tests.plugins.nginx.nginx_certificates import Authority
from tests.plugins.nginx.nginx_grpc import all_kinds_of_calls, channel, talking
from tests.plugins.nginx.nginx_https import securing
from tests.plugins.nginx.nginx_tools import Backend, serving

__all__ = ["folder", "node", "one"]


def run(node: EmbeddedEngine, name: str, port: int, **env: str) -> None:
    node.run(name, env={"VIRTUAL_HOST": f"{name}.example", "VIRTUAL_PORT": str(port), **env}, NetworkMode="host")


async def version_of(port: int, host: str) -> tuple[str, int]:
    """What a client gets that begins with HTTP/2."""
    async with httpx.AsyncClient(http1=False, http2=True) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/", headers={"Host": host})
        return answer.http_version, answer.status_code


@pytest.mark.parametrize("default_host", ["", "shop.example"])
async def test_calls_and_pages(
    folder: Path, trixie: Path, node: EmbeddedEngine, one: Backend, default_host: str
) -> None:
    async with talking() as port:
        run(node, "talk", port, VIRTUAL_PROTO="grpc")
        run(node, "shop", one.port)
        async with serving(folder, node, nginx=str(trixie), default_host=default_host) as served:
            await served.live("shop.example", "talk.example")
            async with channel(served.port, "talk.example") as to:
                await all_kinds_of_calls(to, "http")
            assert await version_of(served.port, "shop.example") == ("HTTP/2", 200)
            assert await version_of(served.port, "unknown.example") == ("HTTP/2", 200 if default_host else 503)
            await served.answers("shop.example", 200, "one\nGET / HTTP/1.1")


async def test_redirects_and_none_of_it(folder: Path, trixie: Path, node: EmbeddedEngine, one: Backend) -> None:
    ca = Authority()
    ca.write(folder / "certs", "shop.example")
    run(node, "shop", one.port)
    async with securing(folder, ca, node, nginx=str(trixie)) as web:
        await web.until("shop.example")
        assert await version_of(web.served.port, "shop.example") == ("HTTP/2", 301)
    async with securing(folder, ca, node, nginx=str(trixie), tls={"http2": False}) as web:
        await web.until("shop.example")
        with pytest.raises(httpx.RemoteProtocolError):
            await version_of(web.served.port, "shop.example")
