"""Faults are what they say: what a client of the engine sees of each, and that it ends."""

import asyncio
import urllib.request

import pytest

from contrib.lab import Host, LabError

pytestmark = pytest.mark.engine
SLEEPER = ("--stop-signal", "KILL", "busybox", "sleep", "1000")
"""The first process of a container ignores SIGTERM, and an engine gives it 10 s."""


async def answers(host: Host) -> bool:
    """Whether the engine answers over the network within a second."""
    url = f"http://{host.address}:2375/_ping"
    try:
        answer = await asyncio.to_thread(urllib.request.urlopen, url, timeout=1)
    except OSError:
        return False
    with answer:
        return bool(answer.status == 200)


async def accepts(host: Host) -> bool:
    """Whether a connection to the engine opens within a second."""
    try:
        async with asyncio.timeout(1):
            _, writer = await asyncio.open_connection(host.address, 2375)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def test_kill_and_start(engine: Host) -> None:
    await engine.docker("run", "-d", "--name", "job", *SLEEPER)
    await engine.kill()
    assert await engine.state() == "dead"
    assert not await accepts(engine)
    with pytest.raises(LabError, match="Cannot connect"):
        await engine.docker("ps")
    assert "sleep 1000" in await engine.run("ps", "ax")
    await engine.start()
    assert await engine.state() == "up"
    assert await answers(engine)
    assert await engine.docker("ps", "--all", "--format", "{{.Names}}: {{.State}}") == "job: exited"


async def test_restart_brings_back_what_shall_always_run(engine: Host) -> None:
    await engine.docker("run", "-d", "--name", "job", "--restart", "always", *SLEEPER)
    pid = await engine.run("pidof", "dockerd")
    await engine.restart()
    assert await engine.run("pidof", "dockerd") != pid
    assert await engine.docker("ps", "--format", "{{.Names}}: {{.State}}") == "job: running"


async def test_frozen_engine_accepts_and_is_silent(engine: Host) -> None:
    await engine.freeze()
    assert await engine.state() == "frozen"
    assert await accepts(engine)
    assert not await answers(engine)
    await engine.thaw()
    assert await engine.state() == "up"
    assert await answers(engine)


async def test_cut_host_is_unreachable_while_its_engine_lives(engine: Host) -> None:
    assert await accepts(engine)
    await engine.cut()
    assert await engine.state() == "up, cut"
    assert not await accepts(engine)
    assert await engine.docker("info", "--format", "{{.Name}}") == engine.name
    await engine.heal()
    assert await engine.state() == "up"
    async with asyncio.timeout(10):
        while not await answers(engine):
            pass


async def test_faults_of_a_dead_engine_say_so(engine: Host) -> None:
    await engine.kill()
    await engine.kill()
    with pytest.raises(LabError, match="no engine runs on engine; start it first"):
        await engine.freeze()
    with pytest.raises(LabError, match="no engine runs on engine"):
        await engine.thaw()
