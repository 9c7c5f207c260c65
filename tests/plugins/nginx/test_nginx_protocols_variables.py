"""Each of nginx-proxy's own variables, from its name to what clients get."""

import asyncio
import hashlib
import json
import ssl
from pathlib import Path

import pytest

from skep.testing import EmbeddedEngine
from tests.plugins.nginx.nginx_backends import exchange
from tests.plugins.nginx.nginx_certificates import Authority
from tests.plugins.nginx.nginx_https import fetch
from tests.plugins.nginx.nginx_tools import Backend, answers, ask, until
from tests.plugins.nginx.nginx_variables import proxied, run

CHALLENGE = "/.well-known/acme-challenge/"
V12 = ssl.TLSVersion(0x303)
pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority()


async def location(port: int, host: str, method: str = "GET") -> tuple[int, str]:
    """The status of a plain request, and where it is sent on to."""
    head = (await exchange(port, host, "/a?b=c", method=method)).partition("\r\n\r\n")[0]
    lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    return int(head.split()[1]), lines.get("Location", "")


async def test_ports_and_addresses(folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority) -> None:
    """HTTP_PORT, HTTPS_PORT, ENABLE_IPV6."""
    ca.write(folder / "certs", "shop.example")
    run(node, "shop", one.port, HTTPS_METHOD="noredirect")
    async with proxied(folder, ca, node, {"ENABLE_IPV6": "true"}) as web:
        for ip in ("127.0.0.1", "::1"):
            await answers(web.served.port, "shop.example", 200, "one\n", ip=ip)
            assert (await web.until("shop.example", ip=ip)).status == 200
        assert "X-Real-IP: ::1\r\n" in (await ask(web.served.port, "shop.example", ip="::1"))[1]
    async with proxied(folder, ca, node, {}) as web:
        await answers(web.served.port, "shop.example", 200)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("::1", web.served.port)


async def test_the_default_host_and_root(folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority) -> None:
    """DEFAULT_HOST, DEFAULT_ROOT; by TLS, too."""
    ca.write(folder / "certs", "shop.example")
    run(node, "shop", one.port, VIRTUAL_PATH="/shop", HTTPS_METHOD="noredirect")
    asked = {"DEFAULT_HOST": "shop.example", "DEFAULT_ROOT": "302 https://else.example$request_uri"}
    async with proxied(folder, ca, node, asked) as web:
        await web.until("shop.example", status=302)
        assert (await ask(web.served.port, "unknown.example", "/shop"))[0] == 200
        assert await location(web.served.port, "unknown.example") == (302, "https://else.example/a?b=c")
        seen = await web.get("unknown.example")
        assert (seen.names, seen.status) == (("shop.example",), 302)


@pytest.mark.parametrize(
    ("method", "plain", "secure"),
    [("redirect", 301, 200), ("noredirect", 200, 200), ("nohttp", 503, 200), ("nohttps", 200, 0)],
)
async def test_plain_requests(
    folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority, method: str, plain: int, secure: int
) -> None:
    """HTTPS_METHOD, and what a container says instead."""
    for name in ("shop", "other"):
        ca.write(folder / "certs", f"{name}.example")
    run(node, "shop", one.port)
    run(node, "other", one.port, HTTPS_METHOD="noredirect")
    async with proxied(folder, ca, node, {"HTTPS_METHOD": method}) as web:
        await web.until("other.example")
        assert (await ask(web.served.port, "shop.example"))[0] == plain
        assert (await ask(web.served.port, "other.example"))[0] == 200
        if secure:
            assert (await web.get("shop.example")).status == secure
        else:
            with pytest.raises(ssl.SSLError):
                await web.get("shop.example")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_requests_that_are_no_get(
    folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority, status: int
) -> None:
    """NON_GET_REDIRECT for `shop`, the label for `other`."""
    for name in ("shop", "other"):
        ca.write(folder / "certs", f"{name}.example")
    run(node, "shop", one.port)
    run(node, "other", one.port, {"non-get-redirect": "308" if status != 308 else "307"})
    async with proxied(folder, ca, node, {"NON_GET_REDIRECT": str(status)}) as web:
        await web.until("other.example")
        target = f"https://shop.example:{web.https}/a?b=c"
        for method in ("OPTIONS", "POST", "PUT", "PATCH", "DELETE"):
            assert await location(web.served.port, "shop.example", method) == (status, target)
        for method in ("GET", "HEAD"):
            assert await location(web.served.port, "shop.example", method) == (301, target)
        assert (await location(web.served.port, "other.example", "POST"))[0] == (308 if status != 308 else 307)


