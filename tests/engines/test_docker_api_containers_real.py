"""The stock docker command on a cluster of real engines: containers, execs, streams, and what it says when something is wrong."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import struct
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest


@asynccontextmanager
async def started(endpoint: Any, *arguments: str, **streams: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """The docker command while it runs; killed at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        "docker",
        *arguments,
        **{"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
        | streams,
        env={**os.environ, "DOCKER_HOST": endpoint.url, "TERM": "xterm"},
    )
    try:
        async with asyncio.timeout(20):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def run(endpoint: Any, *arguments: str, stdin: bytes = b"") -> tuple[int | None, str, str]:
    """Exit code, output, errors."""
    async with started(endpoint, *arguments) as process:
        output, errors = await process.communicate(stdin)
        return process.returncode, output.decode().strip(), errors.decode().strip()


async def test_names_ports_and_links_in_the_list(endpoint_of_four: Any) -> None:
    docker = endpoint_of_four.docker
    where = ("-e", "constraint:model==high-memory")
    await docker("run", "-d", "--name", "redis", "-p", "6379", *where, "busybox", "sleep", "100")
    await docker("run", "-d", "--name", "redis-counter", "--link", "redis", "busybox", "sleep", "100")
    shown = dict(line.split(" ", 1) for line in (await docker("ps", "--format", "{{.Names}} {{.Ports}}")).splitlines())
    address = endpoint_of_four.lab["backend1"].address
    assert list(shown) == ["backend1/redis-counter", "backend1/redis,backend1/redis-counter/redis"]
    port = shown["backend1/redis,backend1/redis-counter/redis"]
    assert port.startswith(f"{address}:")
    assert port.endswith("->6379/tcp")
    assert await docker("port", "backend1/redis") == f"6379/tcp -> {port.partition('-')[0]}"
    for reference in ("redis", "backend1/redis", "redis-counter/redis"):
        assert await docker("inspect", "-f", "{{.Node.Name}}{{.Name}}", reference) == "backend1/redis"


async def rows(path: str) -> dict[str, dict[str, Any]]:
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as session,
        session.get("http://docker/v1.41/containers/json?all=1") as response,
    ):
        return {row["Id"]: row for row in await response.json()}


async def test_rows_are_the_engines_own(endpoint_of_four: Any) -> None:
    host = endpoint_of_four.lab["frontend"]
    await host.docker(
        "run", "-d", "--name", "web", "-p", "8080:80", "-v", "data:/data", "-l", "a=b", "busybox", "sleep", "9"
    )
    await host.docker("create", "--name", "idle", "busybox", "echo", "a b")
    async with asyncio.timeout(10):
        while len(endpoint_of_four.agent.cluster.state.get_node("frontend").containers) < 2:
            await asyncio.sleep(0.05)
    theirs, ours = await rows(str(host.socket)), await rows(endpoint_of_four.url.removeprefix("unix://"))
    assert ours.keys() == theirs.keys()
    for id_, row in theirs.items():
        shown = ours[id_]
        assert shown["Names"] == [f"/frontend{name}" for name in row["Names"]]
        for end in (*row["NetworkSettings"]["Networks"].values(), *shown["NetworkSettings"]["Networks"].values()):
            end["Links"] = end["Aliases"] = end["IPAMConfig"] = None
        for port in row["Ports"]:
            if "IP" in port:
                port["IP"] = host.address
        ports = [port for at, port in enumerate(row["Ports"]) if port not in row["Ports"][:at]]
        assert shown == {**row, "Names": shown["Names"], "Status": shown["Status"], "Ports": ports}
        assert shown["Status"].split()[0] == row["Status"].split()[0]


async def test_run_with_input_output_and_exit_code(endpoint_of_four: Any) -> None:
    sh = ("busybox", "sh", "-c")
    assert await run(endpoint_of_four, "run", "--rm", *sh, "echo out; echo err >&2; exit 3") == (3, "out", "err")
    text = b"x" * 300_000 + b"\n"
    code, output, _ = await run(endpoint_of_four, "run", "-i", "--rm", "busybox", "wc", "-c", stdin=text)
    assert (code, output) == (0, "300001")
    assert await run(endpoint_of_four, "run", "-i", "--rm", "busybox", "cat", stdin=b"hi") == (0, "hi", "")
    assert await endpoint_of_four.docker("ps", "-aq") == ""


