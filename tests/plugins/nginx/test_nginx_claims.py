"""Whose a host is."""

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from skep.testing import EmbeddedEngine
from skep_nginx.claims import Claims
from skep_nginx.collect import Backend, Picture
from skep_nginx.hosts import parse_host
from skep_nginx.model import Listen
from skep_nginx.model import Path as SitePath
from skep_nginx.rules import Rules
from skep_nginx.sites import build
from skep_nginx.wishes import PathWish, SiteWish, Wish
from tests.plugins.nginx.nginx_tools import Backend as HttpBackend
from tests.plugins.nginx.nginx_tools import serving

RULES = Rules((Listen("0.0.0.0", 80),), (Listen("0.0.0.0", 443, tls=True),), external_ports=((8000, 8999),))


def backend(id_: str, owner: str, *hosts: str, created: float = 0.0, **ports: int) -> Backend:
    sites = tuple(SiteWish(parse_host(host), **ports) for host in hosts)  # type: ignore[arg-type]
    return Backend(id_, id_, "node1", Wish(sites, owner=owner), created=created or float(id_))


def sift(claims: Claims, *backends: Backend) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Hosts by container, and reasons by container."""
    picture = claims.sift(Picture(tuple(backends)), RULES)
    return {each.id: each.hosts for each in picture.backends}, {each.id: each.reason for each in picture.rejections}


def test_the_oldest_container_says_whose_a_host_is() -> None:
    kept, refused = sift(Claims(), backend("2", "b", "x.example", "y.example"), backend("1", "a", "x.example"))
    assert kept == {"1": ("x.example",), "2": ("y.example",)}
    assert refused == {
        "2": "the host 'x.example' is refused to the owner 'b': it belongs to the owner 'a', who had it first"
    }


def test_who_had_it_first_keeps_it_over_restarts_and_for_a_while_without_containers() -> None:
    now = 1000.0
    claims = Claims(keep=60, clock=lambda: now)
    sift(claims, backend("5", "a", "x.example"))
    after = Claims(keep=60, clock=lambda: now)
    after.load(claims.dump())
    assert sift(after, backend("1", "b", "x.example"), backend("5", "a", "x.example"))[0] == {"5": ("x.example",)}
    sift(after)
    now += 59
    assert sift(after, backend("1", "b", "x.example"))[0] == {}
    now += 2
    sift(after)
    assert sift(after, backend("1", "b", "x.example"))[0] == {"1": ("x.example",)}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("*.x.example", "www.x.example"),
        ("www.x.example", "*.x.example"),
        ("www.x.example", r"~^www\.[a-z]\.example"),
        ("www.x.example", "www.*"),
        ("*.x.example", "*.y.x.example"),
        (r"~^shop\d+\.x\.example$", "shop1.x.example"),
        (r"~^shop\d+\.x\.example$", "*.x.example"),
        (r"~^shop\d+\.x\.example$", "*.example"),
        (r"~^shop\d+\.x\.example$", "shop1.*"),
        (r"~^shop\d+\.x\.example$", r"~^s.*\.x\.example$"),
        (r"~^shop\d+\.x\.example$", r"~\.x\.example$"),
        (r"~^shop\d+\.x\.example$", "~shop"),
        ("*.x.example", r"~^[a-z]+\.x\.example$"),
        ("*.x.example", r"~^[a-z]+\.x\.example"),
    ],
)
def test_names_that_overlap_belong_to_one_owner(first: str, second: str) -> None:
    """Else nginx would give requests for the first one to the second, which it prefers, or finds earlier."""
    kept, refused = sift(Claims(), backend("1", "a", first), backend("2", "b", second))
    assert set(kept) == {"1"}
    assert "belongs to the owner 'a', who had it first" in refused["2"]
    assert set(sift(Claims(), backend("1", "a", first), backend("2", "a", second))[0]) == {"1", "2"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (r"~^shop\d+\.x\.example$", r"~^wiki\d+\.x\.example$"),
        (r"~^shop\d+\.x\.example$", r"~\.y\.example$"),
        (r"~^shop\d+\.x\.example$", "*.y.example"),
        (r"~^shop\d+\.x\.example$", "api.*"),
        ("*.x.example", "*.y.example"),
        ("www.*", "api.*"),
    ],
)
def test_patterns_that_have_no_name_in_common_belong_to_whom_they_like(first: str, second: str) -> None:
    assert set(sift(Claims(), backend("1", "a", first), backend("2", "b", second))[0]) == {"1", "2"}


@pytest.mark.parametrize("broad", ["*.example", "www.*", "~e", r"~^www", r"~^www\..*$", r"~.*\.example$"])
def test_nobody_gets_hold_of_everything_by_a_broad_name(broad: str) -> None:
    """The names that others really have go before it, in nginx too."""
    others = [backend(str(n), "b", host) for n, host in enumerate(("www.x.example", "*.x.example"), 2)]
    kept, _ = sift(Claims(), backend("1", "a", broad), *others)
    assert set(kept) == {"1", "2", "3"}
    kept, refused = sift(Claims(), backend("9", "a", broad), *others)
    assert set(kept) == {"2", "3"}
    assert set(refused) == {"9"}


def test_nginx_tries_patterns_with_a_domain_before_those_that_match_nearly_all() -> None:
    narrow, broad = r"~^shop\d+\.x\.example$", r"~^a?s"
    assert sorted([narrow, broad]) == [broad, narrow]
    proxy = build([backend("1", "a", broad), backend("2", "b", narrow)], RULES)
    assert [site.host for site in proxy.sites] == [narrow, broad]


def test_the_regular_expressions_of_all_together_are_bounded() -> None:
    each = r"~^.*-.*-.*\.x{}\.example$"
    asked = [backend(str(n), "", each.format(n)) for n in range(1, 31)]
    kept, refused = sift(Claims(), *asked)
    assert list(kept) == [str(n) for n in range(1, 12)]
    assert "one too many" in refused["30"]
    assert set(sift(Claims(), *asked, backend("31", "", "plain.example"))[0]) == {*kept, "31"}
    paths = [
        replace(backend(str(n), "", "a.example"), wish=Wish((SiteWish(parse_host("a.example"), (path,)),)))
        for n in range(1, 11)
        for path in (PathWish(SitePath(rf"^/{n}.*/.*\.php$", "~")),)
    ]
    assert len(sift(Claims(), *paths)[0]) == 8


def test_hosts_that_are_gone_do_not_pile_up() -> None:
    claims = Claims(clock=lambda: 1000.0)
    for round_ in range(3):
        sift(claims, *(backend(str(n + 1), "a", f"h{round_}-{n}.example") for n in range(6000)))
    assert len(json.loads(claims.dump())["hosts"]) == 16_000


def test_many_hosts_and_patterns_of_many_owners_are_sifted_quickly() -> None:
    mine = [backend(str(n), "a", f"h{n}.example") for n in range(1, 8001)]
    rude = [backend(str(n), "b", rf"~^[a-z]+{n}\.evil\.[a-z]+$") for n in range(9001, 9011)]
    began = time.process_time()
    kept, _ = sift(Claims(), *mine, *rude)
    assert set(kept) == {each.id for each in (*mine, *rude)}
    assert time.process_time() - began < 3


def test_the_settings_give_hosts_to_owners() -> None:
    claims = Claims([(parse_host("*.x.example"), "b")])
    kept, refused = sift(claims, backend("1", "a", "www.x.example"), backend("2", "b", "www.x.example"))
    assert set(kept) == {"2"}
    assert refused["1"].endswith("by the settings it belongs to 'b'")


def test_who_is_given_a_host_is_not_given_what_is_around_it() -> None:
    given = [(parse_host("*.x.example"), "a"), (parse_host("www.x.example"), "b"), (parse_host("*.y.example"), "b")]
    asked = [
        backend("1", "a", "*.example"),
        backend("2", "b", "www.x.example"),
        backend("3", "a", "www.x.example"),
        backend("4", "a", "shop.x.example", "*.x.example"),
        backend("5", "a", r"~^[a-z]\.y\.example$"),
        backend("6", "c", "*.z.example"),
        backend("7", "a", "w.z.example"),
    ]
    assert set(sift(Claims(given), *asked)[0]) == {"2", "4", "6"}


@pytest.mark.parametrize(
    ("ports", "why"),
    [
        ({"http_port": 9000}, "EXTERNAL_HTTP_PORT is 9000: the settings allow no such port (external_ports)"),
        ({"http_port": 443}, "EXTERNAL_HTTP_PORT is 443: that port speaks TLS already"),
        ({"https_port": 80}, "EXTERNAL_HTTPS_PORT is 80: that port speaks HTTP already"),
        ({"https_port": 8001}, "EXTERNAL_HTTPS_PORT is 8001: that port speaks HTTP already"),
    ],
)
def test_ports_that_cannot_be(ports: dict[str, int], why: str) -> None:
    kept, refused = sift(
        Claims(), backend("1", "", "a.example", http_port=8001), backend("2", "", "b.example", **ports)
    )
    assert (set(kept), refused) == ({"1"}, {"2": why})


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"{", b"[]", b'{"hosts": []}', b"[" * 100_000, b"\xff"),
        *(b'{"hosts": {"a;": ["x", 0]}}', b'{"hosts": {"a": [1]}}', b'{"hosts": {"a": ["x", NaN]}}'),
        *(b'{"hosts": {"a": ["x", 1e400]}}', b'{"hosts": {"a": ["x", -1]}}', b'{"hosts": {"a": ["x", "0"]}}'),
    ],
)
def test_what_is_wrong_in_the_file_is_told_and_is_no_claim(text: bytes) -> None:
    claims = Claims()
    assert "not known any more" in claims.load(text)
    assert json.loads(claims.dump()) == {"hosts": {}}


def test_one_wrong_entry_makes_nobody_elses_host_anybodys() -> None:
    claims = Claims()
    wrong = ", ".join(f'"a{n};": ["x", 0]' for n in range(5))
    told = claims.load(f'{{"hosts": {{{wrong}, "x.example": ["a", 0]}}}}'.encode())
    assert "whose the host 'a0;' is is not known any more" in told
    assert "; and 2 more" in told
    assert sift(claims, backend("1", "b", "x.example"))[0] == {}


def test_a_clock_that_is_set_back_gives_no_hosts_away() -> None:
    now = 10_000.0
    claims = Claims(keep=60, clock=lambda: now)
    sift(claims, backend("5", "a", "x.example"))
    sift(claims)
    now = 9_000.0
    sift(claims)
    assert sift(claims, backend("1", "b", "x.example"))[0] == {}
    now += 61
    sift(claims)
    assert sift(claims, backend("1", "b", "x.example"))[0] == {"1": ("x.example",)}


async def test_a_host_stays_its_owners_when_the_agent_starts_again(
    folder: Path, node: EmbeddedEngine, one: HttpBackend, two: HttpBackend
) -> None:
    def run(name: str, backend: HttpBackend, owner: str) -> None:
        env = {"VIRTUAL_HOST": "shop.example", "VIRTUAL_PORT": str(backend.port)}
        node.run(name, env=env, labels={"com.docker.compose.project": owner}, NetworkMode="host")

    run("first", one, "a")
    async with serving(folder, node, owner_label="com.docker.compose.project") as served:
        await served.answers("shop.example", 200, "one")
    node.remove("first", force=True)
    run("second", two, "b")
    async with serving(folder, node, owner_label="com.docker.compose.project") as served:
        await served.live()
        [out] = served.status["left_out"]
        assert (out["container"], out["by"]) == ("second", "owner")
        run("third", one, "a")
        await served.answers("shop.example", 200, "one")


def test_a_host_that_is_kept_for_nobody_is_the_next_owners_at_once() -> None:
    claims = Claims(keep=0)
    mine, other = backend("1", "a", "x.example"), backend("2", "b", "x.example", "*.y.example")
    pattern = backend("3", "c", "*.example")
    assert sift(claims, mine, other, pattern)[0] == {"1": ("x.example",), "2": ("*.y.example",)}
    assert sift(claims, other, pattern)[0] == {"2": ("x.example", "*.y.example")}
    assert sift(claims, pattern)[0] == {"3": ("*.example",)}


async def test_the_next_owner_waits_for_nothing(
    folder: Path, node: EmbeddedEngine, one: HttpBackend, two: HttpBackend
) -> None:
    for name, backend in (("mine", one), ("other", two)):
        env = {"VIRTUAL_HOST": "shop.example", "VIRTUAL_PORT": str(backend.port)}
        node.run(name, env=env, labels={"skep.owner": name}, NetworkMode="host")
    async with serving(folder, node, keep_claims=0) as served:
        await served.answers("shop.example", 200, "one")
        node.remove("mine", force=True)
        async with asyncio.timeout(5):
            await served.answers("shop.example", 200, "two")
