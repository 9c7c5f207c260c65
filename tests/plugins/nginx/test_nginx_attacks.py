"""Whatever a container says: nginx's configuration has what the model has, and no other directive."""

import asyncio
import logging
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import crossplane
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skep import Cluster, ClusterState, Container, ContainerState, Node, NodeStatus, Port
from skep_nginx import NginxSettings
from skep_nginx.collect import Backend, Collector
from skep_nginx.directives import Block, Line, Ours, write
from skep_nginx.model import Host, Listen, Proxy, Site
from skep_nginx.places import ProcessPlace
from skep_nginx.reach import View
from skep_nginx.render import Rendered, Style, render
from skep_nginx.sites import Rules, build
from skep_nginx.wishes import SiteWish, Wish
from tests.plugins.nginx.nginx_tools import free_port

STYLE = Style(
    listen=(Listen("127.0.0.1", 8080), Listen("::1", 8080)), status=Path("/run/s.sock"), prefix=Path("/run/n")
)
RULES = Rules(STYLE.listen)

ATTACKS = [
    "a.example;", "a.example\nserver_name evil", "a}\nserver{listen 99;}", "{", "}", '"', "'", "\\", "#", "$host", "${host}",
    "`id`", "\0", "x" * 10_240, "\udcff\udcfe", "bücher.example", "аpple.example", "~.*", "~^(a+)+$", "*", "_", "_ default_server",
    "default_server;", "a.example default_server", "unix:/var/run/docker.sock", "include /etc/passwd", "a.example/../", "load_module x",
    "ssl_engine x", "lua_code;", "../../etc/passwd", "a\\", 'a" ; "b', "a\r\nb", "a\u2028b", "{{ .Host }}", "%0a", "a%3b", "\x7f",
]  # fmt: skip
PIECES = st.sampled_from(
    [*ATTACKS, "shop.example", "*.shop.example", "www.*", "10.0.0.1", " ", ",", "80", "65535", "-1", "80;"]
)
TEXTS = st.one_of(
    st.lists(PIECES, max_size=4).map(",".join),
    st.text(max_size=60),
    st.binary(max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    st.from_regex(r"\A[a-z*.-]{1,20}\Z"),
)
CONTAINERS = st.lists(st.tuples(TEXTS, st.one_of(st.just(""), TEXTS), TEXTS), max_size=5)


def state(containers: Iterable[tuple[str, str, str]]) -> ClusterState:
    """A node with containers of these hosts, ports and names."""
    state = ClusterState()
    state.put_node(Node("node1", "tcp://10.0.0.1:2375", ip="10.0.0.1", status=NodeStatus.HEALTHY))
    for number, (hosts, port, name) in enumerate(containers):
        env = (f"VIRTUAL_HOST={hosts}", f"VIRTUAL_PORT={port}")
        published = tuple(Port(private, "tcp", 32000 + number) for private in (80, 65535))
        state.put_container(
            Container(str(number), name, "node1", state=ContainerState.RUNNING, env=env, ports=published)
        )
    return state


def backend_of(host: str) -> Backend:
    return Backend(host, host, "node1", Wish((SiteWish(Host(host)),)))


def parse(rendered: Rendered, folder: Path) -> Any:
    """The configuration as somebody else's parser reads it."""
    file = folder / "nginx.conf"
    file.write_bytes(rendered.text)
    payload = crossplane.parse(str(file), single=True)
    assert payload["status"] == "ok", payload["errors"]
    return tree(payload["config"][0]["parsed"])


def tree(directives: list[dict[str, Any]]) -> list[Any]:
    known = [(each["directive"], *each["args"]) for each in directives]
    blocks = [tree(each["block"]) if "block" in each else None for each in directives]
    return [
        [("return", "200", "-"), None] if name[:2] == ("return", "200") else [name, block]
        for name, block in zip(known, blocks, strict=True)
    ]


def expected(site: Site) -> list[Any]:
    """A site's part of the tree, said once more."""
    upstream = site.locations[0].upstream
    listens = [[("listen", "127.0.0.1:8080"), None], [("listen", "[::1]:8080"), None]]
    answer = [("return", "503"), None] if upstream is None else [("proxy_pass", f"http://{upstream.name}"), None]
    server = [("server",), [*listens, [("server_name", site.host), None], [("location", "/"), [answer]]]]
    if upstream is None:
        return [server]
    servers = [[("server", f"{each.ip}:{each.port}", "fail_timeout=1s"), None] for each in upstream.servers]
    return [[("upstream", upstream.name), [*servers, [("keepalive", str(2 * len(servers))), None]]], server]


@given(CONTAINERS)
@settings(max_examples=300, deadline=None)
def test_the_configuration_has_what_the_model_has_and_nothing_else(containers: list[tuple[str, str, str]]) -> None:
    picture = Collector().collect(state(containers), View())
    proxy = build(picture.backends, RULES)
    with tempfile.TemporaryDirectory() as folder:
        found = parse(render(proxy, STYLE), Path(folder))
        bare = parse(render(Proxy(), STYLE), Path(folder))
    assert bare[-1][0] == ("http",)
    bare[-1][1] += [block for site in proxy.sites for block in expected(site)]
    longest = max((len(site.host) for site in proxy.sites), default=0)
    if longest > 64:
        bare[-1][1] = [
            [("server_names_hash_bucket_size", "256" if longest <= 192 else "512"), None]
            if name[0] == "server_names_hash_bucket_size"
            else [name, block]
            for name, block in bare[-1][1]
        ]
    assert found == bare


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_keeps_nobody_else_from_being_served(attack: str) -> None:
    hostile = [(attack, "", "evil"), ("evil.example", attack, "evil"), ("ok.example", "", attack)]
    picture = Collector().collect(state([("shop.example", "80", "web"), *hostile]), View())
    hosts = [site.host for site in build(picture.backends, RULES).sites]
    assert hosts == ["ok.example", "shop.example"]  # a name is never written
    assert {rejection.id for rejection in picture.rejections} == {"1", "2"}
    assert all(rejection.reason.isprintable() and rejection.reason.isascii() for rejection in picture.rejections)


def test_the_same_state_gives_the_same_bytes_in_whatever_order_it_came() -> None:
    containers = [("b.example,a.example", "80", "one"), ("*.a.example", "", "two"), ("a.example", "", "three")]
    first = state(containers)
    second = state([])
    for container in reversed(list(first.containers())):
        second.put_container(container)
    texts = {render(build(Collector().collect(each, View()).backends, RULES), STYLE).text for each in (first, second)}
    assert len(texts) == 1


@pytest.mark.parametrize("reserved", ["admin.example", "*.admin.example", "x.admin.*", r"~^x\.admin\.example$"])
@pytest.mark.parametrize(
    "host", ["Admin.Example", "x.admin.example", "*.example", r"~^.\.admin\.example$", r"~^adm", "x.admin.*"]
)
def test_reserved_hosts_belong_to_nobody(reserved: str, host: str) -> None:
    picture = Collector(reserved=frozenset({Host(reserved)})).collect(
        state([(host, "", "evil"), ("shop.other", "", "web")]), View()
    )
    taken = [backend.hosts for backend in picture.backends]
    apart = {
        "admin.example": ("x.admin.example", r"~^.\.admin\.example$", "x.admin.*"),
        "*.admin.example": ("Admin.Example",),
        "x.admin.*": ("Admin.Example", r"~^adm"),
        r"~^x\.admin\.example$": ("Admin.Example", r"~^adm"),
    }
    assert len(taken) == 1 + (host in apart[reserved])
    if len(taken) == 1:
        assert "the settings reserve this name" in picture.rejections[0].reason


@pytest.mark.parametrize(
    "name", ["ssl_engine", "load_module", "lua_load", "content_by_lua_block", "autoindex", "alias", "perl"]
)
def test_directives_that_are_not_ours_cannot_be_written(name: str) -> None:
    with pytest.raises(ValueError, match="not one that this plugin writes"):
        write([Block("http", (), (Line(name, ("x",)),))])


@pytest.mark.parametrize("word", ["$host", "a\nb", "a\0b", "é", "\x7f"])
def test_words_that_cannot_be_quoted_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        write([Line("server_name", (word,))])


def test_words_that_can_be_quoted_stay_one_word(tmp_path: Path) -> None:
    words = ('a;b{}#"c" \\', "", "a b", "'x'")
    (tmp_path / "nginx.conf").write_bytes(write([Line("error_log", words), Line("pid", (Ours("$x;"),))]))
    parsed = crossplane.parse(str(tmp_path / "nginx.conf"), single=True)["config"][0]["parsed"]
    assert [each["directive"] for each in parsed] == ["error_log", "pid"]
    assert len(parsed[0]["args"]) == len(words)


@given(st.lists(CONTAINERS, min_size=3, max_size=3).map(lambda lists: [each for part in lists for each in part]))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nginx_itself_takes_it(containers: list[tuple[str, str, str]]) -> None:
    backends = Collector().collect(state([*containers, ("shop.example", "", "")]), View()).backends
    asyncio.run(nginx_takes(build(backends, RULES)))


def test_nginx_itself_takes_the_longest_and_the_most() -> None:
    longest = ".".join(["x" * 61] * 4)
    hosts = [longest, "*." + longest[:-2], longest[:-2] + ".*", *(f"h{number}.example" for number in range(3000))]
    backends = [backend_of(host) for host in hosts]
    asyncio.run(nginx_takes(build(backends, RULES)))


def _no_cluster() -> Cluster:
    raise AssertionError("nobody asks for the cluster")


async def nginx_takes(proxy: Proxy) -> None:
    folder = Path(tempfile.mkdtemp(prefix="skep-nginx-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        own = NginxSettings(directory=str(folder), listen=(f"127.0.0.1:{free_port()}",))
        place = ProcessPlace(own, logging.getLogger("test"), _no_cluster)
        await place.locate()
        await place.test(render(proxy, Style((Listen.parse(own.listen[0]),), own.status_socket, own.run)))
    finally:
        shutil.rmtree(folder)


def test_a_host_that_looks_like_the_place_of_the_generation_stays_itself() -> None:
    host = "0" * 16 + ".example"
    rendered = render(build([backend_of(host)], RULES), STYLE)
    assert f"server_name {host};".encode() in rendered.text
    assert rendered.text.count(rendered.generation.encode()) == 1


def test_the_readme_names_tests_that_are_there() -> None:
    here = Path(__file__)
    readme = (here.parents[3] / "plugins/skep_nginx/README.md").read_text()
    table = readme.partition("## Attacks, and what becomes of them")[2].partition("\n## ")[0]
    named = {
        name
        for row in table.splitlines()
        if row.startswith("|")
        for name in re.findall(r"`([a-z_]+)`", row.split("|")[-2])
    }
    assert len(named) >= 10
    assert {name for name in named if not here.with_name(f"test_nginx_{name}.py").exists()} == set()
