"""Whatever stands in any variable or label: nginx's configuration, read by another parser, has what the model has, and nothing else."""

import asyncio
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import crossplane
from hypothesis import given, settings
from hypothesis import strategies as st

from skep import ClusterState, Container, ContainerState, Node, NodeStatus, Port
from skep_nginx.collect import Collector
from skep_nginx.hosts import REGEX_LENGTH
from skep_nginx.model import Host, Listen, Location, Proxy, Site, Upstream
from skep_nginx.model import Path as SitePath
from skep_nginx.patterns import bounded
from skep_nginx.reach import View
from skep_nginx.render import Rendered, Style, render
from skep_nginx.rules import Rules
from skep_nginx.sites import build
from skep_nginx.wishes import PATH_LENGTH, PREFIX
from tests.plugins.nginx.test_nginx_attacks import ATTACKS, nginx_takes

STYLE = Style(listen=(Listen("127.0.0.1", 8080),), status=Path("/run/s.sock"), prefix=Path("/run/n"))
RULES = Rules(STYLE.listen, external_ports=((1, 65535),))

SENSIBLE: dict[str, list[str]] = {
    "VIRTUAL_HOST": [
        "shop.example",
        "*.shop.example,www.*",
        r"~^w\d+\.(a|b)\.example$",
        "a.example,b.example",
        "[::1]",
    ],
    "VIRTUAL_PORT": ["80", "65535"],
    "VIRTUAL_PATH": ["/", "/api", "= /x", "^~ /y/", "/y/", r"~^/\d+/(a|b)$", r"~* \.php$"],
    "VIRTUAL_DEST": ["/", "/v1/"],
    "VIRTUAL_PROTO": ["http", "https", "grpc", "grpcs", "fastcgi", "uwsgi"],
    "VIRTUAL_ROOT": ["/srv/app"],
    "VIRTUAL_HOST_MULTIPORTS": [
        "m.example: {/: {port: 80}, /a: {port: 65535, dest: /}}",
        "{}",
        "n.example:\n  /x:\n    proto: uwsgi\n",
    ],
    "EXTERNAL_HTTP_PORT": ["8081"],
    "EXTERNAL_HTTPS_PORT": ["8443"],
    "NETWORK_ACCESS": ["internal", "external"],
    "SERVER_TOKENS": ["on", "off", "build"],
    "HTTPS_METHOD": ["nohttp", "redirect"],
    "HSTS": ["off", "max-age=1"],
    "SSL_POLICY": ["Mozilla-Modern"],
    "CERT_NAME": ["shared"],
    "ENABLE_HTTP_ON_MISSING_CERT": ["true"],
    "ACME_HTTP_CHALLENGE_LOCATION": ["legacy"],
    "loadbalance": ["least_conn;", "ip_hash", "random two", "hash $request_uri$cookie_x consistent;"],
    "keepalive": ["auto", "disabled", "5"],
    "debug-endpoint": ["true", "false"],
    "http2.enable": ["true"],
    "http3.enable": ["true"],
    "non-get-redirect": ["308"],
    "ssl_verify_client": ["optional"],
    "trust-default-cert": ["true"],
}
HOSTILE = st.one_of(
    st.sampled_from(
        [*ATTACKS, "/x;}", "/ { return 200; }", "least_conn; } server {", "1; include /etc/passwd", "~^/(a+)+$", "80;"]
    ),
    st.text(max_size=40),
    st.binary(max_size=30).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
)


def values(name: str) -> st.SearchStrategy[str]:
    sensible = st.sampled_from(SENSIBLE[name])
    appended = st.tuples(sensible, HOSTILE).map("".join)
    return st.one_of(sensible, sensible, sensible, sensible, appended, HOSTILE)


SAID = st.lists(st.sampled_from(sorted(SENSIBLE)), max_size=6, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: values(name) for name in {*names, "VIRTUAL_HOST"}})
)


def state(containers: Iterable[tuple[Mapping[str, str], str]]) -> ClusterState:
    state = ClusterState()
    state.put_node(Node("node1", "tcp://10.0.0.1:2375", ip="10.0.0.1", status=NodeStatus.HEALTHY))
    for number, (said, name) in enumerate(containers):
        container = Container(
            id=str(number),
            name=name,
            node="node1",
            state=ContainerState.RUNNING,
            created=float(number),
            env=tuple(f"{key}={value}" for key, value in said.items() if key.isupper()),
            labels={PREFIX + key: value for key, value in said.items() if not key.isupper()},
            ports=tuple(Port(private, "tcp", 32000 + number) for private in (80, 65535)),
        )
        state.put_container(container)
    return state


def model(containers: Iterable[tuple[Mapping[str, str], str]]) -> Proxy:
    return build(Collector().collect(state(containers), View()).backends, RULES)