async def test_exec(endpoint_of_four: Any) -> None:
    await endpoint_of_four.docker("run", "-d", "--name", "box", "busybox", "sleep", "100")
    text = b"y" * 300_000
    code, output, _ = await run(endpoint_of_four, "exec", "-i", "box", "cat", stdin=text)
    assert (code, output) == (0, text.decode())
    assert await run(endpoint_of_four, "exec", "box", "sh", "-c", "echo a; echo b >&2; exit 7") == (7, "a", "b")
    assert (await run(endpoint_of_four, "exec", "-d", "box", "touch", "/tmp/there"))[0] == 0
    assert (await run(endpoint_of_four, "exec", "box", "ls", "/tmp/there"))[1] == "/tmp/there"
    code, _, errors = await run(endpoint_of_four, "exec", "box", "no-such-program")
    assert code in (126, 127), errors
    code, _, errors = await run(endpoint_of_four, "exec", "nope", "true")
    assert (code, errors) == (1, "Error response from daemon: No such container: nope")


@pytest.mark.parametrize("arguments", [("exec", "-it", "box", "sh"), ("run", "-it", "--rm", "busybox", "sh")])
async def test_a_terminal(endpoint_of_four: Any, arguments: tuple[str, ...]) -> None:
    await endpoint_of_four.docker("run", "-d", "--name", "box", "busybox", "sleep", "100")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 121, 0, 0))
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", buffering=0, closefd=True)
    )
    try:
        async with started(endpoint_of_four, *arguments, stdin=theirs, stdout=theirs, stderr=theirs) as process:
            await reader.readuntil(b"# ")
            # the terminal's size is told after the start
            await asyncio.to_thread(os.write, ours, b"until stty size | grep '33 121'; do :; done\r")
            await reader.readuntil(b"\n33 121\r\n")
            await asyncio.to_thread(os.write, ours, b"echo [$TERM]\r")
            await reader.readuntil(b"\n[xterm]\r\n")
            await asyncio.to_thread(os.write, ours, b"exit 5\r")
            assert await process.wait() == 5
    finally:
        transport.close()
        os.close(theirs)


async def test_logs_attach_and_wait(endpoint_of_four: Any) -> None:
    docker = endpoint_of_four.docker
    script = "read line; echo got $line; read line; exit 4"
    await docker("run", "-d", "-i", "--name", "box", "busybox", "sh", "-c", script)
    async with (
        started(endpoint_of_four, "logs", "-f", "box") as logs,
        started(endpoint_of_four, "attach", "box") as attach,
        started(endpoint_of_four, "wait", "box") as wait,
    ):
        assert attach.stdin
        assert attach.stdout
        assert logs.stdout
        assert wait.stdout
        # the engine tells nobody when an attached connection has begun
        async with asyncio.timeout(10):
            while not any(call.get_name() == "pump to engine" for call in asyncio.all_tasks()):
                await asyncio.sleep(0.01)
        attach.stdin.write(b"it\n")
        assert await logs.stdout.readline() == b"got it\n"
        assert await attach.stdout.readline() == b"got it\n"
        attach.stdin.write(b"\n")
        assert await wait.stdout.readline() == b"4\n"
        assert await logs.wait() == 0
        assert await attach.wait() == 4
    assert await docker("logs", "--tail", "1", "box") == "got it"
    assert await docker("wait", "box") == "4"


async def test_the_list_is_right_after_every_command(endpoint_of_four: Any) -> None:
    docker = endpoint_of_four.docker
    await docker("create", "--name", "box", "--stop-signal", "KILL", "busybox", "sleep", "100")

    async def state() -> str:
        return str(await docker("ps", "-a", "--format", "{{.Names}} {{.State}}"))

    node = (await docker("inspect", "-f", "{{.Node.Name}}", "box")).strip()
    assert await state() == f"{node}/box created"
    steps = (
        ("start", "running"),
        ("pause", "paused"),
        ("unpause", "running"),
        ("restart", "running"),
        ("stop", "exited"),
    )
    for command, expected in (*steps, ("start", "running")):
        await docker(command, "box")
        assert await state() == f"{node}/box {expected}", command
    await docker("rename", "box", "other")
    assert await state() == f"{node}/other running"
    await docker("update", "--memory", "64m", "--memory-swap", "64m", f"{node}/other")
    assert endpoint_of_four.agent.cluster.state.find_container("other").memory == 64 * 2**20
    text = await docker("rm", "other", fails=True)
    assert "You cannot remove a running container" in text
    await docker("rm", "-f", f"{node}/other")
    assert await state() == ""


