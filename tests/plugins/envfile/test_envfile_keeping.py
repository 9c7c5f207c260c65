"""Files that are written, kept, and written again."""

from __future__ import annotations

import json
import logging
import stat
import time
from pathlib import Path

import pytest

from skep import NotFoundError, NotReadyError, TemporaryError, Values
from skep.testing import wait_for
from skep_envfile.state import State
from tests.plugins.envfile.envfile_sources import KeeperOf, Sources, thing

HOUR = 3600.0
TITLE = "# prod: written by skep, which writes it anew whenever something changes\n"


async def test_a_file_is_written_at_the_start_for_its_owner_alone_and_told(
    keeping: KeeperOf, sources: Sources, tmp_path: Path
) -> None:
    async with keeping({"prod": {}}) as keeper:
        await wait_for(lambda: keeper.files["prod"].state == "good")
        file = tmp_path / "prod.env"
        assert file.read_text() == f"{TITLE}DbUrl=pg://db\nZones=a,b\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        await wait_for(lambda: len(sources.told) == 1)
    (event,) = sources.told
    assert (event.plugin, event.kind) == ("envfile", "changed")
    assert event.data == {
        "file": "prod",
        "path": str(file),
        "added": ("DbUrl", "Zones"),
        "changed": (),
        "removed": (),
    }


async def test_only_what_changes_is_written_and_names_are_told_but_no_value(
    keeping: KeeperOf, sources: Sources, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    file = tmp_path / "prod.env"
    sources.answers["prod"] = Values({"A": "same", "B": "hush-1", "C": "x"}, secret={"B"})
    async with keeping({"prod": {}}) as keeper:
        await keeper.refresh()
        before = file.stat()
        await keeper.refresh(["prod"])
        assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        sources.answers["prod"] = Values({"A": "same", "B": "hush-2", "D": "y"}, secret={"B"})
        await keeper.refresh()
        assert file.stat().st_ino != before.st_ino
        await wait_for(lambda: len(sources.told) == 2)
    last = sources.told[-1].data
    assert (last["added"], last["changed"], last["removed"]) == (("D",), ("B",), ("C",))
    assert "hush" not in caplog.text + str(sources.told)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (TemporaryError("AWS does not answer"), "things: AWS does not answer"),
        (NotReadyError("it is being made"), "things: it is being made"),
        (NotFoundError("there is no thing prod"), "things: there is no thing prod"),
        ({}, "there is not a single variable"),
        ({"a-b": "1", "a.b": "2"}, "things: a-b and things: a.b would both be the variable a_b"),
        ({"A": "one\ntwo"}, "A has several lines"),
        ({"A": "nul\0"}, "A holds a NUL"),
        ({"LD_PRELOAD": "/x.so"}, "LD_PRELOAD, which makes programs run other code"),
    ],
)
async def test_what_is_refused_never_replaces_a_good_file_nor_hurts_another(
    keeping: KeeperOf, sources: Sources, tmp_path: Path, answer: dict[str, str], error: str
) -> None:
    file = tmp_path / "prod.env"
    sources.answers["other"] = {"X": "1"}
    async with keeping({"prod": {}, "other": {"sources": [thing("other")]}}) as keeper:
        await keeper.refresh()
        before = file.read_bytes()
        sources.answers["prod"], sources.answers["other"] = answer, {"X": "2"}
        await keeper.refresh()
        kept = keeper.files["prod"]
        assert file.read_bytes() == before
        assert (kept.state, kept.failures) == ("stale", 1)
        assert error in kept.error
        assert keeper.files["other"].state == "good"
        assert "X=2" in (tmp_path / "other.env").read_text()
        sources.answers["prod"] = {"A": "well"}
        await keeper.refresh()
        assert (kept.state, kept.error) == ("good", "")
        assert "A=well" in file.read_text()


async def test_what_failed_is_tried_again_by_itself(keeping: KeeperOf, sources: Sources, tmp_path: Path) -> None:
    sources.answers["prod"] = TemporaryError("AWS does not answer")
    async with keeping({"prod": {"interval": 0.2}}) as keeper:
        await wait_for(lambda: keeper.files["prod"].failures >= 2)
        assert not (tmp_path / "prod.env").exists()
        sources.answers["prod"] = {"A": "1"}
        await wait_for(lambda: keeper.files["prod"].state == "good")
    assert "A=1" in (tmp_path / "prod.env").read_text()


async def test_a_change_is_noticed_within_the_interval(keeping: KeeperOf, sources: Sources, tmp_path: Path) -> None:
    async with keeping({"prod": {"interval": 0.2}}) as keeper:
        await wait_for(lambda: keeper.files["prod"].state == "good")
        sources.answers["prod"] = {"A": "another"}
        await wait_for(lambda: "A=another" in (tmp_path / "prod.env").read_text())


