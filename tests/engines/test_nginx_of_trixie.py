"""The nginx of Debian's next release speaks HTTP/2 and HTTP/3 as the plugin writes it."""

import socket
from pathlib import Path

from skep.testing import EmbeddedEngine
from tests.plugins.nginx.conftest import folder, node, one
from tests.plugins.nginx.nginx_certificates import Authority
from tests.plugins.nginx.nginx_https import securing
from tests.plugins.nginx.nginx_tools import Backend, until

__all__ = ["folder", "node", "one"]


async def test_http2_and_http3_of_a_newer_nginx(folder: Path, trixie: Path, node: EmbeddedEngine, one: Backend) -> None:
    ca = Authority()
    ca.write(folder / "certs", "shop.example")
    ca.write(folder / "certs", "plain.example")
    own = {"VIRTUAL_PORT": str(one.port)}
    node.run("shop", env={"VIRTUAL_HOST": "shop.example", **own}, NetworkMode="host")
    off = {"com.github.nginx-proxy.nginx-proxy.http2.enable": "false"}
    node.run("plain", env={"VIRTUAL_HOST": "plain.example", **own}, NetworkMode="host", labels=off)
    async with securing(folder, ca, node, tls={"http3": True}, nginx=str(trixie)) as web:
        seen = await web.until("shop.example")
        assert seen.headers["alt-svc"] == f'h3=":{web.https}"; ma=86400'
        assert (await web.until("plain.example", alpn=("h2", "http/1.1"))).alpn == "http/1.1"
        text = (folder / "nginx.conf").read_text()
        assert "http2 on;" in text
        assert f"127.0.0.1:{web.https} quic" in text
        await until(lambda: _is_bound(web.https))


def _is_bound(port: int) -> bool:
    """Whether somebody listens for UDP there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
