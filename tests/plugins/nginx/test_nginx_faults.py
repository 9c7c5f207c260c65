"""Bad days of a real nginx: the last good configuration serves, the reason is told, and it mends itself."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from skep import Agent, SettingsError, parse_settings
from skep.testing import EmbeddedEngine
from skep_nginx import NginxPlugin, NginxSettings
from tests.plugins.nginx.nginx_tools import Backend, Served, answers, free_port, serving, until

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"


@pytest.fixture
def stub(folder: Path) -> Path:
    """nginx, but it refuses configurations with a certain host."""
    path = folder / "nginx-stub"
    path.write_text(
        "#!/bin/sh\n"
        'for last; do :; done; case "$1" in -t) if grep -q evil.example "$last"; then\n'
        f'echo "nginx: [emerg] host evil.example is not liked in $last:1" >&2; exit 1; fi;; esac\nexec {NGINX} "$@"\n'
    )
    path.chmod(0o755)
    return path


def run(node: EmbeddedEngine, host: str, backend: Backend) -> None:
    node.run(host.split(".")[0], env={"VIRTUAL_HOST": host}, ports={"80/tcp": f"127.0.0.1:{backend.port}"})


async def test_whom_nginx_refuses_is_left_out_alone(
    folder: Path, stub: Path, node: EmbeddedEngine, one: Backend, two: Backend
) -> None:
    run(node, "shop.example", one)
    run(node, "evil.example", two)
    async with serving(folder, node, nginx=str(stub)) as served:
        await served.live("shop.example")
        await served.answers("shop.example", 200, "one")
        [out] = served.status["left_out"]
        assert (out["container"], out["by"]) == ("evil", "nginx")
        assert "evil.example is not liked" in out["reason"]


async def test_no_program(folder: Path, stub: Path, node: EmbeddedEngine, one: Backend, two: Backend) -> None:
    run(node, "shop.example", one)
    async with serving(folder, node, nginx=str(stub), retry=0.2) as served:
        await served.answers("shop.example", 200)
        away = stub.rename(folder / "away")
        run(node, "new.example", two)
        await until(lambda: f"there is no program {stub}" in served.status["error"])
        await served.answers("shop.example", 200)
        away.rename(stub)
        await served.answers("new.example", 200)


async def test_garbage_in_the_operators_own_file(
    folder: Path, node: EmbeddedEngine, one: Backend, two: Backend
) -> None:
    include = folder / "own.conf"
    include.write_text("gzip on;\n")
    run(node, "shop.example", one)
    async with serving(folder, node, include=str(include), retry=0.2) as served:
        await served.live("shop.example")
        include.write_text("gzip on\nnonsense;\n")
        run(node, "new.example", two)
        await until(lambda: "refuses even a configuration without sites" in served.status["error"])
        assert "own.conf" in served.status["error"]
        assert served.status["left_out"] == []
        await served.answers("shop.example", 200)
        include.write_text("gzip off;\n")
        await served.live("new.example", "shop.example")
        assert served.status["error"] == ""


async def test_a_reload_that_hangs(folder: Path, node: EmbeddedEngine, one: Backend, two: Backend) -> None:
    run(node, "shop.example", one)
    async with serving(folder, node, verify_timeout=1, retry=0.2) as served:
        await served.live("shop.example")
        good = (folder / "nginx.conf").read_bytes()
        os.kill(served.pid(), signal.SIGSTOP)
        run(node, "new.example", two)
        await until(lambda: "did not take the new configuration within 1 s" in served.status["error"])
        assert (folder / "nginx.conf").read_bytes() == good
        await served.answers("shop.example", 200)
        os.kill(served.pid(), signal.SIGCONT)
        await served.answers("new.example", 200)


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root mounts")
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "none", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Take all that is left there."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return filler


async def test_a_full_disk(small_disk: Path, node: EmbeddedEngine, one: Backend, two: Backend) -> None:
    run(node, "shop.example", one)
    async with serving(small_disk, node, retry=0.2) as served:
        await served.live("shop.example")
        good = (small_disk / "nginx.conf").read_bytes()
        filler = fill(small_disk)
        run(node, "new.example", two)
        await until(lambda: "No space left on device" in served.status["error"])
        assert (small_disk / "nginx.conf").read_bytes() == good
        await served.answers("shop.example", 200)
        filler.unlink()
        await served.answers("new.example", 200)


async def test_whose_hosts_are_on_a_full_disk(
    small_disk: Path, node: EmbeddedEngine, one: Backend, two: Backend
) -> None:
    """The file stays as it was, and is written when there is room, so that a host is nobody else's after the next start."""
    for name, backend in (("mine", one), ("other", two)):
        env = {"VIRTUAL_HOST": "shop.example", "VIRTUAL_PORT": str(backend.port)}
        node.run(name, env=env, labels={"skep.owner": name}, NetworkMode="host")
    claims = small_disk / "hosts.json"
    async with serving(small_disk, node, retry=0.2) as served:
        await served.answers("shop.example", 200, "one")
        await until(claims.exists)
        before = claims.read_bytes()
        filler = fill(small_disk)
        node.remove("mine", force=True)
        await until(lambda: "No space left on device" in served.status["error"])
        assert claims.read_bytes() == before
        filler.unlink()
        await until(lambda: claims.read_bytes() != before)
        await until(lambda: served.status["state"] == "live")
    async with serving(small_disk, node) as served:
        await served.live()
        [out] = served.status["left_out"]
        assert (out["container"], out["by"]) == ("other", "owner")