@pytest.mark.parametrize("jump", [-86_400, 86_400])
async def test_a_clock_that_jumps_delays_nothing(
    keeping: KeeperOf, sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    right = time.time
    async with keeping({"prod": {"interval": 0.2}}) as keeper:
        await wait_for(lambda: keeper.files["prod"].state == "good")
        monkeypatch.setattr(time, "time", lambda: right() + jump)
        sources.answers["prod"] = {"A": "another"}
        await wait_for(lambda: "A=another" in (tmp_path / "prod.env").read_text())
        assert abs(keeper.files["prod"].describe()["next_at"] - time.time()) < 1


async def test_the_last_good_file_is_kept_over_a_restart_with_its_age(
    keeping: KeeperOf, sources: Sources, tmp_path: Path
) -> None:
    async with keeping({"prod": {}}) as keeper:
        await keeper.refresh()
    state = tmp_path / "state" / "envfile.json"
    kept = json.loads(state.read_text())
    (checked, mtime) = kept["files"][str(tmp_path / "prod.env")]
    kept["files"][str(tmp_path / "prod.env")] = [checked - HOUR, mtime]
    state.write_text(json.dumps(kept))
    before = (tmp_path / "prod.env").read_bytes()
    sources.answers["prod"] = TemporaryError("AWS does not answer")
    async with keeping({"prod": {}}) as keeper:
        file = keeper.files["prod"]
        await wait_for(lambda: file.exists)
        assert file.checked == pytest.approx(checked - HOUR, abs=0.01)
        await keeper.refresh()
        assert file.state == "stale"
        assert file.checked == pytest.approx(checked - HOUR, abs=0.01)
    assert (tmp_path / "prod.env").read_bytes() == before


async def test_at_the_start_a_recent_file_is_not_asked_for_and_a_missing_one_is(
    keeping: KeeperOf, sources: Sources, tmp_path: Path
) -> None:
    sources.answers["other"] = {"X": "1"}
    files = {"prod": {}, "other": {"sources": [thing("other")]}}
    async with keeping(files) as keeper:
        await keeper.refresh()
    sources.asked.clear()
    (tmp_path / "other.env").unlink()
    async with keeping(files) as keeper:
        await wait_for(lambda: keeper.files["other"].state == "good")
    assert sources.asked == {"other": 1}


async def test_a_file_that_somebody_else_changed_is_of_unknown_age_and_written_anew(
    keeping: KeeperOf, sources: Sources, tmp_path: Path
) -> None:
    file = tmp_path / "prod.env"
    async with keeping({"prod": {"interval": 1}}) as keeper:
        await keeper.refresh()
        good = file.read_bytes()
    file.write_text("DbUrl=mine\n")
    async with keeping({"prod": {"interval": 1}}) as keeper:
        await wait_for(lambda: keeper.files["prod"].exists)
        await wait_for(lambda: file.read_bytes() == good)


async def test_a_damaged_state_file_costs_the_ages_and_nothing_else(
    keeping: KeeperOf, sources: Sources, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "state" / "envfile.json"
    for damage in (b"", b'{"version": 9}', b'{"version": 1}'):
        state.parent.mkdir(exist_ok=True)
        state.write_bytes(damage)
        async with keeping({"prod": {}}) as keeper:
            await keeper.refresh()
            assert keeper.files["prod"].state == "good"
    assert "the age of files is not known" in caplog.text


WHOLE = b'{"version": 1, "files": {"/x": [1.5, 2]}}'


@pytest.mark.parametrize(
    "damage",
    [
        *(b'{"version": 1, "files": %s}' % each for each in (b"5", b"[]", b'{"/x": 5}', b'{"/x": [1, 2, 3]}')),
        *(b'{"version": 1, "files": {"/x": %s}}' % each for each in (b"[1e999, 1]", b"[1, 1e999]", b"[NaN, 1]")),
        *(b"", b"[]", b'{"version": 9}', b'{"version": 1}', b"\xff", b"\0" * 64, b"[" * 100_000),
        *(WHOLE[:-1], b"\xef\xbb\xbf" + WHOLE, WHOLE.replace(b"version", b"versioN")),
    ],
)
async def test_of_a_damaged_state_file_nothing_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    file = tmp_path / "envfile.json"
    state = State(file, logging.getLogger("skep"))
    file.write_bytes(damage)
    await state.load()
    assert f"{file} cannot be read, so the age of files is not known: " in caplog.text
    assert state.checked("/x", 2) == 0.0
    file.write_bytes(WHOLE)
    await state.load()
    assert state.checked("/x", 2) == 1.5


async def test_a_source_that_may_be_missing_is_left_out_and_a_needed_one_is_not(
    keeping: KeeperOf, sources: Sources, tmp_path: Path
) -> None:
    async with keeping({"prod": {"sources": [thing("prod"), thing("gone", optional=True)]}}) as keeper:
        await keeper.refresh()
        found = keeper.files["prod"].describe()
    assert (found["state"], found["warnings"]) == ("good", ["things: there is no thing gone"])


async def test_a_recent_file_whose_values_somebody_needs_is_asked_for_at_once(
    keeping: KeeperOf, sources: Sources, tmp_path: Path
) -> None:
    """As what is yet to be done after a change, when the agent was killed before."""
    async with keeping({"prod": {}}) as keeper:
        await keeper.refresh()
    async with keeping({"prod": {}}) as keeper:
        await wait_for(lambda: keeper.files["prod"].due > 0)
        assert keeper.values("prod") is None
        await wait_for(lambda: keeper.values("prod") is not None)
