"""Every hook is documented, tested somewhere, and called with one argument at most."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from skep import Plugin, events
from skep.plugins.registry import EVENTS, HOOKS

TESTS = Path(__file__).parents[2]
TEXT = "\n".join(file.read_text() for file in TESTS.rglob("test_*.py") if file != Path(__file__))


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_documented_typed_and_takes_one_argument_at_most(hook: str) -> None:
    function = getattr(Plugin, hook)
    assert len(inspect.getdoc(function) or "") > 10
    parameters = list(inspect.signature(function).parameters.values())[1:]
    assert len(parameters) <= 1
    assert all(each.annotation is not inspect.Parameter.empty for each in parameters)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_a_test_that_implements_it(hook: str) -> None:
    assert re.search(rf"def {hook}\(", TEXT), f"no test implements {hook}"


def test_every_event_has_its_hook() -> None:
    kinds = [
        each for each in vars(events).values() if inspect.isclass(each) and issubclass(each, events.LifecycleEvent)
    ]
    for kind in kinds:
        if kind not in (events.LifecycleEvent, events.NodeEvent, events.ContainerEvent):
            assert kind.hook in EVENTS
            assert HOOKS[kind.hook], "events are awaited"
