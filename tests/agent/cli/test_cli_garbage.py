"""The collector of a manager's process: nothing old is gone through but now and then, and all is as before afterwards."""

from __future__ import annotations

import gc
import weakref

import pytest

from skep.cli import garbage


class Knot:
    """Garbage, when it is left: it holds itself."""

    def __init__(self) -> None:
        self.me = self


def test_what_is_set_aside_is_gone_through_when_it_has_become_much(monkeypatch: pytest.MonkeyPatch) -> None:
    before = gc.get_threshold()
    with garbage.Collector() as collector:
        knot = Knot()
        gone = weakref.ref(knot)
        gc.collect(1)  # it survives, and is set aside
        del knot
        gc.collect()
        collector.look()
        assert gone() is not None
        monkeypatch.setattr(garbage, "MANY", -(2**30))
        collector.look()
        assert gone() is None
        assert gc.get_threshold()[2] == garbage.NEVER
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
