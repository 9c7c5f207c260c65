"""What variables and labels may say; hosts and ports are test_nginx_hosts."""

import time
import tracemalloc

import pytest

from skep import Container
from skep_nginx.model import Balance
from skep_nginx.wishes import PREFIX, Wish, read_wish
from skep_nginx.wishes.multiports import parse_multiports


def wish(**said: str) -> Wish:
    env = tuple(f"{key}={value}" for key, value in {"VIRTUAL_HOST": "a.example", **said}.items() if key.isupper())
    labels = {
        PREFIX + (key if "ssl" in key else key.replace("_", "-")): value
        for key, value in said.items()
        if not key.isupper()
    }
    found = read_wish(Container(id="1", name="web", node="node1", env=env, labels=labels), most_hosts=32)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "balance"),
    [
        ("", None),
        ("least_conn;", Balance("least_conn")),
        (" ip_hash ", Balance("ip_hash")),
        ("random two least_conn;", Balance("random_two")),
        ("hash $remote_addr$cookie_id consistent;", Balance("hash_consistent", ("$remote_addr", "$cookie_id"))),
        ("hash $request_uri;", Balance("hash", ("$request_uri",))),
    ],
)
def test_methods(text: str, balance: Balance | None) -> None:
    assert wish(loadbalance=text).balance == balance


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("loadbalance", text) for text in (
            "least_conn; } server {", "least_conn; least_conn;", "hash $document_root;", "hash x;", "hash $http_;", "zone x 1m;",
            "least_time header;", "keepalive 5;", "hash $host include;", "server 10.0.0.1;", "x" * 5000, "hash $host\nconsistent",
        )),
        *(("keepalive", text) for text in ("0", "-1", "1001", "16;", "on", "٣", "1e3", "5; } server { listen 99")),
        *(("debug_endpoint", text) for text in ("yes", "on", "2", "true;")),
        *(("non_get_redirect", text) for text in ("200", "301;", "https://x")),
        *(("ssl_verify_client", text) for text in ("on;", "x")),
        *(("VIRTUAL_PATH", text) for text in (
            "x", "/x;", "/x {", "/x}", "/$x", "/x y", "/../x", "//x", "/./x", "/%2e", "/x#", '/x"', "/x\\", "/x\n", "/é", "/" + "x" * 600,
            "= x", "~", "~ (a+)+$", "~*(", "@named", "!~ /x", "~ /x { }", "/.well-known/acme-challenge/", "/nginx-proxy-debug", "/x?y",
        )),
        *(("VIRTUAL_DEST", text) for text in ("x", "/x;", "/$uri", "http://evil/", "/../", "/x y")),
        *(("VIRTUAL_PROTO", text) for text in ("file", "ftp", "http;", "unix", "https://x", "memcached", "scgi", "http\n")),
        *(("VIRTUAL_ROOT", text) for text in ("x", "/x;", "/../etc", "/$document_root")),
        *(("NETWORK_ACCESS", text) for text in ("private", "internal;", "none")),
        *(("SERVER_TOKENS", text) for text in ("yes", "on; } server {", "off;")),
        *(("HTTPS_METHOD", text) for text in ("x", "redirect;")),
        *(("HSTS", text) for text in ("on", "max-age=1; x", "max-age=1\r\nX: y", 'max-age=1" always', "max-age=" + "9" * 30)),
        *(("SSL_POLICY", text) for text in ("x", "Mozilla-Modern;", "mozilla-modern")),
        *(("CERT_NAME", text) for text in ("../../etc/passwd", "/etc/x", "a/b", ".x", "a..b", "x;", "$host", "x" * 300)),
        *(("EXTERNAL_HTTP_PORT", text) for text in ("0", "70000", "80;", "0x50", "80 ssl")),
        *(("ENABLE_HTTP_ON_MISSING_CERT", text) for text in ("maybe", "yes")),
        *(("ACME_HTTP_CHALLENGE_LOCATION", text) for text in ("maybe", "legacy;")),
    ],
)  # fmt: skip
def test_values_that_are_refused(name: str, text: str) -> None:
    with pytest.raises(
        ValueError, match=r"expected|this path|at most|bounded|not taken|no regular|is no|can have none|parenth"
    ) as refused:
        wish(**{name: text})
    assert name.replace("_", "-").lower() in str(refused.value).replace("_", "-").lower()
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[a, b]", "not a list"),
        ("a.example", "expected hosts, each with paths"),
        ("a.example: x", "expected 'key: value' pairs"),
        ("a.example: {/: {port: 0}}", "port is '0': expected one number"),
        ("a.example: {/: {port: 80, x: y}}", "path / has 'x': expected port, proto, dest"),
        ("a.example: {x: {}}", "host a.example has 'x': expected paths"),
        ("a.example: {/: {}}\na.example: {}", "'a.example' is there twice"),
        ("a.example: {}\nA.example: {}", "names a host twice"),
        ("a.example: {/: {dest: '/;'}}", "dest is '/;'"),
        ("a;: {}", "the host 'a;': expected a name"),
        ("a.example: &x {/: {}}", "no anchors"),
        ("a.example: *x", "no anchors|it is no YAML"),
        ("a.example: !!python/object:os.system {}", "tags"),
        ("a.example: {/: {port: {a: b}}}", "expected a number or a word"),
        ("a: {/: {a: {b: {c: d}}}}", "levels deep"),
        ("a.example: {\n", "it is no YAML"),
        ("--- {}\n--- {}", "expected one document"),
        ("x" * 20_000, "20000 characters"),
        ("".join(f"h{n}.example: {{}}\n" for n in range(33)), "names 33 hosts"),
        ("a.example: {" + ", ".join(f"/{n}: {{}}" for n in range(65)) + "}", "has 65 paths"),
        ("{" * 5000, "levels deep|no YAML|no name"),
        ("\0", "no YAML"),
        ("\udcff: {}", "no YAML"),
        ('a.example: {"/x": {}, "/x ": {}}', "names a path twice"),
    ],
)
def test_yaml_that_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^VIRTUAL_HOST_MULTIPORTS: .*(?:{why})") as refused:
        parse_multiports(text, most=32)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    "text",
    [
        *(
            "{" * 16_000,
            "[" * 16_000,
            "a: " * 5_000,
            "? " * 8_000,
            "- " * 8_000,
            "'" + "x" * 16_000,
            "|\n" + " x\n" * 5_000,
        ),
        "a: &a {}\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(900)),
        "x" * 2**20,
        *("{" * 2**20, "#" * 16_000, "{" + "a," * 8_000, "%TAG ! x\n" * 1_600),
    ],
)
def test_hostile_yaml_costs_little(text: str) -> None:
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(ValueError, match=r"^VIRTUAL_HOST_MULTIPORTS: "):
        parse_multiports(text, most=32)
    assert time.process_time() - began < 0.5
    assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    tracemalloc.stop()


def test_the_same_text_is_parsed_once() -> None:
    text = "once.example: {/: {port: 80}}"
    assert parse_multiports(text, most=32) is parse_multiports(text, most=32)
    assert parse_multiports("{}", most=32) == ()


def test_yaml_and_its_defaults() -> None:
    [bare, full] = parse_multiports(
        '{"b.example": {"external_http_port": 81, "/x": {"port": "90", "proto": "GRPC"}}, "a.example": null}', most=2
    )
    assert (bare.host, [str(path.path) for path in bare.paths]) == ("a.example", ["/"])
    assert (full.http_port, full.paths[0].port, full.paths[0].protocol) == (81, 90, "grpc")
