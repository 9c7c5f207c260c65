"""`nodes://` and `file://`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from skep import SettingsError, TemporaryError
from skep_discovery.lists import FileBackend, NodesBackend

BEAT = 0.01


async def soon(watch: AsyncIterator[Sequence[str]]) -> list[str]:
    async with asyncio.timeout(10):
        return list(await anext(watch))


async def test_a_list_is_told_once() -> None:
    found = [entries async for entries in NodesBackend().watch("10.0.0.[1:2]:2375, db:1", {}, BEAT)]
    assert found == [["10.0.0.1:2375", "10.0.0.2:2375", "db:1"]]


@pytest.mark.parametrize(("rest", "words"), [("abcdef", "token://"), ("", "no address"), ("a:1,b", "'b'")])
async def test_a_bad_list_is_named(rest: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        await soon(NodesBackend().watch(rest, {}, BEAT))


async def test_nothing_joins_a_list_or_a_file() -> None:
    with pytest.raises(SettingsError, match="nothing can join"):
        await NodesBackend().register("a:1", {}, "b:1", 60)
    with pytest.raises(SettingsError, match="read only"):
        await FileBackend().register("/etc/nodes", {}, "b:1", 60)


def test_a_relative_path_is_refused_at_once() -> None:
    with pytest.raises(SettingsError, match="must be absolute"):
        FileBackend().watch("nodes", {}, BEAT)


async def test_a_file_has_comments_blanks_and_ranges(tmp_path: Path) -> None:
    file = tmp_path / "nodes"
    file.write_text("# all of them\n\n  10.0.0.[1:2]:2375  # two\r\ndb:1\n#db:2\n")
    watch: Any = FileBackend().watch(str(file), {}, BEAT)
    assert await soon(watch) == ["10.0.0.1:2375", "10.0.0.2:2375", "db:1"]
    await watch.aclose()


async def test_a_change_is_told_and_a_bad_line_leaves_the_last_good_list(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    file = tmp_path / "nodes"
    file.write_text("a:1\n")
    watch: Any = FileBackend().watch(str(file), {}, BEAT)
    assert await soon(watch) == ["a:1"]
    following = asyncio.ensure_future(anext(watch))
    for content, complaint in (("a:1\nb\n", f"{file}:2: 'b'"), ("a:1\n\n\xff:1\n", f"{file}:3: "), (None, "No such")):
        if content is None:
            file.unlink()
        else:
            file.write_text(content, encoding="latin-1")
        async with asyncio.timeout(10):
            while complaint not in caplog.text:
                await asyncio.sleep(BEAT)
        assert not following.done()
    assert sum("the last list, of 1 engines, stays" in each.message for each in caplog.records) == 3
    (tmp_path / "new").write_text("b:1\n")
    (tmp_path / "new").replace(file)
    async with asyncio.timeout(10):
        assert list(await following) == ["b:1"]
    assert "discovery answers again" in caplog.text
    await watch.aclose()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a:1\nnonsense\n", r"nodes:2: 'nonsense'"),
        (b"a:[3:1]\n", r"nodes:1: "),
        (b"x" * 2_000_000, "more than"),
        (None, "No such"),
    ],
)
async def test_a_bad_file_at_the_start_is_tried_again_later(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "nodes"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TemporaryError, match=words):
        await soon(FileBackend().watch(str(file), {}, BEAT))
