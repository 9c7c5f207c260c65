"""From a container's LETSENCRYPT_HOST to its site by TLS: the plugin, a real nginx, a real authority."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from skep.testing import EmbeddedEngine
from skep_nginx.acme.settings import AcmeSettings
from tests.plugins.nginx.nginx_certificates import Authority
from tests.plugins.nginx.nginx_https import securing
from tests.plugins.nginx.nginx_pebble import Pebble, pebble
from tests.plugins.nginx.nginx_tools import Backend, free_port, until


@pytest.fixture
async def ca(folder: Path) -> AsyncIterator[Pebble]:
    async with pebble(folder / "pebble", free_port(), domainBlocklist=["blocked.example"]) as authority:
        yield authority


def shop(port: int, host: str = "shop.example", **env: str) -> dict[str, Any]:
    return {"env": {"VIRTUAL_HOST": host, "VIRTUAL_PORT": str(port), **env}, "NetworkMode": "host"}


async def test_a_site_gets_its_certificate_by_itself(
    folder: Path, node: EmbeddedEngine, one: Backend, ca: Pebble, caplog: pytest.LogCaptureFixture
) -> None:
    own = Authority()
    acme = AcmeSettings(**ca.settings)
    how: dict[str, Any] = {"port": ca.http, "acme": acme}
    node.run("quiet", **shop(one.port, "quiet.example"))
    async with securing(folder, own, node, **how) as web:
        node.run(
            "shop", **shop(one.port, "shop.example,www.shop.example", LETSENCRYPT_HOST="www.shop.example, shop.example")
        )
        node.run("thief", **shop(one.port, "thief.example", LETSENCRYPT_HOST="quiet.example"))
        node.run("wild", **shop(one.port, "wild.example", LETSENCRYPT_HOST="*.wild.example"))
        node.run("blocked", **shop(one.port, "blocked.example", LETSENCRYPT_HOST="blocked.example"))
        node.run("evil", **shop(one.port, "evil.example", LETSENCRYPT_HOST='evil.example"};\n{'))
        seen = await web.until("shop.example", 30, check=False)
        assert seen.body.startswith("one\n")
        await web.served.answers("shop.example", 301)
        assert await web.served_plainly("quiet.example") == 200
        certificates = web.served.status["certificates"]
        assert certificates["acme"][-1]["names"] == ["shop.example", "www.shop.example"]
        refused = certificates["acme_refused"]
        assert set(refused) == {"thief", "wild", "evil"}
        assert "which this container does not serve by plain HTTP" in refused["thief"]
        assert "a wildcard is proved by DNS only" in refused["wild"]
        await until(lambda: web.served.status["certificates"]["acme"][0]["state"] == "failing")
        assert await web.served_plainly("blocked.example") == 200  # it goes on without
        assert ca.orders() == 1
        root = Authority()
        root.pem = (await ca.root()).encode()
        web.authority = root
        assert (await web.until("www.shop.example")).names == ("shop.example", "www.shop.example")
        samples = {(each.name, each.labels): each.value for each in web.served.plugin.metrics()}
        assert samples["skep_nginx_acme_orders_total", (("result", "issued"),)] == 1
    assert "PRIVATE KEY" not in caplog.text
    async with securing(folder, root, node, **how) as web:  # kept
        assert (await web.until("shop.example")).status == 200
        assert ca.orders() == 1


async def test_every_host_may_get_one(folder: Path, node: EmbeddedEngine, one: Backend, ca: Pebble) -> None:
    own = Authority()
    own.write(folder / "certs", "has.example")
    for host in ("has.example", "a.example", "b.example", "~^x.*$", "*.star.example", "single"):
        node.run("c" + host.strip("~^x.*$").partition(".")[0] + str(len(host)), **shop(one.port, host))
    acme = AcmeSettings(**ca.settings, hosts="all")
    async with securing(folder, own, node, port=ca.http, acme=acme) as web:
        await web.until("a.example", 30, check=False)
        await web.until("b.example", 30, check=False)
        assert (await web.until("has.example")).names == ("has.example",)
        assert ca.orders() == 2
