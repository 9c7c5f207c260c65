"""`skep nginx explain` and `render`: over HTTP and as commands, on a real nginx."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner

from skep import HttpServer
from skep.testing import EmbeddedEngine
from skep_nginx.command import nginx
from skep_nginx.explain import site_of
from tests.plugins.nginx.nginx_tools import Backend, Served, serving, until

Run = Callable[..., Any]


@contextlib.asynccontextmanager
async def commands(served: Served) -> AsyncIterator[Run]:
    """Runs `skep nginx …` against the agent; gives exit code and output."""
    app = web.Application()
    served.plugin.add_routes(app.router)
    async with HttpServer(app, ["tcp://127.0.0.1:0"]) as server:

        async def run(*words: str) -> tuple[int, str]:
            invoke = CliRunner().invoke
            result = await asyncio.to_thread(invoke, nginx, [*words, "--agent", server.urls[0]])
            return result.exit_code, result.output

        yield run


def site(node: EmbeddedEngine, name: str, backend: Backend, host: str, health: str | None = None) -> None:
    node.run(name, env={"VIRTUAL_HOST": host}, ports={"80/tcp": f"127.0.0.1:{backend.port}"}, health=health)


async def test_who_is_behind_a_host_and_why_others_are_not(
    folder: Path, node: EmbeddedEngine, one: Backend, two: Backend
) -> None:
    site(node, "good", one, "shop.example,*.shop.example")
    site(node, "sick", two, "shop.example", "unhealthy")
    node.run("hidden", env={"VIRTUAL_HOST": "shop.example"})
    node.run("wrong", env={"VIRTUAL_HOST": "shop.example", "VIRTUAL_PORT": "0"})
    node.create("new", env={"VIRTUAL_HOST": "shop.example"})
    node.run("other", env={"VIRTUAL_HOST": "other.example"})
    async with serving(folder, node) as served, commands(served) as run:
        await served.answers("shop.example", 200)
        await until(lambda: served.status["state"] == "live")
        code, text = await run("explain", "shop.example", "--json")
        found = json.loads(text)
        assert (code, found["site"], found["answered"]) == (0, "shop.example", True)
        rows = {row["container"]: row for row in found["containers"]}
        assert rows["good"]["address"] == f"127.0.0.1:{one.port}"
        assert rows["good"]["reason"] == ""
        assert rows["sick"]["reason"] == "its health check fails"
        assert rows["hidden"]["by"] == "reach"
        assert "port 80 is not published" in rows["hidden"]["reason"]
        assert rows["wrong"]["by"] == "value"
        assert rows["new"]["reason"] == "it was not started yet"
        assert "other" not in rows
        code, text = await run("explain", "www.shop.example")
        assert code == 0
        assert text.splitlines()[0] == "www.shop.example: as *.shop.example, answered"
        code, text = await run("explain", "other.example")
        assert code == 1
        assert text.splitlines()[0] == "other.example: 503, nobody answers"
        code, text = await run("explain", "nobody.example")
        assert (code, text) == (1, "nobody.example: no site of nginx has this name\n")


async def test_paths_are_told(folder: Path, node: EmbeddedEngine, one: Backend, two: Backend) -> None:
    """One path answers, and all others of the site are 404."""
    environment = {"VIRTUAL_HOST": "shop.example", "VIRTUAL_PATH": "/api"}
    node.run("api", env=environment, ports={"80/tcp": f"127.0.0.1:{one.port}"})
    where = f"127.0.0.1:{one.port}"
    async with serving(folder, node) as served, commands(served) as run:
        await served.live("shop.example")
        found = json.loads((await run("explain", "shop.example", "--json"))[1])
        assert [row["paths"] for row in found["containers"]] == [["/api"]]
        _, text = await run("explain", "shop.example")
        assert text == f"shop.example: answered at /api only\n  node1/api  {where}  at /api\n"
        assert served.status["sites"]["shop.example"][0]["paths"] == ["/api"]
        assert f"shop.example /api  node1/api  {where}\n" in (await run("status"))[1]
        site(node, "all", two, "shop.example")
        await until(lambda: len(served.status["sites"]["shop.example"]) == 2 and served.status["state"] == "live")
        _, text = await run("explain", "shop.example")
        assert text.splitlines() == [
            "shop.example: answered",
            f"  node1/all  127.0.0.1:{two.port}",
            f"  node1/api  {where}  at /api",
        ]


async def test_the_configuration(folder: Path, node: EmbeddedEngine, one: Backend, tmp_path: Path) -> None:
    site(node, "web", one, "shop.example")
    async with serving(folder, node) as served, commands(served) as run:
        await served.live("shop.example")
        on_disk = (folder / "nginx.conf").read_text()
        assert await run("render", "--live") == (0, on_disk)
        out = tmp_path / "nginx.conf"
        assert await run("render", "--out", str(out)) == (0, "")
        assert out.read_text() == on_disk
        code, text = await run("render", "--json")
        assert json.loads(text)["live"] is True
        code, text = await run("render", "--out", str(tmp_path / "no" / "where"))
        assert code == 1


async def test_an_agent_that_has_no_such_plugin(folder: Path, node: EmbeddedEngine) -> None:
    async with serving(folder, node) as served, commands(served) as run:
        for words in (["explain", "a.example"], ["render"], ["status"]):
            code, _ = await run(*words, "--name", "edge")
            assert code == 1


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("a.example", "a.example"),
        ("b.a.example", "*.a.example"),
        ("c.b.a.example", "*.b.a.example"),
        ("www.shop.net", "www.shop.*"),
        ("www.example", ""),
        ("", ""),
    ],
)
def test_the_site_is_chosen_as_by_nginx(host: str, site: str) -> None:
    assert site_of(host, {"a.example", "*.a.example", "*.b.a.example", "www.*", "www.shop.*"} - {"www.*"}) == site
