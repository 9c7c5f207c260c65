"""Certificates from a real authority: asked for, kept, renewed, and not asked for too often."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from skep_nginx.acme.manager import Acme
from skep_nginx.acme.pace import Pace
from skep_nginx.acme.settings import AcmeSettings
from skep_nginx.acme.wishes import Order, Plan
from tests.plugins.nginx.nginx_pebble import Pebble, pebble
from tests.plugins.nginx.nginx_tools import free_port, until

FAST = Pace(away=(0.3, 0.6), failed=(0.3, 0.6), refused=(0.3, 0.6), limited=(0.3, 0.6))


class Challenges:
    """Answers challenges as nginx does: any token, with the account's thumbprint."""

    def __init__(self) -> None:
        self.acme: Acme | None = None
        self.asked: list[str] = []
        self.port = free_port()

    async def __aenter__(self) -> "Challenges":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(request.lower().partition("host: ")[2].split(":")[0])
            body = f"{request.split()[1].rpartition('/')[2]}.{self.acme.thumbprint if self.acme else ''}"
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
            await writer.drain()
        writer.close()


@pytest.fixture
async def challenges() -> AsyncIterator[Challenges]:
    async with Challenges() as server:
        yield server


@pytest.fixture
async def ca(tmp_path: Path, challenges: Challenges) -> AsyncIterator[Pebble]:
    async with pebble(tmp_path / "pebble", challenges.port, domainBlocklist=["blocked.example"]) as authority:
        yield authority


@contextlib.asynccontextmanager
async def running(folder: Path, challenges: Challenges, settings: dict[str, Any], **how: Any) -> AsyncIterator[Acme]:
    acme = Acme(AcmeSettings(**settings), folder / "acme", logging.getLogger("test.acme"), pace=FAST, **how)
    await acme.prepare()
    challenges.acme = acme
    task = asyncio.create_task(acme.run())
    try:
        yield acme
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def plan(*names: str) -> Plan:
    return Plan(tuple(Order(tuple(each.split(","))) for each in names))


def states(acme: Acme) -> list[str]:
    return [entry["state"] for entry in acme.status()]


async def test_certificates_are_issued_and_kept(
    tmp_path: Path, challenges: Challenges, ca: Pebble, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    changes: list[bool] = []
    async with running(tmp_path, challenges, ca.settings, changed=lambda: changes.append(True)) as acme:
        acme.want(plan("shop.example,www.shop.example", "blog.example", "wiki.example"))
        await until(lambda: states(acme) == ["valid"] * 3, 30, lambda: str(acme.status()))
        names = {pair.names for pair in acme.pairs}
        assert names == {("shop.example", "www.shop.example"), ("blog.example",), ("wiki.example",)}
        assert len(changes) == 3
        assert set(challenges.asked) == {
            "shop.example",
            "www.shop.example",
            "blog.example",
            "wiki.example",
        }
        assert all(pair.chained for pair in acme.pairs)
        first, thumbprint = acme.pairs, acme.thumbprint
    files = [path for path in (tmp_path / "acme").rglob("*") if path.is_file()]
    assert len(files) == 4
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "acme").rglob("*") if path.is_dir()} == {0o700}
    assert "PRIVATE KEY" not in caplog.text
    assert "PRIVATE" not in repr(first)
    orders = ca.orders()
    async with running(tmp_path, challenges, ca.settings) as again:
        again.want(plan("shop.example,www.shop.example", "blog.example", "wiki.example"))
        assert again.pairs == first
        assert again.thumbprint == thumbprint
        again.want(plan("new.example"))
        await until(lambda: states(again) == ["valid"], 30)
    assert ca.orders() == orders + 1


async def test_requests_that_the_authority_wants_again_are_sent_again(tmp_path: Path, challenges: Challenges) -> None:
    async with (
        pebble(tmp_path / "pebble", challenges.port, nonces_refused=25) as ca,
        running(tmp_path, challenges, ca.settings) as acme,
    ):
        acme.want(plan(*(f"host{number}.example" for number in range(6))))
        await until(lambda: states(acme) == ["valid"] * 6, 30, lambda: str(acme.status()))
        assert ca.orders() == 6


async def test_a_certificate_is_renewed_before_it_ends(tmp_path: Path, challenges: Challenges, ca: Pebble) -> None:
    shift = [0.0]
    async with running(tmp_path, challenges, ca.settings, clock=lambda: time.time() + shift[0]) as acme:
        acme.want(plan("shop.example"))
        await until(lambda: states(acme) == ["valid"], 30, lambda: str(acme.status()))
        (first,) = acme.pairs
        lifetime = first.not_after - first.not_before
        assert lifetime * 0.6 < acme.status()[0]["next"] - first.not_before < lifetime * 0.67
        shift[0] = lifetime * 0.6 - 60
        acme.want(Plan((Order(("shop.example",), "x@example.com"),)))  # looks again
        assert acme.pairs == (first,)
        shift[0] = lifetime * 0.67
        acme.want(plan("shop.example"))
        await until(lambda: acme.pairs and acme.pairs[0].digest != first.digest, 30)
        assert acme.orders == {"issued": 2, "failed": 0}


