"""Hostile requests: what comes to a container is one request, with nginx's own headers; what comes to the log is one line."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from skep.testing import EmbeddedEngine
from tests.plugins.nginx.nginx_tools import Backend, ask, serving, until
from tests.plugins.nginx.nginx_variables import run


class Recorder:
    """Keeps all that comes by each connection, and answers to each head."""

    def __init__(self) -> None:
        self.port = 0
        self.seen: list[bytearray] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen.append(got := bytearray())
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                before = got.count(b"\r\n\r\n")
                got += data
                writer.write((got.count(b"\r\n\r\n") - before) * b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    recorder = Recorder()
    server = await asyncio.start_server(recorder.serve, "127.0.0.1", 0)
    recorder.port = server.sockets[0].getsockname()[1]
    yield recorder
    server.close()


async def send(port: int, request: bytes) -> bytes:
    """All that nginx answers to these bytes until it closes the connection, or says nothing more for a moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.closing(writer):
        writer.write(request)
        answer = b""
        with contextlib.suppress(TimeoutError, OSError):
            while data := await asyncio.wait_for(reader.read(65536), 0.4):
                answer += data
    return answer


def requests_in(stream: bytes) -> list[tuple[str, dict[str, str], bytes]]:
    """As a strict server reads them: lines end with CR LF, a body is as long as Content-Length says, and nothing else says so."""
    found = []
    while stream:
        head, end, stream = stream.partition(b"\r\n\r\n")
        assert end, head
        first, *lines = head.decode("latin-1").split("\r\n")
        assert not re.search(r"[\r\n\0]", head.decode("latin-1").replace("\r\n", "")), head
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        assert "transfer-encoding" not in headers
        size = int(headers.get("content-length", "0"))
        assert len(stream) >= size
        found.append((first, headers, stream[:size]))
        stream = stream[size:]
    return found


INNER = b"GET /smuggled HTTP/1.1\r\nHost: shop.example\r\n\r\n"
CHUNKS = b"0\r\n\r\n" + INNER
POST = b"POST / HTTP/1.1\r\nHost: shop.example\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(CHUNKS) + CHUNKS,
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n" % len(CHUNKS) + CHUNKS,
        POST + b"Content-Length: %d\r\nTransfer-Encoding : chunked\r\n\r\n" % len(CHUNKS) + CHUNKS,
        POST + b"Content-Length: %d\r\nTransfer-Encoding:\x0bchunked\r\n\r\n" % len(CHUNKS) + CHUNKS,
        POST + b"Content-Length: %d\r\nTransfer-Encoding: xchunked\r\n\r\n" % len(CHUNKS) + CHUNKS,
        POST + b"Content-Length: %d\r\n Transfer-Encoding: chunked\r\n\r\n" % len(CHUNKS) + CHUNKS,
        POST + b"Content-Length: %d\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n" % len(CHUNKS) + CHUNKS,
        POST + b"Content-Length: %d\nTransfer-Encoding: chunked\n\n" % len(CHUNKS) + CHUNKS,
        POST + b"Content-Length: %d\r\nTransfer_Encoding: chunked\r\n\r\n" % len(CHUNKS) + CHUNKS,
        POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(INNER) + INNER,
        POST + b"Content-Length: %d\r\nContent-Length: 0\r\n\r\n" % len(INNER) + INNER,
        POST + b"Content-Length: 0, %d\r\n\r\n" % len(INNER) + INNER,
        POST + b"Content-Length: +%d\r\n\r\n" % len(INNER) + INNER,
        POST + b"Content-Length: -1\r\n\r\n" + INNER,
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + CHUNKS,
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKS,
        POST + b"Transfer-Encoding: chunked\r\n\r\n1;x\nGET /smuggled\r\n" + CHUNKS,
        POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + CHUNKS,
        b"POST / HTTP/1.0\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        b"GET / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: %d\r\n\r\n" % len(INNER) + INNER,
        b"GET /%0d%0aGET%20/smuggled HTTP/1.1\r\nHost: shop.example\r\n\r\n",
        b"GET / HTTP/1.1\nHost: shop.example\nX: y\n\n",
        b"GET /\0 HTTP/1.1\r\nHost: shop.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example\r\nX: a\0b\r\n\r\n",
    ],
)
async def test_no_request_is_smuggled_in_another(
    folder: Path, node: EmbeddedEngine, recorder: Recorder, request_: bytes
) -> None:
    run(node, "shop", recorder.port)
    async with serving(folder, node) as served:
        await served.live("shop.example")
        answer = await send(served.port, request_)
        seen = [each for stream in recorder.seen for each in requests_in(bytes(stream))]
    answers = answer.count(b"HTTP/1.1 200")
    assert len(seen) == answers  # so that no client gets another one's answer
    for line, headers, body in seen:
        assert re.fullmatch(r"(?:GET|POST) /[!-~]* HTTP/1\.1", line)
        assert (headers["x-real-ip"], headers["host"].partition(":")[0]) == ("127.0.0.1", "shop.example")
        # What nginx takes for a second request of the client's has come there as one, with all that nginx says.
        assert body == b"" or "/smuggled" not in line


