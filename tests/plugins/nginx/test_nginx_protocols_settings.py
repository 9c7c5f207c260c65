"""Settings and files of the operator's, and the rest of what containers say, by traffic."""

import asyncio
import contextlib
import json
import struct
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from skep.testing import EmbeddedEngine
from tests.plugins.nginx.nginx_backends import exchange
from tests.plugins.nginx.nginx_certificates import Authority
from tests.plugins.nginx.nginx_tools import Backend, answers, ask, free_port, serving
from tests.plugins.nginx.nginx_variables import proxied, run


@pytest.mark.parametrize(("status", "line"), [(404, "HTTP/1.1 404 "), (421, "HTTP/1.1 421 "), (444, "")])
async def test_how_unknown_hosts_are_answered(folder: Path, node: EmbeddedEngine, status: int, line: str) -> None:
    async with serving(folder, node, unknown_host=status) as served:
        await served.live()
        answer = await exchange(served.port, "unknown.example")
        assert answer.startswith(line)
        assert bool(answer) is bool(line)


async def test_bodies_that_are_too_long(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    run(node, "shop", one.port)
    async with serving(folder, node, max_body=1000) as served:
        await served.live("shop.example")
        for size, status in ((1000, 200), (1001, 413)):
            headers = f"Content-Length: {size}\r\n\r\n{'x' * size}"
            assert (await exchange(served.port, "shop.example", headers=headers, method="POST"))[9:12] == str(status)


async def test_the_operators_directives_around_everything(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    """`include`, `include_top` and `include_proxy`, as conf.d, toplevel.conf.d and proxy.conf of nginx-proxy."""
    for name, text in {
        "http": "add_header X-Everywhere yes always;",
        "top": "worker_rlimit_nofile 4321;",
        "proxy": "proxy_set_header X-Mine $remote_port;",
    }.items():
        (folder / f"{name}.conf").write_text(text)
    run(node, "shop", one.port)
    http, top, proxy = (str(folder / f"{name}.conf") for name in ("http", "top", "proxy"))
    async with serving(folder, node, include=http, include_top=top, include_proxy=proxy) as served:
        await served.live("shop.example")
        answer = await exchange(served.port, "shop.example")
        assert "X-Everywhere: yes\r\n" in answer
        assert "X-Mine: " in answer
        assert "X-Forwarded-For: " not in answer  # in the place of all that nginx tells
        pid = served.pid()
        worker = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
        assert "4321" in Path(f"/proc/{worker}/limits").read_text()


@pytest.mark.parametrize(
    ("said", "server"), [("", "nginx"), ("off", "nginx"), ("on", "nginx/1."), ("build", "nginx/1.")]
)
async def test_what_nginx_says_of_its_version(
    folder: Path, node: EmbeddedEngine, one: Backend, said: str, server: str
) -> None:
    run(node, "shop", one.port, VIRTUAL_PATH="/x", SERVER_TOKENS=said)
    async with serving(folder, node) as served:
        await served.live("shop.example")
        head = await exchange(served.port, "shop.example")
        told = next(line for line in head.split("\r\n") if line.startswith("Server: ")).removeprefix("Server: ")
        assert told.startswith(server)
        assert (told == "nginx") is (server == "nginx")


async def test_kinds_of_paths(folder: Path, node: EmbeddedEngine, one: Backend, two: Backend) -> None:
    """`^~` goes before regular expressions, the longest beginning before shorter ones."""
    run(node, "first", one.port, VIRTUAL_HOST="shop.example", VIRTUAL_PATH="^~ /static/")
    run(node, "second", two.port, VIRTUAL_HOST="shop.example", VIRTUAL_PATH=r"~\.css$")
    run(node, "third", one.port, VIRTUAL_HOST="shop.example", VIRTUAL_PATH="/")
    run(node, "fourth", two.port, VIRTUAL_HOST="shop.example", VIRTUAL_PATH="/deep/er")
    async with serving(folder, node) as served:
        await served.live("shop.example")
        for path, who in (("/static/a.css", "one"), ("/a.css", "two"), ("/deep/x", "one"), ("/deep/er/x", "two")):
            assert (await ask(served.port, "shop.example", path))[1].startswith(f"{who}\n"), path


async def test_several_ports_and_an_external_one(
    folder: Path, node: EmbeddedEngine, one: Backend, two: Backend
) -> None:
    """VIRTUAL_HOST_MULTIPORTS has an external port of a host, and a protocol and destination of a path."""
    other = free_port()
    text = f"""
shop.example:
  external_http_port: {other}
  /: {{port: {one.port}}}
  /app/: {{port: {two.port}, proto: http, dest: /v2/}}
"""
    node.run("web", env={"VIRTUAL_HOST_MULTIPORTS": text}, NetworkMode="host")
    async with serving(folder, node, external_ports=(str(other),)) as served:
        await answers(other, "shop.example", 200, "one\n")
        assert (await ask(other, "shop.example", "/app/x"))[1].startswith("two\nGET /v2/x ")
        assert (await ask(served.port, "shop.example"))[0] == 503


@contextlib.asynccontextmanager
async def name_server() -> AsyncIterator[int]:
    """Says of every name that it is at 127.0.0.1 (RFC 1035), and of none that it is anywhere else."""

    class Answers(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            question = data[12 : data.index(b"\0", 12) + 5]
            is_address = question[-4:-2] == b"\0\1"
            head = data[:2] + struct.pack(">HHHHH", 0x8180, 1, is_address, 0, 0)
            record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([127, 0, 0, 1])
            answer = head + question + (record if is_address else b"")
            self.transport.sendto(answer, addr)  # type: ignore[attr-defined]

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Answers, ("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


async def test_name_servers(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    """RESOLVERS: an operator's directives may go by names that are looked up."""
    (folder / "vhosts").mkdir()
    (folder / "vhosts/shop.example").write_text(
        f"location /named {{ set $where box.internal; proxy_pass http://$where:{one.port}; }}"
    )
    run(node, "shop", one.port)
    async with (
        name_server() as port,
        proxied(folder, Authority(), node, {"RESOLVERS": f"127.0.0.1:{port} ipv6=off valid=5s"}) as web,
    ):
        await answers(web.served.port, "shop.example", 200)
        assert (await ask(web.served.port, "shop.example", "/named"))[1].startswith("one\nGET /named ")


async def test_logs_of_both_kinds_of_sites_name_the_container(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    """LOG_JSON has where a request went, and an id."""
    run(node, "shop", one.port)
    log = folder / "run/access.log"
    async with serving(folder, node, access_log=str(log), log_json=True) as served:
        await answers(served.port, "shop.example", 200)
        await ask(served.port, "unknown.example")
        async with asyncio.timeout(10):
            while len(lines := log.read_text().splitlines()) < 2:
                await asyncio.sleep(0.02)
    first, last = json.loads(lines[-2]), json.loads(lines[-1])
    assert (first["host"], first["status"], first["upstream_addr"]) == ("shop.example", "200", f"127.0.0.1:{one.port}")
    assert (last["host"], last["status"], last["upstream_addr"]) == ("unknown.example", "503", "")
    assert len(first["request_id"]) == 32


@pytest.mark.parametrize(
    ("said", "bits"),
    [
        ({"DHPARAM_BITS": "2048"}, "2048"),
        ({"DHPARAM_BITS": "3072"}, "3072"),
        ({"DHPARAM_SKIP": "true"}, ""),
        ({"DHPARAM_GENERATION": "0"}, ""),
    ],
)
async def test_groups_for_dhe(
    folder: Path, node: EmbeddedEngine, one: Backend, said: dict[str, str], bits: str
) -> None:
    """DHPARAM_BITS, DHPARAM_SKIP, DHPARAM_GENERATION, by a client that knows nothing else."""
    ca = Authority()
    ca.write(folder / "certs", "shop.example", key=rsa.generate_private_key(65537, 2048))
    run(node, "shop", one.port)
    words = ("s_client", "-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256", "-servername", "shop.example", "-connect")
    async with proxied(folder, ca, node, said) as web:
        await web.until("shop.example")
        process = await asyncio.create_subprocess_exec(
            "openssl",
            *words,
            f"127.0.0.1:{web.https}",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        told = (await process.communicate())[0].decode()
        assert (f"Temp Key: DH, {bits} bits" in told) if bits else ("handshake failure" in told)
