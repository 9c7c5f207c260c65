"""The stock docker command on a cluster of real engines: info, images, networks, volumes, commit, build, events."""

from __future__ import annotations

import asyncio
import io
import json
import re
import tarfile
import time
from typing import Any

NODES = ["backend1", "backend2", "frontend", "swarm-master"]


async def test_info_and_version(endpoint_of_four: Any) -> None:
    await endpoint_of_four.docker(
        "run", "-d", "-m", "256m", "-e", "constraint:model==high-memory", "busybox", "sleep", "100"
    )
    text = await endpoint_of_four.docker("info")
    assert "WARNING" not in text
    assert "ERROR" not in text
    lines = text.splitlines()
    start = lines.index(" Role: primary")
    assert lines[start : start + 4] == [
        " Role: primary",
        " Strategy: spread",
        " Filters: health, port, slots, dependency, affinity, constraint, whitelist",
        " Nodes: 4",
    ]
    host = endpoint_of_four.lab["backend1"]
    node = lines[start + 4 : start + 13]
    assert node[0] == f"  backend1: {host.address}:2375"
    assert [row.partition(":")[0].strip("└ ") for row in node[1:]] == [
        *("ID", "Status", "Containers", "Reserved CPUs", "Reserved Memory", "Labels", "UpdatedAt", "ServerVersion")
    ]
    assert node[2:4] == ["   └ Status: Healthy", "   └ Containers: 1 (1 Running, 0 Paused, 0 Stopped)"]
    assert node[5].startswith("   └ Reserved Memory: 256 MiB / ")
    assert "model=high-memory" in node[6]
    assert [line.partition(":")[0].strip() for line in lines if re.match(r"  [a-z].*:2375$", line)] == NODES
    version = await endpoint_of_four.docker("version")
    assert re.search(r" skep:\n  Version: +\d", version)
    assert "backend1, backend2, frontend, swarm-master" in version


async def test_images_are_listed_tagged_and_removed(endpoint_of_four: Any) -> None:
    listed = await endpoint_of_four.docker("images", "--format", "{{.Repository}}:{{.Tag}}")
    assert "busybox:latest" in listed.splitlines()
    await endpoint_of_four.docker("tag", "busybox", "box:1")
    for host in endpoint_of_four.lab.hosts.values():
        assert await host.docker("images", "-q", "box:1")
    assert "Untagged: box:1" in await endpoint_of_four.docker("rmi", "box:1")
    for host in endpoint_of_four.lab.hosts.values():
        assert not await host.docker("images", "-q", "box:1")
    inspected = json.loads(await endpoint_of_four.docker("image", "inspect", "busybox"))
    assert inspected[0]["RepoTags"] == ["busybox:latest"]
    text = await endpoint_of_four.docker("rmi", "none-such", fails=True)
    assert "No such image: none-such" in text


async def test_a_pull_without_a_registry_fails_with_each_nodes_reason(endpoint_of_four: Any) -> None:
    text = await endpoint_of_four.docker("pull", "localhost:1/none:1", fails=True)
    for node in NODES:
        assert f"{node}: Pulling localhost:1/none:1..." in text
        assert re.search(rf"^(Error response from daemon: )?{node}: .*(refused|lookup|dial)", text, re.M), text


async def test_save_and_load_to_all(endpoint_of_four: Any, tmp_path: Any) -> None:
    host = endpoint_of_four.lab["frontend"]
    await host.docker("tag", "busybox", "travels:1")
    await endpoint_of_four.agent.cluster.member("frontend").refresh_images()
    file = tmp_path / "image.tar"
    await endpoint_of_four.docker("save", "-o", str(file), "travels:1")
    assert "Loaded image: travels:1" in await endpoint_of_four.docker("load", "-i", str(file))
    for each in endpoint_of_four.lab.hosts.values():
        assert await each.docker("images", "-q", "travels:1")
    listed = await endpoint_of_four.docker("images", "--format", "{{.Repository}}:{{.Tag}}")
    assert listed.splitlines().count("travels:1") == 1
    await endpoint_of_four.docker("rmi", "travels:1")


async def test_commit_and_build_and_run(endpoint_of_four: Any, tmp_path: Any) -> None:
    await endpoint_of_four.docker("run", "--name", "made", "busybox", "sh", "-c", "echo from-commit > /note")
    await endpoint_of_four.docker("commit", "made", "noted")
    assert await endpoint_of_four.docker("run", "--rm", "noted", "cat", "/note") == "from-commit"
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo from-build > /note\nCMD cat /note\n")
    text = await endpoint_of_four.docker(
        "build", "-t", "built", "--build-arg", "constraint:model==large-disk", str(tmp_path)
    )
    assert "Successfully tagged built:latest" in text
    assert await endpoint_of_four.lab["backend2"].docker("images", "-q", "built")
    assert not await endpoint_of_four.lab["backend1"].docker("images", "-q", "built")
    assert await endpoint_of_four.docker("run", "--rm", "built") == "from-build"
    await endpoint_of_four.docker("rm", "made")
    await endpoint_of_four.docker("rmi", "noted", "built")


