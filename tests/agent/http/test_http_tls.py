import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from skep.engine import TLS, Engine
from skep.errors import EngineUnreachableError, SettingsError
from skep.http import HttpServer, ServerTLS

Serve = Callable[..., Awaitable[HttpServer]]


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="OK", headers={"Api-Version": "1.41"})


@pytest.fixture
def folder(certificates: Path, tmp_path: Path) -> Path:
    """A copy of the certificates that a test may change."""
    for file in certificates.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def tls(folder: Path) -> ServerTLS:
    return ServerTLS(folder / "server.pem", folder / "server-key.pem", folder / "ca.pem")


def client(folder: Path, server: HttpServer, name: str = "client") -> Engine:
    material = TLS(folder / "ca.pem", folder / f"{name}.pem", folder / f"{name}-key.pem")
    return Engine(server.urls[0], tls=material)


async def test_only_known_clients_are_served(folder: Path, serve: Serve) -> None:
    server = await serve(hello, tls=tls(folder))
    async with client(folder, server) as known:
        await known.ping()
    async with client(folder, server, "stranger") as stranger, Engine(server.urls[0]) as plain:
        for engine in (stranger, plain):
            with pytest.raises(EngineUnreachableError):
                await engine.ping()
    async with Engine(server.urls[0], tls=TLS(ca=folder / "ca.pem")) as nameless:
        with pytest.raises(EngineUnreachableError):
            await nameless.ping()


async def test_tls_may_listen_for_other_machines(folder: Path, serve: Serve) -> None:
    assert (await serve(hello, "0.0.0.0:0", tls=tls(folder))).urls


async def test_old_tls_is_refused(folder: Path, serve: Serve) -> None:
    server = await serve(hello, tls=ServerTLS(folder / "server.pem", folder / "server-key.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        await asyncio.open_connection("127.0.0.1", int(server.urls[0].rpartition(":")[2]), ssl=context)


async def test_a_new_certificate_is_shown_to_new_connections_only(
    folder: Path, serve: Serve, certify: Callable[..., None]
) -> None:
    material = tls(folder)
    server = await serve(hello, tls=material)
    assert await material.reload() is False
    async with client(folder, server) as engine:
        await engine.ping()
        await asyncio.to_thread(certify, folder, "server", "other")
        assert await material.reload() is True
        await engine.ping()  # over the connection that stood
    async with client(folder, server) as engine:
        with pytest.raises(EngineUnreachableError, match="certificate is refused"):
            await engine.ping()


async def test_an_authority_can_be_taken_away(folder: Path, serve: Serve) -> None:
    material = ServerTLS(folder / "server.pem", folder / "server-key.pem", folder / "clients.pem")
    both = (folder / "ca.pem").read_bytes() + (folder / "other.pem").read_bytes()
    (folder / "clients.pem").write_bytes(both)
    server = await serve(hello, tls=material)
    for name in ("client", "stranger"):
        async with client(folder, server, name) as engine:
            await engine.ping()
    (folder / "clients.pem").write_bytes((folder / "ca.pem").read_bytes())
    assert await material.reload()
    async with client(folder, server) as engine:
        await engine.ping()
    async with client(folder, server, "stranger") as engine:
        with pytest.raises(EngineUnreachableError):
            await engine.ping()


async def test_a_broken_file_leaves_the_last_good_one(folder: Path, serve: Serve) -> None:
    material = tls(folder)
    server = await serve(hello, tls=material)
    (folder / "server.pem").write_text("half a fi")
    with pytest.raises(SettingsError, match=r"server\.pem"):
        await material.reload()
    async with client(folder, server) as engine:
        await engine.ping()


async def test_missing_files_stop_the_start(folder: Path, serve: Serve) -> None:
    (folder / "server-key.pem").unlink()
    with pytest.raises(SettingsError, match=r"server-key\.pem: No such file"):
        await serve(hello, tls=tls(folder))
