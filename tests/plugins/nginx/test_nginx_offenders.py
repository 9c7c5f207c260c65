"""What nginx refuses: the offenders are found, everybody else's change goes live, the last good configuration stays."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep import SkepError, TemporaryError
from skep_nginx.apply import Applier
from skep_nginx.collect import Backend
from skep_nginx.model import Host, Listen, Server
from skep_nginx.places import Refused
from skep_nginx.reach import View
from skep_nginx.render import Rendered, Style
from skep_nginx.wishes import SiteWish, Wish


class Nginx:
    """A nginx that refuses some hosts, alone or together."""

    identity = "1"
    is_here = False

    def __init__(self, *refused: set[str]) -> None:
        self.refused = list(refused)
        self.file: Rendered | None = None
        self.taken: Rendered | None = None
        self.deaf = False
        self.refuses_all = False

    async def run(self) -> None: ...

    async def locate(self) -> View:
        return View()

    async def installed(self) -> bytes | None:
        return self.file.text if self.file else None

    async def test(self, rendered: Rendered) -> None:
        if self.refuses_all:
            raise Refused("garbage in line 1")
        for group in self.refused:
            if all(f"server_name {host};".encode() in rendered.text for host in group):
                raise Refused(f"{sorted(group)} is not liked")

    async def install(self, rendered: Rendered) -> None:
        self.file = rendered

    async def reload(self) -> None:
        if not self.deaf:
            self.taken = self.file

    async def generation(self) -> str:
        if self.taken is None:
            raise TemporaryError("nobody answers")
        return self.taken.generation

    def complaint(self) -> str:
        return ""

    async def describe(self) -> str:
        return "nginx version: nginx/1.22.1"

    async def lay(self, files: Mapping[str, bytes]) -> str:
        return "/nowhere"


def applier(nginx: Nginx) -> Applier:
    return Applier(nginx, Style((Listen("127.0.0.1", 80),)), logging.getLogger("test"), verify_timeout=0.05)


def backend_of(host: str, server: Server) -> Backend:
    return Backend(host, host, "node1", Wish((SiteWish(Host(host)),)), ((None, server),))


def backends(*hosts: str) -> list[Backend]:
    return [backend_of(host, Server("10.0.0.1", 80)) for host in hosts]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skep_nginx.apply._SETTLE", 0.0)


@given(st.integers(1, 60), st.data())
@settings(max_examples=60, deadline=None)
def test_exactly_the_offenders_are_left_out(count: int, data: st.DataObject) -> None:
    hosts = [f"h{number}" for number in range(count)]
    bad = data.draw(st.sets(st.sampled_from(hosts), max_size=4))
    nginx = Nginx(*({host} for host in bad))
    work = applier(nginx)

    asyncio.run(work.apply(backends(*hosts)))
    assert {backend.name for backend in work.refused} == bad
    assert [backend.name for backend in work.backends] == [host for host in hosts if host not in bad]
    assert work.live is not None
    assert work.live == nginx.taken
    assert work.counts.reloads == 1
    assert work.counts.tests <= 2 + 2 * len(bad) * (count.bit_length() + 1)


async def test_of_two_that_cannot_be_together_the_later_one_goes() -> None:
    work = applier(Nginx({"b", "d"}))
    await work.apply(backends("a", "b", "c", "d", "e"))
    assert [backend.name for backend in work.backends] == ["a", "b", "c", "e"]
    assert work.refused == {backends("d")[0]: "['b', 'd'] is not liked"}


async def test_an_offender_is_not_tried_again_until_it_changed_or_time_has_passed() -> None:
    now = 0.0
    nginx = Nginx({"bad"})
    work = Applier(nginx, Style((Listen("127.0.0.1", 80),)), logging.getLogger("test"), clock=lambda: now)
    await work.apply(backends("a", "bad"))
    tests = work.counts.tests
    await work.apply(backends("a", "bad"))
    assert work.counts.tests == tests
    await work.apply(backends("a", "b", "bad"))
    assert work.counts.tests == tests + 1
    nginx.refused.clear()
    now = 301.0
    await work.apply(backends("a", "b", "bad"))
    assert not work.refused
    assert len(work.backends) == 3


async def test_when_nothing_is_taken_nobody_is_to_blame() -> None:
    nginx = Nginx()
    work = applier(nginx)
    await work.apply(backends("a"))
    nginx.refuses_all = True
    with pytest.raises(TemporaryError, match="refuses even a configuration without sites: garbage in line 1"):
        await work.apply(backends("a", "b"))
    assert not work.refused
    assert nginx.taken == work.live
    nginx.refuses_all = False
    await work.apply(backends("a", "b"))
    assert len(work.backends) == 2


async def test_what_nginx_does_not_take_is_rolled_back() -> None:
    nginx = Nginx()
    work = applier(nginx)
    await work.apply(backends("a"))
    good = nginx.file
    nginx.deaf = True
    with pytest.raises(
        SkepError, match=r"did not take the new configuration within 0\.05 s: it still answers with the one"
    ):
        await work.apply(backends("a", "b"))
    assert nginx.file == good
    assert (work.counts.rollbacks, len(work.backends)) == (1, 1)
    nginx.deaf = False
    await work.apply(backends("a"))  # as it was: nothing to reload
    assert work.counts.reloads == 2
    await work.apply(backends("a", "b"))
    assert nginx.taken == work.live


async def test_another_nginx_is_told_everything_again() -> None:
    nginx = Nginx()
    work = applier(nginx)
    await work.apply(backends("a"))
    nginx.identity, nginx.taken, nginx.file = "2", None, None
    await work.apply(backends("a"))
    assert nginx.taken == work.live


async def test_what_cannot_be_written_is_an_offender_too() -> None:
    """Parsing lets none of it get that far; if a hole there does, it must not cost everybody else nginx."""
    good, bad = backends("a.example", "b.example")
    bad = replace(bad, servers=((None, Server("2001:db8::1%\n$x", 80)),))
    subject = applier(Nginx())
    await subject.apply([good, bad])
    assert subject.backends == (good,)
    assert "cannot be written" in subject.refused[bad]