async def test_strict_transport(folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority) -> None:
    """HSTS of both; on errors too, and never plainly."""
    for name in ("shop", "off", "own"):
        ca.write(folder / "certs", f"{name}.example")
    run(node, "shop", one.port, VIRTUAL_PATH="/x")
    run(node, "off", one.port, HSTS="off")
    run(node, "own", one.port, HSTS="max-age=5; preload")
    async with proxied(folder, ca, node, {"HSTS": "max-age=7; includeSubDomains"}) as web:
        header = "strict-transport-security"
        assert (await web.until("shop.example", status=404)).headers[header] == "max-age=7; includeSubDomains"
        assert header not in (await web.until("off.example")).headers
        assert (await web.until("own.example")).headers[header] == "max-age=5; preload"
        assert header not in (await exchange(web.served.port, "shop.example")).lower()


async def test_policies(folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority) -> None:
    """SSL_POLICY of both."""
    for name in ("shop", "wide"):
        ca.write(folder / "certs", f"{name}.example")
    run(node, "shop", one.port)
    run(node, "wide", one.port, SSL_POLICY="Mozilla-Intermediate")
    async with proxied(folder, ca, node, {"SSL_POLICY": "Mozilla-Modern"}) as web:
        assert (await web.until("wide.example", most=V12)).version == "TLSv1.2"
        assert (await web.until("shop.example")).version == "TLSv1.3"
        try:
            refused = (await web.get("shop.example", most=V12)).status == 0
        except ssl.SSLError:
            refused = True
        assert refused


async def test_the_default_certificate(folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority) -> None:
    """TRUST_DEFAULT_CERT, and the label."""
    ca.write(folder / "certs", "default", "default.example")
    run(node, "shop", one.port)
    run(node, "trusts", one.port, {"trust-default-cert": "true"})
    async with proxied(folder, ca, node, {"TRUST_DEFAULT_CERT": "false"}) as web:
        assert (await web.until("trusts.example")).names == ("default.example",)
        assert (await ask(web.served.port, "shop.example"))[0] == 200
        assert await location(web.served.port, "trusts.example") == (301, f"https://trusts.example:{web.https}/a?b=c")


async def test_sites_without_a_certificate(folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority) -> None:
    """ENABLE_HTTP_ON_MISSING_CERT of both."""
    run(node, "shop", one.port)
    run(node, "open", one.port, ENABLE_HTTP_ON_MISSING_CERT="true")
    async with proxied(folder, ca, node, {"ENABLE_HTTP_ON_MISSING_CERT": "false"}) as web:
        await answers(web.served.port, "open.example", 200)
        assert await location(web.served.port, "shop.example") == (301, f"https://shop.example:{web.https}/a?b=c")
        for host in ("shop.example", "open.example"):
            with pytest.raises(ssl.SSLError):
                await web.get(host)
    async with proxied(folder, ca, node, {}) as web:
        await answers(web.served.port, "shop.example", 200)


@pytest.mark.parametrize(
    ("variables", "redirects", "plain", "unknown"),
    [
        ({}, 200, 200, 503),
        ({"ACME_HTTP_CHALLENGE_LOCATION": "legacy"}, 200, 404, 503),
        ({"ACME_HTTP_CHALLENGE_LOCATION": "false"}, 301, 404, 503),
        ({"ACME_HTTP_CHALLENGE_ACCEPT_UNKNOWN_HOST": "true"}, 200, 200, 200),
    ],
)
async def test_challenges_of_another_client_of_acme(
    folder: Path,
    node: EmbeddedEngine,
    ca: Authority,
    variables: dict[str, str],
    redirects: int,
    plain: int,
    unknown: int,
) -> None:
    """ACME_HTTP_CHALLENGE_LOCATION and its like: what acme-companion lays down is found, whatever else a site keeps clients from."""
    where = folder / "html" / CHALLENGE.strip("/")
    where.mkdir(parents=True)
    (where / "token").write_text("proof")
    (folder / "passwords").mkdir()
    ca.write(folder / "certs", "shop.example")
    (folder / "passwords/shop.example").write_text("me:{PLAIN}secret\n")
    run(node, "shop", 9, NETWORK_ACCESS="internal")
    run(node, "plain", 9, VIRTUAL_PATH="/other")  # 404 elsewhere
    run(node, "says", 9, HTTPS_METHOD="noredirect", ACME_HTTP_CHALLENGE_LOCATION="true", VIRTUAL_PATH="/other")
    async with proxied(folder, ca, node, variables) as web:
        await web.served.live("plain.example", "says.example", "shop.example")
        port, path = web.served.port, CHALLENGE + "token"
        got = {name: await ask(port, f"{name}.example", path) for name in ("shop", "plain", "says", "unknown")}
        assert {name: status for name, (status, _) in got.items()} == {
            "shop": redirects, "plain": plain, "says": 200, "unknown": unknown,
        }  # fmt: skip
        assert got["says"][1] == "proof"
        assert (await ask(port, "says.example", CHALLENGE + "no"))[0] == 404
        assert (await ask(port, "says.example", CHALLENGE + "../../../../etc/passwd"))[0] in (400, 404)