async def test_a_refused_name_waits_alone(
    tmp_path: Path, challenges: Challenges, ca: Pebble, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path, challenges, ca.settings) as acme:
        acme._pace = Pace(refused=(3600.0, 7200.0))
        acme.want(plan("blocked.example", "shop.example"))
        await until(lambda: states(acme) == ["failing", "valid"], 30, lambda: str(acme.status()))
        refused = acme.status()[0]
        assert "the authority refuses: it does not certify such a name" in refused["reason"]
        assert 3500 < refused["next"] - time.time() < 4400
        assert "no certificate for blocked.example: the authority refuses" in caplog.text
        await until(lambda: not acme._unsaved)
        tried = ca.orders()
    async with running(tmp_path, challenges, ca.settings) as again:  # nor does a restart try sooner
        again.want(plan("blocked.example", "shop.example"))
        await until(lambda: states(again) == ["failing", "valid"], 5)
        again.want(plan("blocked.example", "shop.example", "other.example"))
        await until(lambda: states(again) == ["failing", "valid", "valid"] or "other" not in str(again.status()), 30)
        assert ca.orders() == tried + 1
        assert again.status()[0]["failures"] == 1


async def test_a_challenge_that_nobody_answers_says_what_to_do(
    tmp_path: Path, challenges: Challenges, ca: Pebble
) -> None:
    async with running(tmp_path, challenges, ca.settings) as acme:
        challenges._server.close()
        acme.want(plan("shop.example"))
        await until(lambda: states(acme) == ["failing"], 30, lambda: str(acme.status()))
        assert "it cannot reach the host by HTTP on port 80: is that port open" in acme.status()[0]["reason"]
        async with Challenges() as other:
            other.acme = acme
        await until(lambda: acme.status()[0]["failures"] >= 2, 30)


async def test_an_authority_that_is_away_leaves_what_is_there(
    tmp_path: Path, challenges: Challenges, ca: Pebble
) -> None:
    async with running(tmp_path, challenges, ca.settings) as acme:
        acme.want(plan("shop.example"))
        await until(lambda: states(acme) == ["valid"], 30, lambda: str(acme.status()))
        await ca.stop()
        acme.want(plan("new.example", "shop.example"))
        await until(lambda: states(acme)[0] == "failing", 30)
        assert f"the authority does not answer at {ca.url}" in acme.status()[0]["reason"]
        assert [pair.names for pair in acme.pairs] == [("shop.example",)]
        await ca.start()  # and it has forgotten us
        await until(lambda: states(acme) == ["valid", "valid"], 30, lambda: str(acme.status()))


async def test_an_account_at_the_authority_is_bound(tmp_path: Path, challenges: Challenges) -> None:
    secret = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    (tmp_path / "hmac").write_text(secret + "\n")
    bound = {"externalAccountBindingRequired": True, "externalAccountMACKeys": {"kid-1": secret}}
    async with pebble(tmp_path / "pebble", challenges.port, **bound) as ca:
        eab = {"eab_kid": "kid-1", "eab_hmac_file": str(tmp_path / "hmac")}
        async with running(tmp_path, challenges, {**ca.settings, **eab}) as acme:
            acme.want(plan("shop.example"))
            await until(lambda: states(acme) == ["valid"], 30, lambda: str(acme.status()))
        async with running(tmp_path / "pebble", challenges, ca.settings) as without:
            without.want(plan("shop.example"))
            await until(lambda: states(without) == ["failing"], 30)
            assert "set acme.eab_kid" in without.status()[0]["reason"]


async def test_only_so_many_orders_an_hour(tmp_path: Path, challenges: Challenges, ca: Pebble) -> None:
    async with running(tmp_path, challenges, {**ca.settings, "most_orders": 2, "parallel": 1}) as acme:
        acme.want(plan("a.example", "b.example", "c.example"))
        await until(lambda: sorted(states(acme)) == ["valid", "valid", "waiting"], 30, lambda: str(acme.status()))
    async with running(tmp_path, challenges, {**ca.settings, "most_orders": 2}) as again:  # a restart forgets nothing
        again.want(plan("a.example", "b.example", "c.example"))
        await until(lambda: sorted(states(again)) == ["valid", "valid", "waiting"], 5)
        assert ca.orders() == 2


async def test_damaged_files_are_put_aside(tmp_path: Path, challenges: Challenges, ca: Pebble) -> None:
    async with running(tmp_path, challenges, ca.settings) as acme:
        acme.want(plan("shop.example"))
        await until(lambda: states(acme) == ["valid"], 30)
        await until(lambda: not acme._unsaved)
    (file,) = (tmp_path / "acme").rglob("shop*.json")
    file.write_bytes(file.read_bytes()[:100] + b"\0" * 10)
    async with running(tmp_path, challenges, ca.settings) as again:
        assert again.pairs == ()
        assert file.with_suffix(".broken").exists()
        again.want(plan("shop.example"))
        await until(lambda: states(again) == ["valid"], 30)


async def test_an_end_does_not_wait_for_the_authority(tmp_path: Path, challenges: Challenges) -> None:
    """It takes a connection, and never says anything."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        taken.settimeout(0)
        settings = {"agree": True, "directory": f"https://127.0.0.1:{taken.getsockname()[1]}/dir"}
        async with running(tmp_path, challenges, settings) as acme:
            acme.want(plan("shop.example"))
            loop = asyncio.get_running_loop()
            connection, _ = await loop.sock_accept(taken)
            assert await loop.sock_recv(connection, 1)  # the client waits for an answer now
            assert states(acme) == ["ordering"]
            began = time.monotonic()
        assert time.monotonic() - began < 2
        connection.close()
