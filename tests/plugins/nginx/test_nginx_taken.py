"""A container wants its site at a port that somebody else has: nobody but that container notices."""

import socket
from pathlib import Path

from skep.testing import EmbeddedEngine
from skep_nginx.collect import Backend as Asking
from skep_nginx.model import Host, Listen
from skep_nginx.rules import Rules
from skep_nginx.taken import suspects
from skep_nginx.wishes import SiteWish, Wish
from tests.plugins.nginx.nginx_tools import Backend, serving, until


async def test_a_port_that_somebody_else_has_is_one_containers_own_matter(
    folder: Path, node: EmbeddedEngine, one: Backend
) -> None:
    """`nginx -t` is content with it, and the reload fails."""

    def run(name: str, **env: str) -> None:
        own = {"VIRTUAL_HOST": f"{name}.example", "VIRTUAL_PORT": str(one.port), **env}
        node.run(name, env=own, NetworkMode="host")

    run("shop")
    async with serving(folder, node, external_ports=("1024-65535",)) as served:
        await served.answers("shop.example", 200)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            run("evil", EXTERNAL_HTTP_PORT=str(port))
            run("later")
            await served.answers("later.example", 200)
            await until(lambda: served.status["left_out"] and served.status["state"] == "live", 30)
            [out] = served.status["left_out"]
            assert (out["container"], out["by"]) == ("evil", "nginx")
            assert f"bind() to 127.0.0.1:{port} failed" in out["reason"]
        await served.live("later.example", "shop.example")


async def test_the_agents_first_start_does_not_fail_for_a_containers_port(
    folder: Path, node: EmbeddedEngine, one: Backend
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        env = {"VIRTUAL_HOST": "evil.example", "EXTERNAL_HTTP_PORT": str(taken.getsockname()[1])}
        node.run("evil", env=env, NetworkMode="host")
        node.run("shop", env={"VIRTUAL_HOST": "shop.example", "VIRTUAL_PORT": str(one.port)}, NetworkMode="host")
        async with serving(folder, node, external_ports=("1024-65535",)) as served:
            await served.answers("shop.example", 200)


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
