"""Other clients than the docker command on real engines: docker-py, a websocket, one that leaves, and an endpoint over one engine."""

from __future__ import annotations

import asyncio
import gc
import io
import tarfile
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import docker
import pytest
from docker.errors import APIError, NotFound

from contrib.lab import Host
from skep import Agent, parse_settings

T = TypeVar("T")
# docker-py leaves the sockets of streamed execs to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
async def client(endpoint_of_four: Any) -> AsyncIterator[Any]:
    client = await asyncio.to_thread(docker.DockerClient, base_url=endpoint_of_four.url, timeout=20)
    yield client
    await asyncio.to_thread(client.close)


async def aside(call: Callable[[], T]) -> T:
    """Run blocking code while the endpoint serves it in this loop."""
    try:
        return await asyncio.to_thread(call)
    finally:
        gc.collect()


async def test_life_of_a_container(client: Any) -> None:
    def live() -> None:
        box = client.containers.run("busybox", "sleep 100", name="box", labels={"a": "b"}, detach=True)
        assert [each.name for each in client.containers.list(filters={"label": "a=b"})] == ["box"]
        assert client.containers.get("box").id == client.containers.get(box.short_id).id == box.id
        assert box.status in ("created", "running")
        box.reload()
        assert (box.status, box.attrs["Node"]["Name"] in ("backend1", "backend2", "frontend", "swarm-master")) == (
            "running",
            True,
        )
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


async def test_events_name_their_nodes(client: Any) -> None:
    def run() -> None:
        events = client.events(decode=True, filters={"type": "container", "event": ["create", "die"]})
        seen: list[Any] = []
        reader = threading.Thread(target=lambda: seen.extend(next(events) for _ in range(2)))
        reader.start()
        box = client.containers.run("busybox", "true", detach=True)
        reader.join(10)
        events.close()
        assert [(event["Action"], event["id"]) for event in seen] == [("create", box.id), ("die", box.id)]
        assert seen[0]["node"]["Name"] in ("backend1", "backend2", "frontend", "swarm-master")

    await aside(run)


def session(url: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession("http://docker", connector=aiohttp.UnixConnector(url.removeprefix("unix://")))


async def test_attached_by_websocket(endpoint_of_four: Any) -> None:
    await endpoint_of_four.docker("run", "-d", "-i", "--name", "box", "busybox", "cat")
    path = "/v1.41/containers/box/attach/ws?stream=1&stdin=1&stdout=1"
    async with asyncio.timeout(10), session(endpoint_of_four.url) as http, http.ws_connect(path) as socket:
        await socket.send_bytes(b"hello\n")
        assert (await socket.receive()).data in (b"hello\n", "hello\n")


async def test_a_client_that_leaves_is_followed_by_the_request_to_the_engine(endpoint_of_four: Any) -> None:
    await endpoint_of_four.docker(
        "run", "-d", "--name", "box", "-e", "constraint:node==frontend", "busybox", "sleep", "100"
    )
    host = endpoint_of_four.lab["frontend"]

    async def connections() -> int:
        return len((await host.run("ss", "-Htn", "state", "established", "sport", "=", ":2375")).splitlines())

    async with session(endpoint_of_four.url) as http:
        streams = [await http.get("/v1.41/containers/box/stats") for _ in range(20)]
        streams += [await http.get("/v1.41/containers/box/logs?stdout=1&follow=1") for _ in range(20)]
        opened = await connections()
        assert opened >= 40
        for stream in streams:
            stream.close()
        async with asyncio.timeout(1):
            while await connections() > opened - 40:
                await asyncio.sleep(0.02)


async def test_one_engine_looks_like_itself(engine: Host, tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/skep.sock"
    settings = parse_settings({"cluster": {"engines": [engine.url]}, "plugins": {"docker_api": {"listen": [url]}}})
    await engine.docker("run", "-d", "--name", "box", "-p", "8080:80", "busybox", "sleep", "100")
    async with Agent(settings), session(url) as http:
        async with http.get("/v1.41/containers/json") as response:
            (row,) = await response.json()
        assert (row["Names"], row["Ports"][0]["IP"]) == (["/box"], engine.address)
        client = await aside(lambda: docker.DockerClient(base_url=url, timeout=20))
        try:
            assert await aside(lambda: client.containers.run("busybox", "hostname -s", remove=True))
        finally:
            client.close()
