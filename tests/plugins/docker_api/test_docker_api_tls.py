"""The endpoint over TLS: who is let in, and under which name."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from skep import ContainerStopping, Plugin, ServerTlsSettings

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca, and by it server and client (`ops`); other, and by it stranger."""
    folder = tmp_path_factory.mktemp("certificates")
    for ca in ("ca", "other"):
        usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
        openssl(
            folder, "req", "-x509", *EC, "-subj", f"/CN={ca}", *usage, "-keyout", f"{ca}-key.pem", "-out", f"{ca}.pem"
        )
    for name, ca, subject in (("server", "ca", "server"), ("client", "ca", "ops"), ("stranger", "other", "ops")):
        alt = ("-addext", "subjectAltName=IP:127.0.0.1")
        openssl(
            folder, "req", *EC, "-subj", f"/CN={subject}", *alt, "-keyout", f"{name}-key.pem", "-out", f"{name}.csr"
        )
        sign = ("-CA", f"{ca}.pem", "-CAkey", f"{ca}-key.pem", "-copy_extensions", "copy")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", *sign, "-out", f"{name}.pem")
    return folder


def settings(certificates: Path) -> ServerTlsSettings:
    ca, cert, key = (str(certificates / f"{name}.pem") for name in ("ca", "server", "server-key"))
    return ServerTlsSettings(ca=ca, cert=cert, key=key)


def context(certificates: Path, client: str | None) -> ssl.SSLContext:
    found = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    if client:
        found.load_cert_chain(certificates / f"{client}.pem", certificates / f"{client}-key.pem")
    return found


async def test_clients_need_a_certificate_which_names_them(
    serving: Callable[..., AbstractAsyncContextManager[Any]], certificates: Path, tmp_path: Path
) -> None:
    asked: list[str] = []

    class Watcher(Plugin):
        name = "watcher"

        async def container_stopping(self, stopping: ContainerStopping) -> None:
            asked.append(stopping.client)

    async with serving("n1", settings={"tls": settings(certificates)}, plugins=[Watcher()]) as api:
        api.engines["n1"].run("web")
        url = api.url.replace("tcp", "https")
        for stranger in (None, "stranger"):
            connector = aiohttp.TCPConnector(ssl=context(certificates, stranger))
            async with aiohttp.ClientSession(url, connector=connector) as session:
                with pytest.raises(aiohttp.ClientError):
                    await session.get("/containers/json")
        connector = aiohttp.TCPConnector(ssl=context(certificates, "client"))
        async with aiohttp.ClientSession(url, connector=connector) as session, asyncio.timeout(5):
            while not await (await session.get("/containers/json")).json():
                await asyncio.sleep(0.01)
            # a name that is not listed: over TLS the certificate vouches for it
            async with session.post("/containers/web/stop", headers={"Host": "manager"}) as response:
                assert response.status == 204
    assert asked == ["ops"]


async def test_limits_are_counted_by_certificate_and_connections_by_address(
    serving: Callable[..., AbstractAsyncContextManager[Any]], certificates: Path
) -> None:
    limits = {"tls": settings(certificates), "max_requests": 1, "max_connections": 2}
    async with serving("n1", settings=limits) as api, asyncio.timeout(10):
        url = api.url.replace("tcp", "https")
        ours, theirs = (aiohttp.TCPConnector(ssl=context(certificates, "client")) for _ in range(2))
        async with (
            aiohttp.ClientSession(url, connector=ours) as session,
            aiohttp.ClientSession(url, connector=theirs) as other,
            session.get("/events"),
        ):
            async with session.get("/_ping") as response:
                assert response.status == 429
                assert (await response.json())["message"].startswith("client ops has 1 requests under way")
            with pytest.raises(aiohttp.ClientError):
                await other.get("/_ping")


@pytest.mark.skipif(shutil.which("docker") is None, reason="needs the docker command")
async def test_the_docker_command_by_its_certificate_folder(
    serving: Callable[..., AbstractAsyncContextManager[Any]], certificates: Path, tmp_path: Path
) -> None:
    for source, target in (("ca", "ca"), ("client", "cert"), ("client-key", "key")):
        shutil.copy(certificates / f"{source}.pem", tmp_path / f"{target}.pem")
    async with serving("n1", settings={"tls": settings(certificates)}) as api:
        process = await asyncio.create_subprocess_exec(
            *("docker", "--tlsverify", "-H", api.url, "run", "-i", "--rm", "busybox", "cat"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"DOCKER_CERT_PATH": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(tmp_path)},
        )
        async with asyncio.timeout(20):
            output, _ = await process.communicate(b"hi\n")
        assert output == b"hi\n"
        assert process.returncode == 0
