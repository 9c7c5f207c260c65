"""Which container an agent runs in, by what its engine mounted into it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from skep import Agent, Cluster, parse_settings
from skep.testing import EmbeddedEngine
from skep_nginx.places.own import OwnContainer, view_from

LINE = "{n} 90 8:1 {root} {target} rw,relatime - ext4 /dev/sda1 rw\n"


def mounts(folder: Path, *lines: tuple[str, str]) -> Path:
    file = folder / "mountinfo"
    file.write_text("".join(LINE.format(n=n, root=root, target=target) for n, (root, target) in enumerate(lines)))
    return file


def nobody() -> Cluster:
    raise AssertionError("there is no id to look for")


async def test_it_is_found_by_its_files(node: EmbeddedEngine, tmp_path: Path) -> None:
    id_ = node.run("proxy", env={"HTTP_PORT": "80"})
    node.run("other")
    file = mounts(
        tmp_path,
        ("/", "/"),
        (f"/var/lib/docker/containers/{'f' * 64}/mounts/shm", f"/var/lib/docker/containers/{'f' * 64}/mounts/shm"),
        (f"/var/lib/docker/containers/{id_}/hostname", "/etc/hostname"),
    )
    async with Agent(parse_settings({"cluster": {"engines": [node.url]}})) as agent:
        found = await asyncio.to_thread(OwnContainer(file).find, lambda: agent.cluster)
        assert found is not None
        assert found.name == "proxy"
        view = view_from(found, "")
        assert view.networks == frozenset(end.network_id for end in found.networks)
        assert view.gateway == found.networks[0].gateway
        elsewhere = mounts(tmp_path, (f"/containers/{'e' * 64}/hostname", "/etc/hostname"))
        assert await asyncio.to_thread(OwnContainer(elsewhere).find, lambda: agent.cluster) is None


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [("/", "/")],
        [(f"/docker/containers/{'a' * 64}/hostname", "/var/lib/docker/x")],  # another's, as a host shows it
        [(f"/docker/containers/{'a' * 63}/hostname", "/etc/hostname")],
        [("garbage", "")],
    ],
)
def test_a_host_is_no_container(lines: list[tuple[str, str]], tmp_path: Path) -> None:
    assert OwnContainer(mounts(tmp_path, *lines)).find(nobody) is None


def test_no_proc(tmp_path: Path) -> None:
    find: Callable[[Callable[[], Cluster]], object] = OwnContainer(tmp_path / "none").find
    assert find(nobody) is None
