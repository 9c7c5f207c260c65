"""nginx tells clients by itself that a certificate is not revoked (OCSP stapling), where the operator gives it the chain."""

import asyncio
import base64
import subprocess
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from skep.testing import EmbeddedEngine
from tests.plugins.nginx.nginx_certificates import Authority
from tests.plugins.nginx.nginx_https import securing
from tests.plugins.nginx.nginx_tools import Backend, free_port


def stapled(port: int, host: str) -> bool:
    """Whether a client that asks for it is told."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", host, "-status"]
    told = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False)
    return "Cert Status: good" in told.stdout


async def test_stapling(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    ca, port = Authority(), free_port()
    for name in ("shop", "other"):
        ca.write(folder / "certs", f"{name}.example", ocsp=f"http://127.0.0.1:{port}/")
        env = {"VIRTUAL_HOST": f"{name}.example", "VIRTUAL_PORT": str(one.port)}
        node.run(name, env=env, NetworkMode="host")
    (folder / "certs/shop.example.chain.pem").write_bytes(ca.pem)
    certificate = (folder / "certs/shop.example.crt").read_bytes()
    asked = 0

    async def respond(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        answer = ca.vouch(base64.b64decode(unquote(request.match_info["asked"])), certificate)
        return web.Response(body=answer, content_type="application/ocsp-response")

    app = web.Application()
    app.router.add_get("/{asked:.+}", respond)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with securing(folder, ca, node) as secured:
            await secured.until("shop.example")
            async with asyncio.timeout(15):
                while not await asyncio.to_thread(stapled, secured.https, "shop.example"):
                    await asyncio.sleep(0.05)
            assert asked
            assert not await asyncio.to_thread(stapled, secured.https, "other.example")
    finally:
        await runner.cleanup()
