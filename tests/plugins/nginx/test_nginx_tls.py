"""HTTPS through a real nginx: certificates by name, redirects, versions, client certificates."""

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from skep.testing import EmbeddedEngine
from tests.plugins.nginx.nginx_certificates import Authority
from tests.plugins.nginx.nginx_https import Secured, securing
from tests.plugins.nginx.nginx_tools import Backend, answers

V12, V11, V10 = (ssl.TLSVersion(number) for number in (0x303, 0x302, 0x301))
pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority()


def shop(port: int, host: str = "shop.example", labels: dict[str, str] | None = None, **env: str) -> dict[str, Any]:
    own = {"VIRTUAL_HOST": host, "VIRTUAL_PORT": str(port), **env}
    return {"env": own, "NetworkMode": "host", "labels": labels or {}}


async def plain(port: int, host: str, method: str = "GET") -> tuple[int, str]:
    async with httpx.AsyncClient() as client:
        answer = await client.request(method, f"http://127.0.0.1:{port}/a?b=c", headers={"Host": host})
        return answer.status_code, answer.headers.get("location", "")


async def test_the_name_chooses_the_certificate(
    folder: Path, node: EmbeddedEngine, one: Backend, two: Backend, ca: Authority
) -> None:
    for stem, *names in (("shop.example",), ("example.org", "*.example.org"), ("Named", "blog.example")):
        ca.write(folder / "certs", stem, *names)
    node.run("shop", **shop(one.port))
    node.run("wiki", **shop(two.port, "wiki.example.org"))
    node.run("blog", **shop(two.port, "blog.example", CERT_NAME="Named"))
    async with securing(folder, ca, node) as web:
        seen = await web.until("shop.example")
        assert (seen.names, seen.version, seen.body[:4]) == (("shop.example",), "TLSv1.3", "one\n")
        assert "X-Forwarded-Proto: https\r\n" in seen.body
        assert seen.headers["strict-transport-security"] == "max-age=31536000"
        assert (await web.until("wiki.example.org")).names == ("*.example.org",)
        assert (await web.until("blog.example")).names == ("blog.example",)
        for unknown in ("other.example", None):
            with pytest.raises(ssl.SSLError):
                await web.get("shop.example", sni=unknown)
        modes = {path.stat().st_mode & 0o777 for path in (folder / "tls").iterdir()}
        assert modes == {0o600}
        assert "PRIVATE" not in str(web.served.status)


@pytest.mark.parametrize("version", [("http/1.1",), ("h2", "http/1.1")])
async def test_http2_is_agreed_on(
    folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority, version: tuple[str, ...]
) -> None:
    ca.write(folder / "certs", "shop.example")
    node.run("shop", **shop(one.port))
    async with securing(folder, ca, node) as web:
        await web.until("shop.example")
        context = ssl.create_default_context(cadata=ca.pem.decode())
        async with httpx.AsyncClient(http2="h2" in version, verify=context) as client:
            answer = await client.get(
                f"https://127.0.0.1:{web.https}/",
                headers={"Host": "shop.example"},
                extensions={"sni_hostname": "shop.example"},
            )
        assert answer.http_version == ("HTTP/2" if "h2" in version else "HTTP/1.1")
        assert answer.text.startswith("one\n")


async def test_http2_can_be_off(folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority) -> None:
    ca.write(folder / "certs", "shop.example")
    node.run("shop", **shop(one.port))
    async with securing(folder, ca, node, tls={"http2": False}) as web:
        assert (await web.until("shop.example", alpn=("h2", "http/1.1"))).alpn == "http/1.1"


async def test_how_plain_requests_are_answered(folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority) -> None:
    names = ("redirect", "noredirect", "nohttp", "nohttps", "kept", "moved")
    for name in names:
        ca.write(folder / "certs", f"{name}.example")
    for name in names[:4]:
        node.run(name, **shop(one.port, f"{name}.example", HTTPS_METHOD=name))
    label = {"com.github.nginx-proxy.nginx-proxy.non-get-redirect": "308"}
    node.run("kept", **shop(one.port, "kept.example", labels=label, HSTS="off"))
    node.run("bare", **shop(one.port, "bare.example"))
    async with securing(folder, ca, node) as web:
        await web.served.live("bare.example", *(f"{name}.example" for name in names[:5]))
        port = web.served.port
        assert await plain(port, "redirect.example") == (301, f"https://redirect.example:{web.https}/a?b=c")
        assert await plain(port, "redirect.example", "POST") == (301, f"https://redirect.example:{web.https}/a?b=c")
        assert await plain(port, "kept.example", "HEAD") == (301, f"https://kept.example:{web.https}/a?b=c")
        assert await plain(port, "kept.example", "POST") == (308, f"https://kept.example:{web.https}/a?b=c")
        assert (await plain(port, "noredirect.example"))[0] == 200
        assert (await plain(port, "nohttp.example"))[0] == 503
        assert (await plain(port, "nohttps.example"))[0] == 200
        assert (await plain(port, "bare.example"))[0] == 200  # it has no certificate
        assert "strict-transport-security" not in (await web.until("noredirect.example")).headers
        assert "strict-transport-security" not in (await web.until("kept.example")).headers
        assert "strict-transport-security" in (await web.until("nohttp.example")).headers
        for host in ("nohttps.example", "bare.example"):
            with pytest.raises(ssl.SSLError):
                await web.get(host)