async def test_networks(endpoint_of_four: Any) -> None:
    await endpoint_of_four.docker("network", "create", "backend1/back")
    listed = await endpoint_of_four.docker("network", "ls", "--format", "{{.Name}}")
    assert {"backend1/back", "frontend/bridge", "swarm-master/none"} <= set(listed.splitlines())
    await endpoint_of_four.docker(
        "run", "-d", "--name", "web", "-e", "constraint:node==backend1", "busybox", "sleep", "100"
    )
    await endpoint_of_four.docker("network", "connect", "backend1/back", "web")
    inspected = json.loads(await endpoint_of_four.docker("network", "inspect", "backend1/back"))
    assert [each["Name"] for each in inspected[0]["Containers"].values()] == ["web"]
    await endpoint_of_four.docker("network", "disconnect", "back", "web")
    await endpoint_of_four.docker("network", "rm", "back")
    assert "names more than one" in await endpoint_of_four.docker("network", "inspect", "bridge", fails=True)


async def test_volumes(endpoint_of_four: Any) -> None:
    assert await endpoint_of_four.docker("volume", "create", "backend2/data") == "data"
    listed = await endpoint_of_four.docker("volume", "ls", "--format", "{{.Name}}")
    assert "backend2/data" in listed.splitlines()
    assert json.loads(await endpoint_of_four.docker("volume", "inspect", "data"))[0]["Driver"] == "local"
    await endpoint_of_four.docker("volume", "rm", "backend2/data")
    assert "backend2/data" not in await endpoint_of_four.docker("volume", "ls", "--format", "{{.Name}}")
    assert await endpoint_of_four.docker("system", "df")


async def test_events_of_the_past(endpoint_of_four: Any) -> None:
    await endpoint_of_four.docker("run", "--rm", "--name", "brief", "busybox", "true")
    until = f"{time.time():.6f}"
    text = await endpoint_of_four.docker("events", "--since", "1m", "--until", until, "--filter", "container=brief")
    assert re.search(r"container create [0-9a-f]{64} \(.*node\.name=[a-z0-9-]+", text)
    assert "container destroy" in text
    every = await endpoint_of_four.docker("events", "--since", "1m", "--until", until, "--format", "{{json .}}")
    found = [json.loads(line) for line in every.splitlines()]
    assert {event["Type"] for event in found} >= {"container", "network"}
    assert [event["timeNano"] for event in found] == sorted(event["timeNano"] for event in found)


async def test_import_to_all(endpoint_of_four: Any) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("empty"))
    text = await endpoint_of_four.docker("import", "-", "imported:1", stdin=buffer.getvalue())
    assert all(f"{node}: sha256:" in text for node in NODES)
    await endpoint_of_four.docker("rmi", "imported:1")
    text = await endpoint_of_four.docker("load", stdin=b"not a tar", fails=True)
    assert all(node in text for node in NODES)


async def test_a_frozen_engine_is_shown_as_what_it_is(endpoint_of_four: Any) -> None:
    await endpoint_of_four.docker("volume", "create", "backend2/data")
    await endpoint_of_four.lab["backend2"].freeze()
    state = endpoint_of_four.agent.cluster.state
    async with asyncio.timeout(15):
        while state.get_node("backend2").node.is_healthy:
            await asyncio.sleep(0.05)
    text = await endpoint_of_four.docker("info")
    assert "WARNING: node backend2 is unhealthy: " in text
    assert "   └ Status: Unhealthy" in text
    assert "   └ Error: " in text
    assert "backend2/data" in await endpoint_of_four.docker("volume", "ls", "--format", "{{.Name}}")
    refused = await endpoint_of_four.docker("volume", "rm", "backend2/data", fails=True)
    assert "volume backend2/data is on node backend2, which is unhealthy now" in refused
    await endpoint_of_four.docker("tag", "busybox", "box:2")
    await endpoint_of_four.docker("rmi", "box:2")
    gone = await endpoint_of_four.docker(
        "events", "--since", "1m", "--until", f"{time.time():.6f}", "--filter", "type=swarm"
    )
    assert "swarm engine_disconnect" in gone
    assert "node.name=backend2" in gone
