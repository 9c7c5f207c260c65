"""Images of all nodes: listed once, pulled and loaded everywhere, changed where they are, built where they should."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from skep import EngineTimeoutError, Image, NodeStatus
from skep_affinity import AffinityPlugin
from skep_constraint import ConstraintPlugin
from skep_docker_api.fanout import Branch, fan_out
from skep_docker_api.image_names import normal_name, reference_test

Serving = Callable[..., AbstractAsyncContextManager[Any]]


def tags(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(tag for row in rows for tag in row["RepoTags"])


async def lines(api: Any, method: str, path: str, **options: Any) -> list[dict[str, Any]]:
    async with asyncio.timeout(10), api.session.request(method, path, **options) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "application/json"
        return [json.loads(line) for line in (await response.text()).splitlines()]


def put_images(api: Any, node: str, *images: Image) -> None:
    api.agent.cluster.state.put_images(node, images)


def make_unhealthy(api: Any, node: str) -> None:
    state = api.agent.cluster.state
    state.put_node(replace(state.get_node(node).node, status=NodeStatus.UNHEALTHY, error="it is gone"))


ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


async def test_an_image_is_listed_once_with_all_its_names(api: Any) -> None:
    put_images(api, "n1", Image(ONE, ("app:1",), ("app@sha256:ab",), 100, 7, {"a": "b"}), Image(TWO, created=200))
    put_images(api, "n2", Image(ONE, ("app:1", "app:latest"), (), 100, 7, {"a": "b"}))
    _, rows = await api.call("GET", "/v1.44/images/json")
    assert [row["Id"] for row in rows] == [TWO, ONE]  # newest first
    assert rows[0]["RepoTags"] == []
    assert rows[1] == {
        "Id": ONE,
        "ParentId": "",
        "RepoTags": ["app:1", "app:latest"],
        "RepoDigests": ["app@sha256:ab"],
        "Created": 100,
        "Size": 7,
        "SharedSize": -1,
        "Labels": {"a": "b"},
        "Containers": 0,
    }
    _, rows = await api.call("GET", "/v1.41/images/json")
    assert rows[0]["RepoTags"] == ["<none>:<none>"]
    assert rows[0]["VirtualSize"] == 0


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({"reference": ["app"]}, [ONE]),
        ({"reference": ["app:1"]}, [ONE]),
        ({"reference": ["ap*:?"]}, [ONE]),
        ({"reference": ["docker.io/library/app"]}, [ONE]),
        ({"reference": ["other"]}, []),
        ({"dangling": ["true"]}, [TWO]),
        ({"dangling": {"false": True}}, [ONE]),
        ({"label": ["a=b"]}, [ONE]),
        ({"label": ["a=c"]}, []),
        ({"label!": ["a"]}, [TWO]),
        ({"before": [TWO[7:19]]}, [ONE]),
        ({"since": ["app:1"]}, [TWO]),
        ({"node": ["n2"]}, [ONE]),
        ({"until": ["150"]}, [ONE]),
    ],
)
async def test_filters_of_the_list(api: Any, wanted: dict[str, Any], ids: list[str]) -> None:
    put_images(api, "n1", Image(ONE, ("app:1",), (), 100, 7, {"a": "b"}), Image(TWO, created=200))
    put_images(api, "n2", Image(ONE, ("app:1",), (), 100, 7, {"a": "b"}))
    status, rows = await api.call("GET", "/images/json", params={"filters": json.dumps(wanted)})
    assert (status, [row["Id"] for row in rows]) == (200, ids)


@pytest.mark.parametrize(
    ("wanted", "status", "text"),
    [
        ({"dangling": ["maybe"]}, 400, "expected true or false"),
        ({"before": ["nothing"]}, 404, "invalid filter 'before': No such image: nothing:latest"),
        ({"colour": ["red"]}, 400, "invalid filter 'colour'"),
        ({"until": ["soon"]}, 400, "expected seconds"),
    ],
)
async def test_wrong_filters_are_refused(api: Any, wanted: dict[str, Any], status: int, text: str) -> None:
    found, body = await api.call("GET", "/images/json", params={"filters": json.dumps(wanted)})
    assert found == status
    assert text in body["message"]


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("busybox", "busybox:latest"),
        ("docker.io/library/busybox", "busybox:latest"),
        ("docker.io/a/b:1", "a/b:1"),
        ("host:5000/app", "host:5000/app:latest"),
        ("app@sha256:ab", "app@sha256:ab"),
    ],
)
def test_names_are_read_as_engines_do(reference: str, name: str) -> None:
    assert normal_name(reference) == name


def test_a_patterns_star_stays_within_a_part_of_the_path() -> None:
    assert reference_test(["*/b"])(["a/b:1"])
    assert not reference_test(["*"])(["a/b:1"])
    assert not reference_test(["*" * 5000 + "y"])(["x" * 5000])
    assert not reference_test(["*a" * 30 + "b"])(["a" * 120])  # re would not come back
    assert reference_test(["a+*", "c"])(["a+b:1"])


@pytest.mark.parametrize("name", ["redis", "redis:latest", "docker.io/library/redis"])
async def test_inspect_and_history_come_from_a_node_that_has_it(api: Any, name: str) -> None:
    await api.agent.cluster.engine("n1").call("DELETE", "/images/redis")
    await api.agent.cluster.member("n1").refresh_images()
    status, told = await api.call("GET", f"/images/{name}/json")
    assert (status, told["RepoTags"]) == (200, ["redis:latest"])
    assert (await api.call("GET", f"/images/{told['Id'][7:19]}/json"))[1]["Id"] == told["Id"]
    status, layers = await api.call("GET", f"/v1.41/images/{name}/history")
    assert (status, layers[0]["Id"]) == (200, told["Id"])
    async with api.session.get(f"/images/{name}/get") as response:
        assert response.content_type == "application/x-tar"


async def test_an_image_that_nobody_has(api: Any) -> None:
    for method, path in (("GET", "json"), ("GET", "history"), ("POST", "tag?repo=x"), ("POST", "push")):
        status, body = await api.call(method, f"/images/nothing:1/{path}")
        assert (status, body["message"]) == (404, "No such image: nothing:1")
    assert (await api.call("DELETE", "/images/nothing"))[0] == 404
    status, body = await api.call("GET", "/images/get?names=busybox&names=nothing")
    text = "Unable to find a healthy engine containing all images: [busybox nothing]"
    assert (status, body["message"]) == (404, text)


async def test_an_ambiguous_id_is_told(api: Any) -> None:
    put_images(api, "n1", Image(ONE), Image(f"sha256:{'1' * 63}2"))
    status, body = await api.call("GET", "/images/1111/json")
    assert status == 400
    assert "ambiguous" in body["message"]
    assert (await api.call("GET", "/images/11/json"))[0] == 404  # too short for an id


async def test_pull_goes_to_all_nodes(api: Any) -> None:
    found = await lines(api, "POST", "/images/create?fromImage=alpine&tag=3")
    assert {(line["id"], line["status"]) for line in found[:2]} == {
        ("n1", "Pulling alpine:3..."),
        ("n2", "Pulling alpine:3..."),
    }
    layers = [line for line in found if "progressDetail" in line]
    assert {line["id"].partition(": ")[0] for line in layers} == {"n1", "n2"}
    assert all(len(line["id"].partition(": ")[2]) == 12 for line in layers)
    done = "Pulling alpine:3... : Status: Downloaded newer image for alpine:3"
    assert {line["id"] for line in found if line["status"] == done} == {"n1", "n2"}
    assert not any("error" in line for line in found)
    for node in ("n1", "n2"):
        assert "alpine:3" in {tag for image in api.agent.cluster.state.get_node(node).images for tag in image.tags}


async def test_a_pull_that_fails_on_one_node_says_where(api: Any) -> None:
    with api.engines["n2"].faults.status(404, "manifest unknown", "/images/create"):
        found = await lines(api, "POST", "/images/create?fromImage=alpine&tag=3")
    message = "n2: manifest unknown"
    assert found[-1] == {"error": message, "errorDetail": {"code": 1, "message": message}}
    assert {"id": "n2", "status": "Pulling alpine:3... : manifest unknown"} in found
    _, rows = await api.call("GET", "/images/json", params={"filters": '{"node": ["n1"]}'})
    assert "alpine:3" in tags(rows)


async def test_an_error_within_a_pull_is_told_too(api: Any) -> None:
    broken = b'{"status":"Pulling"}\r\nnot json\r\n{"errorDetail":{"message":"disk full"},"error":"disk full"}\r\n'
    with api.engines["n1"].faults.change(lambda _: broken, "/images/create"):
        found = await lines(api, "POST", "/images/create?fromImage=alpine&tag=3")
    assert found[-1]["error"] == "n1: disk full"


async def test_a_node_that_falls_silent_ends_its_part_of_a_pull(api: Any) -> None:
    with api.engines["n2"].faults.hang("/images/create") as fault:
        reading = asyncio.create_task(lines(api, "POST", "/images/create?fromImage=alpine&tag=3"))
        async with asyncio.timeout(5):
            while not fault.hits:
                await asyncio.sleep(0.01)
        known = api.agent.cluster.state.get_node("n2").node
        api.agent.pending.give_up(known)
        found = await reading
    assert found[-1]["error"].startswith("n2: Pulling alpine:3...: node n2 stopped answering")


async def test_a_change_is_told_although_its_node_falls_silent_then(api: Any) -> None:
    with api.engines["n1"].faults.status(500, "no list", "/images/json"):
        assert (await api.call("POST", "/images/busybox/tag?repo=box&tag=1"))[0] == 201


async def test_a_client_that_leaves_an_upload_leaves_nothing_behind(api: Any) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield saved("mine:1", padding=900_000)[:300_000]
        raise ConnectionError("gone")

    with pytest.raises(aiohttp.ClientOSError):
        await api.call("POST", "/images/load", data=half())
    async with asyncio.timeout(5):
        while any("/images/load" in task.get_name() for task in asyncio.all_tasks()):
            await asyncio.sleep(0.01)
    assert "mine:1" not in tags((await api.call("GET", "/images/json"))[1])


async def test_a_pull_without_a_name_is_refused(api: Any) -> None:
    status, body = await api.call("POST", "/images/create")
    assert status == 400
    assert "fromImage" in body["message"]


def saved(*names: str, padding: int = 0) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in (("manifest.json", json.dumps([{"RepoTags": names}]).encode()), ("layer", b"x" * padding)):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def manifest_of(data: bytes) -> Any:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        file = tar.extractfile("manifest.json")
        assert file is not None
        return json.load(file)


async def test_load_goes_to_all_nodes(api: Any) -> None:
    found = await lines(api, "POST", "/images/load?quiet=1", data=io.BytesIO(saved("mine:1", padding=3_000_000)))
    assert {line["id"] for line in found if "id" in line} == {"n1", "n2"}
    assert found[-1] == {"stream": "Loaded image: mine:1\n"}
    for node in ("n1", "n2"):
        assert "mine:1" in {tag for image in api.agent.cluster.state.get_node(node).images for tag in image.tags}


@pytest.mark.parametrize("fault", ["refuse", "status"])
async def test_an_engine_that_ends_early_does_not_break_a_load(api: Any, fault: str) -> None:
    faults = api.engines["n1"].faults
    broken = faults.refuse("/images/load") if fault == "refuse" else faults.status(500, "full", "/images/load")
    with broken:
        found = await lines(api, "POST", "/images/load", data=io.BytesIO(saved("mine:1", padding=3_000_000)))
    assert found[-1]["error"].startswith("n1: ")
    assert "mine:1" in {tag for image in api.agent.cluster.state.get_node("n2").images for tag in image.tags}


async def test_import_goes_to_all_nodes(api: Any) -> None:
    found = await lines(api, "POST", "/images/create?fromSrc=-&repo=made&tag=2", data=saved())
    assert {line["id"] for line in found} == {"n1", "n2"}
    assert all(line["status"].startswith("sha256:") for line in found)
    _, rows = await api.call("GET", "/images/json")
    assert tags(rows).count("made:2") == 2  # an engine each made its own


async def collect(branch: Branch, most: int | None = None) -> bytes:
    data = b""
    async for chunk in branch:
        data += chunk
        if most is not None and len(data) >= most:
            break
    branch.close()
    return data


async def chunks(count: int, seen: list[int]) -> AsyncIterator[bytes]:
    for number in range(count):
        seen.append(number)
        yield b"%3d" % number


async def test_an_upload_waits_for_the_slowest() -> None:
    quick, slow, seen = Branch("quick"), Branch("slow"), list[int]()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        read = group.create_task(collect(quick))
        group.create_task(fan_out(chunks(100, seen), [quick, slow]))
        while len(seen) < 5:
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(seen) == 5  # four wait for the slow one, and one in the hand
        assert await collect(slow) == await read
    assert len(seen) == 100


async def test_a_branch_that_closes_or_stalls_leaves_the_others_alone() -> None:
    early, stuck, good = Branch("early"), Branch("stuck"), Branch("good")
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        first = group.create_task(collect(early, most=6))
        whole = group.create_task(collect(good))
        group.create_task(fan_out(chunks(50, []), [early, stuck, good], stall=0.05))
    assert (len(first.result()), len(whole.result())) == (6, 150)
    with pytest.raises(EngineTimeoutError, match="node stuck: took nothing"):
        await collect(stuck)


async def test_a_broken_upload_is_broken_for_all() -> None:
    async def source() -> AsyncIterator[bytes]:
        yield b"part"
        raise ConnectionResetError("the client has gone")

    branch = Branch("n1")
    with pytest.raises(ConnectionResetError):
        await fan_out(source(), [branch])
    with pytest.raises(ConnectionResetError):
        await collect(branch)


async def test_tag_and_remove_on_every_node_that_has_it(api: Any) -> None:
    status, _ = await api.call("POST", "/images/busybox/tag?repo=box&tag=1")
    assert status == 201
    for node in ("n1", "n2"):
        assert "box:1" in {tag for image in api.agent.cluster.state.get_node(node).images for tag in image.tags}
    status, report = await api.call("DELETE", "/images/box:1")
    assert (status, report) == (200, [{"Untagged": "box:1"}])
    _, rows = await api.call("GET", "/images/json")
    assert "box:1" not in tags(rows)
    status, report = await api.call("DELETE", "/images/redis")
    assert [*report[0], *report[1]] == ["Untagged", "Deleted"]
    assert len(report) == 2


async def test_an_image_in_use_is_refused_as_engines_do(api: Any) -> None:
    api.engines["n2"].run("web", "redis")
    status, body = await api.call("DELETE", "/images/redis")
    assert status == 409
    assert body["message"].startswith("n2: conflict: unable to remove repository reference")


async def test_an_image_on_nodes_that_do_not_answer(api: Any) -> None:
    put_images(api, "n1")
    put_images(api, "n2", Image(ONE, ("lonely:1",)))
    make_unhealthy(api, "n2")
    assert tags((await api.call("GET", "/images/json"))[1]) == ["lonely:1"]
    for method, path in (("DELETE", ""), ("GET", "/json"), ("POST", "/tag?repo=x")):
        status, body = await api.call(method, f"/images/lonely:1{path}")
        assert (status, body["message"]) == (
            503,
            "image lonely:1 is only on nodes that do not answer now: n2, unhealthy: it is gone",
        )


async def test_prune_adds_up(api: Any) -> None:
    status, report = await api.call("POST", "/images/prune", params={"filters": '{"dangling": ["false"]}'})
    assert status == 200
    assert len([row for row in report["ImagesDeleted"] if "Deleted" in row]) == 5
    assert (await api.call("GET", "/images/json"))[1] == []


async def test_push_comes_from_one_node(api: Any) -> None:
    found = await lines(api, "POST", "/images/busybox/push?tag=latest")
    assert found[0]["status"] == "The push refers to repository [docker.io/busybox]"
    assert len(found) == 3


async def test_save_takes_a_node_that_has_all(api: Any) -> None:
    await api.agent.cluster.engine("n1").call("DELETE", "/images/redis")
    await api.agent.cluster.member("n1").refresh_images()
    async with api.session.get("/images/get?names=busybox&names=redis") as response:
        assert response.status == 200
        manifest = await asyncio.to_thread(manifest_of, await response.read())
    assert [entry["RepoTags"] for entry in manifest] == [["busybox:latest"], ["redis:latest"]]


async def test_commit_makes_an_image_on_the_containers_node(api: Any) -> None:
    id_ = api.engines["n2"].run("web")
    await api.agent.cluster.refresh_container("n2", id_)
    status, made = await api.call("POST", "/commit?container=n2/web&repo=snap&tag=1", json={})
    assert status == 201
    assert made["Id"] in {image.id for image in api.agent.cluster.state.get_node("n2").images}
    assert (await api.call("GET", "/images/snap:1/json"))[1]["Id"] == made["Id"]
    assert (await api.call("POST", "/commit?container=none"))[0] == 404


def context(dockerfile: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile)
        tar.addfile(entry, io.BytesIO(dockerfile.encode()))
    return buffer.getvalue()


def build(arguments: dict[str, str | None], text: str = "FROM busybox\nARG A\nENV A=$A\n") -> dict[str, Any]:
    return {"params": {"t": "made:1", "buildargs": json.dumps(arguments)}, "data": context(text)}


@pytest.mark.parametrize(
    ("entry", "value", "node"), [("constraint:node", "=n2", "n2"), ("constraint:node!", "n2", "n1")]
)
async def test_build_goes_where_its_arguments_say(serving: Serving, entry: str, value: str, node: str) -> None:
    async with serving("n1", "n2", plugins=[ConstraintPlugin()]) as api:
        found = await lines(api, "POST", "/v1.41/build", **build({entry: value, "A": "x"}))
        assert found[-1] == {"stream": "Successfully tagged made:1\n"}
        made = {
            state.name: image.id
            for state in api.agent.cluster.state.nodes
            for image in state.images
            if "made:1" in image.tags
        }
        assert list(made) == [node]
        assert "A=x" in api.engines[node].state.images[made[node]].config["Env"]
        assert not any(entry in text for text in api.engines[node].state.images[made[node]].config["Env"])


async def test_an_image_is_built_again_where_it_is(serving: Serving) -> None:
    async with serving("n1", "n2", plugins=[AffinityPlugin()]) as api:
        await api.agent.cluster.refresh_container("n1", api.engines["n1"].run("busy"))
        for _ in range(2):
            await lines(api, "POST", "/build", **build({}))
            await api.agent.cluster.refresh_container("n2", api.engines["n2"].run())
            await api.agent.cluster.refresh_container("n2", api.engines["n2"].run())
        holders = [
            state.name
            for state in api.agent.cluster.state.nodes
            if any("made:1" in image.tags for image in state.images)
        ]
        assert holders == ["n2"]


async def test_build_where_no_node_fits(serving: Serving) -> None:
    async with serving("n1", "n2", plugins=[ConstraintPlugin()]) as api:
        status, body = await api.call("POST", "/build", **build({"constraint:node": "=n9"}))
        assert status == 500
        assert "n9" in body["message"]


async def test_a_build_argument_that_is_a_malformed_entry_is_named(serving: Serving) -> None:
    async with serving("n1", plugins=[ConstraintPlugin()]) as api:
        status, body = await api.call("POST", "/build", **build({"A": "x", "constraint:node=n1": None}))
        assert status == 400
        told = "invalid constraint 'node=n1' (build argument), at character 5: expected one of the operators"
        assert body["message"].startswith(told)


@pytest.mark.parametrize(
    ("params", "status", "text"),
    [
        ({"version": "3"}, 400, "invalid version '3': expected 1"),
        ({"buildargs": "["}, 400, "invalid buildargs"),
    ],
)
async def test_builds_that_cannot_be(api: Any, params: dict[str, str], status: int, text: str) -> None:
    found, body = await api.call("POST", "/build", params=params, data=context("FROM busybox"))
    assert found == status
    assert text in body["message"]


async def test_build_prune_asks_all(api: Any) -> None:
    assert await api.call("POST", "/build/prune") == (200, {"CachesDeleted": None, "SpaceReclaimed": 0})