async def test_another_port_for_tls_is_in_redirects(
    folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority
) -> None:
    from tests.plugins.nginx.nginx_tools import free_port

    ca.write(folder / "certs", "shop.example")
    moved = free_port()
    node.run("shop", **shop(one.port, EXTERNAL_HTTPS_PORT=str(moved)))
    async with securing(folder, ca, node, external_ports=(str(moved),)) as web:
        await web.served.live("shop.example")
        assert await plain(web.served.port, "shop.example") == (301, f"https://shop.example:{moved}/a?b=c")
        web.https = moved
        assert (await web.until("shop.example")).names == ("shop.example",)
        with pytest.raises(ssl.SSLError):
            await web.get("other.example")


async def test_the_default_certificate(folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority) -> None:
    ca.write(folder / "certs", "default", "default.example")
    node.run("shop", **shop(one.port))
    node.run(
        "proud", **shop(one.port, "proud.example", {"com.github.nginx-proxy.nginx-proxy.trust-default-cert": "false"})
    )
    async with securing(folder, ca, node) as web:
        assert (await web.until("shop.example")).names == ("default.example",)
        seen = await web.until("unknown.example", status=503)
        assert seen.names == ("default.example",)
        assert (await plain(web.served.port, "proud.example"))[0] == 200
        with pytest.raises(ssl.SSLError):
            await web.get("proud.example")


async def test_versions_and_ciphers_by_policy(folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority) -> None:
    policies = {
        "usual": "",
        "modern": "Mozilla-Modern",
        "old": "Mozilla-Old",
        "middle": "AWS-TLS13-1-1-2021-06",
        "closed": "AWS-FS-1-2-Res-2020-10",
    }
    for name, policy in policies.items():
        ca.write(folder / "certs", f"{name}.example")
        node.run(name, **shop(one.port, f"{name}.example", SSL_POLICY=policy))
    async with securing(folder, ca, node) as web:
        await web.served.live(*(f"{name}.example" for name in policies))
        assert (await web.until("old.example", most=V10)).version == "TLSv1"
        assert (await web.until("middle.example", most=V11)).version == "TLSv1.1"
        assert (await web.until("usual.example", most=V12)).version == "TLSv1.2"
        assert (await web.until("closed.example", most=V12)).version == "TLSv1.2"
        assert (await web.until("modern.example")).version == "TLSv1.3"
        for name, most in (("usual", V11), ("modern", V12), ("middle", V10), ("closed", V11)):
            try:
                seen = await web.get(f"{name}.example", most=most)
            except ssl.SSLError:
                continue
            assert seen.status == 0, name


async def test_an_old_client_is_refused(folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority) -> None:
    ca.write(folder / "certs", "shop.example")
    node.run("shop", **shop(one.port))
    async with securing(folder, ca, node) as web:
        assert (await web.until("shop.example", most=V12)).version == "TLSv1.2"
        with pytest.raises(ssl.SSLError):
            await web.get("shop.example", most=V11)


async def test_client_certificates(folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority) -> None:
    certs, clients = folder / "certs", Authority("clients")
    for name in ("shop", "open", "asks"):
        ca.write(certs, f"{name}.example")
    for name in ("shop", "asks"):
        (certs / f"{name}.example.ca.crt").write_bytes(clients.pem)
    good = clients.write(folder / "own", "good", client=True)
    bad = clients.write(folder / "own", "bad", client=True)
    foreign = ca.write(folder / "own", "foreign", client=True)
    (certs / "shop.example.crl.pem").write_bytes(clients.revoke(bad.read_bytes()))
    node.run("shop", **shop(one.port))
    node.run("open", **shop(one.port, "open.example"))
    node.run(
        "asks", **shop(one.port, "asks.example", {"com.github.nginx-proxy.nginx-proxy.ssl_verify_client": "optional"})
    )
    async with securing(folder, ca, node) as web:
        await web.until("shop.example", cert=good)
        assert (await web.get("shop.example")).status == 400
        assert (await web.get("shop.example", cert=bad)).status == 400
        assert (await web.get("shop.example", cert=foreign)).status == 400
        assert (await web.get("open.example")).status == 200
        assert (await web.get("asks.example")).status == 200
        assert (await web.get("asks.example", cert=foreign)).status == 400
        (certs / "shop.example.ca.crt").write_text("broken")  # the last good one stays
        await web.served.live("asks.example", "open.example", "shop.example")
        assert (await web.get("shop.example")).status == 400
        (certs / "open.example.ca.crt").write_text("broken")  # there never was a good one: nobody comes in
        await web.until("open.example", status=400)
        await web.until("open.example", status=400, cert=good)


