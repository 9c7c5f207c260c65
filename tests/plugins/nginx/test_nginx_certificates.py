"""Certificates' files, good and bad, while a real nginx serves by them."""

import asyncio
import os
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from skep.testing import EmbeddedEngine
from skep_nginx.certificates.groups import named_group, read_group
from skep_nginx.certificates.pem import Unusable, covers, read_pair
from skep_nginx.certificates.shelf import Shelf, file_name
from skep_nginx.certificates.store import Store
from tests.plugins.nginx.nginx_certificates import Authority
from tests.plugins.nginx.nginx_https import securing
from tests.plugins.nginx.nginx_tools import Backend, until


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority()


def shop(port: int, host: str = "shop.example") -> dict[str, Any]:
    return {"env": {"VIRTUAL_HOST": host, "VIRTUAL_PORT": str(port)}, "NetworkMode": "host"}


async def test_a_certificate_is_replaced_while_nginx_runs(
    folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    crt = ca.write(folder / "certs", "shop.example")
    node.run("shop", **shop(one.port))
    async with securing(folder, ca, node) as web:
        await web.until("shop.example")
        ca.write(folder / "certs", "shop.example", "shop.example", "new.example")
        await until(lambda: "new.example" in str(web.served.status["certificates"]["usable"]))
        async with asyncio.timeout(15):
            while (await web.until("shop.example")).names != ("shop.example", "new.example"):
                await asyncio.sleep(0.05)
        crt.write_bytes(crt.read_bytes()[:200])  # half written, or broken
        await until(lambda: web.served.status["certificates"]["problems"])
        assert "it is no certificate in PEM" in web.served.status["certificates"]["problems"]["shop.example.crt"]
        assert "the last good one stays" in caplog.text
        node.run("more", **shop(one.port, "more.example"))  # other changes go live
        await web.served.live("more.example", "shop.example")
        assert (await web.get("shop.example")).names == ("shop.example", "new.example")
    async with securing(folder, ca, node) as web:  # and over a restart
        assert (await web.until("shop.example")).names == ("shop.example", "new.example")
        ca.write(folder / "certs", "shop.example", "shop.example", "third.example")
        await until(lambda: not web.served.status["certificates"]["problems"])
        await until(lambda: "third" in str(web.served.status["certificates"]["usable"]))


async def test_unusable_certificates_hurt_nobody_else(
    folder: Path, node: EmbeddedEngine, one: Backend, ca: Authority
) -> None:
    certs = folder / "certs"
    for name in ("good", "mixed", "old", "early", "weak", "void", "alone", "locked"):
        days = {"old": (-10, -1), "early": (1, 10)}.get(name, (-1, 30))
        key = rsa.generate_private_key(65537, 1024) if name == "weak" else None
        ca.write(certs, f"{name}.example", days=days, key=key)
        node.run(name, **shop(one.port, f"{name}.example"))
    (certs / "mixed.example.key").write_bytes((certs / "good.example.key").read_bytes())
    (certs / "void.example.crt").write_bytes(b"\xff" * 100)
    (certs / "alone.example.key").unlink()
    (certs / "locked.example.crt").unlink()
    (certs / "locked.example.crt").mkdir()
    async with securing(folder, ca, node) as web:
        await web.until("good.example")
        problems = web.served.status["certificates"]["problems"]
        assert {name.split(".")[0] for name in problems} == {"mixed", "old", "early", "weak", "void", "locked"}
        assert problems["mixed.example.crt"] == "the key belongs to another certificate"
        assert "it expired on" in problems["old.example.crt"]
        assert "it is valid from" in problems["early.example.crt"]
        assert problems["weak.example.crt"] == "an RSA key of 1024 bits is too short: 2048 at least"
        for name in ("mixed", "old", "weak", "void", "alone", "locked"):
            assert (await web.served_plainly(f"{name}.example")) == 200
            with pytest.raises(ssl.SSLError):
                await web.get(f"{name}.example")
        samples = {metric.name: metric.value for metric in web.served.plugin.metrics()}
        assert samples["skep_nginx_certificate_problems"] == 6
        assert 29 * 86400 < samples["skep_nginx_certificate_seconds"] < 30 * 86400


@pytest.mark.parametrize(
    ("name", "host", "good"),
    [
        ("a.example", "a.example", True),
        ("*.example", "a.example", True),
        ("*.example", "a.b.example", False),
        ("*.example", "example", False),
        ("a.example", "b.example", False),
    ],
)
def test_which_hosts_a_name_is_good_for(name: str, host: str, good: bool) -> None:
    assert covers(name, host) is good


def test_keys_are_read_with_care(ca: Authority) -> None:
    certificate, key = ca.issue("a.example")
    with pytest.raises(Unusable, match="its key is no private key"):
        read_pair(certificate, b"-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n")
    with pytest.raises(Unusable, match="1048577 bytes"):
        read_pair(b"x" * (2**20 + 1), key)


def test_a_folder_that_is_not_there_is_no_mistake(tmp_path: Path) -> None:
    assert Store(tmp_path / "none", tmp_path / "kept").look().problems == {}


def test_a_pipe_does_not_hold_the_store_up(tmp_path: Path, ca: Authority) -> None:
    ca.write(tmp_path, "a.example")
    (tmp_path / "a.example.crt").unlink()
    os.mkfifo(tmp_path / "a.example.crt")
    assert Store(tmp_path, tmp_path / "kept").look().problems == {
        "a.example.crt": "it cannot be read: it is no regular file"
    }


def test_groups_are_those_of_rfc_7919() -> None:
    group = named_group(2048)
    assert group.splitlines()[1] == b"MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz"
    assert read_group(b"junk before\n" + group) == group
    for text in (b"", b"-----BEGIN DH PARAMETERS-----\nMAYCAQcCAQI=\n-----END DH PARAMETERS-----\n", group[:100]):
        with pytest.raises(Unusable):
            read_group(text)


async def test_files_stay_a_day_after_nobody_needs_them(tmp_path: Path) -> None:
    now = [0.0]
    shelf = Shelf(tmp_path / "tls", clock=lambda: now[0])
    first, second = (b"one", b"two")
    await shelf.lay({file_name(first): first})
    await shelf.lay({file_name(second): second})
    assert len(list(shelf.folder.iterdir())) == 2
    now[0] = 86401.0
    await shelf.lay({file_name(second): second})
    assert [path.name for path in shelf.folder.iterdir()] == [file_name(second)]
    assert shelf.folder.stat().st_mode & 0o777 == 0o700