@pytest.mark.parametrize(("trust", "told"), [("true", "1.2.3.4, 127.0.0.1"), ("false", "127.0.0.1")])
async def test_whoever_is_in_front(
    folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority, trust: str, told: str
) -> None:
    """TRUST_DOWNSTREAM_PROXY."""
    run(node, "shop", one.port)
    said = {"For": "1.2.3.4", "Proto": "https", "Host": "front.example", "Port": "8443"}
    headers = "".join(f"X-Forwarded-{name}: {value}\r\n" for name, value in said.items())
    async with proxied(folder, ca, node, {"TRUST_DOWNSTREAM_PROXY": trust}) as web:
        await answers(web.served.port, "shop.example", 200)
        body = (await ask(web.served.port, "shop.example", headers=headers))[1]
    assert f"X-Forwarded-For: {told}\r\n" in body
    for name in ("Proto", "Host", "Port"):
        assert (f"X-Forwarded-{name}: {said[name]}\r\n" in body) is (trust == "true")
    assert f"X-Forwarded-Ssl: {'on' if trust == 'true' else 'off'}\r\n" in body


async def test_the_proxy_protocol(folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority) -> None:
    """ENABLE_PROXY_PROTOCOL, of both versions; whoever does not speak it is not heard."""
    ca.write(folder / "certs", "shop.example")
    run(node, "shop", one.port, HTTPS_METHOD="noredirect")
    binary = bytes.fromhex("0d0a0d0a000d0a515549540a2111000c") + bytes(
        [192, 0, 2, 9, 192, 0, 2, 1, 0x12, 0x34, 0x01, 0xBB]
    )
    async with proxied(folder, ca, node, {"ENABLE_PROXY_PROTOCOL": "true"}) as web:
        for before in (b"PROXY TCP4 192.0.2.9 192.0.2.1 4660 443\r\n", binary):
            seen = await web.until("shop.example", preface=before)
            for header in ("X-Real-IP: 192.0.2.9", "X-Forwarded-For: 192.0.2.9", "X-Forwarded-Port: 443"):
                assert f"{header}\r\n" in seen.body
        assert (await ask(web.served.port, "shop.example"))[0] in (0, 400)


@pytest.mark.parametrize(("on", "spoken"), [("true", "h2"), ("false", "http/1.1")])
async def test_http2(folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority, on: str, spoken: str) -> None:
    """ENABLE_HTTP2."""
    ca.write(folder / "certs", "shop.example")
    run(node, "shop", one.port)
    async with proxied(folder, ca, node, {"ENABLE_HTTP2": on}) as web:
        await web.until("shop.example")
        context = ssl.create_default_context(cadata=ca.pem.decode())
        context.set_alpn_protocols(["h2", "http/1.1"])
        _, writer = await asyncio.open_connection("127.0.0.1", web.https, ssl=context, server_hostname="shop.example")
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == spoken
        writer.close()


async def test_names_of_upstreams_and_the_debug_endpoint(
    folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority
) -> None:
    """SHA1_UPSTREAM_NAME, DEBUG_ENDPOINT, and its label."""
    run(node, "shop", one.port)
    run(node, "quiet", one.port, {"debug-endpoint": "false"}, VIRTUAL_PATH="/x")
    hashed = hashlib.sha1(b"shop.example").hexdigest()
    (folder / "vhosts").mkdir()
    (folder / "vhosts/shop.example").write_text(f"location /also {{ proxy_pass http://{hashed}; }}")
    async with proxied(folder, ca, node, {"SHA1_UPSTREAM_NAME": "1", "DEBUG_ENDPOINT": "true"}) as web:
        await answers(web.served.port, "shop.example", 200)
        assert (await ask(web.served.port, "shop.example", "/also"))[0] == 200
        told = json.loads((await ask(web.served.port, "shop.example", "/nginx-proxy-debug"))[1])
        assert told["vhost"]["paths"] == {"/": {str(one.port): ["shop"]}}
        assert (await ask(web.served.port, "quiet.example", "/nginx-proxy-debug"))[0] == 404


