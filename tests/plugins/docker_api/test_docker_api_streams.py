"""Streams of containers through the endpoint: execs, attached connections, logs, wait; and paths that nobody knows."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from skep_docker_api.known_execs import KnownExecs

UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp", "Content-Type": "application/json"}


@pytest.fixture
async def box(api: Any) -> str:
    """The id of a container that runs on n2."""
    id_ = api.engines["n2"].run("box", command="sleep 100", OpenStdin=True)
    async with asyncio.timeout(5):
        while not any(each.state.is_up for each in api.agent.cluster.state.named("box")):
            await asyncio.sleep(0.01)
    return str(id_)


async def hijack(
    api: Any, path: str, body: bytes = b"", headers: dict[str, str] = UPGRADE
) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = api.url.removeprefix("tcp://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = [f"POST {path} HTTP/1.1", "Host: docker", f"Content-Length: {len(body)}", *map(": ".join, headers.items())]
    writer.write("\r\n".join([*head, "", ""]).encode() + body)
    return await reader.readuntil(b"\r\n\r\n"), reader, writer


async def make_exec(api: Any, *argv: str, **options: Any) -> str:
    body = {"Cmd": argv, "AttachStdout": True, "AttachStderr": True, **options}
    status, answer = await api.call("POST", "/v1.41/containers/box/exec", json=body)
    assert status == 201, answer
    return str(answer["Id"])


async def test_an_exec_echoes_until_its_input_ends(api: Any, box: str) -> None:
    id_ = await make_exec(api, "cat", AttachStdin=True, Tty=True)
    async with asyncio.timeout(5):
        head, reader, writer = await hijack(api, f"/v1.41/exec/{id_}/start", b'{"Tty": true}')
        assert head.startswith(b"HTTP/1.1 101 UPGRADED\r\n")
        writer.write(b"hello\n")
        assert b"hello" in await reader.readuntil(b"\n")
        status, answer = await api.call("GET", f"/v1.41/exec/{id_}/json")
        assert (status, answer["Running"], answer["ContainerID"]) == (200, True, box)
        assert (await api.call("POST", f"/v1.41/exec/{id_}/resize?h=10&w=20"))[0] == 200
        writer.write(b"\x04")
        writer.write_eof()
        await reader.read()
        writer.close()
    assert (await api.call("GET", f"/exec/{id_}/json"))[1]["ExitCode"] == 0


async def test_an_exec_for_clients_that_ask_for_no_upgrade(api: Any, box: str) -> None:
    id_ = await make_exec(api, "echo", "hi")
    async with asyncio.timeout(5):
        head, reader, writer = await hijack(
            api, f"/v1.41/exec/{id_}/start", b"{}", {"Content-Type": "application/json"}
        )
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"chunked" not in head
        assert await reader.read() == b"\x01\0\0\0\0\0\0\x03hi\n"
        writer.close()


async def test_a_detached_exec(api: Any, box: str) -> None:
    id_ = await make_exec(api, "true")
    assert (await api.call("POST", f"/v1.41/exec/{id_}/start", json={"Detach": True}))[0] == 200
    assert (await api.call("POST", f"/v1.41/exec/{id_}/start", data=b"["))[0] == 400


async def test_an_exec_of_somebody_else_is_found(api: Any, box: str) -> None:
    id_ = await make_exec(api, "true")
    api.plugin.execs = KnownExecs()
    assert (await api.call("GET", f"/exec/{id_}/json"))[0] == 200
    assert api.plugin.execs.get(id_) == "n2"


@pytest.mark.parametrize("call", [("GET", "json"), ("POST", "start"), ("POST", "resize?h=1&w=1")])
async def test_an_unknown_exec(api: Any, call: tuple[str, str]) -> None:
    status, answer = await api.call(call[0], f"/v1.41/exec/feed/{call[1]}")
    assert (status, answer) == (404, {"message": "No such exec instance: feed"})


async def test_errors_of_execs_are_the_engines(api: Any, box: str) -> None:
    assert (await api.call("POST", "/containers/box/exec", json={"Cmd": []}))[0] == 400
    api.engines["n2"].pause("box")
    assert (await api.call("POST", "/containers/box/exec", json={"Cmd": ["true"]}))[0] == 409
    assert (await api.call("POST", "/containers/nope/exec", json={"Cmd": ["true"]}))[0] == 404


def test_the_oldest_execs_are_forgotten() -> None:
    execs = KnownExecs()
    for number in range(10_000):
        execs.put(str(number), "n1")
    assert execs.get("0") == "n1"
    execs.put("new", "n1")
    assert (execs.get("0"), execs.get("1"), execs.get("new"), len(execs)) == ("n1", None, "n1", 10_000)


async def test_attached_from_before_the_start_to_the_end(api: Any) -> None:
    body = {"Image": "busybox", "Cmd": ["cat"], "OpenStdin": True, "StdinOnce": True, "AttachStdin": True}
    _, created = await api.call("POST", "/containers/create?name=cat", json=body)
    async with asyncio.timeout(5):
        query = "stream=1&stdin=1&stdout=1&stderr=1"
        head, reader, writer = await hijack(api, f"/v1.41/containers/cat/attach?{query}")
        assert b" 101 " in head
        waiting = await api.session.post(f"/v1.41/containers/{created['Id']}/wait?condition=next-exit")
        assert waiting.status == 200
        assert (await api.call("POST", "/containers/cat/start"))[0] == 204
        writer.write(b"hi\n")
        writer.write_eof()
        assert await reader.read() == b"\x01\0\0\0\0\0\0\x03hi\n"
        assert json.loads(await waiting.read())["StatusCode"] == 0
        writer.close()


async def test_attaching_to_what_is_not_there(api: Any, box: str) -> None:
    for name, status in (("nope", b"404"), ("box", b"409")):
        if name == "box":
            api.engines["n2"].pause("box")
        head, _, writer = await hijack(api, f"/v1.41/containers/{name}/attach?stream=1&stdout=1")
        assert head.split()[1] == status
        writer.close()


async def test_logs_follow_and_end_with_the_container(api: Any, box: str) -> None:
    engine = api.engines["n2"]
    engine.write("box", "one\n")
    async with asyncio.timeout(5), api.session.get("/v1.41/containers/box/logs?stdout=1&follow=1") as response:
        assert (await response.content.readline()).endswith(b"one\n")
        engine.write("box", "two\n")
        assert (await response.content.readline()).endswith(b"two\n")
        engine.kill("box")
        assert await response.content.read() == b""
    assert (await api.call("GET", "/containers/box/logs"))[0] == 400


async def test_readers_that_leave_are_not_kept(api: Any, box: str) -> None:
    before = len(asyncio.all_tasks())
    async with api.session.get("/v1.41/containers/box/logs?stdout=1&follow=1") as response:
        assert response.status == 200
    _, _, writer = await hijack(api, "/v1.41/containers/box/attach?stream=1&stdout=1")
    # a plain end would be one half's, and the other still be served
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()
    async with asyncio.timeout(2):
        # the embedded engine goes on with its half of what was attached, in a connection's task and a handler's
        while len(asyncio.all_tasks()) > before + 2:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("path", ["box", "n2/box", "n2%2Fbox", "BOXID"])
async def test_what_only_newer_engines_know_of_a_container_goes_to_its_engine(api: Any, box: str, path: str) -> None:
    seen: list[str] = []

    def note(method: str, path: str) -> bool:
        seen.append(f"{method} {path}")
        return False

    with api.engines["n2"].faults.delay(0, note):
        for method in ("GET", "POST", "DELETE"):
            await api.call(method, f"/v1.41/containers/{path.replace('BOXID', box[:12])}/checkpoints/a")
    assert {line.partition(" ")[0] for line in seen if line.endswith(f"/containers/{box}/checkpoints/a")} == {
        "GET",
        "POST",
        "DELETE",
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/nope", 404, "page not found"),
        ("POST", "/v1.41/nope/there", 404, "page not found"),
        ("GET", "/containers", 404, "page not found"),
        ("GET", "/containers/nope", 404, "page not found"),
        ("GET", "/containers/nope/new-thing", 404, "No such container: nope"),
        ("GET", "/v1.41/swarm", 501, "not supported"),
        ("GET", "/services", 501, "not supported"),
        ("GET", "/v1.41/nodes/x", 501, "not supported"),
        ("POST", "/secrets/create", 501, "not supported"),
        ("GET", "/plugins/x/json", 501, "not supported"),
    ],
)
async def test_what_is_not_served(api: Any, method: str, path: str, status: int, message: str) -> None:
    found, answer = await api.call(method, path)
    assert found == status
    assert message in answer["message"]


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, False),
        ({"Host": "localhost:2375"}, False),
        ({"Host": "[::1]:2375"}, False),
        ({"Host": "10.0.0.1"}, False),
        ({"Host": "docker"}, False),
        ({"Host": "manager:2375"}, False),
        ({"Host": "MANAGER"}, False),
        ({"Host": "evil.example:2375"}, True),
        ({"Host": "10.0.0.1.evil.example"}, True),
        ({"Host": "localhost:80@evil.example"}, True),
        ({"Host": "[::1"}, True),
        ({"Origin": "http://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Sec-Fetch-Site": "none"}, False),
    ],
)
async def test_web_pages_are_kept_out(serving: Callable[..., Any], headers: dict[str, str], refused: bool) -> None:
    async with serving("n1", settings={"hosts": ("manager",)}) as api:
        status, answer = await api.call(
            "POST", "/containers/create?name=cc", json={"Image": "busybox"}, headers=headers
        )
        assert status == (403 if refused else 201)
        assert bool(api.engines["n1"].state.containers) is not refused
        if refused:
            assert set(headers.values()) & {part.strip("'") for part in answer["message"].replace(",", " ").split()}


async def test_any_host_name_over_a_unix_socket(serving: Callable[..., Any], tmp_path: Any) -> None:
    path = tmp_path / "docker.sock"
    async with serving("n1", settings={"listen": (f"unix://{path}",), "socket_mode": "660"}):
        assert path.stat().st_mode & 0o777 == 0o660
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
            async with session.get("http://anything/containers/json") as response:
                assert response.status == 200
            headers = {"Origin": "http://evil.example"}
            async with session.get("http://anything/containers/json", headers=headers) as response:
                assert response.status == 403
