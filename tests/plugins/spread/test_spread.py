"""Which node is the emptiest."""

from __future__ import annotations

from typing import Any

import pytest

from skep import PlacementError, SettingsError
from skep.testing import PaperCluster
from skep_spread import SpreadPlugin, SpreadSettings

MIB = 2**20
GIB = 2**30


def made(overcommit: float | None = 0.0, of_the_cluster: float = 0.0) -> PaperCluster:
    settings = {"cluster": {"overcommit": of_the_cluster}}
    return PaperCluster(SpreadPlugin(SpreadSettings(overcommit=overcommit)), settings=settings)


@pytest.fixture
def cluster() -> PaperCluster:
    """Three nodes of 4 CPUs and 4 GiB."""
    paper = made()
    for name in ("n1", "n2", "n10"):
        paper.node(name)
    return paper


def test_without_reservations_the_fewest_containers_win_and_of_equals_the_first_by_name(cluster: PaperCluster) -> None:
    order = []
    for number in range(7):
        node = cluster.chosen()
        order.append(node)
        cluster.container(f"c{number}", node)
    assert order == ["n1", "n2", "n10", "n1", "n2", "n10", "n1"]


def test_stopped_containers_and_those_under_way_count(cluster: PaperCluster) -> None:
    cluster.container("old", "n1", state="exited")
    request = cluster.agent.request(b"{}")
    with cluster.agent.scheduler.reserve(request) as placement:
        assert placement.node is not None
        assert placement.node.name == "n2"
        assert cluster.chosen() == "n10"


def test_a_reservation_goes_where_the_most_is_free(cluster: PaperCluster) -> None:
    cluster.container("a", "n1", memory=GIB)
    cluster.container("b", "n2", memory=2 * GIB)
    cluster.container("c", "n10", memory=512 * MIB)
    cluster.container("d", "n10")
    assert cluster.chosen(HostConfig={"Memory": GIB}) == "n10"  # although it has the most containers


def test_equal_weights_are_decided_by_the_number_of_containers(cluster: PaperCluster) -> None:
    for node in ("n1", "n2"):
        cluster.container(f"with-{node}", node)
    assert cluster.chosen(HostConfig={"Memory": GIB}) == "n10"
    cluster.container("third", "n10")
    assert cluster.chosen(HostConfig={"Memory": GIB}) == "n1"


def test_percent_are_of_each_nodes_own_size() -> None:
    cluster = made()
    cluster.node("n1", cpus=4, memory=4 * GIB)
    cluster.node("n2", cpus=64, memory=64 * GIB)
    cluster.container("busy", "n2", memory=8 * GIB)
    assert cluster.chosen(HostConfig={"Memory": GIB}) == "n2"  # 14 % of n2, 25 % of n1


@pytest.mark.parametrize(
    ("host", "fits"),
    [
        ({"Memory": 4 * GIB}, True),
        ({"Memory": 4 * GIB + 1}, False),
        ({"CpuShares": 4}, True),
        ({"CpuShares": 5}, False),
        ({"CpuShares": 255}, False),
        ({"CpuShares": 512}, True),  # Docker's weight
        ({"NanoCpus": 4_000_000_000}, True),
        ({"NanoCpus": 4_100_000_000}, False),
        ({"NanoCpus": 500_000_000, "CpuShares": 512}, True),  # the limit is what counts
        ({"Memory": GIB, "CpuShares": 2}, True),
        ({"MemoryReservation": 100 * GIB, "CpuQuota": 10**9}, True),
    ],
)
def test_what_fits_on_an_empty_node(host: dict[str, Any], fits: bool) -> None:
    cluster = made()
    cluster.node("n1")
    assert bool(cluster.fitting(HostConfig=host)) is fits


