"""Rows of `docker ps`: docker's words for ages and states, and what is kept between lists."""

from __future__ import annotations

import json
import time

import pytest

from skep import ClusterState, Container, ContainerState, Endpoint, Health, Node, NodeStatus, Port
from skep_docker_api.rows import Rows
from skep_docker_api.status import age, status_text

HOUR, DAY = 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "Less than a second"),
        (0.9, "Less than a second"),
        (1, "1 second"),
        (59.9, "59 seconds"),
        (60, "About a minute"),
        (119, "About a minute"),
        (120, "2 minutes"),
        (HOUR - 1, "59 minutes"),
        (HOUR, "About an hour"),
        (1.49 * HOUR, "About an hour"),
        (1.5 * HOUR, "2 hours"),
        (47.4 * HOUR, "47 hours"),
        (2 * DAY, "2 days"),
        (13.9 * DAY, "13 days"),
        (14 * DAY, "2 weeks"),
        (59 * DAY, "8 weeks"),
        (60 * DAY, "2 months"),
        (700 * DAY, "23 months"),
        (730 * DAY, "2 years"),
        (3650 * DAY, "10 years"),
    ],
)
def test_ages_are_docker_s(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"state": ContainerState.CREATED}, "Created"),
        ({"state": ContainerState.RUNNING, "started_at": 400.0}, "Up 10 minutes"),
        ({"state": ContainerState.RUNNING, "started_at": 400.0, "health": Health.HEALTHY}, "Up 10 minutes (healthy)"),
        (
            {"state": ContainerState.RUNNING, "started_at": 400.0, "health": Health.STARTING},
            "Up 10 minutes (health: starting)",
        ),
        ({"state": ContainerState.PAUSED, "started_at": 400.0, "health": Health.HEALTHY}, "Up 10 minutes (Paused)"),
        ({"state": ContainerState.EXITED, "finished_at": 990.0, "exit_code": 137}, "Exited (137) 10 seconds ago"),
        ({"state": ContainerState.RESTARTING, "finished_at": 999.0, "exit_code": 1}, "Restarting (1) 1 second ago"),
        ({"state": ContainerState.REMOVING}, "Removal In Progress"),
        ({"state": ContainerState.DEAD}, "Dead"),
    ],
)
def test_states_are_docker_s(fields: dict[str, object], text: str) -> None:
    assert status_text(Container("1" * 64, "name", "n1", **fields), 1000.0) == text  # type: ignore[arg-type]


def cluster(count: int) -> ClusterState:
    state = ClusterState()
    for number in range(10):
        address = f"10.0.0.{number}"
        state.put_node(Node(f"n{number}", f"tcp://{address}:2375", ip=address, status=NodeStatus.HEALTHY))
    for number in range(count):
        state.put_container(
            Container(
                f"{number:064x}",
                f"c{number}",
                f"n{number % 10}",
                state=ContainerState.RUNNING,
                ports=(Port(80, "tcp", 8080, "0.0.0.0"), Port(80, "tcp", 8080, "::"), Port(81)),
                networks=(Endpoint("bridge", "f" * 64),),
            )
        )
    return state


def test_a_row_changes_with_its_container_and_its_node() -> None:
    state, rows = cluster(1), Rows()

    def row(*, with_nodes: bool = True) -> dict[str, object]:
        (found,) = json.loads(rows.render(state, state.containers(), 1000.0, with_nodes=with_nodes))
        return dict(found)

    first = row()
    assert first["Names"] == ["/n0/c0"]
    assert first["Ports"] == [
        {"IP": "10.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"PrivatePort": 81, "Type": "tcp"},
    ]
    assert row() == first
    assert row(with_nodes=False)["Names"] == ["/c0"]
    state.put_container(Container(f"{0:064x}", 'other"\\', "n0", image="new"))
    assert (row()["Names"], row()["Image"], row()["Status"]) == (['/n0/other"\\'], "new", "Created")
    state.put_container(Container(f"{0:064x}", "other", "n0", ports=(Port(80, "tcp", 80, ""),)))
    state.put_node(Node("n0", "tcp://10.9.9.9:2375", ip="10.9.9.9", status=NodeStatus.HEALTHY))
    assert row()["Ports"] == [{"IP": "10.9.9.9", "PrivatePort": 80, "PublicPort": 80, "Type": "tcp"}]
    state.put_node(Node("n0", "tcp://10.9.9.9:2375", ip="10.9.9.9", status=NodeStatus.UNHEALTHY))
    assert row()["Status"] == "Host Down"


def test_thousands_are_listed_quickly() -> None:
    state, rows = cluster(5000), Rows()
    assert len(json.loads(rows.render(state, state.containers(), 1000.0, with_nodes=True))) == 5000
    started = time.perf_counter()
    rows.render(state, state.containers(), 1001.0, with_nodes=True)
    assert time.perf_counter() - started < 0.5  # 0.03 on a machine at leisure


def test_rows_of_containers_that_are_gone_are_forgotten() -> None:
    state, rows = cluster(100), Rows(20_000)
    rows.render(state, state.containers(), 1000.0, with_nodes=True)
    first = set(rows._kept)
    for container in list(state.containers())[10:]:
        state.remove_container(container.node, container.id)
    rows.render(state, state.containers(), 1000.0, with_nodes=True)
    assert set(rows._kept) <= {each.id for each in state.containers()} < first


def test_rows_of_containers_that_are_gone_are_forgotten_though_there_is_room() -> None:
    state, rows = cluster(1000), Rows()
    rows.render(state, state.containers(), 1000.0, with_nodes=True)
    assert len(rows._kept) == 1000
    for container in list(state.containers())[1:]:
        state.remove_container(container.node, container.id)
    rows.render(state, state.containers(), 1000.0, with_nodes=True)
    assert set(rows._kept) == {each.id for each in state.containers()}


def test_rows_are_kept_within_bounds() -> None:
    state, rows = cluster(1000), Rows(50_000)
    once, again = (rows.render(state, state.containers(), 1000.0, with_nodes=True) for _ in range(2))
    assert once == again
    assert 40_000 < sum(len(kept.text) for kept in rows._kept.values()) < 60_000
    assert len(json.loads(again)) == 1000
