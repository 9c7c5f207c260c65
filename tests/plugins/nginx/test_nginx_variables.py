"""Each thing that a container can say, through a real nginx."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from skep.testing import EmbeddedEngine
from tests.plugins.nginx.nginx_backends import exchange, fastcgi_server, grpc_server, uwsgi_server, websocket_server
from tests.plugins.nginx.nginx_tools import Backend, ask, free_port, serving, until

NP = "com.github.nginx-proxy.nginx-proxy."
HOST = {"VIRTUAL_HOST": "shop.example"}


def run(node: EmbeddedEngine, name: str, port: int, env: dict[str, str], **labels: str) -> None:
    said = {NP + key.replace("_", "-"): value for key, value in labels.items()}
    node.run(name, env={**HOST, "VIRTUAL_PORT": str(port), **env}, labels=said, NetworkMode="host")


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


async def test_hosts_by_pattern_and_by_address(folder: Path, node: EmbeddedEngine, one: Backend, two: Backend) -> None:
    run(
        node,
        "names",
        one.port,
        {"VIRTUAL_HOST": r"~^shop-\d+\.(de|fr)$,~\.either\.example$,127.0.0.1,[::1],my_app.example"},
    )
    run(node, "exact", two.port, {"VIRTUAL_HOST": "shop-7.de"})
    async with serving(folder, node) as served:
        for host in ("shop-1.de", "SHOP-22.fr", "x.either.example", "127.0.0.1", "[::1]", "my_app.example"):
            await served.answers(host, 200, "one")
        await served.answers("shop-7.de", 200, "two")
        for host in ("shop-.de", "xshop-1.de", "shop-1.de.x", "x" * 250 + ".either.example"):
            await served.answers(host, 503)


async def test_paths_of_several_containers(folder: Path, node: EmbeddedEngine, one: Backend, two: Backend) -> None:
    run(node, "api", one.port, {"VIRTUAL_PATH": "/api/", "VIRTUAL_DEST": "/v1/"})
    run(node, "exact", two.port, {"VIRTUAL_PATH": "= /about"})
    run(node, "pattern", two.port, {"VIRTUAL_PATH": r"~^/(?:img|css)/[a-z]+$"})
    run(node, "nocase", one.port, {"VIRTUAL_PATH": r"~*\.php$"})
    async with serving(folder, node) as served:
        await served.live("shop.example")
        found = {
            path: await ask(served.port, "shop.example", path)
            for path in ("/api/x?y=1", "/about", "/about/x", "/img/logo", "/img/7", "/a.PHP", "/")
        }
    assert {path: answer[0] for path, answer in found.items()} == {
        "/api/x?y=1": 200, "/about": 200, "/about/x": 404, "/img/logo": 200, "/img/7": 404, "/a.PHP": 200, "/": 404,
    }  # fmt: skip
    assert found["/api/x?y=1"][1].startswith("one\nGET /v1/x?y=1 ")
    assert "X-Original-URI: /api/x?y=1\r\n" in found["/api/x?y=1"][1]
    assert found["/about"][1].startswith("two\nGET /about ")
    assert found["/img/logo"][1].startswith("two\nGET /img/logo ")


@pytest.mark.parametrize(
    ("root", "status", "location"),
    [
        ("404", 404, ""),
        ("418", 418, ""),
        ("301 https://www.example$request_uri", 301, "https://www.example/x"),
        ("none", 404, ""),
    ],
)
async def test_what_no_path_matches(
    folder: Path, node: EmbeddedEngine, one: Backend, root: str, status: int, location: str
) -> None:
    run(node, "api", one.port, {"VIRTUAL_PATH": "/api"})
    async with serving(folder, node, default_root=root) as served:
        await served.live("shop.example")
        answer = await exchange(served.port, "shop.example", "/x")
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert (f"Location: {location}\r\n" in answer) is bool(location)


async def test_several_ports(folder: Path, node: EmbeddedEngine, one: Backend, two: Backend) -> None:
    asked = {
        "shop.example": {"/": {"port": one.port}, "/admin": {"port": two.port, "dest": "/"}},
        "other.example": {"/": {"port": two.port}},
    }
    text = f"yaml.example:\n  /:\n    port: {two.port} # text\nbare.example:\n"
    node.run(
        "json", env={"VIRTUAL_HOST_MULTIPORTS": json.dumps(asked), "VIRTUAL_HOST": "no.example"}, NetworkMode="host"
    )
    node.run("yaml", env={"VIRTUAL_HOST_MULTIPORTS": text}, NetworkMode="host")
    async with serving(folder, node) as served:
        await served.live("bare.example", "other.example", "shop.example", "yaml.example")
        for host, path, text in [
            ("shop.example", "/x", "one\nGET /x "),
            ("shop.example", "/admin", "two\nGET / "),
            ("other.example", "/", "two\n"),
            ("yaml.example", "/", "two\n"),
        ]:
            status, body = await ask(served.port, host, path)
            assert (status, body[: len(text)]) == (200, text)


async def test_the_site_at_another_port(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    other = free_port()
    run(node, "web", one.port, {})
    run(node, "moved", one.port, {"VIRTUAL_HOST": "moved.example", "EXTERNAL_HTTP_PORT": str(other)})
    run(node, "denied", one.port, {"VIRTUAL_HOST": "denied.example", "EXTERNAL_HTTP_PORT": "1"})
    async with serving(folder, node, external_ports=(str(other),)) as served:
        await served.live("moved.example", "shop.example")
        assert (await ask(other, "moved.example"))[0] == 200
        assert (await ask(other, "shop.example"))[0] == 503
        assert (await ask(served.port, "moved.example"))[0] == 503
        assert (await ask(served.port, "shop.example"))[0] == 200
        assert [out["reason"] for out in served.status["left_out"]] == [
            "EXTERNAL_HTTP_PORT is 1: the settings allow no such port (external_ports)"
        ]


async def test_fastcgi(folder: Path, node: EmbeddedEngine) -> None:
    async with fastcgi_server(b"X-Accel-Redirect: /secret\r\n") as port:
        run(node, "php", port, {"VIRTUAL_PROTO": "fastcgi", "VIRTUAL_ROOT": "/srv/app/"})
        async with serving(folder, node) as served:
            await served.live("shop.example")
            sent = "Proxy: http://evil\r\nX-Forwarded-For: 1.2.3.4\r\n"
            status, body = await ask(served.port, "shop.example", "/index.php?a=b", headers=sent)
    assert status == 200
    told = dict(line.split("=", 1) for line in body.splitlines() if "=" in line)
    assert told["SCRIPT_FILENAME"] == "/srv/app/index.php"
    assert (told["QUERY_STRING"], told["REQUEST_METHOD"], told["SERVER_NAME"]) == ("a=b", "GET", "shop.example")
    assert (told["HTTP_X_FORWARDED_FOR"], told.get("HTTP_PROXY", "")) == ("127.0.0.1", "")
    assert "evil" not in body


async def test_uwsgi(folder: Path, node: EmbeddedEngine) -> None:
    async with uwsgi_server(b"X-Accel-Redirect: /secret\r\n") as port:
        run(node, "app", port, {"VIRTUAL_PROTO": "uwsgi"})
        async with serving(folder, node) as served:
            await served.live("shop.example")
            status, body = await ask(served.port, "shop.example", "/x?a=b", headers="X-Forwarded-For: 1.2.3.4\r\n")
    assert status == 200
    told = dict(line.split("=", 1) for line in body.splitlines() if "=" in line)
    assert (told["PATH_INFO"], told["QUERY_STRING"]) == ("/x", "a=b")
    assert told["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"


async def test_grpc(folder: Path, node: EmbeddedEngine) -> None:
    """By HTTP/1.1, as nginx speaks HTTP/2 to clients by TLS alone before 1.25."""
    async with grpc_server() as port:
        run(node, "echo", port, {"VIRTUAL_PROTO": "grpc"})
        async with serving(folder, node) as served:
            await served.live("shop.example")
            headers = {"Host": "shop.example", "Content-Type": "application/grpc", "TE": "trailers"}
            async with (
                aiohttp.ClientSession() as session,
                session.post(
                    f"http://127.0.0.1:{served.port}/test.Echo/Say", data=b"\0\0\0\0\5hello", headers=headers
                ) as answer,
            ):
                assert answer.status == 200
                assert (await answer.read())[5:] == b"127.0.0.1 says hello"


async def test_websockets(folder: Path, node: EmbeddedEngine) -> None:
    async with websocket_server() as port:
        run(node, "chat", port, {})
        async with serving(folder, node) as served:
            await served.live("shop.example")
            url = f"ws://127.0.0.1:{served.port}/chat"
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(url, headers={"Host": "shop.example"}) as socket,
            ):
                for word in ("hello", "again"):
                    await socket.send_str(word)
                    assert await socket.receive_str(timeout=5) == f"127.0.0.1 says {word}"


async def test_private_paths(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    run(node, "inside", one.port, {"NETWORK_ACCESS": "internal"})
    run(node, "outside", one.port, {"VIRTUAL_PATH": "/open", "NETWORK_ACCESS": "external"})
    proxy = "PROXY TCP4 {} 127.0.0.1 1000 80\r\n"
    async with serving(folder, node, proxy_protocol=True) as served:
        await served.live("shop.example")
        for address, path, status in [("8.8.8.8", "/", 403), ("10.1.2.3", "/", 200), ("8.8.8.8", "/open", 200)]:
            answer = await exchange(served.port, "shop.example", path, before=proxy.format(address))
            assert answer.startswith(f"HTTP/1.1 {status} ")
        assert "X-Forwarded-For: 8.8.8.8\r\n" in answer
        assert "X-Real-IP: 8.8.8.8\r\n" in answer
        assert "X-Forwarded-Port: 80\r\n" in answer


async def test_passwords(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    passwords = folder / "passwords"
    passwords.mkdir()
    (passwords / "shop.example").write_text("me:{PLAIN}secret\n")
    (passwords / f"shop.example_{sha1('/two')}").write_text("you:{PLAIN}other\n")
    run(node, "one", one.port, {})
    run(node, "two", one.port, {"VIRTUAL_PATH": "/two"})
    run(node, "open", one.port, {"VIRTUAL_HOST": "open.example"})
    me, you = "Authorization: Basic bWU6c2VjcmV0\r\n", "Authorization: Basic eW91Om90aGVy\r\n"
    async with serving(folder, node, password_files=str(passwords)) as served:
        await served.live("open.example", "shop.example")
        for host, path, headers, status in [
            ("shop.example", "/", "", 401), ("shop.example", "/", me, 200), ("shop.example", "/", you, 401),
            ("shop.example", "/two", me, 401), ("shop.example", "/two", you, 200), ("open.example", "/", "", 200),
        ]:  # fmt: skip
            assert (await ask(served.port, host, path, headers))[0] == status
        assert 'realm="Restricted shop.example/two"' in await exchange(served.port, "shop.example", "/two")


async def test_the_operators_directives_for_hosts_and_paths(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    files = folder / "vhosts"
    files.mkdir()
    wild = "*.wild.example"
    for name, text in {
        "default": "location = /whose { return 291; }",
        "shop.example": "location = /whose { return 292; }",
        wild: "location = /whose { return 293; }",
        "xwild.example": "location = /whose { return 294; }",
        "default_location": "add_header X-Path default;",
        f"shop.example_{sha1('/api')}_location": "add_header X-Path api;",
        f"shop.example_{sha1('/over')}_location_override": "location /over { return 299; }",
    }.items():
        (files / name).write_text(text)
    run(node, "one", one.port, {})
    run(node, "api", one.port, {"VIRTUAL_PATH": "/api"})
    run(node, "over", one.port, {"VIRTUAL_PATH": "/over"})
    run(node, "wild", one.port, {"VIRTUAL_HOST": wild})
    run(node, "late", one.port, {"VIRTUAL_HOST": "late.example", "VIRTUAL_PATH": "= /x"})
    async with serving(folder, node, vhost_files=str(files)) as served:
        await served.live(wild, "late.example", "shop.example")
        for host, path, header in [
            ("shop.example", "/", "X-Path: default"),
            ("shop.example", "/api", "X-Path: api"),
            ("late.example", "/whose", "HTTP/1.1 291"),
            ("shop.example", "/whose", "HTTP/1.1 292"),
            ("x.wild.example", "/whose", "HTTP/1.1 293"),
            ("shop.example", "/over", "HTTP/1.1 299"),
        ]:
            assert header in await exchange(served.port, host, path)


async def test_sharing_requests(folder: Path, node: EmbeddedEngine, one: Backend, two: Backend) -> None:
    for name, port in (("one", one.port), ("two", two.port)):
        run(node, name, port, {}, loadbalance="hash $request_uri consistent;", keepalive="7")
        env = {"VIRTUAL_HOST": "weights.example", "VIRTUAL_PORT": str(port)}
        labels = {"skep.nginx.weight": "9" if name == "one" else "1"}
        node.run(f"w{name}", env=env, labels=labels, NetworkMode="host")
    async with serving(folder, node) as served:
        await served.live("shop.example", "weights.example")
        for path in ("/a", "/b", "/c"):
            assert len({(await ask(served.port, "shop.example", path))[1][:3] for _ in range(4)}) == 1
        seen = [(await ask(served.port, "weights.example"))[1][:3] for _ in range(20)]
        assert seen.count("one") == 18
        text = (folder / "nginx.conf").read_text()
        assert 'hash "$request_uri" consistent;' in text
        assert "keepalive 7;" in text


async def test_the_site_for_unknown_hosts(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    run(node, "one", one.port, {})
    async with serving(folder, node, default_host="shop.example") as served:
        await served.answers("unknown.example", 200, "one")


async def test_what_nginx_tells_of_itself(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    run(node, "one", one.port, {"VIRTUAL_PATH": "/x", "SERVER_TOKENS": "on"}, debug_endpoint="true")
    run(node, "two", one.port, {"VIRTUAL_HOST": "quiet.example", "VIRTUAL_PATH": "/x"})
    async with serving(folder, node) as served:
        await served.live("quiet.example", "shop.example")
        assert "Server: nginx/1." in await exchange(served.port, "shop.example")
        assert "Server: nginx\r\n" in await exchange(served.port, "quiet.example")
        told: dict[str, Any] = json.loads((await ask(served.port, "shop.example", "/nginx-proxy-debug"))[1])
        assert told["request"]["host"] == "shop.example"
        assert told["vhost"]["paths"] == {"/x": {str(one.port): ["one"]}}
        assert (await ask(served.port, "quiet.example", "/nginx-proxy-debug"))[0] == 404


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, "shop.example 127.0.0.1 - - ["),
        ({"log_json": True}, '"host":"shop.example"'),
        ({"log_format": "$status $request", "log_escape": "json"}, r"200 GET /\"x HTTP/1.1"),
    ],
)
async def test_logs(folder: Path, node: EmbeddedEngine, one: Backend, settings: dict[str, Any], wanted: str) -> None:
    run(node, "one", one.port, {})
    log = folder / "run/access.log"
    async with serving(folder, node, access_log=str(log), **settings) as served:
        await served.live("shop.example")
        await ask(served.port, "shop.example", '/"x')
        await until(lambda: log.exists() and log.read_text().endswith("\n"))
    line = log.read_text().splitlines()[0]
    assert wanted in line
    if "log_json" in settings:
        assert json.loads(line)["request"] == 'GET /"x HTTP/1.1'


async def test_containers_that_disagree(folder: Path, node: EmbeddedEngine, one: Backend, two: Backend) -> None:
    run(node, "old", one.port, {"SERVER_TOKENS": "off"})
    run(node, "new", two.port, {"SERVER_TOKENS": "on"})
    async with serving(folder, node) as served:
        await served.live("shop.example")
        notes = {note["container"]: note["reason"] for note in served.status["notes"]}
        assert notes == {"new": "SERVER_TOKENS for shop.example is not what old, which is older, says: old is followed"}


async def test_only_those_that_the_filters_hold_for(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    node.run("in", env=HOST, labels={"web": "yes"}, ports={"80/tcp": one.port})
    node.run("out", env={"VIRTUAL_HOST": "out.example"}, labels={"web": "no"}, NetworkMode="host")
    async with serving(folder, node, filters=("label=web=yes", "label=web")) as served:
        await served.live("shop.example")


async def test_containers_cannot_send_nginx_to_files_or_other_paths(folder: Path, node: EmbeddedEngine) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /secret\r\nConnection: close\r\n\r\nmine")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    run(node, "evil", server.sockets[0].getsockname()[1], {})
    async with serving(folder, node) as served:
        await served.live("shop.example")
        status, body = await ask(served.port, "shop.example")
        assert status == 200
        assert "mine" in body
    server.close()


async def test_two_lengths_or_hosts_of_a_request_do_not_reach_a_container(
    folder: Path, node: EmbeddedEngine, one: Backend
) -> None:
    run(node, "web", one.port, {})
    async with serving(folder, node) as served:
        await served.live("shop.example")
        for headers in (
            "Host: other.example\r\n",
            "Content-Length: 1\r\nContent-Length: 2\r\n",
            "Transfer-Encoding: chunked, x\r\n",
        ):
            answer = await exchange(served.port, "shop.example", headers=headers, method="POST")
            assert answer.split()[1] in ("400", "501"), headers


@pytest.mark.parametrize(
    "names",
    [("Content-Length: 40", "Transfer-Encoding: chunked"), ("Transfer-Encoding: chunked", "Content-Length: 40")],
)
async def test_a_length_beside_chunks_is_gone_before_a_container_sees_it(
    folder: Path, node: EmbeddedEngine, one: Backend, names: tuple[str, str]
) -> None:
    """nginx refuses it, or (1.22) goes by the chunks, as RFC 9112 has it in 6.3, and passes on one length: that of what it read."""
    run(node, "web", one.port, {})
    async with serving(folder, node) as served:
        await served.live("shop.example")
        headers = "\r\n".join([*names, "", "2", "ab", "0", "", "GET /hidden HTTP/1.1", "Host: shop.example", ""])
        answer = await exchange(served.port, "shop.example", headers=headers, method="POST")
        assert "/hidden" not in answer
        if answer.split()[1] != "400":
            assert answer.split()[1] == "200"
            assert "\r\nContent-Length: 2\r\n" in answer
            assert answer.lower().count("transfer-encoding") == 0
            assert answer.count("POST / HTTP/1.1") == 1