def test_what_is_reserved_is_not_there_for_others(cluster: PaperCluster) -> None:
    cluster.container("a", "n1", memory=3 * GIB)
    cluster.container("b", "n2", cpu_shares=768)  # 3 of 4 CPUs
    cluster.container("c", "n10", nano_cpus=2_500_000_000)
    assert cluster.fitting(HostConfig={"Memory": 2 * GIB}) == ["n2", "n10"]
    assert cluster.fitting(HostConfig={"CpuShares": 2}) == ["n1"]
    assert cluster.fitting(HostConfig={"NanoCpus": 1_500_000_000}) == ["n1", "n10"]


def test_a_full_node_still_takes_what_reserves_nothing(cluster: PaperCluster) -> None:
    for node in ("n1", "n2", "n10"):
        cluster.container(f"full-{node}", node, memory=4 * GIB, cpu_shares=1024)
    assert cluster.fitting() == ["n1", "n2", "n10"]


def test_less_than_one_percent_too_much_is_taken() -> None:
    cluster = made()
    cluster.node("n1", memory=1000)
    cluster.container("a", "n1", memory=509)
    assert cluster.fitting(HostConfig={"Memory": 500}) == ["n1"]  # 1009 of 1000, as Swarm cuts it off
    assert cluster.fitting(HostConfig={"Memory": 501}) == []


@pytest.mark.parametrize(
    ("overcommit", "cpus", "most"),
    [(0.05, 4, 4), (0.05, 20, 21), (0.29, 100, 128), (0.57, 100, 156), (-0.5, 3, 2), (1.0, 2, 4), (0.0, 8, 8)],
)
def test_overcommit_is_cut_off_as_swarm_does(overcommit: float, cpus: int, most: int) -> None:
    cluster = made(overcommit)
    cluster.node("n1", cpus=cpus)
    assert cluster.fitting(HostConfig={"CpuShares": most}) == ["n1"]
    assert cluster.fitting(HostConfig={"CpuShares": most + 1}) == []


def test_overcommit_is_the_clusters_unless_the_plugin_has_its_own() -> None:
    for own, fits in ((None, True), (0.0, False)):
        cluster = made(own, 1.0)
        cluster.node("n1")
        assert bool(cluster.fitting(HostConfig={"CpuShares": 8})) is fits


def test_a_node_with_failures_comes_last() -> None:
    cluster = made()
    cluster.node("n1", failures=1)
    cluster.node("n2")
    cluster.container("a", "n2", memory=3 * GIB)
    assert cluster.chosen(HostConfig={"Memory": GIB}) == "n2"
    assert cluster.chosen() == "n2"


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ({"Memory": 2 * GIB}, "not enough memory: 2048 MiB wanted, 1024 MiB of 4096 MiB free"),
        ({"CpuShares": 2}, "not enough CPUs: 2 wanted, 1 of 4 free"),
        ({"NanoCpus": 1_500_000_000}, "not enough CPUs: 1.5 wanted, 1 of 4 free"),
        (
            {"CpuShares": 100},
            "not enough CPUs: 100 wanted, 1 of 4 free (CPU shares are whole CPUs here; --cpus takes fractions)",
        ),
    ],
)
def test_the_reason_names_what_is_wanted_and_what_is_free(host: dict[str, Any], reason: str) -> None:
    cluster = made()
    cluster.node("n1")
    cluster.container("a", "n1", memory=3 * GIB, cpu_shares=768)
    assert cluster.reason("n1", HostConfig=host) == reason


def test_without_room_the_error_says_what_was_wanted(cluster: PaperCluster) -> None:
    with pytest.raises(PlacementError) as caught:
        cluster.place(HostConfig={"Memory": 5 * GIB, "CpuShares": 1})
    first = str(caught.value).splitlines()[0]
    assert first == "no resources available to schedule container: 5120 MiB of memory; 1 CPUs"


@pytest.mark.parametrize("overcommit", [-1, -7.5, 1000])
def test_a_senseless_overcommit_is_refused(overcommit: float) -> None:
    with pytest.raises(SettingsError, match="overcommit"):
        PaperCluster(settings={"plugins": {"spread": {"overcommit": overcommit}}})
