"""The operator's file `include_proxy` replaces what containers are told; what they tell nginx stays ignored."""

import asyncio
from pathlib import Path

from skep.testing import EmbeddedEngine
from tests.plugins.nginx.nginx_backends import exchange
from tests.plugins.nginx.nginx_tools import serving


async def test_a_container_still_sends_nobody_to_another_location(folder: Path, node: EmbeddedEngine) -> None:
    async def hostile(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        told = b"told" if b"X-Mine: yes" in request else b"not told"
        writer.write(b"HTTP/1.0 200 OK\r\nX-Accel-Redirect: /secret\r\nX-Accel-Charset: x\r\n\r\n" + told)
        writer.close()

    own = folder / "proxy.conf"
    own.write_text("proxy_set_header X-Mine yes;\nproxy_ignore_headers Vary;\n")
    own.chmod(0o644)
    async with await asyncio.start_server(hostile, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        node.run("web", env={"VIRTUAL_HOST": "shop.example", "VIRTUAL_PORT": str(port)}, NetworkMode="host")
        async with serving(folder, node, include_proxy=str(own)) as served:
            await served.answers("shop.example", 200)
            answer = await exchange(served.port, "shop.example")
            assert "\r\ntold\r\n" in answer
            assert "charset=x" not in answer
