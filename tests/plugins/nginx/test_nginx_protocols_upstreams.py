"""How nginx speaks to containers: by TLS, over kept connections, shared by each method."""

import collections
import hashlib
from pathlib import Path

import pytest

from skep.testing import EmbeddedEngine
from tests.plugins.nginx.nginx_backends import exchange
from tests.plugins.nginx.nginx_certificates import Authority
from tests.plugins.nginx.nginx_raw import Counting, server_context
from tests.plugins.nginx.nginx_tools import Backend, ask, free_port, serving

NP = "com.github.nginx-proxy.nginx-proxy."


def run(node: EmbeddedEngine, name: str, port: int, labels: dict[str, str] | None = None, **env: str) -> None:
    own = {"VIRTUAL_HOST": "shop.example", "VIRTUAL_PORT": str(port), **env}
    node.run(name, env=own, labels={NP + key: value for key, value in (labels or {}).items()}, NetworkMode="host")


async def connection_of(port: int, host: str = "shop.example", path: str = "/") -> str:
    status, body = await ask(port, host, path)
    assert status == 200, body
    return body.partition("\n")[0]


async def test_containers_that_speak_tls(folder: Path, node: EmbeddedEngine) -> None:
    """Their certificates are their own: nginx-proxy does not look at them either."""
    async with Counting(context=server_context(Authority("nobody's"))) as secure:
        run(node, "web", secure.port, VIRTUAL_PROTO="https", VIRTUAL_PATH="/app/", VIRTUAL_DEST="/")
        run(node, "wrong", secure.port, VIRTUAL_HOST="wrong.example")
        async with serving(folder, node) as served:
            await served.live("shop.example", "wrong.example")
            status, body = await ask(served.port, "shop.example", "/app/x?y")
            assert status == 200
            assert body.startswith("counting 1\nGET /x?y HTTP/1.1\r\n")
            assert "X-Forwarded-Proto: http\r\n" in body
            assert (await ask(served.port, "wrong.example"))[0] in (400, 502)


async def test_an_operator_may_have_containers_certificates_looked_at(folder: Path, node: EmbeddedEngine) -> None:
    ours, files = Authority(), folder / "vhosts"
    files.mkdir()
    (folder / "ca.pem").write_bytes(ours.pem)
    check = f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {folder}/ca.pem; proxy_ssl_name container.invalid;"
    (files / "default_location").write_text(check)
    async with (
        Counting("good", server_context(ours)) as good,
        Counting("bad", server_context(Authority("nobody's"))) as bad,
    ):
        run(node, "good", good.port, VIRTUAL_PROTO="https", VIRTUAL_HOST="good.example")
        run(node, "bad", bad.port, VIRTUAL_PROTO="https", VIRTUAL_HOST="bad.example")
        async with serving(folder, node, vhost_files=str(files)) as served:
            await served.live("bad.example", "good.example")
            assert (await ask(served.port, "good.example"))[0] == 200
            assert (await ask(served.port, "bad.example"))[0] == 502


@pytest.mark.parametrize(("keepalive", "kept"), [("auto", True), ("1", True), ("disabled", False)])
async def test_connections_to_containers_are_kept(
    folder: Path, node: EmbeddedEngine, keepalive: str, *, kept: bool
) -> None:
    async with Counting() as counting:
        run(node, "web", counting.port, {"keepalive": keepalive})
        async with serving(folder, node) as served:
            await served.live("shop.example")
            for _ in range(5):
                await connection_of(served.port)
        assert counting.connections == (1 if kept else 5)


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("round_robin", "turns"),
        ("least_conn;", "turns"),
        ("ip_hash;", "one"),
        ("hash $request_uri", "by path"),
        ("hash $host$remote_addr consistent;", "one"),
        ("random;", "both"),
        ("random two;", "both"),
    ],
)
async def test_methods_of_sharing(
    folder: Path, node: EmbeddedEngine, one: Backend, two: Backend, method: str, kind: str
) -> None:
    for name, port in (("one", one.port), ("two", two.port)):
        run(node, name, port, {"loadbalance": method})
    async with serving(folder, node) as served:
        await served.live("shop.example")
        asked = [await connection_of(served.port, path=f"/{number % 8}") for number in range(64)]
    seen = collections.Counter(asked)
    if kind == "turns":
        assert seen == {"one": 32, "two": 32}
    elif kind == "one":
        assert len(seen) == 1
    else:
        assert set(seen) == {"one", "two"}
    if kind == "by path":
        assert all(len({who for number, who in enumerate(asked) if number % 8 == path}) == 1 for path in range(8))


async def test_a_request_goes_to_another_container_where_one_is_gone(
    folder: Path, node: EmbeddedEngine, one: Backend
) -> None:
    gone = free_port()
    run(node, "one", one.port)
    run(node, "gone", gone)
    run(node, "alone", gone, VIRTUAL_HOST="alone.example")
    async with serving(folder, node) as served:
        await served.live("alone.example", "shop.example")
        assert {await connection_of(served.port) for _ in range(10)} == {"one"}
        answer = await exchange(served.port, "shop.example", method="POST", headers="Content-Length: 0\r\n")
        assert answer.startswith("HTTP/1.1 200 ")  # it was not begun, so it may be repeated
        assert (await ask(served.port, "alone.example"))[0] == 502


async def test_the_port_that_a_container_exposes(
    folder: Path, node: EmbeddedEngine, one: Backend, two: Backend
) -> None:
    """Its only one is taken without asking; of several, 80."""
    both = {"8080/tcp": one.port, "80/tcp": two.port}
    async with serving(folder, node) as served:
        for name, env, ports, who in [
            ("only", {}, {"8080/tcp": one.port}, "one"),
            ("both", {}, both, "two"),
            ("named", {"VIRTUAL_PORT": "8080"}, both, "one"),
        ]:
            node.run(name, env={"VIRTUAL_HOST": f"{name}.example", **env}, ports=ports)
            await served.answers(f"{name}.example", 200, f"{who}\n")
            node.remove(name, force=True)


async def test_names_of_upstreams_are_nginx_proxys(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    """An operator's directives may go by them; `hashed_names` is SHA1_UPSTREAM_NAME."""
    files = folder / "vhosts"
    files.mkdir()
    hashed = hashlib.sha1(b"shop.example").hexdigest()
    for names, upstream in ((False, "shop.example"), (True, hashed)):
        (files / "shop.example").write_text(f"location /also {{ proxy_pass http://{upstream}/there; }}")
        node.run("web", env={"VIRTUAL_HOST": "shop.example", "VIRTUAL_PORT": str(one.port)}, NetworkMode="host")
        async with serving(folder, node, vhost_files=str(files), hashed_names=names) as served:
            await served.live("shop.example")
            assert "GET /there HTTP/1.1" in (await ask(served.port, "shop.example", "/also"))[1]
        node.remove("web", force=True)
