"""Which nodes each affinity keeps, and what it says of the others."""

from __future__ import annotations

import pytest

from skep import Image
from skep.testing import PaperCluster
from skep_affinity import AffinityPlugin

DIGEST = "host:5000/team/app@sha256:" + "d" * 64


@pytest.fixture
def cluster() -> PaperCluster:
    paper = PaperCluster(AffinityPlugin)
    for name in ("n1", "n2", "n3"):
        paper.node(name)
    paper.container("redis1", "n1", id="a1" * 32, labels={"tier": "db", "empty": ""})
    paper.container("web", "n1", id="b2" * 32, labels={"tier": "web"})
    paper.container("redis2", "n2", id="c3" * 32, labels={"tier": "cache"})
    paper.images("n1", Image("sha256:" + "1" * 64, ("redis:7", "redis:latest")))
    paper.images("n2", Image("sha256:" + "2" * 64, ("host:5000/team/app:1.0",), (DIGEST,)), Image("sha256:" + "3" * 64))
    return paper


ALL = ["n1", "n2", "n3"]
KEPT: dict[str, dict[str, list[str]]] = {
    "3.3 containers by name and id": {
        "container==redis1": ["n1"],
        "container==redis": [],
        "container==redis*": ["n1", "n2"],
        "container!=redis*": ["n3"],
        "container!=redis1": ["n2", "n3"],
        "container==" + "c3" * 32: ["n2"],
        "container==" + "c3" * 6: ["n2"],  # the short id
        "container==c3c3": [],
        "container==a1*": ["n1"],
        "container==/^redis[12]$/": ["n1", "n2"],
        "container!=/./": ["n3"],
        "container==*": ["n1", "n2"],
        "container==~nobody": ALL,
        "container!=~*": ["n3"],
    },
    "3.3 images by id, tag, repository, digest": {
        "image==redis": ["n1"],
        "image==redis:7": ["n1"],
        "image==redis:6": [],
        "image==redis:*": ["n1"],
        "image!=redis": ["n2", "n3"],
        "image==sha256:" + "2" * 64: ["n2"],
        "image==sha256:3*": ["n2"],
        "image==222222222222": [],
        "image==host:5000/team/app": ["n2"],
        "image==host:5000/team/app:1.0": ["n2"],
        "image==" + DIGEST: ["n2"],
        "image==/team/": ["n2"],
        "image!=*": ["n3"],
    },
    "3.3 labels of containers": {
        "tier==db": ["n1"],
        "tier!=db": ["n2", "n3"],
        "tier==*": ["n1", "n2"],  # a container without the label has it as ""
        "empty==//": ["n1", "n2"],
        "empty!=x": ALL,
        "nolabel==*": ["n1", "n2"],
        "nolabel==/./": [],
        "tier==/db|cache/": ["n1", "n2"],
    },
}
ROWS = [
    pytest.param(expression, kept, id=f"{section}: {expression}")
    for section, rows in KEPT.items()
    for expression, kept in rows.items()
]


@pytest.mark.parametrize(("expression", "kept"), ROWS)
def test_it_keeps(cluster: PaperCluster, expression: str, kept: list[str]) -> None:
    assert cluster.fitting(Env=[f"affinity:{expression}"]) == kept
    assert cluster.fitting(Labels={"com.docker.swarm.affinities": f'["{expression}"]'}) == kept


def test_an_answer_that_is_kept_is_not_taken_for_anothers(cluster: PaperCluster) -> None:
    rows = [row for each in KEPT.values() for row in each.items()]
    for expression, kept in (*rows, *reversed(rows)):
        negated = expression.replace("!=", "==") if "!=" in expression else expression.replace("==", "!=", 1)
        assert cluster.fitting(Env=[f"affinity:{expression}"]) == kept
        if "~" not in expression:
            assert cluster.fitting(Env=[f"affinity:{negated}"]) == [node for node in ALL if node not in kept]


