"""Rules before a real engine, met by the stock docker command of a tenant, who is a user behind a unix socket."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contrib.lab import Host
from skep import Agent, parse_settings

PLUGINS = ("health", "port", "dependency", "affinity", "constraint", "spread")
TENANT = 12345
BUILDER = 12346


@dataclass
class Door:
    """The endpoint."""

    url: str
    home: str

    async def docker(self, *arguments: str, uid: int = TENANT, fails: bool = False) -> str:
        """Run the docker command as a user; what it printed, stripped. `fails`: it must."""
        process = await asyncio.create_subprocess_exec(
            "docker",
            *arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=uid,
            group=uid,
            extra_groups=[],
            env={
                "DOCKER_HOST": self.url,
                "DOCKER_BUILDKIT": "0",
                "PATH": "/usr/bin:/bin:/usr/local/bin",
                "HOME": self.home,
            },
        )
        try:
            async with asyncio.timeout(60):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = output.decode().strip()
        assert bool(process.returncode) is fails, text
        return text


@pytest.fixture
async def door(engine: Host) -> AsyncIterator[Door]:
    """One engine; its tenant may run restricted containers that are its own, and root everything."""
    with tempfile.TemporaryDirectory(prefix="skep-policy-") as folder:
        Path(folder).chmod(0o755)
        url = f"unix://{folder}/docker.sock"
        rules: dict[str, Any] = {
            "tenant": {"clients": [f"uid:{TENANT}"], "allow": ["run"], "owner": "tenant=t"},
            "builder": {
                "clients": [f"uid:{BUILDER}"],
                "allow": ["run", "build"],
                "profile": "baseline",
                "owner": "team=b",
            },
            "root": {"clients": ["uid:0"], "allow": ["all"], "profile": "privileged"},
        }
        plugins: dict[str, Any] = {**{name: {} for name in PLUGINS}, "policy": {"rules": rules}}
        plugins["docker_api"] = {"listen": [url], "socket_mode": "666"}
        async with Agent(parse_settings({"cluster": {"engines": [engine.url]}, "plugins": plugins})):
            yield Door(url, folder)


async def test_a_tenant_runs_plain_containers(door: Door) -> None:
    assert await door.docker("run", "--rm", "busybox", "id", "-u") == "65534"
    seen = await door.docker("run", "--rm", "busybox", "grep", "-E", "CapEff|CapBnd|NoNewPrivs", "/proc/self/status")
    assert seen.split() == ["CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1"]
    await door.docker("run", "-d", "--name", "web", "-v", "data:/data", "busybox", "sleep", "1000")
    assert await door.docker("ps", "--format", '{{.Names}} {{.Label "tenant"}}') == "web t"
    assert await door.docker("exec", "web", "id", "-u") == "65534"
    assert await door.docker("volume", "ls", "-q") == "data"
    assert await door.docker("logs", "web") == ""
    await door.docker("rename", "web", "web2")
    await door.docker("rm", "-f", "web2")
    await door.docker("volume", "rm", "data")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--privileged",), "HostConfig.Privileged is not allowed"),
        (("-v", "/:/host"), "the host's / may not be mounted"),
        (
            ("--mount", "type=bind,src=/var/run/docker.sock,dst=/s"),
            "the host's /var/run/docker.sock may not be mounted",
        ),
        (("--net", "host"), "the host's network is not allowed"),
        (("--pid", "host"), "HostConfig.PidMode: host is not allowed"),
        (("--cap-add", "SYS_ADMIN"), "HostConfig.CapAdd: CAP_SYS_ADMIN is not allowed"),
        (("--security-opt", "seccomp=unconfined"), "HostConfig.SecurityOpt: seccomp=unconfined is not allowed"),
        (("--device", "/dev/kmsg"), "HostConfig.Devices is not allowed"),
        (("--user", "0"), "a user in numbers who is not root"),
    ],
)
async def test_it_gets_no_way_out(door: Door, arguments: tuple[str, ...], told: str) -> None:
    text = await door.docker("run", "--rm", *arguments, "busybox", "true", fails=True)
    assert "policy: rule tenant refuses container.create: " in text
    assert told in text.replace("CapAdd: SYS_ADMIN", "CapAdd: CAP_SYS_ADMIN")


async def test_nor_by_exec_or_update(door: Door) -> None:
    await door.docker("run", "-d", "--name", "box", "busybox", "sleep", "1000")
    for options in (("--privileged",), ("-u", "0"), ("-u", "root")):
        text = await door.docker("exec", *options, "box", "id", fails=True)
        assert "policy: rule tenant refuses exec.create" in text
    await door.docker("update", "--memory", "64m", "--memory-swap", "64m", "box")
    await door.docker("rm", "-f", "box")


async def test_others_containers_are_not_there(door: Door) -> None:
    await door.docker("run", "-d", "--name", "secret", "busybox", "sleep", "1000", uid=0)
    assert await door.docker("ps", "-aq") == ""
    for command in (
        ("inspect", "--type", "container"),
        ("logs",),
        ("exec", "-i"),
        ("stop",),
        ("rm",),
        ("top",),
        ("stats", "--no-stream"),
    ):
        name = ("secret", "id") if command[0] == "exec" else ("secret",)
        text = await door.docker(*command, *name, fails=True)
        assert "No such container: secret" in text
    text = await door.docker("run", "--rm", "--net", "container:secret", "busybox", "true", fails=True)
    assert "names no container of yours" in text
    assert await door.docker("ps", "-q", "--filter", "name=secret", uid=0) != ""
    await door.docker("rm", "-f", "secret", uid=0)


async def test_an_image_brings_no_owner(door: Door) -> None:
    """The builder's image says that what is made of it is the tenant's."""
    folder = Path(door.home) / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM busybox\nLABEL tenant=t\n")
    await door.docker("build", "-t", "sly", str(folder), uid=BUILDER)
    await door.docker("create", "--name", "box", "sly", uid=BUILDER)
    assert await door.docker("ps", "-aq") == ""
    assert "No such container: box" in await door.docker("start", "box", fails=True)
    assert await door.docker("inspect", "-f", "{{.Config.Labels.tenant}}", "box", uid=BUILDER) == ""
    await door.docker("rm", "box", uid=BUILDER)


async def test_a_stranger_is_told_so(door: Door) -> None:
    assert "policy: there is no rule for 'uid:23456'" in await door.docker("ps", uid=23456, fails=True)
