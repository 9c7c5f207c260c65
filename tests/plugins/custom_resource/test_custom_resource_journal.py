"""The journal over restarts, damage and full disks."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path

import pytest

from skep import SettingsError
from skep_custom_resource import journal as module
from skep_custom_resource.journal import Entry, Journal

LOG = logging.getLogger("skep.test")


async def opened(file: Path) -> Journal:
    journal = Journal(file, LOG)
    await journal.open()
    return journal


async def written(file: Path, count: int = 3) -> None:
    journal = await opened(file)
    for number in range(count):
        await journal.answered(f"key{number}", f"body{number}")
    await journal.finished("key0", accepted=True)
    await journal.finished("key1", accepted=False)
    await journal.close()


def states(journal: Journal) -> list[tuple[str, str] | None]:
    found = [journal.get(f"key{number}") for number in range(3)]
    return [(each.state, each.body) if each else None for each in found]


async def test_what_was_noted_is_known_after_a_restart(tmp_path: Path) -> None:
    await written(tmp_path / "new" / "journal")
    journal = await opened(tmp_path / "new" / "journal")
    assert states(journal) == [("accepted", ""), ("refused", ""), ("answered", "body2")]
    assert journal.file.stat().st_mode & 0o777 == 0o600
    await journal.close()


async def test_a_torn_end_is_passed_over_and_named_wherever_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "journal"
    await written(file)
    whole = file.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for end in (last + 1, last + 12, len(whole) - 1):
        file.write_bytes(whole[:end])
        caplog.clear()
        journal = await opened(file)
        assert f"journal {file}:6: its last record was not written to its end is passed over" in caplog.text
        assert states(journal) == [("accepted", ""), ("answered", "body1"), ("answered", "body2")]
        await journal.answered("more", "")
        await journal.close()
        caplog.clear()
        again = await opened(file)
        assert again.get("more") is not None
        assert not caplog.records
        await again.close()


@pytest.mark.parametrize("damage", [b"\0" * 40, b"garbage", b"00000000 {}", b"\xff\xfe", b"cafe [1"])
async def test_damage_loses_no_more_than_its_own_record(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "journal"
    await written(file)
    lines = file.read_bytes().split(b"\n")
    lines[3] = damage
    file.write_bytes(b"\n".join(lines))
    journal = await opened(file)
    assert f"{file}:4: a damaged record is passed over" in caplog.text
    assert states(journal) == [("accepted", ""), ("refused", ""), None]
    await journal.close()


@pytest.mark.parametrize("tail", [b"\0" * 512, b"0badf00d {}\n" + b"\0" * 512, b"\n\n\0\n"])
async def test_what_a_power_failure_leaves_behind_the_end_is_passed_over(
    tmp_path: Path, tail: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "journal"
    await written(file)
    with file.open("ab") as end:
        end.write(tail)
    journal = await opened(file)
    assert states(journal) == [("accepted", ""), ("refused", ""), ("answered", "body2")]
    assert "is passed over" in caplog.text
    await journal.answered("more", "body")
    await journal.close()
    again = await opened(file)
    assert [again.get("more") is not None, *states(again)] == [True, *states(journal)]
    await again.close()


async def test_a_file_of_zeros_is_named_and_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is lost but what would be answered twice with the same: the message is still in the queue."""
    file = tmp_path / "journal"
    file.write_bytes(bytes(4096))
    journal = await opened(file)
    assert f"{file}:1: " in caplog.text
    await journal.answered("key0", "body")
    await journal.close()
    again = await opened(file)
    assert again.get("key0") is not None
    await again.close()


async def test_a_newer_version_and_a_second_agent_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    file.write_bytes(module._line({"journal": "x", "version": 2}))
    with pytest.raises(SettingsError, match=r":1: version 2 is not known"):
        await Journal(file, LOG).open()
    one = await opened(tmp_path / "other")
    with pytest.raises(SettingsError, match="another agent uses it"):
        await Journal(tmp_path / "other", LOG).open()
    await one.close()
    with pytest.raises(SettingsError, match="Is a directory"):
        await Journal(tmp_path, LOG).open()


async def test_a_full_disk_is_told_and_the_file_stays_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    journal = await opened(tmp_path / "journal")
    await journal.answered("key0", "a")
    whole = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:10]))
    await journal.answered("key1", "b")
    assert journal.failures == 1
    assert "No space left on device; it is kept in memory only" in caplog.text
    assert states(journal) == [("answered", "a"), ("answered", "b"), None]
    monkeypatch.undo()
    await journal.answered("key2", "c")
    await journal.close()
    again = await opened(tmp_path / "journal")
    assert states(again) == [("answered", "a"), None, ("answered", "c")]
    await again.close()


async def test_it_is_written_anew_before_it_grows_large_and_forgets_after_two_weeks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_COMPACT", 2000)
    journal = await opened(tmp_path / "journal")
    journal._entries["old"] = Entry("accepted", time.time() - 15 * 86400)
    for number in range(60):
        await journal.answered("key0", f"body{number}" * 10)
    assert journal.file.stat().st_size < 2500
    assert journal.get("old") is None
    await journal.close()
    again = await opened(tmp_path / "journal")
    assert states(again)[0] == ("answered", "body59" * 10)
    await again.close()


async def test_a_record_is_whole_though_its_writer_is_cancelled(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "journal")
    writing = [asyncio.create_task(journal.answered(f"key{number}", "body")) for number in range(3)]
    await asyncio.sleep(0)
    for task in writing:
        task.cancel()
    await asyncio.gather(*writing, return_exceptions=True)
    await journal.close()
    assert journal.failures == 0
    again = await opened(tmp_path / "journal")
    assert states(again) == [("answered", "body")] * 3
    await again.close()


@pytest.mark.parametrize("device", [None, "/dev/null", "/dev/zero"])
async def test_what_is_no_file_is_none(tmp_path: Path, device: str | None) -> None:
    file = tmp_path / "journal"
    if device:
        file.symlink_to(device)
    else:
        os.mkfifo(file)
    with pytest.raises(SettingsError, match="it is no regular file"):
        await opened(file)
