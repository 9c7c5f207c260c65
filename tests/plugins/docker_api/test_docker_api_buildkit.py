"""BuildKit over several nodes: all connections of one build reach the node that its request chose."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from skep import ConflictError, NodeStatus, RequestError
from skep_constraint import ConstraintPlugin
from skep_docker_api import build_places
from skep_docker_api.build_places import BuildPlaces

Serving = Callable[..., AbstractAsyncContextManager[Any]]
Conversation = tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def cluster(serving: Serving) -> AsyncIterator[Any]:
    async with serving("n1", "n2", "n3", plugins=[ConstraintPlugin()]) as api:
        yield api


@asynccontextmanager
async def speaking(api: Any, path: str, session: str = "") -> AsyncIterator[Conversation]:
    """A connection as docker and buildx open it, once its head has come."""
    host, port = api.url.removeprefix("tcp://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = [f"POST {path} HTTP/1.1", "Host: docker", "Connection: Upgrade", "Upgrade: h2c", "Content-Length: 0"]
    if session:
        head += [f"X-Docker-Expose-Session-Uuid: {session}", "X-Docker-Expose-Session-Name: app"]
    writer.write("\r\n".join([*head, "", ""]).encode())
    try:
        async with asyncio.timeout(10):
            yield await reader.readuntil(b"\r\n\r\n"), reader, writer
    finally:
        writer.close()


def build(id_: str, node: str, **query: str) -> dict[str, str]:
    arguments = json.dumps({"constraint:node": f"={node}"})
    return {"version": "2", "buildid": id_, "t": "app:1", "buildargs": arguments, **query}


def context(text: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


async def run_build(api: Any, params: dict[str, str]) -> str:
    async with api.session.post("/v1.41/build", params=params) as response:
        assert response.status == 200
        return str(await response.text())


def meetings(api: Any) -> dict[str, list[str]]:
    """What each engine was told of builds."""
    return {name: sorted(engine.state.meetings) for name, engine in api.engines.items() if engine.state.meetings}


async def test_a_session_goes_where_its_build_is(cluster: Any) -> None:
    async def open_session() -> bytes:
        async with speaking(cluster, "/v1.41/session", "s1") as (head, reader, writer):
            writer.write(b"PRI * HTTP/2.0")
            return head + await reader.readexactly(14)

    opened = asyncio.create_task(open_session())  # before anybody has said where
    params = build("b1", "n3", session="s1", remote="client-session")
    assert "Successfully tagged app:1" in await run_build(cluster, params)
    said = await opened
    assert said.startswith(b"HTTP/1.1 101 ")
    assert b"Upgrade: h2c" in said
    assert said.endswith(b"\r\n\r\nPRI * HTTP/2.0")
    assert meetings(cluster) == {"n3": ["build b1", "session s1"]}


async def test_a_context_that_comes_by_itself_goes_there_too(cluster: Any) -> None:
    upload = asyncio.create_task(
        cluster.call(
            "POST", "/build", params={"version": "2", "buildid": "upload-request:b2"}, data=context("FROM busybox")
        )
    )
    assert "FROM busybox" in await run_build(cluster, build("b2", "n2", remote="upload-request"))
    assert (await upload)[0] == 200
    assert meetings(cluster) == {"n2": ["build b2", "context b2"]}
    assert (await cluster.call("POST", "/v1.41/build/cancel?id=b2"))[0] == 200


async def test_buildx_stays_on_one_node_and_its_sessions_with_it(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_places, "_BESIDE", 0.01)
    async with speaking(cluster, "/v1.41/grpc") as (head, reader, writer):
        assert head.startswith(b"HTTP/1.1 101 ")
        cluster.engines["n1"].run("busy")  # else n1 would be as good as before
        writer.write(b"Solve")
        assert await reader.readexactly(5) == b"Solve"
        async with speaking(cluster, "/grpc") as (again, _, _):
            assert again.startswith(b"HTTP/1.1 101 ")
        async with speaking(cluster, "/session", "x1") as (opened, _, _):
            assert opened.startswith(b"HTTP/1.1 101 ")
    assert meetings(cluster) == {"n1": ["session x1"]}


async def test_a_build_by_docker_wins_its_session_from_buildx(cluster: Any) -> None:
    async with speaking(cluster, "/grpc"), asyncio.TaskGroup() as group:
        params = build("b3", "n2", session="s3", remote="client-session")
        group.create_task(run_build(cluster, params))
        async with speaking(cluster, "/session", "s3") as (head, _, _):
            assert head.startswith(b"HTTP/1.1 101 ")
    assert meetings(cluster) == {"n2": ["build b3", "session s3"]}


async def test_buildx_goes_elsewhere_when_its_node_is_gone(cluster: Any) -> None:
    async with speaking(cluster, "/grpc"):
        assert cluster.plugin.build_places.of_client("127.0.0.1", lambda _: True, lambda: "none") == "n1"
    state = cluster.agent.cluster.state
    state.put_node(replace(state.get_node("n1").node, status=NodeStatus.UNHEALTHY, error="gone"))
    async with speaking(cluster, "/grpc") as (head, _, _):
        assert head.startswith(b"HTTP/1.1 101 ")
    assert cluster.plugin.build_places.of_client("127.0.0.1", lambda _: True, lambda: "none") == "n2"


async def test_one_node_needs_no_waiting(serving: Serving) -> None:
    async with serving("n1") as api:
        async with speaking(api, "/session", "s1") as (head, _, _):
            assert head.startswith(b"HTTP/1.1 101 ")
        assert meetings(api) == {"n1": ["session s1"]}


async def test_what_belongs_to_no_build_is_told_so(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_places, "_TO_START", 0.01)
    late = {"message": "timeout waiting for build to start"}
    headers = {"X-Docker-Expose-Session-Uuid": "s9"}
    assert await cluster.call("POST", "/session", headers=headers) == (400, late)
    assert await cluster.call("POST", "/build/cancel?id=b9") == (400, late)
    assert await cluster.call("POST", "/build?version=2&buildid=upload-request:b9") == (400, late)
    status, body = await cluster.call("POST", "/session")
    assert (status, "X-Docker-Expose-Session-Uuid" in body["message"]) == (400, True)
    status, body = await cluster.call("POST", "/build/cancel")
    assert (status, body["message"].startswith("build ID not provided")) == (400, True)


async def test_a_build_starts_once() -> None:
    places = BuildPlaces()
    places.put("n1", "b", "s")
    with pytest.raises(ConflictError, match="build already started"):
        places.put("n2", "b", "s")
    places.put("n2", "", "s")  # a session's second build goes on where the session is
    assert (await places.of_build("b"), await places.of_session("s", "me")) == ("n1", "n1")


async def test_only_the_latest_places_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_places, "_MOST", 2)
    monkeypatch.setattr(build_places, "_TO_START", 0.01)
    places = BuildPlaces()
    for id_ in "abc":
        places.put("n1", id_, "")
        places.of_client(id_, lambda _: True, lambda: "n1")
    assert await places.of_build("c") == "n1"
    with pytest.raises(RequestError, match="timeout waiting"):
        await places.of_build("a")
    assert places.of_client("a", lambda _: True, lambda: "n2") == "n2"
