"""The operator's files that are swapped, or half gone, when they are looked at."""

import os
from pathlib import Path

import pytest

from skep.testing import EmbeddedEngine
from skep_nginx.files import read_files
from skep_nginx.model import Host
from tests.plugins.nginx.nginx_backends import exchange
from tests.plugins.nginx.nginx_tools import Backend, serving


def test_a_link_that_is_set_to_another_file_is_a_change(tmp_path: Path) -> None:
    """Of the same size and time, as a release that is unpacked has them."""
    (tmp_path / "vhosts").mkdir()
    for name, text in (("one", "deny all; "), ("two", "allow all;")):
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, (1, 1))
    link = tmp_path / "vhosts" / "shop.example"
    link.symlink_to(tmp_path / "one")
    before = read_files(str(tmp_path / "vhosts"), "")
    link.unlink()
    link.symlink_to(tmp_path / "two")
    after = read_files(str(tmp_path / "vhosts"), "")
    assert before.version != after.version
    assert before.for_site(Host("shop.example")) == after.for_site(Host("shop.example")) == str(link)


def test_one_file_that_goes_meanwhile_takes_no_other_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        (tmp_path / f"h{number}.example").touch()
    listed = list(os.scandir(tmp_path))
    (tmp_path / listed[0].name).unlink()
    monkeypatch.setattr(os, "scandir", lambda folder: iter(listed))
    found = read_files("", str(tmp_path))
    assert found.password_names == {entry.name for entry in listed[1:]}


async def test_passwords_whose_file_is_gone_let_nobody_in(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    passwords = folder / "passwords"
    passwords.mkdir()
    (passwords / "shop.example").symlink_to(folder / "gone")
    for host in ("shop.example", "open.example"):
        env = {"VIRTUAL_HOST": host, "VIRTUAL_PORT": str(one.port)}
        node.run(host.split(".")[0], env=env, NetworkMode="host")
    async with serving(folder, node, password_files=str(passwords)) as served:
        await served.answers("open.example", 200)
        await served.answers("shop.example", 401)


async def test_a_pattern_in_a_files_name_names_no_other_file(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    vhosts = folder / "vhosts"
    vhosts.mkdir()
    (vhosts / "*.shop.example").write_text("add_header X-Mine yes always;")
    (vhosts / "www.shop.example").write_text("nonsense;")
    env = {"VIRTUAL_HOST": "*.shop.example", "VIRTUAL_PORT": str(one.port)}
    node.run("web", env=env, NetworkMode="host")
    async with serving(folder, node, vhost_files=str(vhosts)) as served:
        await served.live("*.shop.example")
        assert "X-Mine: yes" in await exchange(served.port, "www.shop.example")
        assert not served.status["left_out"]
