"""What may be in a file's place, and what the disk may refuse."""

from __future__ import annotations

import errno
import os
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skep import ConflictError
from skep.testing import wait_for
from skep_envfile.disk import look
from tests.plugins.envfile.envfile_sources import KeeperOf


def link(path: Path) -> None:
    path.with_name("target").write_text("precious")
    path.symlink_to(path.with_name("target"))


def listen(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (link, "a symbolic link"),
        (Path.mkdir, "a folder"),
        (os.mkfifo, "a FIFO"),
        (listen, "a socket"),
    ],
)
async def test_what_is_no_file_is_left_as_it_is(
    keeping: KeeperOf, tmp_path: Path, make: Callable[[Path], Any], kind: str
) -> None:
    path = tmp_path / "prod.env"
    make(path)
    before = path.lstat()
    async with keeping({"prod": {}, "good": {}}) as keeper:
        await keeper.refresh()
        assert f"{path} is {kind}, and left as it is" in keeper.files["prod"].error
        assert keeper.files["good"].state == "good"
    assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)
    if kind == "a symbolic link":
        assert path.read_text() == "precious"


@pytest.mark.parametrize(("make", "kind"), [(Path.mkdir, "a folder"), (os.mkfifo, "a FIFO")])
def test_what_takes_the_files_place_between_two_looks_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Any], kind: str
) -> None:
    path, regular = tmp_path / "prod.env", tmp_path / "regular"
    make(path)
    regular.touch()
    before = regular.lstat()
    monkeypatch.setattr(Path, "lstat", lambda self: before)  # what was there an instant ago
    opened = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ConflictError, match=kind):
        look(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == opened


async def test_a_missing_folder_is_made(keeping: KeeperOf, tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "prod.env"
    async with keeping({"prod": {"path": str(path)}}) as keeper:
        await keeper.refresh()
    assert path.exists()


async def test_a_folder_in_which_everybody_writes_is_refused(keeping: KeeperOf, tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    async with keeping({"prod": {"path": str(folder / "prod.env")}}) as keeper:
        await keeper.refresh()
        assert "everybody may replace files" in keeper.files["prod"].error
    assert list(folder.iterdir()) == []


async def test_nothing_is_made_where_everybody_may_put_another_folder(keeping: KeeperOf, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    async with keeping({"prod": {"path": str(tmp_path / "open" / "env" / "prod.env")}}) as keeper:
        await keeper.refresh()
        assert f"everybody may replace files in {tmp_path}/open" in keeper.files["prod"].error
    assert list((tmp_path / "open").iterdir()) == []


async def test_a_strangers_symbolic_link_on_the_way_is_refused(keeping: KeeperOf, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    way = tmp_path / "way"
    way.symlink_to("real")
    async with keeping({"prod": {"path": str(way / "prod.env")}}) as keeper:
        await keeper.refresh()
        assert keeper.files["prod"].state == "good"
        (way / "prod.env").unlink()
        os.chown(way, 65534, 65534, follow_symlinks=False)
        await keeper.refresh()
        assert "a symbolic link that another user has made" in keeper.files["prod"].error


async def test_a_part_of_the_path_that_is_a_file_is_named(keeping: KeeperOf, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with keeping({"prod": {"path": str(tmp_path / "file" / "prod.env")}}) as keeper:
        await keeper.refresh()
        assert "Not a directory" in keeper.files["prod"].error


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "No space left on device (the disk is full)"),
        (errno.EROFS, "Read-only file system (the file system is read-only)"),
        (errno.EACCES, "Permission denied (the agent may not write in this folder)"),
        (errno.EIO, "Input/output error"),
    ],
)
async def test_a_disk_that_refuses_is_named_the_old_file_kept_and_it_is_tried_again(
    keeping: KeeperOf, sources: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: str
) -> None:
    """The system's call that makes the bytes durable fails; all around it is real."""
    path = tmp_path / "prod.env"
    async with keeping({"prod": {"interval": 0.2}}) as keeper:
        await wait_for(lambda: keeper.files["prod"].state == "good")
        before = path.read_bytes()

        def refuse(descriptor: int) -> None:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", refuse)
            sources.answers["prod"] = {"A": "1"}
            await wait_for(lambda: keeper.files["prod"].failures >= 1)
            assert told in keeper.files["prod"].error
            assert path.read_bytes() == before
            await wait_for(lambda: [each for each in tmp_path.iterdir() if each.name.startswith(".prod")] == [])
        await wait_for(lambda: keeper.files["prod"].state == "good")
    assert b"A=1" in path.read_bytes()


async def test_mode_and_owner_are_as_the_settings_say_and_put_right_again_without_a_change(
    keeping: KeeperOf, sources: Any, tmp_path: Path
) -> None:
    path = tmp_path / "prod.env"
    async with keeping({"prod": {"mode": "0640", "owner": "nobody:daemon"}}) as keeper:
        await keeper.refresh()
        found = path.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o640, 65534)
        path.chmod(0o644)
        os.chown(path, 0, 0)
        await keeper.refresh()
        found = path.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o640, 65534)
        await wait_for(lambda: len(sources.told) == 1)


async def test_an_owner_that_there_is_not_is_named(keeping: KeeperOf) -> None:
    async with keeping({"a": {"owner": "no-such-user"}, "b": {"owner": ":no-such-group"}}) as keeper:
        await keeper.refresh()
        assert "there is no user no-such-user" in keeper.files["a"].error
        assert "there is no group no-such-group" in keeper.files["b"].error


async def test_the_file_is_never_readable_by_others_nor_half_written(
    keeping: KeeperOf, sources: Any, tmp_path: Path
) -> None:
    """A thread looks as fast as it can while the file is written over and over."""
    path, seen, stop = tmp_path / "prod.env", set(), threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for each in os.scandir(tmp_path):
                if "prod.env" in each.name:
                    try:
                        seen.add(stat.S_IMODE(each.stat().st_mode))
                        if each.name == "prod.env":
                            assert path.read_bytes().endswith(b"END=1\n")
                    except FileNotFoundError:
                        continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        async with keeping({"prod": {}}) as keeper:
            for number in range(30):
                sources.answers["prod"] = {"A": str(number) * 10_000, "END": "1"}
                await keeper.refresh()
            assert keeper.files["prod"].state == "good"
    finally:
        stop.set()
        watcher.join()
    assert seen == {0o600}


async def test_what_a_killed_agent_left_beside_the_file_is_taken_away(keeping: KeeperOf, tmp_path: Path) -> None:
    left, other = tmp_path / ".prod.env.skep-abcd1234", tmp_path / ".prod.env.disabled"
    left.write_text("A=secret")
    other.write_text("mine")
    async with keeping({"prod": {}}) as keeper:
        await wait_for(lambda: keeper.files["prod"].state == "good")
    assert not left.exists()
    assert other.exists()
