"""skep as a command: run to its end, or kept running while a test speaks to it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

SECONDS = 30


class Running:
    """A command that runs on. `text` is what it has printed so far, on both streams."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.text = ""

    async def until(self, words: str) -> str:
        """Read until a line has these words, and return that line."""
        assert self.process.stdout is not None
        async with asyncio.timeout(SECONDS):
            while line := (await self.process.stdout.readline()).decode():
                self.text += line
                if words in line:
                    return line.strip()
        raise AssertionError(f"it ended without {words!r}:\n{self.text}")

    async def stop(self) -> int:
        """Ask it to stop; returns its exit status, and `text` is complete."""
        if self.process.returncode is None:
            self.process.terminate()
        async with asyncio.timeout(SECONDS):
            out, _ = await self.process.communicate()
        self.text += out.decode()
        assert self.process.returncode is not None
        return self.process.returncode


class Skep:
    """Runs `python -m skep`."""

    def __init__(self) -> None:
        self.environ = {
            key: value for key, value in os.environ.items() if not key.startswith(("SKEP_", "SWARM_", "DOCKER_"))
        }
        self.running: list[Running] = []

    async def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run it to its end; its exit status must be `code`. Returns what it printed, on both streams."""
        return await self.run(sys.executable, "-m", "skep", *arguments, code=code)

    async def run(self, *command: str, code: int = 0) -> str:
        """As `__call__`, any command."""
        process = await self._spawn(command)
        async with asyncio.timeout(SECONDS):
            out, _ = await process.communicate()
        text = out.decode()
        assert process.returncode == code, f"{command}: {process.returncode}\n{text}"
        assert "Traceback" not in text
        return text

    async def start(self, *arguments: str) -> Running:
        """Start it, and let it run on."""
        running = Running(await self._spawn((sys.executable, "-m", "skep", *arguments)))
        self.running.append(running)
        return running

    async def _spawn(self, command: tuple[str, ...]) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=self.environ
        )


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Commands that run in this process configure its logging, as they may; other tests see nothing of that."""
    root, noisy = logging.getLogger(), logging.getLogger("asyncio")
    handlers, levels = root.handlers[:], (root.level, noisy.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    noisy.setLevel(levels[1])


@pytest.fixture
async def skep(tmp_path: Path) -> AsyncIterator[Skep]:
    """The command, with its agent at a socket of the test's own."""
    made = Skep()
    made.environ["SKEP_AGENT"] = f"unix://{tmp_path}/skep.sock"
    yield made
    for running in made.running:
        if running.process.returncode is None:
            running.process.kill()
            await running.process.wait()
