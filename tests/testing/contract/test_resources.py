"""Images, networks, volumes, and the classic builder."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest

from .api import Subject


async def test_tag_inspect_and_untag(engine: Subject) -> None:
    assert (await engine.post("/images/busybox/tag", repo="contract/copy", tag="v1")).status == 201

    image = (await engine.get("/images/contract/copy:v1/json")).body
    assert sorted(image["RepoTags"]) == ["busybox:latest", "contract/copy:v1"]
    rows = (await engine.get("/images/json", filters={"reference": ["contract/copy"]})).body
    assert [row["Id"] for row in rows] == [image["Id"]]

    removed = await engine.delete("/images/contract/copy:v1")
    assert (removed.status, removed.body) == (200, [{"Untagged": "contract/copy:v1"}])


async def test_an_image_in_use_is_kept(engine: Subject) -> None:
    id_ = await engine.create("using")
    image = (await engine.get("/images/busybox/json")).body["Id"]

    answer = await engine.delete("/images/busybox")

    assert answer.status == 409
    why = f"container {id_[:12]} is using its referenced image {image[7:19]}"
    expected = f'conflict: unable to remove repository reference "busybox" (must force) - {why}'
    assert answer.message == expected


async def test_commit_makes_an_image_with_the_container_s_configuration(engine: Subject) -> None:
    id_ = await engine.create("committed", "echo", "kept", Env=["A=b"])

    made = await engine.post("/commit", {}, container=id_, repo="contract/snapshot", tag="v1")
    image = (await engine.get("/images/contract/snapshot:v1/json")).body
    removed = await engine.delete("/images/contract/snapshot:v1")

    assert made.status == 201
    assert image["Id"] == made.body["Id"]
    assert (image["Config"]["Cmd"], "A=b" in image["Config"]["Env"]) == (["echo", "kept"], True)
    assert removed.body[-1] == {"Deleted": image["Id"]}


async def test_import(engine: Subject) -> None:
    answer = await engine.post("/images/create", _tar({"a": b"b"}), fromSrc="-", repo="contract/imported", tag="v1")

    assert answer.status == 200
    assert _lines(answer.body)[-1]["status"].startswith("sha256:")
    assert (await engine.delete("/images/contract/imported:v1")).status == 200


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _lines(body: Any) -> list[dict[str, Any]]:
    if not isinstance(body, bytes):
        return [body]
    return [json.loads(line) for line in body.splitlines()]


async def _build(engine: Subject, dockerfile: str, **query: str) -> Any:
    headers = {"Content-Type": "application/x-tar"}
    url = "http://engine/v1.41/build"
    data = _tar({"Dockerfile": dockerfile.encode()})
    async with engine.session.post(url, params=query, data=data, headers=headers) as answer:
        return answer.status, _lines(await answer.read())


async def test_build(engine: Subject) -> None:
    dockerfile = 'FROM busybox\nARG WHO=you\nENV GREETING=hello\nLABEL a=b\nEXPOSE 80\nCMD ["echo", "hi"]\n'

    status, lines = await _build(engine, dockerfile, t="contract/built:v1")
    image = (await engine.get("/images/contract/built:v1/json")).body
    await engine.delete("/images/contract/built:v1")

    text = "".join(line.get("stream", "") for line in lines)
    assert status == 200
    assert "Step 1/6 : FROM busybox" in text
    assert f"Successfully built {image['Id'][7:19]}\nSuccessfully tagged contract/built:v1\n" in text
    assert {"aux": {"ID": image["Id"]}} in lines
    config = image["Config"]
    assert "GREETING=hello" in config["Env"]
    assert (config["Labels"], config["Cmd"]) == ({"a": "b"}, ["echo", "hi"])
    assert config["ExposedPorts"] == {"80/tcp": {}}


async def test_build_of_what_is_no_dockerfile(engine: Subject) -> None:
    status, [body] = await _build(engine, "FROM busybox\nBOGUS x\n")

    assert (status, body["message"]) == (400, "dockerfile parse error line 2: unknown instruction: BOGUS")


async def test_networks(engine: Subject) -> None:
    names = {n["Name"]: n for n in (await engine.get("/networks")).body}
    assert {"bridge", "host", "none"} <= set(names)

    made = await engine.post("/networks/create", {"Name": "contract-net", "CheckDuplicate": True})
    again = await engine.post("/networks/create", {"Name": "contract-net", "CheckDuplicate": True})
    id_ = await engine.run("networked", HostConfig={"NetworkMode": "contract-net"})
    network = (await engine.get("/networks/contract-net")).body
    busy = await engine.delete("/networks/contract-net")
    await engine.delete(f"/containers/{id_}", force="1")
    gone = await engine.delete("/networks/contract-net")

    assert (made.status, again.status, busy.status, gone.status) == (201, 409, 403, 204)
    assert again.message == "network with name contract-net already exists"
    assert network["Containers"][id_]["Name"] == "networked"
    assert network["Id"] == made.body["Id"]


async def test_connect_and_disconnect(engine: Subject) -> None:
    await engine.post("/networks/create", {"Name": "contract-more", "CheckDuplicate": True})
    id_ = await engine.run("roaming")

    connected = await engine.post("/networks/contract-more/connect", {"Container": id_})
    both = (await engine.inspect(id_))["NetworkSettings"]["Networks"]
    twice = await engine.post("/networks/contract-more/connect", {"Container": id_})
    disconnected = await engine.post("/networks/contract-more/disconnect", {"Container": id_})
    one = (await engine.inspect(id_))["NetworkSettings"]["Networks"]
    absent = await engine.post("/networks/contract-more/disconnect", {"Container": id_})
    await engine.delete("/networks/contract-more")

    assert [a.status for a in (connected, twice, disconnected, absent)] == [200, 403, 200, 500]
    assert sorted(both) == ["bridge", "contract-more"]
    assert both["contract-more"]["IPAddress"]
    assert list(one) == ["bridge"]
    assert twice.message == "endpoint with name roaming already exists in network contract-more"


async def test_volumes(engine: Subject) -> None:
    made = await engine.post("/volumes/create", {"Name": "contract-volume", "Labels": {"a": "b"}})
    same = await engine.post("/volumes/create", {"Name": "contract-volume"})
    id_ = await engine.create("mounting", HostConfig={"Binds": ["contract-volume:/data"]})
    busy = await engine.delete("/volumes/contract-volume")
    rows = (await engine.get("/volumes", filters={"label": ["a=b"]})).body["Volumes"]
    await engine.delete(f"/containers/{id_}")
    gone = await engine.delete("/volumes/contract-volume")

    assert (made.status, same.status, busy.status, gone.status) == (201, 201, 409, 204)
    assert same.body == made.body
    assert busy.message == f"remove contract-volume: volume is in use - [{id_}]"
    assert [row["Name"] for row in rows] == ["contract-volume"]


@pytest.mark.parametrize("flag", ["0", "1"])
async def test_anonymous_volumes_go_only_when_asked(engine: Subject, flag: str) -> None:
    id_ = await engine.create("anonymous", Volumes={"/data": {}})
    [mount] = (await engine.inspect(id_))["Mounts"]

    await engine.delete(f"/containers/{id_}", v=flag)

    found = await engine.delete(f"/volumes/{mount['Name']}")
    assert found.status == (404 if flag == "1" else 204)
