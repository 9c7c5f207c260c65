"""docker-py on one engine and on four: containers, execs, attached sockets, archives, images, builds, networks, volumes, events."""

from __future__ import annotations

import asyncio
import io
import tarfile
import threading
from collections.abc import AsyncIterator
from typing import Any

import docker
import pytest
from docker.errors import APIError, ImageNotFound, NotFound

from tests.engines.clients import Served, aside, one_and_four

__all__ = ["one_and_four"]

# docker-py leaves the sockets of streamed execs to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")

DOCKERFILE = b"FROM busybox\nARG word=none\nRUN echo $word > /built\nLABEL kind=test\nCMD cat /built\n"
SWARM_ID = "com.docker.swarm.id"


@pytest.fixture
async def client(one_and_four: Served) -> AsyncIterator[Any]:
    client = await asyncio.to_thread(docker.DockerClient, base_url=one_and_four.url, timeout=20)
    yield client
    await asyncio.to_thread(client.close)


async def test_life_of_a_container(one_and_four: Served, client: Any) -> None:
    def live() -> None:
        box = client.containers.run("busybox", "sleep 100", name="box", labels={"a": "b"}, detach=True)
        assert [each.name for each in client.containers.list(filters={"label": "a=b"})] == ["box"]
        assert client.containers.get("box").id == client.containers.get(box.short_id).id == box.id
        assert box.status in ("created", "running")
        box.reload()
        assert (box.status, box.attrs["Node"]["Name"] in one_and_four.hosts) == ("running", True)
        box.pause()
        box.unpause()
        box.rename("other")
        assert box.top()["Processes"]
        assert box.stats(stream=False)["pids_stats"]["current"] == 1
        assert next(box.stats(decode=True))["name"] == "/other"
        box.update(mem_limit="64m", memswap_limit="64m")
        box.kill()
        assert box.wait()["StatusCode"] == 137
        box.remove()
        with pytest.raises(NotFound):
            client.containers.get("other")
        with pytest.raises(APIError, match="No such container: nope"):
            client.api.start("nope")

    await aside(live)


async def test_run_tells_output_and_failure(client: Any) -> None:
    def run() -> None:
        assert client.containers.run("busybox", "echo hi", remove=True) == b"hi\n"
        with pytest.raises(docker.errors.ContainerError) as caught:
            client.containers.run("busybox", ["sh", "-c", "echo no >&2; exit 3"], remove=True)
        assert (caught.value.exit_status, caught.value.stderr) == (3, b"no\n")

    await aside(run)


async def test_execs(client: Any) -> None:
    def run() -> None:
        box = client.containers.run("busybox", "sleep 100", detach=True)
        assert box.exec_run("echo hi") == (0, b"hi\n")
        code, (output, errors) = box.exec_run(["sh", "-c", "echo a; echo b >&2; exit 4"], demux=True)
        assert (code, output, errors) == (4, b"a\n", b"b\n")
        _, stream = box.exec_run(["sh", "-c", "echo a; sleep 0.1; echo b"], stream=True)
        assert b"".join(stream) == b"a\nb\n"
        _, socket = box.exec_run("cat", stdin=True, socket=True, tty=True)
        socket._sock.sendall(b"hello\n")
        assert b"hello" in socket.read(5)
        socket._sock.close()
        socket.close()
        id_ = client.api.exec_create(box.id, "true")["Id"]
        client.api.exec_start(id_, detach=True)
        assert client.api.exec_inspect(id_)["ContainerID"] == box.id

    await aside(run)


async def test_logs_and_attached_sockets(client: Any) -> None:
    def run() -> None:
        box = client.containers.create("busybox", "cat", stdin_open=True)
        socket = client.api.attach_socket(box.id, params={"stdin": 1, "stdout": 1, "stream": 1})
        box.start()
        logs = box.logs(stream=True, follow=True)
        socket._sock.sendall(b"one\n")
        assert next(logs) == b"one\n"
        output = box.attach(stream=True, logs=True)
        assert next(output) == b"one\n"
        socket._sock.sendall(b"two\n")
        assert (next(logs), next(output)) == (b"two\n", b"two\n")
        box.kill()
        socket._sock.close()
        socket.close()
        assert list(logs) == []

    await aside(run)


async def test_archives(client: Any) -> None:
    def run() -> None:
        box = client.containers.create("busybox", "true")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            member = tarfile.TarInfo("big")
            member.size = 3_000_000
            tar.addfile(member, io.BytesIO(b"z" * member.size))
        assert box.put_archive("/tmp", packed.getvalue())
        pieces, stat = box.get_archive("/tmp/big")
        assert (stat["name"], stat["size"]) == ("big", 3_000_000)
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
            assert tar.getmember("big").size == 3_000_000
        assert {"Path": "/tmp/big", "Kind": 1} in box.diff()
        assert len(b"".join(box.export())) > 3_000_000

    await aside(run)


