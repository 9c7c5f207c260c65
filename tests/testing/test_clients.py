"""The stock clients against an embedded engine: the docker CLI, docker-py, aiodocker."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import aiodocker
import docker
import pytest

from skep.engine import Engine
from skep.testing import EmbeddedEngine


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
async def engine() -> AsyncIterator[EmbeddedEngine]:
    async with EmbeddedEngine("clients", labels={"public": "yes"}) as engine:
        yield engine


Cli = Callable[..., Any]


@pytest.fixture
def cli(engine: EmbeddedEngine, tmp_path: Path) -> Cli:
    """Runs the docker CLI on the engine."""
    if shutil.which("docker") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("the docker CLI is not installed")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "DOCKER_HOST": engine.url,
        "DOCKER_BUILDKIT": "0",
    }

    async def run(*arguments: str, stdin: str = "") -> Ran:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            "docker", *arguments, env=env, stdin=pipe, stdout=pipe, stderr=pipe
        )
        async with asyncio.timeout(20):
            out, err = await process.communicate(stdin.encode())
        return Ran(process.returncode or 0, out.decode(), err.decode())

    return run


async def test_a_container_s_life_at_the_prompt(cli: Cli) -> None:
    ran = await cli("run", "-d", "--name", "web", "-p", "8080:80", "--expose", "80", "busybox", "sleep", "1000")
    assert (ran.code, len(ran.out.strip())) == (0, 64)

    ps = (await cli("ps", "--format", "{{.Names}}|{{.Image}}|{{.Command}}|{{.Ports}}")).out.strip()
    assert ps.startswith('web|busybox|"sleep 1000"|0.0.0.0:8080->80/tcp')
    assert (await cli("port", "web")).out.splitlines()[0] == "80/tcp -> 0.0.0.0:8080"
    assert (await cli("inspect", "-f", "{{.State.Status}} {{.NetworkSettings.IPAddress}}", "web")).out.strip() == (
        "running 172.17.0.2"
    )
    assert "sleep 1000" in (await cli("top", "web")).out
    assert (await cli("stop", "web")).out.strip() == "web"
    assert (await cli("ps", "-aq", "--filter", "status=exited")).out.strip() == ran.out[:12]
    assert (await cli("rm", "web")).out.strip() == "web"
    assert (await cli("start", "web")).err.startswith("Error response from daemon: No such container: web")


async def test_run_in_the_foreground(cli: Cli) -> None:
    ran = await cli("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 3")

    assert ran == Ran(3, "out\n", "err\n")
    assert (await cli("ps", "-aq")).out == ""


async def test_a_pipe_through_a_container(cli: Cli) -> None:
    assert await cli("run", "-i", "--rm", "busybox", "cat", stdin="hi\n") == Ran(0, "hi\n", "")


async def test_exec(cli: Cli) -> None:
    await cli("run", "-d", "--name", "web", "busybox", "sleep", "1000")

    assert await cli("exec", "web", "echo", "out") == Ran(0, "out\n", "")
    assert await cli("exec", "-i", "web", "cat", stdin="in\n") == Ran(0, "in\n", "")
    assert await cli("exec", "-i", "web", "sh", stdin="echo a\nfalse || echo b\nexit 4\n") == Ran(4, "a\nb\n", "")
    assert (await cli("exec", "-e", "A=b", "web", "sh", "-c", 'echo "$A ${HOSTNAME}"')).out.startswith("b ")
    assert (await cli("exec", "web", "nosuch")).code == 126


async def test_logs_and_wait(cli: Cli) -> None:
    await cli("run", "-d", "--name", "talk", "busybox", "sh", "-c", "echo one; sleep 0.2; echo two; exit 5")

    assert (await cli("logs", "-f", "talk")).out == "one\ntwo\n"
    assert (await cli("wait", "talk")).out == "5\n"
    assert (await cli("logs", "--tail", "1", "talk")).out == "two\n"


async def test_the_rest_of_the_commands(cli: Cli) -> None:
    await cli("run", "-d", "--name", "web", "busybox", "sleep", "1000")
    for command in (
        "stats --no-stream",
        "pause web",
        "unpause web",
        "rename web site",
        "restart -t 0 site",
        "update --cpu-shares 5 site",
        "commit site snap:1",
        "history snap:1",
        "tag snap:1 snap:2",
        "rmi snap:2",
        "diff site",
        "network create net",
        "network connect net site",
        "network inspect net",
        "network disconnect net site",
        "network rm net",
        "volume create vol",
        "volume ls",
        "volume rm vol",
        "system df",
        "kill site",
        "container prune -f",
        "image prune -f",
        "version",
        "info",
    ):
        ran = await cli(*command.split())
        assert (ran.code, ran.err) == (0, ""), command


async def test_pull(cli: Cli) -> None:
    pulled = await cli("pull", "alpine:3")
    assert (pulled.code, "Status: Downloaded newer image for alpine:3" in pulled.out) == (0, True)
    assert "Image is up to date" in (await cli("pull", "alpine:3")).out
    assert "alpine:3" in (await cli("images", "--format", "{{.Repository}}:{{.Tag}}")).out.splitlines()

    missing = await cli("run", "missing/image")
    assert missing.code == 125
    assert "pull access denied for missing/image" in missing.err


async def test_build(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM busybox\nENV A=b\nCMD ["env"]\n')

    built = await cli("build", "-t", "made:1", str(tmp_path))

    assert "Successfully tagged made:1" in built.out
    assert "A=b" in (await cli("run", "--rm", "made:1")).out.splitlines()


async def test_events(cli: Cli) -> None:
    await cli("run", "--name", "seen", "busybox", "true")
    await cli("rm", "seen")

    ran = await cli("events", "--since", "0", "--until", f"{time.time():.6f}", "--format", "{{.Type}} {{.Action}}")

    assert ran.out.split("\n")[:-1] == [
        "container create",
        "container attach",
        "network connect",
        "container start",
        "container die",
        "network disconnect",
        "container destroy",
    ]


async def test_docker_py(engine: EmbeddedEngine) -> None:
    def use() -> list[Any]:
        client = docker.DockerClient(base_url=engine.url)
        try:
            output = client.containers.run("busybox", ["echo", "hi"], remove=True)
            box = client.containers.run("busybox", ["sleep", "1000"], name="box", detach=True, ports={"80/tcp": None})
            code, text = box.exec_run(["sh", "-c", "echo in; exit 2"])
            names = [c.name for c in client.containers.list()]
            box.reload()
            ports = box.ports
            box.stop(timeout=0)
            status = client.containers.get("box").status
            box.remove()
            return [output, code, text, names, int(ports["80/tcp"][0]["HostPort"]) >= 32768, status]
        finally:
            client.close()

    assert await asyncio.to_thread(use) == [b"hi\n", 2, b"in\n", ["box"], True, "exited"]


async def test_aiodocker(engine: EmbeddedEngine) -> None:
    async with aiodocker.Docker(url=engine.url) as client:
        box = await client.containers.create_or_replace("box", {"Image": "busybox", "Cmd": ["sleep", "1000"]})
        await box.start()
        run = await box.exec(["echo", "out"])
        async with run.start(detach=False) as stream:
            message = await stream.read_out()
        shown = await box.show()
        listed = [each.id for each in await client.containers.list()]
        await box.delete(force=True)
        info = await client.system.info()

    assert message is not None
    assert (message.stream, message.data) == (1, b"out\n")
    assert shown["State"]["Running"] is True
    assert listed == [shown["Id"]]
    assert info["Labels"] == ["public=yes"]


async def test_the_catalogue(engine: EmbeddedEngine, cli: Cli) -> None:
    """What the demo runs: names as in the article, ports from the images."""
    for image, port in (("redis", 6379), ("postgres", 5432), ("nginx", 80), ("counter", 80)):
        await cli("run", "-d", "-P", "--name", f"a-{image}", image)
        found = json.loads((await cli("inspect", f"a-{image}")).out)[0]
        assert list(found["NetworkSettings"]["Ports"]) == [f"{port}/tcp"]
        assert found["State"]["Status"] == "running"


async def test_skep_itself(engine: EmbeddedEngine) -> None:
    body = {"Image": "busybox", "Cmd": ["cat"], "OpenStdin": True, "StdinOnce": True, "Labels": {"a": "b"}}
    async with Engine(engine.url) as client:
        assert await client.negotiate() == "1.41"
        async with client.events() as events:
            await client.call("POST", "/containers/create", query={"name": "box"}, json=body)
            query = {"stream": 1, "stdin": 1, "stdout": 1}
            async with await client.hijack("POST", "/containers/box/attach", query=query) as taken:
                await client.call("POST", "/containers/box/start")
                taken.writer.write(b"hi")
                taken.writer.write_eof()
                data = await taken.reader.read()
            actions = [(await anext(events)).action for _ in range(5)]
        inspection = json.loads(await client.call("GET", "/containers/box/json"))

    assert data.endswith(b"hi")
    assert actions == ["create", "attach", "connect", "start", "die"]
    assert (inspection["Name"], inspection["Config"]["Labels"]) == ("/box", {"a": "b"})


async def test_the_cli_over_tls(
    certificate: tuple[Path, Path], tls_server: ssl.SSLContext, tmp_path: Path, cli: Cli
) -> None:
    """Without input, the CLI closes its half of the connection at once; the output must come all the same."""
    secure = EmbeddedEngine("secure")
    await secure.start("tcp://127.0.0.1:0", ssl_context=tls_server)
    cert, key = map(str, certificate)
    tls = ("-H", secure.url, "--tls", "--tlscacert", cert, "--tlscert", cert, "--tlskey", key)

    assert await cli(*tls, "run", "--rm", "busybox", "echo", "out") == Ran(0, "out\n", "")
    assert await cli(*tls, "run", "--rm", "-i", "busybox", "cat", stdin="in\n") == Ran(0, "in\n", "")
    await cli(*tls, "run", "-d", "--name", "web", "busybox", "sleep", "1000")
    assert await cli(*tls, "exec", "web", "echo", "out") == Ran(0, "out\n", "")
    await secure.stop()
