"""Every image does its work on a real engine, and the counter counts in both databases."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from contrib.lab import Host, Lab
from contrib.lab.fixtures import require_engines
from contrib.lab.images import NAMES

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def stocked() -> Iterator[Lab]:
    require_engines()
    with Lab(["stocked"], images=NAMES) as lab:
        yield lab


@pytest.fixture
def host(stocked: Lab) -> Iterator[Host]:
    """An engine that has all images."""
    yield stocked["stocked"]
    stocked.sync.reset()


async def get(host: Host, port: int, accept: str = "*/*") -> tuple[int, str]:
    """Status and text of the page at a published port; waits until there is one."""
    request = urllib.request.Request(f"http://{host.address}:{port}/", headers={"Accept": accept})
    async with asyncio.timeout(20):
        while True:
            try:
                answer = await asyncio.to_thread(urllib.request.urlopen, request, timeout=10)
            except urllib.error.HTTPError as error:
                answer = error
            except OSError:
                continue
            with answer:
                return answer.status, answer.read().decode()


async def test_busybox_has_a_shell_with_its_programs(host: Host) -> None:
    script = "id -un; echo a b | awk '{print $2}'; touch /tmp/x && ls /tmp; grep -c postgres /etc/passwd"
    assert (await host.docker("run", "--rm", "busybox", "sh", "-c", script)).split() == [
        "root",
        "b",
        "x",
        "1",
    ]


async def test_redis_answers(host: Host) -> None:
    await host.docker("run", "-d", "--name", "redis", "redis")
    command = "until redis-cli -h redis ping; do sleep 0.1; done; redis-cli -h redis set key value"
    answers = await host.docker("run", "--rm", "--link", "redis", "redis", "sh", "-c", command)
    assert answers.split() == ["PONG", "OK"]
    assert "6379/tcp" in await host.docker("inspect", "redis", "--format", "{{.Config.ExposedPorts}}")


async def test_postgres_answers_queries_and_keeps_its_data(host: Host) -> None:
    async def ask(sql: str) -> str:
        command = f"until psql -h database -U postgres -Atc '{sql}'; do sleep 0.1; done"
        return await host.docker("run", "--rm", "--link", "database", "postgres", "sh", "-c", command)

    await host.docker("run", "-d", "--name", "database", "postgres")
    assert await ask("CREATE TABLE t AS SELECT 42 AS answer; SELECT answer FROM t") == "SELECT 1\n42"
    await host.docker("restart", "database")
    assert await ask("SELECT answer FROM t") == "42"
    await host.docker("stop", "database", seconds=8)
    assert await host.docker("inspect", "database", "--format", "{{.State.ExitCode}}") == "0"


async def test_nginx_serves_and_reloads(host: Host) -> None:
    await host.docker("run", "-d", "--name", "web", "-p", "80:80", "nginx")
    assert (await get(host, 80))[0] == 200
    site = "server { listen 80; location / { return 200 reloaded; } }"
    await host.docker("exec", "web", "sh", "-c", f"echo '{site}' >/etc/nginx/conf.d/default.conf")
    await host.docker("exec", "web", "nginx", "-t")
    await host.docker("exec", "web", "nginx", "-s", "reload")
    async with asyncio.timeout(10):
        while await get(host, 80) != (200, "reloaded"):
            pass
    assert '"GET / HTTP/1.1" 200' in await host.docker("logs", "web")


async def test_python_has_its_library(host: Host) -> None:
    script = "import asyncio, ctypes, ssl, sqlite3, sys, zlib; print(sys.version.split()[0])"
    assert (await host.docker("run", "--rm", "python", "python3", "-c", script)).count(".") == 2


async def test_skep_can_be_imported_with_what_it_needs(host: Host) -> None:
    script = "import aiodocker, aiohttp, click, msgspec, pluggy, re2, skep; print(skep.__name__)"
    run = ("run", "--rm", "--entrypoint", "python3", "skep", "-c", script)
    assert await host.docker(*run) == "skep"


@pytest.mark.parametrize(
    ("image", "port", "setting", "count"),
    [
        ("redis", 6379, "REDIS_URL", "redis-cli get counter"),
        ("postgres", 5432, "POSTGRES_URL", "psql -U postgres -Atc 'SELECT value FROM counter'"),
    ],
)
async def test_counter_counts_in_its_database(host: Host, image: str, port: int, setting: str, count: str) -> None:
    await host.docker("run", "-d", "--name", "database", image)
    counter = ("-p", "80:80", "-e", f"{setting}=db:{port}", "counter")
    await host.docker("run", "-d", "--name", "counter", "--link", "database:db", *counter)
    async with asyncio.timeout(20):
        while (await get(host, 80))[0] != 200:
            pass
    status, text = await get(host, 80)
    assert (status, text) == (200, f"{int(text)}\n")
    assert await get(host, 80, "application/json") == (200, f'{{"count": {int(text) + 1}}}')
    assert await host.docker("exec", "database", "sh", "-c", count) == str(int(text) + 1)

    await host.docker("stop", "database")
    status, away = await get(host, 80)
    assert status == 503
    assert "away" in away
    assert f"db:{port}" in away
    await host.docker("start", "database")
    async with asyncio.timeout(20):
        while (await get(host, 80))[0] != 200:
            pass
    assert int((await get(host, 80))[1]) > int(text) + 1
