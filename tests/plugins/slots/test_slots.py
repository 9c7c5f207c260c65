"""How many containers a node takes (section 4.6 of classic Swarm's rules)."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from skep import ContainerState, Node, NodeJoined, NodeUpdated, PlacementError
from skep.testing import PaperCluster
from skep_slots import SlotsPlugin


def cluster(label: str | None, containers: int = 0, **fields: object) -> PaperCluster:
    """n1 with the label and so many containers, and n2 without a limit."""
    paper = PaperCluster(SlotsPlugin)
    paper.node("n1", labels={} if label is None else {"containerslots": label})
    paper.node("n2")
    for number in range(containers):
        paper.container(f"c{number}", "n1", **fields)
    return paper


ROOM, FULL = ["n1", "n2"], ["n2"]


@pytest.mark.parametrize(
    ("label", "containers", "kept"),
    [
        pytest.param("3", 2, ROOM, id="4.6 fewer containers than slots"),
        pytest.param("3", 3, FULL, id="4.6 as many containers as slots"),
        pytest.param("3", 4, FULL, id="4.6 more containers than slots"),
        pytest.param("+3", 2, ROOM, id="4.6 plus sign, room"),
        pytest.param("+3", 3, FULL, id="4.6 plus sign, full"),
        pytest.param("003", 3, FULL, id="4.6 leading zeros"),
        pytest.param("0", 0, FULL, id="4.6 zero is never"),
        pytest.param("-0", 0, FULL, id="4.6 minus zero is never"),
        pytest.param("-1", 0, FULL, id="4.6 negative is never"),
        pytest.param(None, 9, ROOM, id="4.6 no label, no limit"),
        *(
            pytest.param(text, 9, ROOM, id=f"4.6 no integer, no limit: {text[:8]!r}")
            for text in ("", " 3", "3 ", "3.0", "0x3", "3_0", "three", "+", "--3", "٣", "3\n", "9" * 5000)
        ),
        pytest.param("9223372036854775807", 9, ROOM, id="4.6 the largest integer"),
        pytest.param("9223372036854775808", 9, ROOM, id="4.6 beyond the largest integer, no limit"),
        pytest.param("-9223372036854775809", 9, ROOM, id="4.6 beyond the smallest integer, no limit"),
    ],
)
def test_a_node_takes_what_its_label_says(label: str | None, containers: int, kept: list[str]) -> None:
    assert cluster(label, containers).fitting() == kept


@pytest.mark.parametrize("state", [state for state in ContainerState if state is not ContainerState.PENDING])
def test_containers_of_any_state_count(state: ContainerState) -> None:
    assert cluster("1", 1, state=state).fitting() == FULL


def test_containers_under_way_count_and_a_slot_is_free_when_one_goes() -> None:
    paper = cluster("1")
    with paper.agent.scheduler.reserve(paper.agent.request(b'{"Image":"x"}')) as placement:
        assert placement.node is not None
        assert placement.node.name == "n1"
        assert paper.fitting() == FULL
    assert paper.fitting() == ROOM
    held = paper.container("web", "n1")
    assert paper.fitting() == FULL
    paper.state.remove_container("n1", held.id)
    assert paper.fitting() == ROOM


def test_a_changed_label_is_seen() -> None:
    paper = cluster("1", 1)
    assert paper.fitting() == FULL
    paper.node("n1", labels={"containerslots": "2"})
    assert paper.fitting() == ROOM


def test_slots_are_never_given_up_and_the_error_tells_them() -> None:
    paper = PaperCluster(SlotsPlugin)
    paper.node("n1", labels={"containerslots": "1"})
    paper.container("web", "n1")
    with pytest.raises(PlacementError) as caught:
        paper.place(Env=["constraint:node==~n1"])
    assert str(caught.value) == (
        "Unable to find a node that satisfies the following conditions: available container slots\n"
        "  n1: slots: its label containerslots is 1, and it holds 1 containers"
    )


async def test_a_label_that_is_no_number_is_complained_of_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    plugin, good = SlotsPlugin(), Node("n1", "tcp://n1:1", labels={"containerslots": "3"})
    bad = replace(good, labels={"containerslots": "3.0"})
    await plugin.node_joined(NodeJoined(good, 0.0))
    assert not caplog.records
    await plugin.node_joined(NodeJoined(bad, 0.0))
    await plugin.node_updated(NodeUpdated(replace(bad, cpus=8), 0.0, bad))
    assert [record.getMessage() for record in caplog.records] == [
        "node n1: its label containerslots is '3.0', expected a whole number such as 20: the number of its containers is not limited"
    ]
    await plugin.node_updated(NodeUpdated(good, 0.0, bad))
    await plugin.node_updated(NodeUpdated(bad, 0.0, good))
    assert len(caplog.records) == 2
