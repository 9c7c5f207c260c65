"""The layout check finds what it is there for."""

from pathlib import Path
from typing import Any

import pytest

from contrib.checks import layout


def project(**entries: str) -> dict[str, Any]:
    packages = [f"plugins/skep_{name}" for name in entries]
    return {
        "project": {"entry-points": {"skep": entries}},
        "tool": {
            "hatch": {"build": {"targets": {"wheel": {"packages": packages}}}},
            "importlinter": {"root_packages": ["skep", *(f"skep_{name}" for name in entries)]},
        },
    }


def make_plugin(root: Path) -> None:
    for file in ("__init__.py", "README.md", "sample.toml", "py.typed"):
        (path := root / "plugins/skep_one" / file).parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / "tests/plugins/one").mkdir(parents=True)
    (root / "tests/plugins/one/test_one.py").touch()


def test_a_complete_plugin_is_fine(tmp_path: Path) -> None:
    make_plugin(tmp_path)
    assert list(layout.plugin_complaints(tmp_path, project(one="skep_one:OnePlugin"))) == []


@pytest.mark.parametrize("file", layout.PLUGIN_FILES)
def test_a_missing_file_is_named(tmp_path: Path, file: str) -> None:
    make_plugin(tmp_path)
    (tmp_path / "plugins/skep_one" / file).unlink()
    found = list(layout.plugin_complaints(tmp_path, project(one="skep_one:OnePlugin")))
    assert found == [f"plugins/skep_one: no {file}"]


def test_what_pyproject_and_the_folders_do_not_share_is_named(tmp_path: Path) -> None:
    make_plugin(tmp_path)
    assert list(layout.plugin_complaints(tmp_path, project(two="skep_two:TwoPlugin"))) == [
        "plugins/skep_one: no entry point one in pyproject.toml",
        "plugins/skep_one: not in the wheel's packages in pyproject.toml",
        "plugins/skep_one: not in import-linter's root_packages in pyproject.toml",
        "pyproject.toml: an entry point for plugins/skep_two, which is not there",
    ]


def test_long_files_and_functions_are_named() -> None:
    body = "    pass\n" * (layout.FUNCTION_LINES - 1)
    path = Path("x.py")
    assert list(layout.size_complaints(path, f"def f():\n{body}")) == []
    assert list(layout.size_complaints(path, f"async def f():\n{body}    pass\n")) == [
        "x.py:1: f has 81 lines; at most 80"
    ]
    assert list(layout.size_complaints(path, "\n" * 501)) == ["x.py: 501 lines; at most 500"]


def test_paths_of_one_machine_are_named(tmp_path: Path) -> None:
    text = f"a\nsee {tmp_path}/x\nsee /home/" + "someone/x and /home, /root\n"
    found = list(layout.path_complaints(Path("x"), text, tmp_path))
    assert found == ["x:2: names a path of one machine", "x:3: names a path of one machine"]
