"""The guard over TLS and unix sockets, where a name proves itself or plays no part."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from skep import Agent, HttpServer, ServerTLS
from skep.control import add_routes


@pytest.fixture
async def urls(certificates: Path, tmp_path: Path) -> Any:
    async with Agent() as agent:
        app = web.Application()
        add_routes(app, agent)
        tls = ServerTLS(certificates / "server.pem", certificates / "server-key.pem")
        listen = ["tcp://127.0.0.1:0", f"unix://{tmp_path}/s"]
        async with HttpServer(app, listen, tls=tls, shutdown_timeout=1) as server:
            yield server.urls


async def status(url: str, connector: aiohttp.BaseConnector, headers: dict[str, str], context: Any = True) -> int:
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(url, headers=headers, ssl=context) as response,
    ):
        return response.status


@pytest.mark.parametrize(("headers", "expected"), [({"Host": "any.example"}, 200), ({"Origin": "https://a"}, 403)])
async def test_over_tls_any_name_counts_but_no_page(
    urls: list[str], certificates: Path, headers: dict[str, str], expected: int
) -> None:
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    url = urls[0].replace("tcp", "https") + "/health"
    assert await status(url, aiohttp.TCPConnector(), headers, context) == expected


async def test_over_a_unix_socket_any_name_counts(urls: list[str]) -> None:
    connector = aiohttp.UnixConnector(urls[1].removeprefix("unix://"))
    assert await status("http://any.example/health", connector, {}) == 200