async def test_who_must_show_a_certificate_is_not_let_in_plainly_when_the_sites_own_ends(
    folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority
) -> None:
    certs, clients = folder / "certs", Authority("clients")
    ca.write(certs, "shop.example")
    ca.write(certs, "other.example")
    (certs / "shop.example.ca.crt").write_bytes(clients.pem)
    mine = clients.write(folder / "own", "mine", client=True)
    node.run("shop", **shop(one.port))
    node.run("other", **shop(one.port, "other.example"))
    async with securing(folder, ca, node) as web:
        await web.until("shop.example", cert=mine)
        for name in ("shop", "other"):
            (certs / f"{name}.example.crt").unlink()
        await web.until_refused("shop.example", cert=mine)
        await answers(web.served.port, "other.example", 200)
        assert await web.served_plainly("shop.example") == 301


async def test_the_proxy_protocol_before_tls(folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority) -> None:
    ca.write(folder / "certs", "shop.example")
    node.run("shop", **shop(one.port))
    async with securing(folder, ca, node, proxy_protocol=True) as web:
        said = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n"
        seen = await web.until("shop.example", preface=said)
        assert "X-Real-IP: 192.0.2.7\r\n" in seen.body
        with pytest.raises(OSError):
            await web.get("shop.example")


async def test_a_connection_for_one_host_opens_no_other(
    folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority
) -> None:
    """Whoever has shaken hands for a host that lets everybody in asks for one that does not, or for one that is not there."""
    certs, clients, others = folder / "certs", Authority("clients"), Authority("others")
    for name in ("open", "shop", "wiki", "default"):
        ca.write(certs, f"{name}.example" if name != "default" else name)
        node.run(name, **shop(one.port, f"{name}.example"))
    node.run("plain", **shop(one.port, "plain.example", HTTPS_METHOD="nohttps"))
    (certs / "shop.example.ca.crt").write_bytes(clients.pem)
    (certs / "wiki.example.ca.crt").write_bytes(others.pem)
    mine = clients.write(folder / "own", "mine", client=True)
    async with securing(folder, ca, node, tls={"trust_default": False}) as web:
        await web.until("shop.example", cert=mine)
        for host in ("shop.example", "SHOP.example.", "shop.example:1"):
            assert (await web.get(host, sni="open.example")).status == 421
        assert (await web.get("wiki.example", sni="shop.example", cert=mine)).status == 421
        assert (await web.get("wiki.example", cert=mine)).status == 400
        for sni in (None, "unknown.example"):  # the default certificate's
            assert (await web.get("shop.example", sni=sni, cert=mine)).status in (400, 421)
        for host in ("plain.example", "unknown.example", "skep-nginx-status.invalid"):
            assert (await web.get(host, sni="open.example")).status == 503
        for version in (V12, None):
            await asyncio.to_thread(_resumes_nowhere_else, web, mine, version)
        for name in ("crt", "key"):
            (certs / f"default.{name}").unlink()
        await web.until_refused("unknown.example")
        for host in ("plain.example", "unknown.example"):
            assert (await web.get(host, sni="open.example")).status == 503


def _resumes_nowhere_else(web: Secured, cert: Path, most: ssl.TLSVersion | None) -> None:
    """A session of a site that knows the client is no way into one that does not."""
    context = ssl.create_default_context(cadata=web.authority.pem.decode())
    context.load_cert_chain(cert, cert.with_suffix(".key"))
    context.maximum_version = most or context.maximum_version

    def ask(host: str, session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bytes]:
        with (
            socket.create_connection(("127.0.0.1", web.https), timeout=5) as raw,
            context.wrap_socket(raw, server_hostname=host, session=session) as wrapped,
        ):
            wrapped.sendall(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            answer = wrapped.recv(4096)
            return wrapped.session, answer

    session, answer = ask("shop.example", None)
    assert b" 200 " in answer
    with contextlib.suppress(ssl.SSLError):
        assert ask("wiki.example", session)[1].split()[1] in (b"400", b"421")
