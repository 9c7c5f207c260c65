"""The stock docker command over TLS through `skep.http` to a real engine: its input ends, output comes."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from contrib.lab import Host
from skep.engine import Engine
from skep.http import HttpServer, ServerTLS, error_middleware, pump, take_over

SINGLE_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "host", "te", "trailer"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As docker's DOCKER_CERT_PATH wants them; one certificate serves both sides."""
    folder = tmp_path_factory.mktemp("certs")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-x509"]
    names = ["-subj", "/CN=skep", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(["openssl", "req", *key, *names, *files], cwd=folder, check=True, capture_output=True)
    shutil.copy(folder / "cert.pem", folder / "ca.pem")
    return folder


@pytest.fixture
async def endpoint(engine: Host, certificates: Path) -> AsyncIterator[HttpServer]:
    async def forward(request: web.Request) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in SINGLE_HOP}
        path, query = request.rel_url.raw_path, request.rel_url.raw_query_string
        if "upgrade" in request.headers:
            headers |= {"Connection": "Upgrade", "Upgrade": request.headers["upgrade"]}
            body = await request.read()
            far = await client.hijack("POST", path, query=query, headers=headers, body=body, version="")
            near = take_over(request, headers=far.headers)
            await pump(near, far)
            return near
        body = await request.read()
        async with client.stream(
            request.method, path, query=query, headers=headers, data=body or None, version=""
        ) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in SINGLE_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            return response

    app = web.Application(middlewares=[error_middleware])
    app.router.add_route("*", "/{path:.*}", forward)
    tls = ServerTLS(certificates / "cert.pem", certificates / "key.pem", certificates / "ca.pem")
    async with Engine(engine.url) as client, HttpServer(app, ["127.0.0.1:0"], tls=tls) as server:
        yield server


async def docker(endpoint: HttpServer, certificates: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    environment = {**os.environ, "DOCKER_CERT_PATH": str(certificates), "DOCKER_TLS_VERIFY": "1"}
    process = await asyncio.create_subprocess_exec(
        *("docker", "-H", endpoint.urls[0], *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
    )
    try:
        async with asyncio.timeout(20):
            output, _ = await process.communicate(stdin)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output


async def test_piped_input_ends_and_the_output_comes(endpoint: HttpServer, certificates: Path) -> None:
    await docker(endpoint, certificates, "run", "-d", "--name", "box", "busybox", "sleep", "100")
    text = b"x" * 300_000 + b"\n"
    count = await docker(endpoint, certificates, "exec", "-i", "box", "wc", "-c", stdin=text)
    assert count.split() == [b"300001"]
    assert await docker(endpoint, certificates, "exec", "-i", "box", "cat", stdin=text) == text
    assert await docker(endpoint, certificates, "run", "-i", "--rm", "busybox", "sha1sum", stdin=b"hi\n") == (
        b"55ca6286e3e4f4fba5d0448333fa99fc5a404a73  -\n"
    )
