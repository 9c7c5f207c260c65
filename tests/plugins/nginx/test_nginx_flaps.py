"""Health that comes and goes, by a clock of the test's own."""

from dataclasses import replace

import pytest

from skep import Container, ContainerState, Health
from skep_nginx.flaps import Flaps


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


WEB = Container("a" * 64, "web", "node1", state=ContainerState.RUNNING, started_at=1.0, health=Health.HEALTHY)
SICK = replace(WEB, health=Health.UNHEALTHY)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def flaps(clock: Clock) -> Flaps:
    return Flaps(1.0, 60.0, clock)


def test_one_that_was_always_healthy_is_not_held(flaps: Flaps) -> None:
    flaps.note(WEB)
    assert flaps.held(WEB.id) == 0.0


def test_one_that_starts_is_not_held_when_it_gets_healthy(flaps: Flaps) -> None:
    flaps.note(replace(WEB, health=Health.STARTING))
    flaps.note(WEB)
    assert flaps.held(WEB.id) == 0.0


def test_each_flap_doubles_the_time(flaps: Flaps, clock: Clock) -> None:
    flaps.note(WEB)
    held = []
    for _ in range(9):
        flaps.note(SICK)
        clock.now += 0.1
        flaps.note(WEB)
        held.append(flaps.held(WEB.id))
        clock.now += 0.1
    assert held == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60])
    assert flaps.count(WEB.id) == 9


def test_the_time_is_that_of_being_healthy_without_a_break(flaps: Flaps, clock: Clock) -> None:
    for each in (WEB, SICK, WEB):
        flaps.note(each)
    clock.now += 0.9
    assert flaps.held(WEB.id) == pytest.approx(0.1)
    flaps.note(SICK)
    flaps.note(WEB)
    assert flaps.held(WEB.id) == pytest.approx(2.0)
    clock.now += 2
    assert flaps.held(WEB.id) == 0.0


def test_who_was_healthy_for_long_begins_anew(flaps: Flaps, clock: Clock) -> None:
    for each in (WEB, SICK, WEB, SICK, WEB):
        flaps.note(each)
    clock.now += 62.1
    flaps.note(SICK)
    flaps.note(WEB)
    assert flaps.held(WEB.id) == pytest.approx(1.0)


def test_who_is_started_again_begins_anew(flaps: Flaps) -> None:
    for each in (WEB, SICK, WEB):
        flaps.note(each)
    flaps.note(replace(WEB, started_at=2.0))
    assert flaps.held(WEB.id) == 0.0


def test_others_are_forgotten(flaps: Flaps) -> None:
    for each in (WEB, SICK, WEB):
        flaps.note(each)
    flaps.keep({"other"})
    assert flaps.held(WEB.id) == 0.0


@pytest.mark.parametrize("healthy", [0.05, 1.0, "as long as it must"])
def test_whatever_its_pattern_it_comes_and_goes_few_times_a_minute(
    flaps: Flaps, clock: Clock, healthy: float | str
) -> None:
    """Each time that it comes or goes is one reload. The worst is healthy for just as long as it is held."""
    flaps.note(WEB)
    until, times, served = clock.now + 60, 0, True
    while clock.now < until:
        flaps.note(SICK)
        times += served
        clock.now += 0.05
        flaps.note(WEB)
        clock.now += healthy if isinstance(healthy, float) else flaps.held(WEB.id)
        served = not flaps.held(WEB.id)
        times += served
    assert times <= 13