async def test_events_name_their_nodes(one_and_four: Served, client: Any) -> None:
    def run() -> None:
        events = client.events(decode=True, filters={"type": "container", "event": ["create", "die"]})
        seen: list[Any] = []
        reader = threading.Thread(target=lambda: seen.extend(next(events) for _ in range(2)))
        reader.start()
        box = client.containers.run("busybox", "true", detach=True)
        reader.join(10)
        events.close()
        assert [(event["Action"], event["id"]) for event in seen] == [("create", box.id), ("die", box.id)]
        assert seen[0]["node"]["Name"] in one_and_four.hosts

    await aside(run)


async def test_system(one_and_four: Served, client: Any) -> None:
    def run() -> None:
        assert client.ping()
        assert client.info()["Containers"] == 0
        assert client.version()["ApiVersion"]
        assert client.df()["Containers"] in ([], None)
        assert set(client.api.containers(all=True)) == set()

    await aside(run)


async def test_images(client: Any) -> None:
    def run() -> None:
        image = client.images.get("busybox")
        assert image.tag("kept/busybox", "one")
        assert "kept/busybox:one" in client.images.get(image.id).tags
        assert [each.id for each in client.images.list("kept/busybox")] == [image.id]
        assert client.images.get("busybox").history()
        packed = b"".join(client.images.get("kept/busybox:one").save(named=True))
        client.images.remove("kept/busybox:one")
        with pytest.raises(ImageNotFound):
            client.images.get("kept/busybox:one")
        assert [each.id for each in client.images.load(packed)] == [image.id]
        client.images.remove("kept/busybox:one")
        assert client.images.prune()["SpaceReclaimed"] == 0

    await aside(run)


async def test_builds(client: Any) -> None:
    def run() -> None:
        image, log = client.images.build(
            fileobj=io.BytesIO(DOCKERFILE), tag="made:one", buildargs={"word": "hello"}, rm=True
        )
        assert any("Successfully built" in line.get("stream", "") for line in log)
        assert image.labels == {"kind": "test"}
        assert client.containers.run("made:one", remove=True) == b"hello\n"
        with pytest.raises(docker.errors.BuildError, match="returned a non-zero code: 3"):
            client.images.build(fileobj=io.BytesIO(b"FROM busybox\nRUN exit 3\n"), rm=True)
        client.images.remove("made:one")

    await aside(run)


async def test_what_is_committed_has_ids_of_its_own(client: Any) -> None:
    """An image of a container has the container's labels, and so have the containers that are made of it; but for the id."""

    def run() -> None:
        first = client.containers.create("busybox", "true", name="first", labels={"a": "b"})
        image = first.commit("made", "two")
        assert image.labels[SWARM_ID] == first.labels[SWARM_ID]
        second = client.containers.create("made:two", "true", name="second")
        assert second.labels["a"] == "b"
        assert second.labels[SWARM_ID] != first.labels[SWARM_ID]
        for each in (first, second):
            assert client.containers.get(each.labels[SWARM_ID]).id == each.id
            each.remove()
        client.images.remove("made:two")

    await aside(run)


async def test_networks(one_and_four: Served, client: Any) -> None:
    def run() -> None:
        network = client.networks.create("inner", labels={"a": "b"})
        (found,) = client.networks.list(filters={"label": "a=b"})
        assert found.id == network.id
        assert found.name.split("/")[-1] == "inner"
        box = client.containers.run("busybox", "sleep 100", network="inner", name="box", detach=True)
        network.reload()
        assert [each.id for each in network.containers] == [box.id]
        network.disconnect(box)
        network.connect("box", aliases=["other"])
        box.reload()
        assert "other" in box.attrs["NetworkSettings"]["Networks"]["inner"]["Aliases"]
        box.remove(force=True)
        network.remove()
        assert client.networks.list(filters={"label": "a=b"}) == []
        with pytest.raises(NotFound):
            client.networks.get(network.id)

    await aside(run)


async def test_volumes(client: Any) -> None:
    def run() -> None:
        volume = client.volumes.create("data", labels={"a": "b"})
        (found,) = client.volumes.list(filters={"label": "a=b"})
        assert found.name.split("/")[-1] == "data"
        mounted = {"data": {"bind": "/data", "mode": "rw"}}
        client.containers.run("busybox", "sh -c 'echo kept > /data/file'", volumes=mounted, remove=True)
        assert client.containers.run("busybox", "cat /data/file", volumes=mounted, remove=True) == b"kept\n"
        assert client.volumes.get("data").attrs["Labels"] == {"a": "b"}
        volume.remove()
        with pytest.raises(NotFound):
            client.volumes.get("data")

    await aside(run)


async def test_prunes_tell_what_they_removed(client: Any) -> None:
    def run() -> None:
        boxes = [client.containers.run("busybox", "true", detach=True) for _ in range(4)]
        for box in boxes:
            box.wait()
        assert set(client.containers.prune()["ContainersDeleted"]) == {box.id for box in boxes}
        assert client.containers.list(all=True) == []

    await aside(run)
