"""The image of contrib/docker, built by a real engine from its Dockerfile as it stands, and run in nginx-proxy's place.

There is no registry, so the base image is made here, under its name: this machine's Python and nginx. What the Dockerfile would fetch is in it already:
apt-get finds nothing to do, and pip, which is the real one, finds skep's requirements installed.
"""

import asyncio
import json
import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from contrib.lab import Host, Lab
from contrib.lab.api import import_image
from contrib.lab.images.python import install, python
from contrib.lab.images.servers import nginx
from contrib.lab.images.tree import Tree
from tests.plugins.nginx.nginx_tools import answers, ask

ROOT = Path(__file__).parents[2]
BASE = "python:3.13-slim-bookworm"
IMAGE = "skep/nginx-proxy"
NEEDED = (
    "aiodocker",
    "aiohttp",
    "click",
    "google-re2",
    "msgspec",
    "pluggy",
    "acme",
    "cryptography",
    "josepy",
    "pyyaml",
)
OFFLINE = ("PIP_NO_INDEX=1", "PIP_NO_DEPS=1", "PIP_NO_BUILD_ISOLATION=0", "PIP_DISABLE_PIP_VERSION_CHECK=1")
SLOW = "trap 'exit 0' TERM; mkdir -p /www/cgi-bin; printf '#!/bin/sh\\nsleep 2; echo; echo slow\\n' > /www/cgi-bin/slow"
PAGE = f"{SLOW}; chmod +x /www/cgi-bin/slow; echo shop > /www/index.html; exec httpd -f -p 80 -h /www"


def _base(tar: Path) -> tuple[str, ...]:
    with Tree(tar) as tree:
        settings = python(tree)
        install(tree, *NEEDED, "pip", "hatchling")
        tree.text("/etc/nginx/conf.d/default.conf", "")  # Debian's has its own site elsewhere.
        nginx(tree)
        tree.program(Path("/usr/bin/setpriv"), "/usr/local/bin/setpriv")
        tree.text("/usr/local/bin/pip", '#!/bin/sh\nexec python3 -m pip "$@"\n', 0o755)
        tree.text("/usr/local/bin/apt-get", "#!/bin/sh\nexit 0\n", 0o755)
    path = "ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return (*settings, path, *(f"ENV {each}" for each in OFFLINE))


@pytest.fixture
async def host(cluster_lab: Lab, tmp_path: Path) -> Host:
    """An engine that has built the image."""
    front = cluster_lab["frontend"]
    changes = await asyncio.to_thread(_base, tmp_path / "base.tar")
    await asyncio.to_thread(import_image, front.socket, tmp_path / "base.tar", BASE, changes)
    words = ["docker", "--host", f"unix://{front.socket}", "build", "-f", "contrib/docker/Dockerfile", "-t", IMAGE, "."]
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    built = await asyncio.to_thread(
        subprocess.run, words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240
    )
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    return front


async def test_it_serves_logs_is_healthy_and_ends_its_requests(host: Host) -> None:
    await host.docker("run", "-d", "--name", "shop", "-e", "VIRTUAL_HOST=shop.example", "busybox", "sh", "-c", PAGE)
    began = ("--name", "nginx", "-p", "80:80", "-v", f"{host.socket}:/tmp/docker.sock:ro", "-e", "DHPARAM_BITS=2048")
    await host.docker("run", "-d", *began, "--health-interval", "1s", IMAGE)
    await answers(80, "shop.example", 200, "shop", ip=host.address, seconds=30)
    assert (await ask(80, "other.example", ip=host.address))[0] == 503

    await _until("is healthy", lambda: host.docker("inspect", "-f", "is {{.State.Health.Status}}", "nginx"))
    told = await host.docker("exec", "nginx", "python3", "-m", "skep", "nginx", "explain", "shop.example")
    assert "shop.example: answered" in told
    whose = await host.docker("exec", "nginx", "sh", "-c", "grep -h ^Uid: /proc/[0-9]*/status | sort -u")
    assert whose.count("Uid:") == 2, whose  # the agent's is root, all of nginx's is not

    under_way = asyncio.create_task(ask(80, "shop.example", "/cgi-bin/slow", ip=host.address))
    await _until("slow", lambda: host.docker("top", "shop"))
    await host.docker("stop", "-t", "20", "nginx")
    status, body = await under_way
    assert (status, "slow" in body) == (200, True)
    state = json.loads(await host.docker("inspect", "-f", "{{json .State}}", "nginx"))
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    logs = await host.docker("logs", "nginx")
    assert '"GET / HTTP/1.1" 200' in logs
    assert '"GET /cgi-bin/slow HTTP/1.1" 200' in logs


async def _until(wanted: str, ask_for: Callable[[], Awaitable[str]]) -> None:
    found = ""
    for _ in range(150):
        if wanted in (found := await ask_for()):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{found!r} has no {wanted!r}")
