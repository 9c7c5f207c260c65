"""Files replaced whole, or not at all."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from skep import read_small_file, replace_file


async def test_the_new_file_has_the_data_and_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    await replace_file(path, b"old", mode=0o644)
    before = path.stat()
    await replace_file(path, b"new", mode=0o600)
    after = path.stat()
    assert path.read_bytes() == b"new"
    assert (before.st_mode & 0o777, after.st_mode & 0o777) == (0o644, 0o600)
    assert before.st_ino != after.st_ino, "a reader of the old one would see it change"
    assert list(tmp_path.iterdir()) == [path]


async def test_what_fails_leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        await replace_file(path, b"new", mode=0o600)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


async def test_who_is_cancelled_leaves_no_write_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    syncing, go_on = threading.Event(), threading.Event()

    def slow(descriptor: int) -> None:
        syncing.set()
        go_on.wait(10)

    monkeypatch.setattr(os, "fsync", slow)
    writing = asyncio.create_task(replace_file(path, b"first", mode=0o600))
    await asyncio.to_thread(syncing.wait, 10)
    writing.cancel()
    asyncio.get_running_loop().call_later(0.05, go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert go_on.is_set()
    assert path.read_bytes() == b"first"


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await replace_file(tmp_path / "no" / "state.json", b"new", mode=0o600)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, _socket, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "state.json"
    make(path)
    with pytest.raises(OSError, match="it is no regular file") as refused:
        read_small_file(path, 100)
    assert refused.value.strerror == "it is no regular file"


def test_links_are_followed_only_where_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"x" * 100)
    (tmp_path / "link").symlink_to("real")
    assert read_small_file(tmp_path / "link", 100) == b"x" * 100
    assert read_small_file(tmp_path / "real", 100, follow=False) == b"x" * 100
    with pytest.raises(OSError, match="it is a symbolic link"):
        read_small_file(tmp_path / "link", 100, follow=False)


def test_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 101)
    with pytest.raises(OSError, match="it has more than 100 bytes"):
        read_small_file(tmp_path / "big", 100)
    with pytest.raises(FileNotFoundError):
        read_small_file(tmp_path / "none", 100)
