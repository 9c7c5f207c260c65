"""Attacks by the request itself: groups 6, 8, 9, 10, 11, 14 and 17, mostly by raw bytes, as no client library would send them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from skep_constraint import ConstraintPlugin

READER = {"reader": {"clients": ["ip:127.0.0.1"], "allow": ["read-only"]}}


@pytest.fixture
async def reader(serving: Any) -> AsyncIterator[Any]:
    """One engine with the container `box`, which may be looked at and not entered."""
    async with serving("n1", rules=READER) as served:
        served.engines["n1"].run("box", env=["TOKEN=secret"])
        await served.known(1)
        yield served


async def raw(served: Any, data: bytes) -> bytes:
    """What the endpoint answers until it closes, or half a second has passed without more."""
    host, _, port = served.url.rpartition("/")[2].partition(":")
    reading, writing = await asyncio.open_connection(host, int(port))
    try:
        writing.write(data)
        answer = bytearray()
        while True:
            try:
                chunk = await asyncio.wait_for(reading.read(65536), 0.5)
            except TimeoutError:
                return bytes(answer)
            if not chunk:
                return bytes(answer)
            answer += chunk
    finally:
        writing.close()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0


# -- group 6

LOGS = "/containers/box/logs"
PATHS = [
    "/v1.41/../containers/box/logs",
    "/containers/../containers/box/logs",
    "/images/../containers/box/logs",
    "/images/x/../../containers/box/logs",
    "//containers/box/logs",
    "/containers//box/logs",
    "/containers/box//logs",
    "/containers%2fbox%2flogs",
    "/containers/box%2flogs",
    "/containers/box/%6cogs",
    "/containers/box/%2e%2e/box/logs",
    "/containers/%2e%2e/containers/box/logs",
    "/containers/box/logs;x",
    "/containers/box;x/logs",
    "/containers/box/LOGS",
    "/CONTAINERS/box/logs",
    "/V1.41/containers/box/logs",
    "/v9.99/containers/box/logs",
    "/v1/containers/box/logs",
    "/v1.41/v1.41/containers/box/logs",
    "/containers/box/logs/",
    "/containers/box/logs%00",
    "/containers/box/logs%0d%0aX:%20y",
    "/containers/box/logs%3fx=1",
    "/containers/box/json/../logs",
    "/containers/box/logs/json",
    "/containers/box/logs?x=%zz",
    "/containers/box/logs?x=1;y=2",
    "/containers/box%252flogs",
    "/_ping/../containers/box/logs",
    "http://127.0.0.1/containers/box/logs",
    "http://127.0.0.1//containers/box/logs",
]


@pytest.mark.parametrize("path", [LOGS, *PATHS])
async def test_no_path_leads_around_a_rule(reader: Any, path: str) -> None:
    reader.sent.clear()
    answer = await raw(reader, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert status(answer) in (400, 403, 404), answer
    assert not [each for each in reader.sent if "logs" in each[1].lower()]


@pytest.mark.parametrize("path", ["/containers/box/json", "/v1.41/containers/box/json", "/v9.99/containers/box/json", "http://x/containers/box/json"])  # fmt: skip
async def test_plain_paths_lead_to_the_container(reader: Any, path: str) -> None:
    answer = await raw(reader, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert status(answer) == 200


# -- group 8

POST = b"POST /containers/create HTTP/1.1\r\nHost: localhost\r\n"
HIDDEN = b"POST /containers/box/kill HTTP/1.1\r\nHost: localhost\r\n\r\n"
SMUGGLED = {
    "CL.TE": POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "TE.CL": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + HIDDEN,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 80\r\n\r\n" + HIDDEN,
    "TE twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + HIDDEN,
    "odd TE": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "folded": POST + b"X: a\r\n Content-Length: 0\r\n\r\n" + HIDDEN,
    "bare LF": b"POST /containers/box/kill HTTP/1.1\nHost: localhost\n\n",
    "NUL": POST + b"X: a\x00b\r\n\r\n" + HIDDEN,
    "space before the colon": POST + b"Content-Length : 0\r\n\r\n" + HIDDEN,
    "two hosts": b"POST /containers/box/kill HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n",
    "negative length": POST + b"Content-Length: -1\r\n\r\n" + HIDDEN,
    "plus length": POST + b"Content-Length: +0\r\n\r\n" + HIDDEN,
}


@pytest.mark.parametrize("name", SMUGGLED)
async def test_nothing_is_smuggled_past_a_rule(serving: Any, name: str) -> None:
    """Even what follows would be judged as a request of its own; here it must not be taken for one, nor for a body."""
    async with serving("n1", rules=READER) as served:
        served.engines["n1"].run("box")
        await served.known(1)
        answer = await raw(served, SMUGGLED[name])
        assert status(answer) in (400, 403, 501), answer
        assert not served.changes()


# -- group 9

UPGRADES = [
    ("POST", "/containers/box/attach?stream=1&stdin=1"),
    ("GET", "/containers/box/attach/ws"),
    ("POST", "/exec/0123456789abcdef/start"),
    ("POST", "/session"),
    ("POST", "/grpc"),
    ("GET", "/containers/box/something"),
    ("GET", "/containers/json"),
]


@pytest.mark.parametrize(("method", "path"), UPGRADES)
async def test_no_connection_is_taken_over_without_leave(reader: Any, method: str, path: str) -> None:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode()
    answer = await raw(reader, head + HIDDEN)
    assert status(answer) == (200 if path.endswith("/json") else 404 if path.startswith("/exec") else 403)
    assert b" 101 " not in answer.split(b"\r\n")[0]
    assert not reader.changes()


# -- group 10


@pytest.mark.parametrize(
    "path",
    [
        "/images/create?fromSrc=http://169.254.169.254/latest/meta-data",
        "/images/create?fromSrc=file:///etc/shadow",
        "/images/create?fromImage=169.254.169.254:80/x",
        "/images/create?fromImage=2852039166:80/x",
        "/images/create?fromImage=0xa9fea9fe:80/x",
        "/images/create?fromImage=localhost:2375/x",
        "/images/create?fromImage=x&fromImage=127.0.0.1:1/x",
        "/images/create?fromImage=busybox&fromSrc=http://x/",
        "/images/create?fromImage=http://169.254.169.254/x",
        "/build?remote=http://169.254.169.254/x",
        "/build?remote=git://10.0.0.1/x",
        "/images/127.0.0.1:5000/x/push",
        "/plugins/pull?remote=127.0.0.1:5000/x",
    ],
)
async def test_engines_are_sent_nowhere(serving: Any, path: str) -> None:
    rules = {"a": {"clients": ["ip:127.0.0.1"], "allow": ["all"], "profile": "baseline"}}
    async with serving("n1", rules=rules) as served:
        assert (await served.call("POST", path))[0] == 403
        assert (await served.call("GET", "/distribution/169.254.169.254:80/x/json"))[0] == 403
        assert (await served.call("POST", "/auth", json={"serveraddress": "http://169.254.169.254/"}))[0] == 403
        assert not served.changes()
        status, _ = await served.call("POST", "/images/create?fromImage=busybox&tag=latest")
        assert status == 200


# -- group 11


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}], ids=str)  # fmt: skip
async def test_no_web_page_gets_in(reader: Any, headers: dict[str, str]) -> None:
    code, _ = await reader.call("GET", "/containers/json", headers=headers)
    assert code == 403
    code, _ = await reader.call("OPTIONS", "/containers/create", headers={"Access-Control-Request-Method": "POST"})
    assert code in (403, 404)


# -- group 14


async def test_floods_are_bounded(serving: Any) -> None:
    rules = {"a": {"clients": ["ip:127.0.0.1"], "allow": ["run"]}}
    async with serving("n1", rules=rules, plugins=[ConstraintPlugin()]) as served:
        filters = '{"label": [' + ",".join(f'"x{n}"' for n in range(5000)) + "]}"
        started = time.process_time()
        assert (await served.call("GET", "/containers/json", params={"filters": filters}))[0] == 400
        query = "&".join(f"x{n}=1" for n in range(5000))
        assert (await served.call("GET", f"/containers/json?{query}"))[0] == 400
        slow = {"filters": '{"name": ["(a+)+$"]}'}
        assert (await served.call("GET", "/containers/json", params=slow))[0] == 200
        body = {"Image": "x", "Env": [f"constraint:node==/(a+)+{n}$/" for n in range(2000)]}
        assert (await served.call("POST", "/containers/create", json=body))[0] == 400
        assert time.process_time() - started < 2
        assert not served.changes()


# -- group 17


async def test_there_is_no_token_in_the_url(reader: Any) -> None:
    """Nobody is anybody by something in the request: who the client is comes with the connection."""
    for path in ("/containers/box/logs?token=x&user=admin", "/containers/box/logs?as=root"):
        headers = {
            "Authorization": "Bearer x",
            "X-Forwarded-For": "127.0.0.3",
            "X-Real-IP": "127.0.0.3",
            "X-SSL-Client-CN": "ops",
        }
        code, _ = await reader.call("GET", path, headers=headers)
        assert code == 403
