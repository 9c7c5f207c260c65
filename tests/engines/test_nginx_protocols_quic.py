"""HTTP/3 through the nginx of Debian's next release, by a client of QUIC."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from skep.testing import EmbeddedEngine
from tests.plugins.nginx.conftest import folder, node, one, two
from tests.plugins.nginx.nginx_certificates import Authority
from tests.plugins.nginx.nginx_https import Secured, securing
from tests.plugins.nginx.nginx_quic import H3Answer, h3
from tests.plugins.nginx.nginx_tools import Backend

__all__ = ["folder", "node", "one", "two"]

LABEL = "com.github.nginx-proxy.nginx-proxy.http3.enable"


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority()


def run(node: EmbeddedEngine, name: str, port: int, label: str = "", **env: str) -> None:
    own = {"VIRTUAL_HOST": f"{name}.example", "VIRTUAL_PORT": str(port), **env}
    node.run(name, env=own, labels={LABEL: label} if label else {}, NetworkMode="host")


async def asked(web: Secured, host: str, path: str = "/", **how: Any) -> H3Answer:
    """One request over a new connection."""
    async with h3(web.https, host, web.authority) as client:
        return await client.ask(host, path, **how)


async def asked_again(web: Secured, host: str) -> H3Answer:
    """One request, over another connection where nginx ends the first one."""
    while True:
        with contextlib.suppress(ConnectionError):
            return await asked(web, host)


async def test_requests_by_http3(
    folder: Path, trixie: Path, node: EmbeddedEngine, one: Backend, two: Backend, ca: Authority
) -> None:
    for name in ("shop", "wiki"):
        ca.write(folder / "certs", f"{name}.example")
    run(node, "shop", one.port)
    run(node, "wiki", two.port, VIRTUAL_PATH="/wiki")
    async with securing(folder, ca, node, tls={"http3": True}, nginx=str(trixie)) as web:
        offered = (await web.until("shop.example")).headers["alt-svc"]
        assert offered == f'h3=":{web.https}"; ma=86400'
        async with h3(web.https, "shop.example", ca) as client:
            got = await client.ask("shop.example", "/a?b=c", headers={"x-forwarded-for": "1.2.3.4"})
            assert got.status == 200
            assert got.body.startswith("one\nGET /a?b=c HTTP/1.1\r\n")
            assert "X-Forwarded-For: 127.0.0.1\r\n" in got.body
            assert "X-Forwarded-Proto: https\r\n" in got.body
            assert got.headers["strict-transport-security"] == "max-age=31536000"
            many = await asyncio.gather(*(client.ask("shop.example", f"/{number}") for number in range(20)))
            assert [f"GET /{number} " in answer.body for number, answer in enumerate(many)] == [True] * 20
            posted = await client.ask("shop.example", "/", "POST", b"x" * 100_000)
            assert "Content-Length: 100000\r\n" in posted.body
        assert (await asked(web, "wiki.example", "/wiki/x")).body.startswith("two\n")
        assert (await asked(web, "wiki.example")).status == 404
        with pytest.raises(ConnectionError):
            await asked(web, "unknown.example")


@pytest.mark.parametrize(("default", "label", "has"), [(False, "true", True), (True, "false", False)])
async def test_a_container_says_whether(
    folder: Path,
    trixie: Path,
    node: EmbeddedEngine,
    one: Backend,
    ca: Authority,
    *,
    default: bool,
    label: str,
    has: bool,
) -> None:
    for name in ("shop", "other"):
        ca.write(folder / "certs", f"{name}.example")
    run(node, "shop", one.port, label)
    run(node, "other", one.port)
    async with securing(folder, ca, node, tls={"http3": default}, nginx=str(trixie)) as web:
        for host, speaks in (("shop.example", has), ("other.example", not has)):
            assert ("alt-svc" in (await web.until(host)).headers) is speaks
        served = "shop.example" if has else "other.example"
        assert (await asked(web, served)).status == 200
        if not has:
            with pytest.raises(ConnectionError):
                await asked(web, "shop.example")


async def test_reloads_and_http3(
    folder: Path, trixie: Path, node: EmbeddedEngine, one: Backend, two: Backend, ca: Authority
) -> None:
    """Clients get their answers by HTTP/3 after each reload, at once or when they connect again.

    nginx shares its UDP sockets between old workers and new ones, so that a connection may reach one that is ending, which tells the client.
    """
    ca.write(folder / "certs", "shop.example")
    run(node, "shop", one.port)
    async with securing(folder, ca, node, tls={"http3": True}, nginx=str(trixie)) as web:
        await web.until("shop.example")
        for number in range(5):
            run(node, f"new{number}", two.port)
            await web.served.live("shop.example", *(f"new{done}.example" for done in range(number + 1)))
            async with asyncio.timeout(15):
                got = await asyncio.gather(*(asked_again(web, "shop.example") for _ in range(10)))
            assert {answer.status for answer in got} == {200}