async def test_a_log_on_a_full_disk(small_disk: Path, node: EmbeddedEngine, one: Backend, two: Backend) -> None:
    """Requests are answered and changes go live, though nobody can read of them."""
    run(node, "shop.example", one)
    home = small_disk.parent / "home"
    small_disk.chmod(0o777)  # nginx, which is not root, opens it anew at each reload
    log = small_disk / "access.log"
    async with serving(home, node, access_log=str(log), retry=0.2) as served:
        await served.answers("shop.example", 200)
        await until(lambda: log.stat().st_size)
        filler = fill(small_disk)
        for _ in range(100):  # more than what is left of the log's last page
            await served.answers("shop.example", 200)
        run(node, "new.example", two)
        await served.answers("new.example", 200)
        await served.live("new.example", "shop.example")
        filler.unlink()
        size = log.stat().st_size
        async with asyncio.timeout(15):
            while log.stat().st_size <= size:
                await served.answers("new.example", 200)


class External:
    """Somebody else's nginx."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.main = folder / "main.conf"
        self.own = folder / "own.conf"
        self.conf = folder / "skep.conf"
        self.conf.touch()
        self.own.touch()
        user = "user www-data;" if os.geteuid() == 0 else ""
        self.main.write_text(
            f"{user} daemon off; pid {folder}/main.pid; error_log stderr; events {{}}\n"
            f"http {{ access_log off; include {self.own}; include {self.conf}; }}\n"
        )
        base = [NGINX, "-e", "stderr", "-c", str(self.main)]
        self.settings = {
            "conf": str(self.conf),
            "test": [NGINX, "-e", "stderr", "-t", "-q", "-c", "{conf}"],
            "check": [*base, "-t", "-q"],
            "reload": [*base, "-s", "reload"],
        }
        self.command = base


@pytest.fixture
async def external(folder: Path) -> AsyncIterator[External]:
    found = External(folder)
    process = await asyncio.create_subprocess_exec(
        *found.command, stderr=asyncio.subprocess.DEVNULL, start_new_session=True
    )
    await until(lambda: (folder / "main.pid").exists())
    yield found
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    await process.wait()


async def test_an_nginx_of_somebody_else_behind_the_proxy_protocol(
    folder: Path, external: External, node: EmbeddedEngine, one: Backend
) -> None:
    """The agent's own question, whether a change is live, speaks it too."""
    run(node, "shop.example", one)
    own = {"mode": "external", "external": external.settings, "directory": str(folder / "home"), "proxy_protocol": True}
    own |= {"listen": [f"127.0.0.1:{external.port}"], "direct": False}
    async with Agent(parse_settings({"cluster": {"engines": [node.url]}, "plugins": {"nginx": own}})) as agent:
        plugin = agent.plugins.plugins["nginx"]
        assert isinstance(plugin, NginxPlugin)
        await Served(agent, plugin, external.port, folder).live("shop.example")
        assert plugin.work.applier.counts.failures == 0
    reader, writer = await asyncio.open_connection("127.0.0.1", external.port)
    writer.write(b"PROXY TCP4 8.8.8.8 127.0.0.1 1000 80\r\nGET / HTTP/1.0\r\nHost: shop.example\r\n\r\n")
    assert b"X-Real-IP: 8.8.8.8" in await reader.read()
    writer.close()


