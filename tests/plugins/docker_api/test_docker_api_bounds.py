"""What answers without an end cost: memory does not grow with what has passed through, nor do open files with calls that were given up."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from skep.testing import wait_for

TEN_MEGABYTES = 10_000_000
PASSED = 200 * 2**20


def resident() -> int:
    """Bytes of memory that this process holds: client, endpoint and engine."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("asked", ["export", "top"])
async def test_a_line_without_an_end_is_not_kept(api: Any, asked: str) -> None:
    api.engines["n1"].run("box")
    await wait_for(lambda: api.agent.cluster.state.named("box"))
    api.engines["n1"].faults.endless_line(f"/containers/*/{asked}")
    before = most = passed = 0
    async with api.session.get(f"/containers/box/{asked}") as response:
        async for chunk in response.content.iter_any():
            passed += len(chunk)
            if before:
                most = max(most, resident())
            elif passed > PASSED // 10:  # buffers are as large as they get
                before = resident()
            if passed > PASSED:
                break
    assert most - before < TEN_MEGABYTES


async def test_calls_that_are_given_up_leave_no_files_open(serving: Any) -> None:
    async with serving("n1") as api:
        id_ = api.engines["n1"].run("box")
        await wait_for(lambda: api.agent.cluster.state.named("box"))
        await api.call("GET", f"/containers/{id_}/json")
        before = descriptors()
        with api.engines["n1"].faults.hang("/containers/*/top") as hanging:
            for number in range(40):
                asking = asyncio.create_task(api.call("GET", "/containers/box/top"))
                while hanging.hits <= number:
                    await asyncio.sleep(0.005)
                asking.cancel()
                await asyncio.wait([asking])
        await wait_for(lambda: descriptors() <= before + 8, message="connections of calls that were given up stay open")
