"""Certificates get into a container of nginx, for its root alone, and are replaced there while it runs."""

import asyncio
from pathlib import Path

from contrib.lab import Lab
from skep import Agent, parse_settings
from skep_nginx import NginxPlugin, NginxSettings
from skep_nginx.settings import TlsSettings
from tests.engines.test_nginx_cluster import folder, start
from tests.plugins.nginx.nginx_certificates import Authority
from tests.plugins.nginx.nginx_https import Seen, fetch
from tests.plugins.nginx.nginx_tools import Served, answers

__all__ = ["folder"]


async def until_seen(ip: str, authority: Authority, cert: Path | None = None) -> Seen:
    """Ask until the site is answered with a certificate of this authority."""
    last: OSError | Seen | None = None
    for _ in range(300):
        try:
            last = seen = await asyncio.to_thread(fetch, 443, "shop.example", authority, ip=ip, cert=cert)
            if seen.status == 200:
                return seen
        except OSError as error:
            last = error
        await asyncio.sleep(0.1)
    raise AssertionError(f"shop.example is answered with {last!r}")


async def test_certificates_in_a_container_of_nginx(cluster_lab: Lab, folder: Path) -> None:
    front, first, second, clients = cluster_lab["frontend"], Authority("one"), Authority("two"), Authority("clients")
    await cluster_lab.load("nginx")
    first.write(folder / "certs", "shop.example")
    mine = clients.write(folder / "own", "mine", client=True)
    await front.docker("run", "-d", "--name", "proxy", "--label", "skep.nginx", "-p", "80:80", "-p", "443:443", "nginx")
    await start(front, "shop")
    tls = TlsSettings(listen=("0.0.0.0:443",), certificates=str(folder / "certs"), dhparam=2048)
    plugin = NginxPlugin(NginxSettings(mode="container", retry=1, directory=str(folder), tls=tls))
    plugin.name = "nginx"
    async with Agent(parse_settings({"cluster": {"engines": [front.url]}}), plugins=[plugin]) as agent:
        served = Served(agent, plugin, 80, folder)
        seen = await until_seen(front.address, first)
        assert (seen.names, seen.body.strip()) == (("shop.example",), "shop")
        await answers(80, "shop.example", 301, ip=front.address)

        listed = await front.docker("exec", "proxy", "ls", "-lan", "/etc/nginx/skep/tls")
        files = [line.split() for line in listed.splitlines() if line.endswith(".pem")]
        assert files
        assert {(words[0][:10], words[2]) for words in files} == {("-rw-------", "0")}

        second.write(folder / "certs", "shop.example")
        await until_seen(front.address, second)
        (folder / "certs/shop.example.ca.crt").write_bytes(clients.pem)
        await until_seen(front.address, second, cert=mine)
        for _ in range(100):
            if (await asyncio.to_thread(fetch, 443, "shop.example", second, ip=front.address)).status == 400:
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError(f"clients without a certificate come in: {served.status}")

        # A new container knows nothing of what was laid into the one before.
        await front.docker("rm", "-f", "proxy")
        await front.docker(
            "run", "-d", "--name", "proxy2", "--label", "skep.nginx", "-p", "80:80", "-p", "443:443", "nginx"
        )
        assert (await until_seen(front.address, second, cert=mine)).version == "TLSv1.3"
