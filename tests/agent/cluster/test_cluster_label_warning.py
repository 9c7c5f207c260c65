"""Labels that are passed over are told once, and again when they change."""

from __future__ import annotations

import logging

import pytest

from skep.testing import EmbeddedEngine
from tests.agent.cluster.observing import eventually, observing


async def test_labels_that_are_passed_over_are_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    def told() -> list[str]:
        return [text for record in caplog.records if "engine labels" in (text := record.getMessage())]

    async with EmbeddedEngine("n1", labels={"node": "x\n", "disk": "ssd"}) as engine, observing(engine.url) as observed:
        assert told() == ["node n1: passing over engine labels whose key is taken already: 'node=x\\n'"]
        await observed.cluster.set_engines([])
        engine.labels = {"node": "y", "ostype": "plan9"}
        await observed.cluster.set_engines([engine.url])
        await eventually(lambda: len(told()) == 2)
        assert told()[1].endswith(": 'node=y', 'ostype=plan9'")
