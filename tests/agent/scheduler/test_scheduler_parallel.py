"""Creates that overlap, in any order of their answers, against a plain model: no name twice, no port twice on a node, no node too full."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep import ConflictError, ContainerState, PlacementError
from skep.scheduler import Reservation
from skep.testing import PaperCluster

NODES = ("n1", "n2", "n3")
MEMORY = 1000
PLUGINS = ("health", "port", "spread")


@dataclass(eq=False)
class Making:
    """One create: what was asked for, where it was placed, and whether its container is on the engine."""

    number: int
    name: str
    port: int
    memory: int
    node: str
    reservation: Reservation
    is_there: bool = False


class World:
    """The scheduler beside the rules in their plainest form. `alive` are the creates that hold what they asked for."""

    def __init__(self) -> None:
        self.paper = PaperCluster(settings={"plugins": {name: {} for name in PLUGINS}, "cluster": {"overcommit": 0.0}})
        self.alive: list[Making] = []
        self.under_way: list[Making] = []
        self.numbers = itertools.count(1)
        self.nodes: set[str] = set()
        for name in NODES[:2]:
            self.join(name)

    # -- what may happen

    def join(self, name: str) -> None:
        self.paper.node(name, memory=MEMORY)
        self.nodes.add(name)

    def leave(self, name: str) -> None:
        if name in self.nodes:
            self.paper.state.remove_node(name)
            self.nodes.discard(name)
            self.alive = [each for each in self.alive if each.node != name]

    def create(self, name: str, port: int, memory: int) -> None:
        bindings = {"80/tcp": [{"HostPort": str(port)}]} if port else {}
        number = next(self.numbers)
        body: dict[str, Any] = {
            "HostConfig": {"PortBindings": bindings, "Memory": memory},
            "Labels": {"com.docker.swarm.id": f"{number:064x}"},
        }
        taken = bool(name) and any(each.name == name for each in self.alive)
        room = [node for node in self.nodes if self.fits(node, port, memory)]
        request = self.paper.request(name, **body)
        if taken:
            with pytest.raises(ConflictError, match=f"The name {name} is already assigned"):
                self.paper.agent.scheduler.hold(request)
        elif not room:
            with pytest.raises(PlacementError) as caught:
                self.paper.agent.scheduler.hold(request)
            assert [row.node for row in caught.value.explanation] == sorted(self.nodes)
            assert all(row.reason for row in caught.value.explanation)
        else:
            reservation = self.paper.agent.scheduler.hold(request)
            assert reservation.node.name in room
            making = Making(number, name, port, memory, reservation.node.name, reservation)
            self.alive.append(making)
            self.under_way.append(making)

    def fits(self, node: str, port: int, memory: int) -> bool:
        held = [each for each in self.alive if each.node == node]
        if port and any(each.port == port for each in held):
            return False
        return not memory or sum(each.memory for each in held) + memory <= MEMORY

    def appear(self, making: Making) -> None:
        """The engine's own events may be sooner than its answer, or later."""
        if making in self.alive and not making.is_there:
            making.is_there = True
            asked = making.reservation.placement.request.container
            made = replace(asked, id=self.id(making), node=making.node, state=ContainerState.CREATED)
            self.paper.state.put_container(made)

    def answer(self, making: Making) -> None:
        self.appear(making)
        self.finish(making)

    def fail(self, making: Making) -> None:
        """The engine refused it, or has no such container after all."""
        if not making.is_there:
            self.finish(making)
            self.forget(making)

    def finish(self, making: Making) -> None:
        making.reservation.release()
        if making in self.under_way:
            self.under_way.remove(making)

    def remove(self, making: Making) -> None:
        """Someone removes it, perhaps before its create has ended."""
        if making in self.alive and making.is_there and making not in self.under_way:
            self.paper.state.remove_container(making.node, self.id(making))
            self.forget(making)

    def forget(self, making: Making) -> None:
        if making in self.alive:
            self.alive.remove(making)

    @staticmethod
    def id(making: Making) -> str:
        return f"{making.number:064d}"

    # -- what must hold after each step

    def check(self) -> None:
        for node in self.paper.state.nodes:
            held = [each for each in self.alive if each.node == node.name]
            assert sorted(each.name for each in node.containers.values()) == sorted(each.name for each in held)
            assert node.memory_used == sum(each.memory for each in held) <= MEMORY
            ports = [each.port for each in held if each.port]
            assert len(ports) == len(set(ports))
        names = [each.name for each in self.alive if each.name]
        assert len(names) == len(set(names))


def step(world: World, what: str, at: int, name: str, port: int, memory: int) -> None:
    """One event of the loop."""
    on_making: dict[str, tuple[Callable[[Making], None], list[Making]]] = {
        "answer": (world.answer, world.under_way),
        "fail": (world.fail, world.under_way),
        "appear": (world.appear, world.under_way),
        "remove": (world.remove, world.alive),
    }
    if what == "create":
        world.create(name, port, memory)
    elif what == "join":
        world.join(NODES[at % 3])
    elif what == "leave":
        world.leave(NODES[at % 3])
    else:
        act, among = on_making[what]
        if among:
            act(among[at % len(among)])


STEPS = st.tuples(
    st.sampled_from(["create"] * 5 + ["answer", "answer", "appear", "fail", "remove", "remove", "join", "leave"]),
    st.integers(0, 20),
    st.sampled_from(["", "aa", "bb", "cc"]),
    st.sampled_from([0, 80, 81]),
    st.sampled_from([0, 300, 500, 1000]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, min_size=10, max_size=60))
def test_creates_under_way_never_get_the_same_twice(steps: list[tuple[str, int, str, int, int]]) -> None:
    world = World()
    for each in steps:
        step(world, *each)
        world.check()
    for making in list(world.under_way):
        world.answer(making)
    world.check()
