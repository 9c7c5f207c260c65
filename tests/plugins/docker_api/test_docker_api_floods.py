"""Requests that are made to cost much: they are refused, or cost little."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from skep import Container, ContainerState, Port
from skep_docker_api.event_log import MergedEvent


@pytest.mark.parametrize(
    ("path", "name"), [("/containers/json", "name"), ("/images/json", "reference"), ("/networks", "name")]
)
async def test_a_flood_of_filters_is_refused(api: Any, path: str, name: str) -> None:
    status, told = await api.call("GET", path, params={"filters": json.dumps({name: [f"x{n}" for n in range(201)]})})
    assert status == 400
    assert told["message"] == "invalid filters: 201 values, expected at most 200"


async def test_many_regular_expressions_are_one_search(api: Any) -> None:
    state = api.agent.cluster.state
    for number in range(5000):
        state.put_container(Container(id=f"{number:064}", name=f"c{number}", node="n1", state=ContainerState.RUNNING))
    wanted = ["^c4999$", "(", *(f"x{number}y" for number in range(198))]
    began = time.process_time()
    _, found = await api.call("GET", "/containers/json", params={"filters": json.dumps({"name": wanted})})
    assert [row["Id"] for row in found] == [f"{4999:064}"]
    assert time.process_time() - began < 1


async def test_ranges_of_ports_are_not_counted_out(api: Any) -> None:
    """They were: 200 ranges of 65,536 ports, each under a protocol of its own, took a gigabyte."""
    api.agent.cluster.state.put_container(
        Container(id="a" * 64, name="a", node="n1", state=ContainerState.RUNNING, exposed=(Port(80, "z9"),))
    )
    ranges = [f"0-65535/z{number}" for number in range(200)]
    began = time.process_time()
    _, found = await api.call("GET", "/containers/json", params={"filters": json.dumps({"expose": ranges})})
    assert [row["Id"] for row in found] == ["a" * 64]
    assert time.process_time() - began < 1


@pytest.mark.parametrize("version", ["1." + "1" * 5000, "\u0661.\u0664", "1"])
async def test_what_is_no_version_is_not_found(api: Any, version: str) -> None:
    """Python does not take thousands of digits for a number."""
    assert await api.call("GET", f"/v{version}/images/json") == (404, {"message": "page not found"})


async def test_large_events_are_remembered_and_kept_waiting_within_bounds(api: Any) -> None:
    """An engine's event may have a megabyte; a thousand of them, twice, were 2 GB."""
    log = api.plugin.event_log
    with log.reading() as reader:
        for number in range(100):
            log._add(MergedEvent(number, (number,), {}, 2**20))
        assert reader.overrun
        assert len(reader.waiting) <= 64
    found = [event for event in await log.past(50, 99) if event.size]
    assert [event.at for event in found] == list(range(84, 100))
