"""kill -9 at each step, and a restart: one answer counts, and it is the first; what was noted is not made again."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import Process
from pathlib import Path

import pytest

from skep.testing import wait_for
from tests.plugins.custom_resource.custom_resource_wires import Wires
from tests.plugins.custom_resource.fake_cloudformation import FakeCloudFormation
from tests.plugins.custom_resource.killed_agent import STEPS


@pytest.mark.parametrize("step", STEPS)
async def test_a_killed_agent_goes_on_where_it_was(
    step: str, cloudformation: FakeCloudFormation, wires: Wires, moto_url: str, tmp_path: Path
) -> None:
    table = {
        "queue": wires.queue, "endpoint_url": moto_url, "plain_loopback": True, "visibility": "1s",
        "journal": str(tmp_path / "journal"),
    }  # fmt: skip
    settings, record = json.dumps({"plugins": {"custom_resource": table}}), tmp_path / "record"

    async def start(step: str) -> Process:
        module = "tests.plugins.custom_resource.killed_agent"
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, settings, step, str(record), stdout=-1
        )

    first = await start(step)
    creating = asyncio.create_task(cloudformation.create("web", "Custom::Counted", {}))
    assert await first.wait() == -9
    second = await start("")
    try:
        stack = await creating
        await wait_for(lambda: '"state":"accepted"' in (tmp_path / "journal").read_text(), timeout=10)
        await wait_for(lambda: wires.counts() == (0, 0), timeout=10)
    finally:
        second.kill()
        await second.wait()
    issued = stack.asked[0]
    assert stack.status == "CREATE_COMPLETE"
    assert not issued.refused
    assert all(each == issued.answer for each in issued.accepted)
    made = len(record.read_text().splitlines())
    assert made == (2 if step == "before answered" else 1)
    assert len(issued.accepted) == (2 if step in ("after put", "before finished") else 1)
