"""The events between two known states of a container: tables, and random lives seen at random moments."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.events import ContainerEvent
from skep.models import Container, ContainerState, Endpoint, Health, Node, Port
from skep.watch import transitions
from tests.agent.cluster.observing import check_word

NODE = Node("n", "tcp://n")
STATES = [state for state in ContainerState if state is not ContainerState.PENDING]


def seen(state: str, run: float = 1.0, health: str = "none", name: str = "web") -> Container:
    return Container("id", name, "n", state=ContainerState(state), started_at=run, health=Health(health))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, seen("created", 0), "created"),
        (None, seen("running"), "created started"),
        (None, seen("paused"), "created started paused"),
        (None, seen("exited"), "created started died"),
        (None, seen("restarting"), "created started died"),
        (None, seen("exited", 0), "created"),
        (None, seen("dead", 0), "created"),
        (seen("created", 0), seen("running"), "started"),
        (seen("created", 0), seen("exited"), "started died"),
        (seen("created", 0), None, "destroyed"),
        (seen("created", 0), seen("removing", 0), ""),
        (seen("running"), seen("running"), ""),
        (seen("running"), seen("running", 2), "died started"),
        (seen("running"), seen("paused"), "paused"),
        (seen("running"), seen("paused", 2), "died started paused"),
        (seen("running"), seen("exited"), "died"),
        (seen("running"), seen("exited", 2), "died started died"),
        (seen("running"), seen("restarting"), "died"),
        (seen("running"), seen("dead"), "died"),
        (seen("running"), None, "died destroyed"),
        (seen("paused"), seen("running"), "unpaused"),
        (seen("paused"), seen("running", 2), "unpaused died started"),
        (seen("paused"), seen("paused", 2), "unpaused died started paused"),
        (seen("paused"), seen("exited"), "unpaused died"),
        (seen("paused"), None, "unpaused died destroyed"),
        (seen("exited"), seen("exited"), ""),
        (seen("exited"), seen("exited", 2), "started died"),
        (seen("exited"), seen("running", 2), "started"),
        (seen("exited"), seen("running"), "started"),
        (seen("exited"), None, "destroyed"),
        (seen("restarting"), seen("running", 2), "started"),
        (seen("restarting"), seen("restarting", 2), "started died"),
        (seen("restarting"), seen("exited"), ""),
        (seen("exited"), seen("removing"), ""),
        (seen("removing"), None, "destroyed"),
        (seen("running"), seen("running", name="db"), "renamed"),
        (seen("exited"), seen("running", 2, name="db"), "renamed started"),
        (seen("running"), seen("exited", name="db"), "renamed died"),
        (seen("running"), seen("running", health="starting"), "health_changed"),
        (seen("running", health="starting"), seen("running", health="healthy"), "health_changed"),
        (seen("running", health="healthy"), seen("running", 2, "starting"), "died started"),
        (seen("running", health="healthy"), seen("exited", health="unhealthy"), "died"),
        (seen("exited", health="unhealthy"), seen("running", 2, "healthy"), "started"),
        (seen("paused", health="healthy"), seen("running", health="unhealthy"), "health_changed unpaused"),
    ],
)
def test_pairs_of_states(old: Container | None, new: Container | None, expected: str) -> None:
    told = list(transitions(old, new, NODE, 5.0))
    assert " ".join(event.hook.removeprefix("container_") for event in told) == expected
    assert all((event.node, event.at, event.initial) == (NODE, 5.0, False) for event in told)
    if told:
        assert told[0].previous is old
    if told and new is not None:
        assert told[-1].container is new


def test_what_else_changes_of_a_container_is_told_where_nothing_else_is() -> None:
    one, two = (Endpoint("bridge", ip="172.17.0.2"),), (Endpoint("bridge", ip="172.17.0.2"), Endpoint("shop"))
    for state in ("running", "paused", "exited", "created"):
        before, after = replace(seen(state), networks=one), replace(seen(state), networks=two, memory=2**20)
        (event,) = transitions(before, after, NODE, 5.0)
        assert (event.hook, event.container, event.previous) == ("container_updated", after, before)
    (renamed,) = transitions(replace(seen("running"), networks=one), seen("running", name="db"), NODE, 5.0)
    assert renamed.hook == "container_renamed"


def test_the_end_of_a_process_is_no_update_of_what_is_left() -> None:
    before = replace(seen("exited"), networks=(Endpoint("bridge", ip="172.17.0.2"),), ports=(Port(80, "tcp", 8080),))
    after = replace(seen("removing"), networks=(Endpoint("bridge"),), exit_code=1, finished_at=9.0, restart_count=2)
    assert list(transitions(before, after, NODE, 5.0)) == []


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ("created", "created"),
        ("running", "created started"),
        ("exited", "created"),
        ("paused", "created started paused"),
    ],
)
def test_at_the_first_look_the_past_is_not_told(new: str, expected: str) -> None:
    told = list(transitions(None, seen(new), NODE, 5.0, initial=True))
    assert " ".join(event.hook.removeprefix("container_") for event in told) == expected
    assert all(event.initial for event in told)


def test_events_between_carry_the_container_as_it_was_then() -> None:
    told = list(transitions(seen("paused"), seen("running", 2, name="db"), NODE, 5.0))
    shown = [(event.hook[10:], event.container.name, event.container.state) for event in told]
    assert shown == [
        ("renamed", "db", "paused"),
        ("unpaused", "db", "running"),
        ("died", "db", "exited"),
        ("started", "db", "running"),
    ]


def test_a_destroyed_container_is_as_it_was_last() -> None:
    *_, destroyed = transitions(seen("exited"), None, NODE, 5.0)
    assert destroyed.container == seen("exited")
    died, destroyed = transitions(seen("running"), None, NODE, 5.0)
    assert (died.container.state, destroyed.container.state) == ("exited", "exited")


any_container = st.builds(
    lambda state, run, health, name, memory: Container(
        "id", name, "n", state=state, started_at=float(run), health=health, finished_at=1.0, memory=memory
    ),
    *(
        st.sampled_from(STATES),
        st.integers(0, 3),
        st.sampled_from(Health),
        st.sampled_from(["web", "db"]),
        st.integers(0, 1),
    ),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.none() | any_container, max_size=12))
def test_any_sequence_of_looks_tells_a_well_formed_word_that_ends_in_the_last(looks: list[Container | None]) -> None:
    told: list[ContainerEvent] = []
    for old, new in zip([None, *looks], looks, strict=False):
        told += transitions(old, new, NODE, 5.0)
    end, last = check_word(told), looks[-1] if looks else None
    assert (end is None) is (last is None)
    if end is not None and last is not None:
        assert (end.name, end.state.is_up, end.state is ContainerState.PAUSED) == (
            last.name,
            last.state.is_up,
            last.state is ContainerState.PAUSED,
        )
        if last.state.is_up:
            assert (end.started_at, end.health) == (last.started_at, last.health)


steps = st.sampled_from(["start", "die", "pause", "unpause", "restart", "remove", "rename", "look"])


@settings(max_examples=500, deadline=None)
@given(st.lists(steps, max_size=40))
def test_looking_often_enough_tells_exactly_what_happened(life: list[str]) -> None:
    """A life in small steps, looked at after each one: the word is the life itself."""
    current: Container | None = None
    told: list[ContainerEvent] = []
    expected: list[str] = []
    run = 0.0
    for step in life:
        before, name = current, "web"
        if current is None:
            current = Container("id", name, "n")
            expected += ["created"]
        elif step == "start" and not current.state.is_up:
            run += 1
            current = replace(current, state=ContainerState.RUNNING, started_at=run)
            expected += ["started"]
        elif step == "die" and current.state is ContainerState.RUNNING:
            current = replace(current, state=ContainerState.EXITED)
            expected += ["died"]
        elif step == "pause" and current.state is ContainerState.RUNNING:
            current = replace(current, state=ContainerState.PAUSED)
            expected += ["paused"]
        elif step == "unpause" and current.state is ContainerState.PAUSED:
            current = replace(current, state=ContainerState.RUNNING)
            expected += ["unpaused"]
        elif step == "restart" and current.state is ContainerState.RUNNING:
            run += 1
            current = replace(current, started_at=run)
            expected += ["died", "started"]
        elif step == "rename":
            current = replace(current, name=current.name + "x")
            expected += ["renamed"]
        elif step == "remove" and not current.state.is_up:
            current = None
            expected += ["destroyed"]
        told += transitions(before, current, NODE, 5.0)
    assert [event.hook.removeprefix("container_") for event in told] == expected
