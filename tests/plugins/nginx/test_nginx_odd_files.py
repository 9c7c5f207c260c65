"""What is no file, in the place of one that the plugin reads when it starts: nothing waits for it, and it is replaced or named."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from skep.testing import EmbeddedEngine
from skep_nginx.places.master import Master
from tests.plugins.nginx.nginx_tools import Backend, serving, until


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


MAKERS = [os.mkfifo, os.mkdir, _socket, lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to("gone")]


@pytest.mark.parametrize("make", MAKERS)
def test_no_nginx_is_taken_over_by_what_is_no_file(folder: Path, make: Callable[[Path], None]) -> None:
    make(folder / "nginx.pid")
    assert Master.adopt(folder / "nginx.pid", folder / "nginx.conf") is None


def test_a_link_to_somebody_elses_file_names_no_process(folder: Path) -> None:
    """nginx's user may write in that folder, and this agent would signal whatever process it names."""
    conf = folder / "nginx.conf"
    (folder / "other").write_text(str(os.getpid()))
    (folder / "nginx.pid").symlink_to("other")
    assert Master.adopt(folder / "nginx.pid", conf) is None


@pytest.mark.parametrize("make", MAKERS)
async def test_nginx_starts_where_something_else_is_in_its_files_places(
    folder: Path, node: EmbeddedEngine, one: Backend, make: Callable[[Path], None]
) -> None:
    run = folder / "run"
    run.mkdir()
    for name in ("nginx.pid", "status.sock"):
        make(run / name)
    node.run("web", env={"VIRTUAL_HOST": "shop.example"}, ports={"80/tcp": f"127.0.0.1:{one.port}"})
    async with serving(folder, node) as served:
        await served.answers("shop.example", 200)


@pytest.mark.parametrize("make", [MAKERS[0], MAKERS[2]])
async def test_an_odd_configuration_is_replaced(
    folder: Path, node: EmbeddedEngine, one: Backend, make: Callable[[Path], None]
) -> None:
    make(folder / "nginx.conf")
    node.run("web", env={"VIRTUAL_HOST": "shop.example"}, ports={"80/tcp": f"127.0.0.1:{one.port}"})
    async with serving(folder, node) as served:
        await served.answers("shop.example", 200)
        assert (folder / "nginx.conf").is_file()


async def test_while_whose_hosts_are_cannot_be_read_nobody_gets_any(
    folder: Path, node: EmbeddedEngine, one: Backend
) -> None:
    os.mkfifo(folder / "hosts.json")
    node.run("web", env={"VIRTUAL_HOST": "shop.example"}, ports={"80/tcp": f"127.0.0.1:{one.port}"})
    async with serving(folder, node, retry=0.2) as served:
        await until(lambda: "hosts.json: it is no regular file" in served.status["error"])
        assert not served.status["sites"]
        (folder / "hosts.json").unlink()
        await served.answers("shop.example", 200)