async def test_an_nginx_of_somebody_else(
    folder: Path, external: External, node: EmbeddedEngine, one: Backend, two: Backend
) -> None:
    run(node, "shop.example", one)
    home = folder / "home"
    own = {"mode": "external", "external": external.settings, "retry": 0.2, "directory": str(home)}
    own |= {"listen": [f"127.0.0.1:{external.port}"], "direct": False}
    whole = parse_settings({"cluster": {"engines": [node.url]}, "plugins": {"nginx": own}})
    async with Agent(whole) as agent:
        plugin = agent.plugins.plugins["nginx"]
        assert isinstance(plugin, NginxPlugin)
        served = Served(agent, plugin, external.port, home)
        await served.answers("shop.example", 200, "one")
        await served.live("shop.example")
        good = external.conf.read_bytes()
        external.own.write_text("nonsense;")
        run(node, "new.example", two)
        await until(lambda: "nonsense" in served.status["error"])
        assert external.conf.read_bytes() == good
        await served.answers("shop.example", 200)
        external.own.write_text("")
        await served.answers("new.example", 200, "two")


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"listen": ["80;"]}, "'80;' is no address to listen on: expected for example '0.0.0.0:80'"),
        ({"listen": []}, "listen"),
        ({"listen": ["localhost:80"]}, "no address to listen on"),
        ({"listen": ["::1:80"]}, "no address to listen on"),
        ({"listen": ["0.0.0.0:0"]}, "no address to listen on"),
        ({"mode": "docker"}, "mode"),
        ({"directory": "nginx"}, "directory: expected an absolute path"),
        ({"directory": "/" + "x" * 100}, "is too long"),
        ({"quiet": 5}, r"longest \(4.0\) is less than quiet"),
        ({"reserved": ["a;"]}, "expected a name such as www.example.com"),
        ({"host_address": "example"}, "does not appear to be an IPv4"),
        ({"external": {"reload": []}}, "reload"),
        ({"external": {"restart": ["x"]}}, "restart"),
        ({"moed": "process"}, "did you mean mode"),
    ],
)
def test_wrong_settings(wrong: dict[str, object], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        Agent(parse_settings({"plugins": {"nginx": wrong}}))


def test_listening_on_all_addresses_of_both_kinds() -> None:
    assert NginxSettings(listen=("80", "[::]:80", "127.0.0.1:8080")).listen


async def test_an_nginx_of_somebody_else_starts_again_after_it_was_killed(
    folder: Path, external: External, node: EmbeddedEngine, one: Backend
) -> None:
    run(node, "shop.example", one)
    own = {"mode": "external", "external": external.settings, "default_server": False, "direct": False}
    own |= {"listen": [f"127.0.0.1:{external.port}"], "directory": str(folder / "home")}
    async with Agent(parse_settings({"cluster": {"engines": [node.url]}, "plugins": {"nginx": own}})):
        await answers(external.port, "shop.example", 200, "one")
        await answers(external.port, "other.example", 503)
        os.killpg(int((folder / "main.pid").read_text()), signal.SIGKILL)
        again = await asyncio.create_subprocess_exec(*external.command, stderr=asyncio.subprocess.DEVNULL)
        await answers(external.port, "shop.example", 200, "one")
        again.terminate()
        await again.wait()
