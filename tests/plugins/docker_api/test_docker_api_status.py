"""`docker ps` tells how long ago something was, by the clock of the engine on which it was."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from skep import format_time


def shifted(skew: float, *path: str) -> Callable[[bytes], bytes]:
    """Changes one time in an answer to the engine's clock, which is `skew` seconds ahead."""

    def change(body: bytes) -> bytes:
        whole = json.loads(body)
        place: Any = whole
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = format_time(time.time() + skew)
        return json.dumps(whole).encode()

    return change


@pytest.mark.parametrize("skew", [-7200.0, 7200.0])
async def test_a_status_is_right_although_the_engines_clock_is_not(skew: float, serving: Any) -> None:
    async with serving("n1") as api:
        engine = api.engines["n1"]
        with (
            engine.faults.change(shifted(skew, "SystemTime"), "/info"),
            engine.faults.change(shifted(skew, "State", "StartedAt"), "/containers/*/json"),
        ):
            await api.agent.cluster.set_engines([])
            await api.agent.cluster.set_engines([engine.url])
            await api.agent.cluster.tried()
            id_ = engine.run("web")
            await api.agent.cluster.refresh_container("n1", id_)
            _, (row,) = await api.call("GET", "/containers/json")
        assert row["Status"] in ("Up Less than a second", "Up 1 second", "Up 2 seconds"), row
        node = api.agent.cluster.state.get_node("n1")
        assert node is not None
        assert node.node.clock_skew == pytest.approx(skew, abs=5)
