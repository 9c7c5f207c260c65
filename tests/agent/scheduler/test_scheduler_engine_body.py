"""What the chosen engine gets, row by row (section 2.4 of classic Swarm's rules)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from skep import RequestError
from skep.scheduler import engine_body
from skep.testing import PaperCluster

REDIS, TWIN = "ab" * 32, "5e" * 32


@pytest.fixture
def cluster() -> PaperCluster:
    paper = PaperCluster()
    paper.node("n1", cpus=4)
    paper.node("n2", cpus=3)
    paper.container("redis", "n1", id=REDIS, labels={"com.docker.swarm.id": TWIN})
    return paper


def sent(cluster: PaperCluster, node: str = "n1", **body: Any) -> Any:
    request = cluster.agent.request(json.dumps(body).encode())
    known = cluster.state.get_node(node)
    assert known is not None
    return engine_body(request, cluster.state, known)


@pytest.mark.parametrize(
    ("key", "left"),
    [
        pytest.param("n1/front", "front", id="2.4.1 a known node's name goes"),
        pytest.param("n2/front", "front", id="2.4.1 of any node"),
        pytest.param("n1/a/b", "a/b", id="2.4.1 only the first slash counts"),
        pytest.param("n9/front", "n9/front", id="2.4.1 an unknown first part stays"),
        pytest.param("front", "front", id="2.4.1 no slash"),
        pytest.param("/front", "/front", id="2.4.1 nothing before the slash"),
        pytest.param("n1/", "n1/", id="2.4.1 nothing behind it"),
    ],
)
def test_networks_lose_the_nodes_name(cluster: PaperCluster, key: str, left: str) -> None:
    body = sent(
        cluster, NetworkingConfig={"EndpointsConfig": {key: {"Aliases": ["a"]}}}, HostConfig={"NetworkMode": key}
    )
    assert body["NetworkingConfig"]["EndpointsConfig"] == {left: {"Aliases": ["a"]}}
    assert body["HostConfig"]["NetworkMode"] == left


def test_a_network_named_twice_is_refused(cluster: PaperCluster) -> None:
    with pytest.raises(RequestError, match="names one network twice"):
        sent(cluster, NetworkingConfig={"EndpointsConfig": {"n1/front": {}, "front": {}}})


@pytest.mark.parametrize(
    ("reference", "left"),
    [
        ("redis", "redis"),
        ("n1/redis", "redis"),
        ("/n1/redis", "redis"),
        ("ID-n1/redis", "redis"),
        ("n2/redis", "n2/redis"),
        (REDIS, REDIS),
        (REDIS[:12], REDIS[:12]),
        (TWIN, REDIS),
        (TWIN[:12], REDIS),
        (TWIN[:4], REDIS),
        ("nobody", "nobody"),
    ],
    ids=lambda value: f"7.6 {value[:16]}",
)
def test_containers_get_the_name_that_the_engine_knows(cluster: PaperCluster, reference: str, left: str) -> None:
    host = {
        "Links": [f"{reference}:db"],
        "VolumesFrom": [f"{reference}:ro", reference],
        **dict.fromkeys(("NetworkMode", "PidMode", "IpcMode"), f"container:{reference}"),
    }
    assert sent(cluster, HostConfig=host)["HostConfig"] == {
        "Links": [f"{left}:db"],
        "VolumesFrom": [f"{left}:ro", left],
        **dict.fromkeys(("NetworkMode", "PidMode", "IpcMode"), f"container:{left}"),
    }


@pytest.mark.parametrize(
    ("node", "asked", "shares"),
    [
        pytest.param("n1", 1, 256, id="2.4.5 one of four CPUs"),
        pytest.param("n1", 4, 1024, id="2.4.5 all of them"),
        pytest.param("n2", 1, 342, id="2.4.5 rounded up"),
        pytest.param("n2", 2, 683, id="2.4.5 rounded up again"),
        pytest.param("n1", 0, 0, id="2.4.5 none"),
        pytest.param("n1", 512, 512, id="2.4.5 Docker's own weight (a quirk of the original, where it is 512 CPUs)"),
    ],
)
@pytest.mark.parametrize("place", ["HostConfig", "top"])
def test_shares_are_whole_cpus(cluster: PaperCluster, node: str, asked: int, shares: int, place: str) -> None:
    fields = {"CpuShares": asked}
    body = sent(cluster, node, **({"HostConfig": fields} if place == "HostConfig" else fields))
    assert (body.get("HostConfig") or {}).get("CpuShares", 0) == shares
    assert "CpuShares" not in body
    if asked < 256:
        made = cluster.container("c", node, cpu_shares=shares)
        known = cluster.state.get_node(node)
        assert known is not None
        assert made.cpus_on(known.node) == asked  # as it is read back
