"""Durations, and what is printed."""

from __future__ import annotations

import click
import pytest

from skep.cli.options import Duration, key_values
from skep.cli.output import ago, memory, printable, show_table


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("60s", 60), ("1m30s", 90), ("500ms", 0.5), ("1h", 3600), ("1.5h", 5400), (".5s", 0.5), ("0", 0), ("+1s", 1)),
        *(("-1s", -1), ("1h1m1s1ms", 3661.001), ("10us", 1e-5), ("3µs", 3e-6)),
    ],
)
def test_durations_as_go_writes_them(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "60", "s", "1 s", "1m 30s", "1d", "1s1", "--1s", "1e3s", "٣s", "99999999999999h"])
def test_what_is_no_duration_is_named(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"duration|too long"):
        Duration().convert(text, None, None)


def test_the_first_of_a_key_counts() -> None:
    assert key_values("--x", ("a=1", "b=x=y", "a=2")) == {"a": "1", "b": "x=y"}


@pytest.mark.parametrize("entry", ["a", "=a", ""])
def test_what_is_no_pair_is_named(entry: str) -> None:
    with pytest.raises(click.UsageError, match="expected key=value"):
        key_values("--x", (entry,))


def test_a_terminal_is_told_nothing_by_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert printable("a\x1b[2Jb\nc\u202ed") == "a\\x1b[2Jb\\nc\\u202ed"
    show_table(("NAME", "X"), [("\x1b]0;evil\x07", 1)])
    assert "\x1b" not in capsys.readouterr().out


def test_sizes_and_times_for_people() -> None:
    assert [memory(n) for n in (0, 1023, 1536, 2**30, 5 * 2**42)] == ["0 B", "1023 B", "1.5 KiB", "1 GiB", "20 TiB"]
    assert [ago(100 - n, 100) for n in (5, 65, 7200, 90000, -3)] == ["5 s", "1 m", "2 h", "1 d", "0 s"]
    assert ago(0) == "-"
