"""What a reload, and a worker's death, do to those who are connected."""

import os
import signal
from pathlib import Path

import pytest

from skep.testing import EmbeddedEngine
from skep_nginx.features import Features
from skep_nginx.model import Listen, Proxy
from skep_nginx.render import Style, render
from tests.plugins.nginx.nginx_tools import Backend, serving, until


@pytest.mark.parametrize(("version", "kept"), [((1, 22, 1), False), ((1, 27, 3), False), ((1, 27, 4), True)])
def test_kept_connections_outlive_a_reload_where_nginx_can(version: tuple[int, int, int], kept: bool) -> None:
    style = Style((Listen("127.0.0.1", 80),), features=Features(version))
    assert (b"keepalive_min_timeout 5s;" in render(Proxy(), style).text) is kept


async def test_a_worker_that_dies_is_replaced(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    node.run("web", env={"VIRTUAL_HOST": "shop.example"}, ports={"80/tcp": f"127.0.0.1:{one.port}"})
    async with serving(folder, node) as served:
        await served.live("shop.example")
        master = served.pid()
        children = Path(f"/proc/{master}/task/{master}/children")
        before = children.read_text().split()
        for worker in before:
            os.kill(int(worker), signal.SIGKILL)
        await until(lambda: not set(before) & set(children.read_text().split()) and children.read_text())
        await served.answers("shop.example", 200, "one")
        assert served.pid() == master
        assert served.counts["starts"] == 1
