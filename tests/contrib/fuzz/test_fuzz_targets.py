"""A short run of each fuzzer, with the same inputs every time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def fuzz(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it in a folder of its own, where it may leave what it finds."""
    command = (sys.executable, "-m", "contrib.fuzz", *arguments)
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(("target", "runs"), [("expressions", 20_000), ("body", 10_000)])
def test_nothing_is_found(tmp_path: Path, target: str, runs: int) -> None:
    done = fuzz(tmp_path, target, "--runs", str(runs), "--seed", "1")
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"Done {runs} runs" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_found_and_can_be_replayed(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(
        "import contrib.fuzz.__main__ as fuzz, contrib.fuzz.expressions as target, sys\n"
        "target.glob_matches = lambda glob, text: not text.startswith('ab')\n"
        "fuzz.main()\n"
    )
    command = (sys.executable, str(tmp_path / "broken.py"), "expressions", "--runs", "50000", "--seed", "1")
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode != 0
    (found,) = tmp_path.glob("crash-*")
    again = subprocess.run((*command[:3], "--replay", str(found)), cwd=tmp_path, env=environment, check=False)
    assert again.returncode != 0
    assert fuzz(tmp_path, "expressions", "--replay", str(found)).returncode == 0