async def test_files_changes_processes_and_statistics(endpoint_of_four: Any, tmp_path: Path) -> None:
    docker = endpoint_of_four.docker
    await docker("run", "-d", "--name", "box", "busybox", "sleep", "100")
    (tmp_path / "a").write_text("hello")
    await docker("cp", str(tmp_path / "a"), "box:/tmp/a")
    node = await docker("inspect", "-f", "{{.Node.Name}}", "box")
    await docker("cp", f"{node}/box:/tmp/a", str(tmp_path / "b"))
    assert (tmp_path / "b").read_text() == "hello"
    assert "A /tmp/a" in await docker("diff", "box")
    assert "sleep 100" in await docker("top", "box")
    row = json.loads(await docker("stats", "--no-stream", "--format", "{{json .}}"))
    assert row["Name"] == "box"
    await docker("export", "-o", str(tmp_path / "tree.tar"), "box")
    assert (tmp_path / "tree.tar").stat().st_size > 10**6
    async with started(endpoint_of_four, "stats", "--format", "{{.Name}}", "box") as stats:
        assert stats.stdout
        assert b"box" in await stats.stdout.readline()
    text = await docker("cp", "box:/nope", str(tmp_path / "c"), fails=True)
    assert "Could not find the file /nope in container" in text


async def test_refusals(endpoint_of_four: Any) -> None:
    docker = endpoint_of_four.docker
    await docker("run", "-d", "--name", "one", "busybox", "sleep", "100")
    await docker("run", "-d", "--name", "two", "busybox", "sleep", "100")
    for command in (("stop", "nope"), ("rm", "nope"), ("logs", "nope"), ("rename", "nope", "x"), ("top", "nope")):
        assert "No such container: nope" in await docker(*command, fails=True)
    assert "No such object: nope" in await docker("inspect", "nope", fails=True)
    assert "already in use" in await docker("rename", "one", "two", fails=True)
    code, _, errors = await run(endpoint_of_four, "run", "--name", "one", "busybox", "true")
    assert code == 125
    assert "one" in errors
    code, _, errors = await run(endpoint_of_four, "run", "--rm", "busybox", "no-such-program")
    assert code == 127, errors
    assert "invalid filter" in await docker("ps", "--filter", "nope=x", fails=True)
    assert "not supported" in await docker("node", "ls", fails=True)


async def test_prune(endpoint_of_four: Any) -> None:
    docker = endpoint_of_four.docker
    ids = {await docker("create", "busybox") for _ in range(5)}
    text = await docker("container", "prune", "-f")
    assert set(text.splitlines()[1:6]) == ids
    assert await docker("ps", "-aq") == ""


async def test_a_program_that_reads_late_gets_all(endpoint_of_four: Any) -> None:
    await endpoint_of_four.docker("run", "-d", "--name", "box", "busybox", "sleep", "100")
    # longer than a TCP connection that is not read from stands with TCP_USER_TIMEOUT
    call = ("exec", "-i", "box", "sh", "-c", "sleep 11; wc -c")
    assert await run(endpoint_of_four, *call, stdin=b"z" * 20_000_000) == (0, "20000000", "")


async def test_a_frozen_engine(endpoint_of_four: Any) -> None:
    docker, state = endpoint_of_four.docker, endpoint_of_four.agent.cluster.state
    await docker("run", "-d", "--name", "box", "-e", "constraint:node==backend2", "busybox", "sleep", "100")
    host = endpoint_of_four.lab["backend2"]
    await host.freeze()
    text = await docker("stop", "box", fails=True)
    assert "node backend2 stopped answering" in text
    assert not state.get_node("backend2").node.is_healthy
    assert await docker("ps", "-a", "--format", "{{.Names}} {{.Status}}") == "backend2/box Host Down"
    assert await docker("inspect", "-f", "{{.State.Status}}", "box") == "running"
    assert "is on node backend2, which is unhealthy now" in await docker("kill", "box", fails=True)
    await host.thaw()
    async with asyncio.timeout(15):
        while not state.get_node("backend2").node.is_healthy:
            await asyncio.sleep(0.05)
    await docker("rm", "-f", "box")
