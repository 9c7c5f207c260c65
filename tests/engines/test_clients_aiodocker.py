"""aiodocker on one engine and on four: containers, execs, attached streams, archives, images, builds, networks, volumes, events, logs."""

from __future__ import annotations

import asyncio
import io
import tarfile
import time
from collections.abc import AsyncIterator
from typing import Any

import aiodocker
import pytest
from aiodocker.exceptions import DockerError

from tests.engines.clients import Served, one_and_four

__all__ = ["one_and_four"]

SLEEPING = {"Image": "busybox", "Cmd": ["sleep", "100"]}
DOCKERFILE = b"FROM busybox\nRUN echo built > /built\n"


def packed(name: str, data: bytes) -> bytes:
    """A tar archive of one file."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return whole.getvalue()


@pytest.fixture
async def docker(one_and_four: Served) -> AsyncIterator[Any]:
    async with asyncio.timeout(50), aiodocker.Docker(url=one_and_four.url) as docker:
        yield docker


async def test_life_of_a_container(one_and_four: Served, docker: Any) -> None:
    box = await docker.containers.create_or_replace("box", {**SLEEPING, "Labels": {"a": "b"}})
    await box.start()
    found = await docker.containers.list(filters={"label": ["a=b"]})
    assert [each.id for each in found] == [box.id]
    shown = await box.show()
    assert (shown["Name"], shown["State"]["Running"]) == ("/box", True)
    assert shown["Node"]["Name"] in one_and_four.hosts
    await box.pause()
    await box.unpause()
    await box.rename("other")
    assert (await docker.containers.get("other")).id == box.id
    stats = await box.stats(stream=False)
    assert stats[0]["name"] == "/other"
    again = await docker.containers.create_or_replace("other", SLEEPING)
    assert again.id != box.id
    await again.start()
    await again.kill()
    assert (await again.wait())["StatusCode"] == 137
    await again.delete(force=True)
    with pytest.raises(DockerError) as caught:
        await docker.containers.get("other")
    assert caught.value.status == 404


async def test_logs_once_and_as_they_come(docker: Any) -> None:
    command = "echo one; echo two >&2; while test ! -e /go; do sleep 0.1; done; echo three"
    box = await docker.containers.run({"Image": "busybox", "Cmd": ["sh", "-c", command]}, name="box")
    following = box.log(stdout=True, stderr=True, follow=True)
    first = {await anext(following), await anext(following)}
    assert first == {"one\n", "two\n"}
    await (await box.exec("touch /go")).start(detach=True)
    assert await anext(following) == "three\n"
    assert [line async for line in following] == []
    assert await box.log(stdout=True) == ["one\n", "three\n"]
    await box.delete()


async def test_execs(docker: Any) -> None:
    box = await docker.containers.run(SLEEPING, name="box")
    made = await box.exec(["sh", "-c", "echo a; echo b >&2; exit 4"])
    async with made.start() as stream:
        said = set()
        while (message := await stream.read_out()) is not None:
            said.add((message.stream, message.data))
    assert said == {(1, b"a\n"), (2, b"b\n")}
    assert (await made.inspect())["ExitCode"] == 4
    made = await box.exec("cat", stdin=True, tty=True)
    async with made.start() as stream:
        await made.resize(h=20, w=70)
        await stream.write_in(b"hello\n")
        assert (await stream.read_out()).data.startswith(b"hello")
    await box.delete(force=True)


async def test_attached(docker: Any) -> None:
    box = await docker.containers.create(
        {"Image": "busybox", "Cmd": ["cat"], "OpenStdin": True, "AttachStdin": True, "AttachStdout": True}, name="box"
    )
    async with box.attach(stdin=True, stdout=True) as stream:
        await box.start()
        for word in (b"one\n", b"two\n"):
            await stream.write_in(word)
            assert (await stream.read_out()).data == word
    socket = await box.websocket()
    await socket.send_bytes(b"three\n")
    assert (await socket.receive()).data in (b"three\n", "three\n")
    await socket.close()
    await box.delete(force=True)


async def test_archives(docker: Any) -> None:
    box = await docker.containers.create({"Image": "busybox", "Cmd": ["true"]}, name="box")
    await box.put_archive("/tmp", packed("big", b"z" * 1_000_000))
    with await box.get_archive("/tmp/big") as tar:
        assert tar.getmember("big").size == 1_000_000
    await box.delete()


async def test_images_and_builds(docker: Any) -> None:
    lines = await docker.images.build(
        fileobj=io.BytesIO(packed("Dockerfile", DOCKERFILE)), encoding="identity", tag="made:one"
    )
    assert any("Successfully tagged made:one" in line.get("stream", "") for line in lines)
    made = await docker.images.inspect("made:one")
    assert await docker.images.tag("made:one", "made", tag="two")
    assert {"made:one", "made:two"} == set((await docker.images.inspect(made["Id"]))["RepoTags"])
    assert await docker.images.history("made:two")
    async with docker.images.export_image("made:two") as exported:
        whole = b"".join([chunk async for chunk in exported.iter_chunked(2**16)])
    for name in ("made:one", "made:two"):
        await docker.images.delete(name)
    with pytest.raises(DockerError) as caught:
        await docker.images.inspect("made:two")
    assert caught.value.status == 404
    told = await docker.images.import_image(io.BytesIO(whole))
    assert any("made:two" in line.get("stream", "") for line in told)
    await docker.images.delete("made:two")


async def test_networks_and_volumes(docker: Any) -> None:
    network = await docker.networks.create({"Name": "inner", "Labels": {"a": "b"}})
    (row,) = await docker.networks.list(filters={"label": ["a=b"]})
    assert (row["Id"], row["Name"].split("/")[-1]) == (network.id, "inner")
    host = {"NetworkMode": "inner", "Binds": ["data:/data"]}
    box = await docker.containers.run({**SLEEPING, "HostConfig": host}, name="box")
    assert list((await network.show())["Containers"]) == [box.id]
    await network.disconnect({"Container": box.id})
    await network.connect({"Container": "box"})
    volume = await docker.volumes.get("data")
    assert (await volume.show())["Driver"] == "local"
    await box.delete(force=True)
    await volume.delete()
    assert await network.delete()
    assert (await docker.volumes.list())["Volumes"] in (None, [])


async def test_events(one_and_four: Served, docker: Any) -> None:
    seen = docker.events.subscribe(since=time.time())
    box = await docker.containers.run({"Image": "busybox", "Cmd": ["true"]}, name="box")
    told = []
    while "die" not in told:
        event = await seen.get()
        if event["Type"] == "container":
            assert event["Actor"]["ID"] == box.id
            assert event["Actor"]["Attributes"]["node.name"] in one_and_four.hosts
            told.append(event["Action"])
    assert told[0] == "create"
    assert "start" in told
    await box.delete()


async def test_system(one_and_four: Served, docker: Any) -> None:
    assert (await docker.system.info())["Images"] > 0
    assert (await docker.version())["ApiVersion"]
