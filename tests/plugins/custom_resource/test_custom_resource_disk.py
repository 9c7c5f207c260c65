"""A disk that fills up, and empties again, under the journal of an agent that answers: a real one of 256 KiB."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skep import CustomResource, CustomResourceRequest, Plugin
from skep.testing import wait_for
from tests.plugins.custom_resource.custom_resource_wires import Served, Wires, counts
from tests.plugins.custom_resource.fake_cloudformation import FakeCloudFormation


class Made(Plugin):
    """Counts what it makes."""

    name = "made"

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def custom_resources(self) -> dict[str, CustomResource]:
        return {"thing": self.thing}

    async def thing(self, request: CustomResourceRequest) -> object:
        self.count += 1
        return {"Number": self.count}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root mounts")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "none", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> None:
    """Leave not a byte."""
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    with contextlib.suppress(OSError), (disk / "journal").open("ab", buffering=0) as file:  # its last page, too
        start = file.tell()
        while True:
            file.write(b"\n" * 64)
    os.truncate(disk / "journal", start + (4096 - start % 4096) % 4096)


async def test_requests_are_answered_once_while_the_disk_is_full_and_kept_when_it_is_not(
    cloudformation: FakeCloudFormation,
    served: Served,
    wires: Wires,
    small_disk: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = Made()
    agent = await served(made, journal=str(small_disk / "journal"))
    plugin: Any = agent.plugins.plugins["custom_resource"]
    await cloudformation.create("before", "Custom::Thing", {})
    await asyncio.to_thread(fill, small_disk)
    stack = await cloudformation.create("full", "Custom::Thing", {})
    assert stack.data == {"Number": "2"}
    await wires.publish(stack.events[0])
    await wait_for(lambda: counts(agent)["duplicate"] == 1)
    assert (made.count, len(stack.asked[0].accepted)) == (2, 1)
    assert plugin._journal.failures > 0
    assert "No space left on device; it is kept in memory only" in caplog.text
    await asyncio.to_thread((small_disk / "filler").unlink)
    failures = plugin._journal.failures
    after = await cloudformation.create("after", "Custom::Thing", {})
    await wait_for(lambda: wires.counts() == (0, 0))
    assert (after.data, plugin._journal.failures) == ({"Number": "3"}, failures)
