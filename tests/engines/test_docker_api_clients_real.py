"""Other clients than the docker command on real engines: a websocket, one that leaves, and an endpoint over one engine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import docker

from contrib.lab import Host
from skep import Agent, parse_settings
from tests.engines.clients import aside


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