@pytest.mark.parametrize(
    ("variables", "kind"),
    [
        ({}, "usual"),
        ({"LOG_JSON": "true"}, "json"),
        ({"LOG_FORMAT": "$status $http_user_agent", "LOG_FORMAT_ESCAPE": "json"}, "own"),
        ({"DISABLE_ACCESS_LOGS": "true"}, "none"),
    ],
)
async def test_logs_of_hostile_requests(
    folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority, variables: dict[str, str], kind: str
) -> None:
    """LOG_FORMAT, LOG_FORMAT_ESCAPE, LOG_JSON, DISABLE_ACCESS_LOGS: one request is one line, whatever stands in it."""
    run(node, "shop", one.port)
    log, evil = folder / "run/access.log", '\\x0a","status":"200\x1b[2J\\u000a$host" \x7f\xff'
    async with proxied(folder, ca, node, variables) as web:
        await answers(web.served.port, "shop.example", 200)
        log.write_text("") if kind != "none" else None
        headers = f"User-Agent: {evil}\r\nReferer: {evil}\r\nX-Forwarded-For: {evil}\r\n"
        await ask(web.served.port, "shop.example", '/"%0a\\', headers)
        await ask(web.served.port, "shop.example", "/last")
        if kind == "none":
            assert not log.exists()
            return
        await until(lambda: log.read_text("latin-1").count("\n") >= 2)
    lines = log.read_text("latin-1").rstrip("\n").split("\n")
    assert len(lines) == 2
    assert all(" " <= letter <= "~" or (letter > "~" and kind != "usual") for letter in lines[0])
    if kind == "json":
        told = json.loads(log.read_bytes().split(b"\n")[0].decode("utf-8", "replace"))
        assert told["status"] == "200"
        assert told["http_user_agent"].startswith('\\x0a","status":"200\x1b[2J')
        assert told["client_ip"] == told["http_user_agent"]
    elif kind == "own":
        assert lines[0].startswith(r"200 \\x0a\",\"status\":\"200\u001B[2J")
    else:
        assert lines[0].startswith("shop.example 127.0.0.1 - - [")


async def test_filters(folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority) -> None:
    """DOCKER_CONTAINER_FILTERS: all of them must hold."""
    node.run("web-in", env={"VIRTUAL_HOST": "in.example"}, labels={"tier": "web"}, ports={"80/tcp": one.port})
    node.run("web-out", env={"VIRTUAL_HOST": "out.example", "VIRTUAL_PORT": "9"}, NetworkMode="host")
    node.run("host", env={"VIRTUAL_HOST": "net.example"}, labels={"tier": "web"}, NetworkMode="host")
    said = {"DOCKER_CONTAINER_FILTERS": "label=tier=web, network=bridge,name=web"}
    async with proxied(folder, ca, node, said) as web:
        await web.served.live("in.example")
        assert (await ask(web.served.port, "in.example"))[0] == 200
        for host in ("out.example", "net.example"):
            assert (await ask(web.served.port, host))[0] == 503


async def test_which_clients_show_a_certificate(
    folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority
) -> None:
    """The label `ssl_verify_client`, with an authority for all hosts."""
    clients = Authority("clients")
    good = clients.write(folder / "own", "good", client=True)
    foreign = Authority("foreign").write(folder / "own", "foreign", client=True)
    wanted = {
        "on": (400, 200, 400),
        "off": (200, 200, 200),
        "optional": (200, 200, 400),
        "optional_no_ca": (200, 200, 200),
    }
    for verify in wanted:
        name = verify.replace("_", "-")
        ca.write(folder / "certs", f"{name}.example")
        run(node, name, one.port, {"ssl_verify_client": verify})
    (folder / "certs/ca.crt").write_bytes(clients.pem)
    async with proxied(folder, ca, node, {}) as web:
        for verify, statuses in wanted.items():
            host = f"{verify.replace('_', '-')}.example"
            await web.until(host, cert=good)
            got = [
                (await asyncio.to_thread(fetch, web.https, host, ca, cert=cert)).status
                for cert in (None, good, foreign)
            ]
            assert tuple(got) == statuses, verify
