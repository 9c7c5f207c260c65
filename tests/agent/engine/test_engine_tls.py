import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from skep.engine import TLS, Engine
from skep.errors import EngineUnreachableError, SettingsError
from tests.agent.engine.raw_engine import PING, RawEngine


@pytest.fixture
def secure(certificates: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@contextlib.asynccontextmanager
async def serve(context: ssl.SSLContext) -> AsyncIterator[RawEngine]:
    raw = RawEngine()
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0, ssl=context)
    raw.address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield raw
    finally:
        server.close()


def files(folder: Path, name: str, ca: str = "ca") -> TLS:
    return TLS(folder / f"{ca}.pem", folder / f"{name}.pem", folder / f"{name}-key.pem")


async def test_both_sides_show_their_certificates(certificates: Path, secure: ssl.SSLContext) -> None:
    async with serve(secure) as raw:
        raw.answers["/exec"] = b"HTTP/1.1 101 UPGRADED\r\n\r\nhello"
        async with Engine(raw.address, tls=files(certificates, "client")) as engine:
            assert await engine.negotiate() == "1.41"
            async with await engine.hijack("POST", "/exec") as taken:
                assert await taken.reader.readexactly(5) == b"hello"
            before = raw.connections
            for _ in range(2):
                assert await engine.read("/_ping", timeout=5, most=10) == (200, b"OK")
            assert raw.connections == before + 1


@pytest.mark.parametrize(
    ("name", "ca", "told"),
    [("stranger", "ca", "connection broke|cannot connect"), ("client", "other", "certificate is refused")],
)
async def test_strangers_are_refused(name: str, ca: str, told: str, certificates: Path, secure: ssl.SSLContext) -> None:
    async with serve(secure) as raw:
        async with Engine(raw.address, tls=files(certificates, name, ca)) as engine:
            with pytest.raises(EngineUnreachableError, match=told):
                await engine.ping()
            with pytest.raises(EngineUnreachableError, match=f"{told}|TLS"):
                await engine.hijack("POST", "/exec", version="")
            with pytest.raises(EngineUnreachableError, match=f"{told}|TLS"):
                await engine.read("/_ping", timeout=5, most=10, version="")
        assert raw.requests == []


async def test_a_certificate_for_another_host_is_refused(certificates: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "elsewhere.pem", certificates / "elsewhere-key.pem")
    async with serve(context) as raw:
        async with Engine(raw.address, tls=TLS(ca=certificates / "ca.pem")) as engine:
            with pytest.raises(EngineUnreachableError, match=r"127\.0\.0\.1"):
                await engine.ping()
        async with Engine(raw.address, tls=TLS(verify=False)) as engine:
            await engine.ping()


async def test_a_renewed_certificate_is_taken_up(
    certificates: Path, secure: ssl.SSLContext, tmp_path: Path, certify: Callable[..., None]
) -> None:
    for file in certificates.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    async with serve(secure) as raw, Engine(raw.address, tls=files(tmp_path, "stranger")) as engine:
        with pytest.raises(EngineUnreachableError):
            await engine.negotiate()
        await asyncio.to_thread(certify, tmp_path, "stranger", "ca")
        engine.reset()
        assert await engine.negotiate() == "1.41"


def test_old_tls_is_refused(certificates: Path) -> None:
    assert files(certificates, "client").ssl_context().minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("ca", "cert", "key", "told"),
    [
        ("missing", "client", "client", "missing.pem: No such file"),
        ("ca", "client", "locked", "locked-key.pem is encrypted"),
        ("ca", "client", "server", "server-key.pem does not belong to the certificate .*client.pem"),
        ("ca", "garbage", "client", "garbage.pem is not a PEM file with a certificate"),
        ("garbage", "client", "client", "garbage.pem is not a PEM file with a certificate"),
        ("broken", "client", "client", "cannot use the certificate authorities in .*broken.pem"),
        ("ca", "broken", "client", "cannot use the certificate .*broken.pem"),
        ("ca", "client", None, "is given without a key"),
        ("ca", None, "client", "is given without a certificate"),
    ],
)
def test_bad_files_are_named(
    ca: str, cert: str | None, key: str | None, told: str, certificates: Path, tmp_path: Path
) -> None:
    (tmp_path / "garbage.pem").write_bytes(b"\x00\xffgarbage")
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")

    def find(name: str) -> Path:
        return certificates / name if (certificates / name).exists() else tmp_path / name

    tls = TLS(find(f"{ca}.pem"), find(f"{cert}.pem") if cert else None, find(f"{key}-key.pem") if key else None)
    with pytest.raises(SettingsError, match=told):
        tls.ssl_context()


async def test_bad_files_stop_the_first_call(raw: RawEngine, tmp_path: Path) -> None:
    raw.answers["/_ping"] = PING
    async with Engine(raw.address, tls=TLS(ca=tmp_path / "none.pem")) as engine:
        with pytest.raises(SettingsError, match=r"none\.pem"):
            await engine.negotiate()


async def test_half_of_a_tls_connection_can_be_closed(certificates: Path) -> None:
    """The other side is TLS of another make: blocking sockets in a thread."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def cat() -> bytes:
        with context.wrap_socket(listener.accept()[0], server_side=True) as sock:
            head = b""
            while b"\r\n\r\n" not in head:
                head += sock.recv(1)
            sock.sendall(b"HTTP/1.1 101 UPGRADED\r\n\r\n")
            received = b""
            while data := sock.recv(65536):
                received += data
            sock.sendall(received + b" end")
        return received

    sent = b"x" * 3_000_000
    with listener:
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        async with Engine(address, tls=TLS(ca=certificates / "ca.pem")) as engine, asyncio.timeout(10):
            other = asyncio.create_task(asyncio.to_thread(cat))
            async with await engine.hijack("POST", "/x", version="") as taken:
                taken.writer.write(sent)
                taken.writer.write_eof()
                assert await taken.reader.readexactly(len(sent) + 4) == sent + b" end"
            assert await other == sent


async def test_a_tls_connection_that_is_cut_is_not_taken_for_ended(certificates: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")

    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101 UPGRADED\r\n\r\nhello")
        await writer.drain()
        writer.get_extra_info("socket").shutdown(socket.SHUT_WR)

    async with serve(context) as raw:
        raw.answers["/x"] = cut
        async with Engine(raw.address, tls=TLS(ca=certificates / "ca.pem")) as engine, asyncio.timeout(5):
            taken = await engine.hijack("POST", "/x")
            assert await taken.reader.readexactly(5) == b"hello"
            with pytest.raises(ConnectionResetError, match="cut"):
                await taken.reader.read()
            await taken.close()


async def test_a_handshake_that_hangs_is_given_up(raw: RawEngine, certificates: Path) -> None:
    mutes = []

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mutes.append(writer)
        await reader.read()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with Engine(address, tls=TLS(ca=certificates / "ca.pem"), connect_timeout=0.2) as engine:
        for attempt in (engine.ping(), engine.hijack("POST", "/x", version="")):
            with pytest.raises(EngineUnreachableError, match="no connection in time"):
                await attempt
    server.close()
    for writer in mutes:
        writer.close()
        await writer.wait_closed()
