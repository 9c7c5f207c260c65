"""Groups 1 and 18: certificates of nobody, of others, expired, revoked; of a client without a rule; TLS that is too old, or none."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from skep import Agent, ServerTlsSettings, parse_settings
from skep.testing import EmbeddedEngine
from skep_docker_api import DockerApiPlugin

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
NAMES = {
    "server": ("ca", "/CN=server", "IP:127.0.0.1"),
    "ops": ("ca", "/CN=ops", ""),
    "intern": ("ca", "/CN=intern", ""),
    "root": ("ca", "/CN=uid:0", ""),
    "spiffe": ("ca", "/CN=workload", "URI:spiffe://prod/ci/7"),
    "fake": ("ca", "/CN=spiffe:%%prod%ci%7".replace("%", "\\/"), ""),
    "stranger": ("other", "/CN=ops", ""),
    "expired": ("ca", "/CN=ops", ""),
    "stolen": ("ca", "/CN=ops", ""),
}


def openssl(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    for ca in ("ca", "other"):
        usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
        openssl(
            folder, "req", "-x509", *EC, "-subj", f"/CN={ca}", *usage, "-keyout", f"{ca}-key.pem", "-out", f"{ca}.pem"
        )
    for name, (ca, subject, alt) in NAMES.items():
        names = ("-addext", f"subjectAltName={alt}") if alt else ()
        openssl(folder, "req", *EC, "-subj", subject, *names, "-keyout", f"{name}-key.pem", "-out", f"{name}.csr")
        dates = ("-days", "-1") if name == "expired" else ()
        sign = ("-CA", f"{ca}.pem", "-CAkey", f"{ca}-key.pem", "-copy_extensions", "copy", *dates)
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", *sign, "-out", f"{name}.pem")
    return folder


@pytest.fixture
async def url(certificates: Path) -> AsyncIterator[str]:
    """An endpoint where ops may do all, and workloads of ci look."""
    serial = openssl(certificates, "x509", "-in", "stolen.pem", "-noout", "-serial").strip().partition("=")[2]
    rules: dict[str, Any] = {
        "kernel": {"clients": ["uid:0"], "allow": ["all"], "profile": "privileged"},
        "ops": {"clients": ["ops"], "allow": ["all"], "profile": "privileged"},
        "ci": {"clients": ["spiffe://prod/ci/*"]},
    }
    async with AsyncExitStack() as stack:
        engine = EmbeddedEngine("n1")
        await engine.start("tcp://127.0.0.1:0")
        stack.push_async_callback(engine.stop)
        pem = {
            key: str(certificates / f"{name}.pem")
            for key, name in (("ca", "ca"), ("cert", "server"), ("key", "server-key"))
        }
        api = DockerApiPlugin(DockerApiPlugin.Settings(listen=("tcp://127.0.0.1:0",), tls=ServerTlsSettings(**pem)))
        api.name = "docker_api"
        policy = {"rules": rules, "revoked": [":".join(serial[at : at + 2] for at in range(0, len(serial), 2)).lower()]}
        found = parse_settings({"cluster": {"engines": [engine.url]}, "plugins": {"policy": policy}})
        await stack.enter_async_context(Agent(found, plugins=[api]))
        yield api.urls[0].replace("tcp", "https")


async def ask(url: str, certificates: Path, client: str, path: str = "/containers/json") -> int:
    """The status; 0 where TLS refused."""
    context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    if client:
        context.load_cert_chain(certificates / f"{client}.pem", certificates / f"{client}-key.pem")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        try:
            async with session.get(url + path) as response:
                return response.status
        except aiohttp.ClientError:
            return 0


async def test_a_certificate_opens_what_its_rule_says(url: str, certificates: Path) -> None:
    answers = {client: await ask(url, certificates, client) for client in ("", *NAMES)}
    del answers["server"]
    assert answers == {
        "": 0,
        "stranger": 0,
        "expired": 0,
        "stolen": 403,
        "intern": 403,
        "root": 403,  # it calls itself uid:0
        "fake": 403,  # it calls itself spiffe://prod/ci/7
        "ops": 200,
        "spiffe": 200,
    }
    assert await ask(url, certificates, "spiffe", "/containers/x/logs") in (403, 404)
    assert await ask(url, certificates, "intern", "/_ping") == 403


async def test_old_tls_and_plain_http_are_refused(url: str, certificates: Path) -> None:
    host, _, port = url.rpartition("/")[2].partition(":")

    def old() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection((host, int(port))) as sock, context.wrap_socket(sock):
            pass

    with pytest.warns(DeprecationWarning, match="TLSv1_1"), pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.to_thread(old)
    reading, writing = await asyncio.open_connection(host, int(port))
    writing.write(b"GET /containers/json HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(5):
        answer = await reading.read()
    writing.close()
    assert b"HTTP/1.1 200" not in answer