def parse(rendered: Rendered) -> list[Any]:
    """What stands in `http { }`, as somebody else's parser reads it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "nginx.conf"
        file.write_bytes(rendered.text)
        payload = crossplane.parse(str(file), single=True)
    assert payload["status"] == "ok", payload["errors"]
    top = tree(payload["config"][0]["parsed"])
    assert [name[0] for name, _ in top] == [
        "daemon", "worker_processes", "worker_shutdown_timeout", "pid", "error_log", "events", "http",
    ]  # fmt: skip
    inside: list[Any] = top[-1][1]
    return inside


def tree(directives: list[dict[str, Any]]) -> list[Any]:
    return [
        ((each["directive"], *map(unquoted, each["args"])), tree(each["block"]) if "block" in each else None)
        for each in directives
    ]


def unquoted(word: str) -> str:
    return re.sub(r'\\(["\\])', r"\1", word)


def line(*words: str) -> Any:
    return words, None


def expected(site: Site) -> list[Any]:
    """A site's part of the tree, said once more."""
    upstreams = [expected_upstream(each.upstream) for each in site.locations if each.upstream]
    name = "~" + bounded(site.host[1:], REGEX_LENGTH) if site.host.is_regex else str(site.host)
    too_long = ("location", "~", r"(?s)^.{1025}"), [line("return", "414")]
    body = [
        *(line("listen", str(each)) for each in site.listens),
        line("server_name", name),
        *([line("server_tokens", site.server_tokens)] if site.server_tokens else []),
        *([(("location", "/nginx-proxy-debug"), "debug")] if site.debug else []),
        *([too_long] if any(each.path.is_regex for each in site.locations) else []),
        *map(expected_location, site.locations),
        *(
            (("location", "^~", f"{each.path.text}.."), [line("return", "404")])
            for each in site.locations
            if climbs(each)
        ),
    ]
    return [*upstreams, (("server",), body)]


def expected_upstream(upstream: Upstream) -> Any:
    balance = upstream.balance
    method = {
        "round_robin": [],
        "random_two": [line("random", "two", "least_conn")],
        "hash": [line("hash", "".join(balance.keys))],
        "hash_consistent": [line("hash", "".join(balance.keys), "consistent")],
    }.get(balance.method, [line(balance.method)])
    servers = [line("server", str(server), "fail_timeout=1s") for server in upstream.servers]
    keepalive = [line("keepalive", str(upstream.keepalive))] if upstream.keepalive else []
    return ("upstream", upstream.name), [*method, *servers, *keepalive]


def expected_location(location: Location) -> Any:
    upstream = location.upstream
    assert upstream is not None
    private = ("127.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12", "::1", "fc00::/7")
    body = [*(line("allow", each) for each in private), line("deny", "all")] if location.internal else []
    url = f"{location.protocol}://{upstream.name}"
    if location.protocol == "fastcgi":
        keep = "on" if upstream.keepalive else "off"
        body += [line("root", location.root), line("fastcgi_pass", upstream.name), line("fastcgi_keep_conn", keep)]
    elif location.protocol in ("http", "https"):
        body += [line("proxy_pass", url + location.dest)]
    else:
        body += [line(f"{location.protocol.removesuffix('s')}_pass", url)]
    return ("location", *expected_path(location.path)), body


def climbs(location: Location) -> bool:
    """Whether /x becomes a path that ends with a slash, so that /x../y would be above it."""
    kinds = re.fullmatch(r"(\^~ )?/.*[^/]", str(location.path), re.DOTALL)
    return bool(kinds) and location.dest.endswith("/")


def expected_path(path: SitePath) -> tuple[str, ...]:
    if path.is_regex:
        return path.match, bounded(path.text, PATH_LENGTH)
    return (path.match, path.text) if path.match else (path.text,)


@given(st.lists(st.tuples(SAID, HOSTILE), max_size=4))
@settings(max_examples=400, deadline=None)
def test_nothing_but_the_model_gets_into_the_configuration(containers: list[tuple[dict[str, str], str]]) -> None:
    proxy = model(containers)
    found = [
        (name, [(key, "debug" if key == ("location", "/nginx-proxy-debug") else block) for key, block in body or []])
        if name == ("server",)
        else (name, body)
        for name, body in parse(render(proxy, STYLE))
    ]
    sites = [block for site in proxy.sites for block in expected(site)]
    shared = found[: len(found) - len(sites)]
    assert found[len(shared) :] == sites
    # The rest is what it would be for the same protocols and ports, whatever the values were.
    hosts = [Host(f"h{number}.example") for number in range(len(proxy.sites))]
    harmless = Proxy(
        tuple(
            Site(host, site.listens, tuple(Location(each.path, None, each.protocol) for each in site.locations))
            for host, site in zip(hosts, proxy.sites, strict=True)
        )
    )
    assert [name for name, _ in shared] == [name for name, _ in parse(render(harmless, STYLE))[: len(shared)]]


def test_the_sensible_values_are_taken() -> None:
    """Else the test above would look at empty configurations."""
    for name, texts in SENSIBLE.items():
        for text in texts:
            said = {"VIRTUAL_HOST": "shop.example", name: text}
            picture = Collector().collect(state([(said, "web")]), View())
            if text != "{}":
                assert picture.backends, (name, picture.rejections)


TAKEN = st.fixed_dictionaries(
    {"VIRTUAL_HOST": st.sampled_from(SENSIBLE["VIRTUAL_HOST"])},
    optional={name: st.sampled_from(texts) for name, texts in SENSIBLE.items() if name != "VIRTUAL_HOST"},
)


@given(st.lists(TAKEN, min_size=8, max_size=16))
@settings(max_examples=15, deadline=None)
def test_nginx_itself_takes_what_is_taken(containers: list[dict[str, str]]) -> None:
    asyncio.run(nginx_takes(model([(said, f"web{number}") for number, said in enumerate(containers)])))
