"""gRPC through a real nginx, by grpcio's own client and server."""

from pathlib import Path

import grpc.aio
import pytest

from skep.testing import EmbeddedEngine
from tests.plugins.nginx.nginx_certificates import Authority
from tests.plugins.nginx.nginx_grpc import all_kinds_of_calls, channel, say, talking
from tests.plugins.nginx.nginx_https import securing
from tests.plugins.nginx.nginx_tools import Backend


def run(node: EmbeddedEngine, name: str, port: int, **env: str) -> None:
    own = {"VIRTUAL_HOST": "shop.example", "VIRTUAL_PORT": str(port), **env}
    node.run(name, env=own, NetworkMode="host")


@pytest.mark.parametrize("protocol", ["grpc", "grpcs"])
async def test_all_kinds_of_calls(folder: Path, node: EmbeddedEngine, protocol: str) -> None:
    """By TLS to nginx; from there without and with it. Containers' certificates are their own, and not looked at."""
    ca = Authority()
    ca.write(folder / "certs", "shop.example")
    async with talking(Authority("nobody's") if protocol == "grpcs" else None) as port:
        run(node, "talk", port, VIRTUAL_PROTO=protocol)
        async with securing(folder, ca, node) as web:
            await web.served.live("shop.example")
            async with channel(web.https, "shop.example", ca) as to:
                await all_kinds_of_calls(to, "https")


async def test_calls_by_path_and_pages_beside_them(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    ca = Authority()
    ca.write(folder / "certs", "shop.example")
    async with talking() as port:
        run(node, "talk", port, VIRTUAL_PROTO="grpc", VIRTUAL_PATH="/test.Talk/")
        run(node, "pages", one.port)
        async with securing(folder, ca, node) as web:
            await web.served.live("shop.example")
            async with channel(web.https, "shop.example", ca) as to:
                assert (await say(to, b"hello"))[0].endswith(b": hello")
            assert (await web.until("shop.example", alpn=("http/1.1",))).body.startswith("one\n")


async def test_a_service_without_containers_is_unavailable(folder: Path, node: EmbeddedEngine) -> None:
    ca = Authority()
    ca.write(folder / "certs", "shop.example")
    async with talking() as port:
        run(node, "talk", port, VIRTUAL_PROTO="grpc")
        async with securing(folder, ca, node) as web:
            await web.served.live("shop.example")
            node.pause("talk")
            await web.until("shop.example", status=503)
            async with channel(web.https, "shop.example", ca) as to:
                with pytest.raises(grpc.aio.AioRpcError) as error:
                    await say(to, b"hello")
                assert error.value.code() is grpc.StatusCode.UNAVAILABLE