@pytest.mark.parametrize(
    ("expression", "kept"),
    [
        pytest.param(expression, kept, id=f"3.2 as in Swarm: {expression}")
        for expression, kept in {
            "container==redis.": ["n1", "n2"],
            "container==redis1|web": ["n1"],
            "container!=redis[12]": ["n3"],
            "image==redis:.": ["n1"],
            "tier==d?b": ["n1"],
        }.items()
    ],
)
def test_it_can_read_globs_as_the_original_does(cluster: PaperCluster, expression: str, kept: list[str]) -> None:
    assert cluster.fitting(Env=[f"affinity:{expression}"]) != kept
    other = PaperCluster(settings={"plugins": {"affinity": {"swarm_globs": True}}})
    for node in cluster.state.nodes:
        other.state.put_node(node.node)
        other.state.put_images(node.name, node.images)
        for container in node.containers.values():
            other.state.put_container(container)
    assert other.fitting(Env=[f"affinity:{expression}"]) == kept


def test_all_must_fit(cluster: PaperCluster) -> None:
    assert cluster.fitting(Env=["affinity:container==redis*", "affinity:image!=redis"]) == ["n2"]


def test_containers_under_way_count(cluster: PaperCluster) -> None:
    request = cluster.agent.request(b'{"Image":"redis","Labels":{"tier":"queue"}}', "redis3")
    assert cluster.fitting(Env=["affinity:tier==queue"]) == []
    with cluster.agent.scheduler.reserve(request) as placement:
        assert placement.node is not None
        assert cluster.fitting(Env=["affinity:container==redis3"]) == [placement.node.name]
        assert cluster.fitting(Env=["affinity:tier==queue"]) == [placement.node.name]
        reason = cluster.reason(placement.node.name, Env=["affinity:container!=redis3"])
        assert reason == "affinity container!=redis3: redis3 (under way) is there"
    assert cluster.fitting(Env=["affinity:container==redis3"]) == []


def test_a_container_without_a_name_or_an_id_fits_nothing(cluster: PaperCluster) -> None:
    request = cluster.agent.request(b'{"Image":"redis","Env":["affinity:container!=*"]}')
    with cluster.agent.scheduler.reserve(request):  # on n3
        assert cluster.fitting(Env=["affinity:container==//"]) == ["n1", "n2"]


def test_it_follows_what_comes_and_goes(cluster: PaperCluster) -> None:
    entry = ["affinity:container==*redis*"]
    assert cluster.fitting(Env=entry) == ["n1", "n2"]
    cluster.container("my-redis", "n3")
    assert cluster.fitting(Env=entry) == ALL
    cluster.state.remove_container("n1", "a1" * 32)
    assert cluster.fitting(Env=entry) == ["n2", "n3"]


@pytest.mark.parametrize(
    ("node", "expression", "reason"),
    [
        ("n1", "container==*nope*", "affinity container==*nope*: none of its 2 containers fits"),
        ("n3", "container==redis*", "affinity container==redis*: it holds no container"),
        ("n2", "container!=redis*", "affinity container!=redis*: redis2 (c3c3c3c3c3c3) is there"),
        ("n2", "container!=c3c3c3c3c3c3", "affinity container!=c3c3c3c3c3c3: redis2 (c3c3c3c3c3c3) is there"),
        ("n3", "image==redis", "affinity image==redis: it holds no image"),
        ("n2", "image==redis", "affinity image==redis: none of its 2 images fits"),
        ("n1", "image!=redis", f"affinity image!=redis: sha256:{'1' * 64} is there"),
        ("n2", "tier==db", "affinity tier==db: none of its 1 containers fits"),
        ("n2", "contaner==redis2", "affinity contaner==redis2: none of its 1 containers has the label contaner"),
    ],
)
def test_the_reason_names_what_was_wanted_and_what_is_there(
    cluster: PaperCluster, node: str, expression: str, reason: str
) -> None:
    assert cluster.reason(node, Env=[f"affinity:{expression}"]) == reason
