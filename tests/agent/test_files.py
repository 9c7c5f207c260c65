"""Files replaced whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skep import replace_file


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


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await replace_file(tmp_path / "no" / "state.json", b"new", mode=0o600)