async def test_what_clients_say_in_nginxs_own_headers(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    run(node, "shop", one.port)
    said = (
        "Proxy: evil:80\r\nX-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\n"
        "X_Forwarded_For: 6.6.6.6\r\nX-Forwarded-Port: 6\r\nX-Forwarded-Ssl: on\r\nX-Original-URI: /evil\r\n"
        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nX-Accel-Redirect: /evil\r\n"
    )
    async with serving(folder, node) as served:
        await served.live("shop.example")
        # Named in Connection, a header is for the next hop alone: a proxy that heeds that would take nginx's own away.
        named = "Connection: close, X-Real-IP, X-Forwarded-For, Cookie\r\nCookie: a=b\r\n"
        status, got = await ask(served.port, "shop.example", headers=said + named)
    assert status == 200
    headers = dict(line.split(": ", 1) for line in got.split("\r\n")[1:] if ": " in line)
    assert headers["X-Real-IP"] == headers["X-Forwarded-For"] == "127.0.0.1"
    assert (headers["X-Forwarded-Proto"], headers["X-Forwarded-Ssl"], headers["X-Original-URI"]) == ("http", "off", "/")
    assert headers["X-Forwarded-Port"] == str(served.port)
    assert headers["Cookie"] == "a=b"
    gone = {"proxy", "upgrade", "x_forwarded_for", "connection"}
    assert not gone & {name.lower() for name in headers}
    assert "6.6.6.6" not in got
    assert "evil" not in got.replace("X-Accel-Redirect: /evil", "")


async def test_no_path_climbs_out_of_the_one_that_a_container_has(
    folder: Path, node: EmbeddedEngine, one: Backend
) -> None:
    """/api../x would be /public/../x, and so /x, behind /api that becomes /public/."""
    run(node, "shop", one.port, VIRTUAL_PATH="/api", VIRTUAL_DEST="/public/")
    run(node, "other", one.port, VIRTUAL_HOST="shop.example", VIRTUAL_PATH=r"~ \.php$")
    async with serving(folder, node) as served:
        await served.live("shop.example")
        for path in ("/api../x", "/api..", "/api..%2fx", "/api.%2e/x", "/api../x.php", "/api%2e%2e/x"):
            assert (await ask(served.port, "shop.example", path))[0] == 404, path
        for path, there in {"/api/x": "/public//x", "/api": "/public/", "/apis": "/public/s", "/api/../x": ""}.items():
            status, got = await ask(served.port, "shop.example", path)
            assert (status, f"GET {there} " in got) == ((200, True) if there else (404, False)), path


async def test_names_of_this_host_and_addresses(folder: Path, node: EmbeddedEngine, one: Backend, two: Backend) -> None:
    """They are hosts like others: a trailing dot is none of the name, blanks and empty entries are nothing."""
    run(node, "shop", one.port, VIRTUAL_HOST=" shop.example. ,, \t,127.0.0.1 ,localhost,[::1],")
    run(node, "nobody", two.port, VIRTUAL_HOST=" , ,\t")
    wrong = ("0", "-1", "70000", "80;", "0x50", "8 0")
    for number, port in enumerate(wrong):
        run(node, f"wrong{number}", 1, VIRTUAL_PORT=port)
    async with serving(folder, node) as served:
        await served.live("127.0.0.1", "[::1]", "localhost", "shop.example")
        for host in ("shop.example", "shop.example.", "SHOP.example", "127.0.0.1", "localhost", "[::1]"):
            assert (await ask(served.port, host))[0] == 200, host
        for host in ("localhost.evil", "127.0.0.2", "127.1", "wrong0.example", "skep-nginx-status.invalid"):
            assert (await ask(served.port, host, "/generation"))[0] == 503, host
        assert len(served.status["left_out"]) == len(wrong)


LOGS: list[dict[str, Any]] = [
    {},
    {"log_json": True},
    {"log_format": '$host "$http_user_agent" "$request" "$http_x_odd" "$uri"'},
    {"log_format": '{"agent":"$http_user_agent","uri":"$uri","odd":"$http_x_odd"}', "log_escape": "json"},
]


@pytest.mark.parametrize("settings", LOGS)
async def test_one_request_is_one_line_of_the_log(
    folder: Path, node: EmbeddedEngine, one: Backend, settings: dict[str, Any]
) -> None:
    run(node, "shop", one.port)
    log = folder / "run/access.log"
    odd = b'" 200 "forged\\\\"\\x1b[31m\x1b[31m\t\xff\xe2\x80\xa8{}$host\\'
    requests = [
        b"GET /%0aforged%0d%22%5c HTTP/1.1\r\nHost: shop.example\r\n",
        b'GET /"\\ HTTP/1.1\r\nHost: shop.example\r\n',
        b"GET / HTTP/1.1\r\nHost: shop.example\r\nReferer: " + odd + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Basic IlxuZm9yZ2VkOng=\r\n",
    ]
    async with serving(folder, node, access_log=str(log), **settings) as served:
        await served.live("shop.example")
        for request in requests:
            own = (
                b"User-Agent: "
                + odd
                + b"\r\nX-Odd: "
                + odd
                + b"\r\nX-Forwarded-For: "
                + odd
                + b"\r\nConnection: close\r\n\r\n"
            )
            await send(served.port, request + own)
        await until(lambda: log.read_bytes().count(b"\n") >= len(requests))
        raw = log.read_bytes()
    lines = raw.splitlines()
    assert len(lines) == len(raw.decode("latin-1").split("\n")) - 1 == len(requests)
    assert not re.search(rb"[\0-\x09\x0b-\x1f\x7f]", raw)
    for line in lines:
        if settings.get("log_json") or settings.get("log_escape"):
            assert (
                "forged"
                in json.loads(line.decode("utf-8", "surrogateescape"))[
                    "http_user_agent" if "log_json" in settings else "agent"
                ]
            )
        else:
            assert line.isascii()
            assert not re.search(rb'" 200 "forged', line)
            assert line.count(b'"') % 2 == 0
