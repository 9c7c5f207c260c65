"""Where images go: those that are built to one node or all, those that are pulled to the nodes that are wanted."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from skep_constraint import ConstraintPlugin

Serving = Callable[..., AbstractAsyncContextManager[Any]]
EVERYWHERE = {"build_images": "all"}


def context() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(text := b"FROM busybox\n")
        tar.addfile(entry, io.BytesIO(text))
    return buffer.getvalue()


async def stream(api: Any, path: str, **options: Any) -> list[dict[str, Any]]:
    async with api.session.post(path, **options) as response:
        assert response.status == 200, await response.text()
        return [json.loads(line) for line in (await response.text()).splitlines()]


def holders(api: Any, tag: str) -> list[str]:
    """The engines that have an image; the cluster's state must agree."""
    found = [name for name, engine in api.engines.items() if any(tag in i.tags for i in engine.state.images.values())]
    assert [n.name for n in api.agent.cluster.state.nodes if any(tag in i.tags for i in n.images)] == found
    return found


@pytest.mark.parametrize(("settings", "nodes"), [({}, ["n1"]), (EVERYWHERE, ["n1", "n2", "n3"])])
async def test_a_built_image_is_where_it_should_be(
    serving: Serving, settings: dict[str, Any], nodes: list[str]
) -> None:
    async with serving("n1", "n2", "n3", settings=settings) as api:
        told = await stream(api, "/v1.41/build", params={"t": "app:1"}, data=context())
        assert holders(api, "app:1") == nodes
        assert (told[-1] == {"stream": "Loaded app:1 on n2, n3\n"}) is (len(nodes) > 1)


async def test_a_node_that_does_not_take_it_is_told_and_breaks_no_other(serving: Serving) -> None:
    async with serving("n1", "n2", "n3", settings=EVERYWHERE) as api:
        with api.engines["n2"].faults.status(500, "disk on fire", "/images/load"):
            told = await stream(api, "/build", params={"t": "app"}, data=context())
        assert [line["stream"] for line in told[-2:]] == [
            "Loaded app:latest on n3\n",
            "Not loaded on n2: disk on fire\n",
        ]
        assert holders(api, "app:latest") == ["n1", "n3"]
        with api.engines["n1"].faults.status(500, "no", "/images/get"):
            told = await stream(api, "/build", params={"t": "other"}, data=context())
        assert [line["stream"] for line in told[-2:]] == ["Not loaded on n2: no\n", "Not loaded on n3: no\n"]


async def test_a_commit_is_spread_and_a_build_without_a_name_is_not(serving: Serving) -> None:
    async with serving("n1", "n2", settings=EVERYWHERE) as api:
        box = api.engines["n2"].run("box")
        await api.agent.cluster.refresh_container("n2", box)
        status, made = await api.call("POST", "/commit?container=box&repo=kept&tag=1")
        assert (status, list(made)) == (201, ["Id"])
        assert holders(api, "kept:1") == ["n1", "n2"]
        told = await stream(api, "/build", data=context())
        assert not any("Loaded" in line.get("stream", "") for line in told)


@pytest.mark.parametrize(
    ("settings", "query", "headers", "nodes"),
    [
        ({}, "", {}, ["n1", "n2", "n3"]),
        ({}, "&constraint=node==n2", {}, ["n2"]),
        ({}, "&constraint=node!%3Dn1&constraint=node!%3Dn3", {}, ["n2"]),
        ({}, "", {"X-Skep-Constraint": "node!=n1"}, ["n2", "n3"]),
        ({"pull_constraints": ("node==n3",)}, "", {}, ["n3"]),
        ({"pull_constraints": ("node==n3",)}, "&constraint=node==n1", {}, ["n1"]),
    ],
)
async def test_pulls_go_to_the_nodes_that_are_wanted(
    serving: Serving, settings: dict[str, Any], query: str, headers: dict[str, str], nodes: list[str]
) -> None:
    async with serving("n1", "n2", "n3", settings=settings, plugins=[ConstraintPlugin()]) as api:
        await stream(api, f"/v1.41/images/create?fromImage=app&tag=1{query}", headers=headers)
        assert holders(api, "app:1") == nodes


async def test_constraints_that_cannot_be_kept_are_refused(serving: Serving) -> None:
    path = "/images/create?fromImage=app&constraint="
    async with serving("n1", "n2", plugins=[ConstraintPlugin()]) as api:
        assert (await api.call("POST", f"{path}node==n9"))[0] >= 400
        assert (await api.call("POST", f"{path}node"))[0] == 400
    async with serving("n1", "n2") as api:
        status, body = await api.call("POST", f"{path}node==n1")
        assert (status, "no plugin reads constraints" in body["message"]) == (400, True)
