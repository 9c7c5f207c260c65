"""A container wants its site at a port that somebody else has: nobody but that container notices."""

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skep.testing import EmbeddedEngine
from skep_nginx.apply import Applier
from skep_nginx.collect import Backend as Asking
from skep_nginx.model import Host, Listen
from skep_nginx.rules import Rules
from skep_nginx.taken import find_taken, listens_in, suspects
from skep_nginx.wishes import SiteWish, Wish
from tests.plugins.nginx.nginx_tools import Backend, answers, free_port, serving, until


@pytest.fixture
def run(node: EmbeddedEngine, one: Backend) -> Callable[..., None]:
    def run(name: str, **env: str) -> None:
        own = {"VIRTUAL_HOST": f"{name}.example", "VIRTUAL_PORT": str(one.port), **env}
        node.run(name, env=own, NetworkMode="host")

    return run


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken


def port_of(taken: socket.socket) -> int:
    port: int = taken.getsockname()[1]
    return port


PORTS: dict[str, Any] = {"external_ports": ("1024-65535",)}


async def test_a_port_that_somebody_else_has_is_one_containers_own_matter(
    folder: Path, node: EmbeddedEngine, run: Callable[..., None], taken: socket.socket
) -> None:
    """`nginx -t` is content with it, and a reload would try it for seconds. Nobody waits for that, and it comes in when it can."""
    port = port_of(taken)
    run("shop")
    async with serving(folder, node, **PORTS) as served:
        await served.answers("shop.example", 200)
        run("evil", EXTERNAL_HTTP_PORT=str(port))
        await until(lambda: served.status["left_out"])
        [out] = served.status["left_out"]
        assert (out["container"], out["by"]) == ("evil", "nginx")
        assert f"another program listens on 127.0.0.1:{port}" in out["reason"]
        for number in range(4):
            run(f"later{number}")
            began = time.monotonic()
            await served.answers(f"later{number}.example", 200)
            assert time.monotonic() - began < 2
        counts = served.counts
        assert (counts["failures"], counts["rollbacks"]) == (0, 0)
        taken.close()
        began = time.monotonic()
        await answers(port, f"evil.example:{port}", 200)
        assert time.monotonic() - began < 4
        assert not served.status["left_out"]


async def test_the_agents_first_start_does_not_fail_for_a_containers_port(
    folder: Path, node: EmbeddedEngine, run: Callable[..., None], taken: socket.socket
) -> None:
    run("evil", EXTERNAL_HTTP_PORT=str(port_of(taken)))
    run("shop")
    async with serving(folder, node, **PORTS) as served:
        await served.answers("shop.example", 200)
        assert served.counts["failures"] == 0


async def test_what_nginx_itself_listens_on_is_not_somebody_elses(
    folder: Path, node: EmbeddedEngine, run: Callable[..., None]
) -> None:
    """Over changes, and over a restart of the agent that finds its nginx running."""
    port = free_port()
    run("own", EXTERNAL_HTTP_PORT=str(port))
    async with serving(folder, node, **PORTS) as served:
        await answers(port, f"own.example:{port}", 200)
        run("more", EXTERNAL_HTTP_PORT=str(port))
        await answers(port, f"more.example:{port}", 200)
        assert not served.status["left_out"]
        applier = served.plugin.work.applier
        again = Applier(served.plugin.work.place, applier.style, logging.getLogger("test"))
        again.rules = applier.rules
        run("third", EXTERNAL_HTTP_PORT=str(port))
        await answers(port, f"third.example:{port}", 200)
        await again.apply(applier.backends[:2])
        assert not again.refused


async def test_a_port_that_is_taken_while_nginx_is_dead_keeps_nobody_else_away(
    folder: Path, node: EmbeddedEngine, run: Callable[..., None]
) -> None:
    """The last good configuration has that port, so nginx cannot start with it any more."""
    port = free_port()
    run("own", EXTERNAL_HTTP_PORT=str(port))
    run("shop")
    async with serving(folder, node, retry=0.2, **PORTS) as served:
        await answers(port, f"own.example:{port}", 200)
        await served.answers("shop.example", 200)
        os.killpg(served.pid(), signal.SIGKILL)
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            await until(lambda: _binds(thief, port), 5)
            thief.listen()
            await until(lambda: served.status["left_out"], 25, lambda: str(served.status))
            await served.answers("shop.example", 200)
        await answers(port, f"own.example:{port}", 200)


def _binds(thief: socket.socket, port: int) -> bool:
    with contextlib.suppress(OSError):
        thief.bind(("127.0.0.1", port))
        return True
    return False


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1"])
def test_only_what_somebody_listens_on_is_taken(ip: str) -> None:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    rules = Rules((Listen(ip, 80),), (Listen(ip, 443, tls=True),))
    with socket.socket(family) as taken:
        taken.bind((ip, 0))
        taken.listen()
        port = port_of(taken)
        sites = [
            SiteWish(Host("a"), http_port=port), SiteWish(Host("b"), https_port=port), SiteWish(Host("c"), http_port=80),
            SiteWish(Host("d"), http_port=free_port()), SiteWish(Host("e")),
        ]  # fmt: skip
        asked = [Asking(site.host, site.host, "node1", Wish((site,))) for site in sites]
        assert [each.id for each in find_taken(asked, rules, ())] == ["a", "b"]
        assert not find_taken(asked, rules, {str(Listen(ip, port))})


def test_the_addresses_of_a_configuration() -> None:
    text = b"server {\n listen 127.0.0.1:80 ssl;\n\tlisten [::]:443 quic;\n listen unix:/x;\n server_name listen;\n}"
    assert listens_in(text) == {"127.0.0.1:80", "[::]:443"}


def test_whose_ports_are_suspected() -> None:
    def asking(name: str, port: int | None) -> Asking:
        return Asking(name, name, "node1", Wish((SiteWish(Host(name), http_port=port),)))

    rules = Rules((Listen("0.0.0.0", 80), Listen("127.0.0.1", 8080)))
    old, new, none = asking("old.example", 8001), asking("new.example", 8080), asking("none.example", None)
    asked = [old, new, none]
    assert suspects("", asked, [old], rules) == [new]
    assert suspects("bind() to 0.0.0.0:8080 failed (98: Address already in use)", asked, [old], rules) == [new]
    assert suspects("bind() to [::]:8001 failed (98: Address already in use)", asked, [old], rules) == [old]
    assert suspects("bind() to 127.0.0.1:8080 failed (98: Address already in use)", asked, [], rules) == []
    assert suspects("open() failed", asked, [], rules) == []
