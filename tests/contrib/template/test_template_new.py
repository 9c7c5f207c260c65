"""Three commands from nothing to a tested plugin; they are run here, in an environment of their own."""

from __future__ import annotations

import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from skep import SettingsError
from skep.cli.plugin import plugin
from skep.plugins.template import new_plugin

ROOT = Path(__file__).parents[3]


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An interpreter that has what this one has, and installs elsewhere."""
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "outer.pth").write_text(f"import site; site.addsitedir({site.getsitepackages()[0]!r})\n")
    return folder / "bin" / "python"


def run(*command: str | Path, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ["hello", "rack_lights"])
def test_three_commands(tmp_path: Path, python: Path, name: str) -> None:
    run(Path(sys.executable).with_name("skep"), "plugin", "new", name, folder=tmp_path)
    pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "--disable-pip-version-check")
    run(*pip, "--no-deps", "--no-build-isolation", "--no-index", "-e", name, folder=tmp_path)
    assert "3 passed" in run(python, "-m", "pytest", "-q", name, folder=tmp_path)


def test_a_name_that_is_none_and_a_folder_in_use_are_refused(tmp_path: Path) -> None:
    for name in ("", "Hello", "a-b", "_a", "a__b", "../x", "a.b"):
        with pytest.raises(SettingsError, match="is not a plugin's name"):
            new_plugin(name, tmp_path / "new")
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="is not empty: expected a new folder"):
        new_plugin("hello", tmp_path)
    with pytest.raises(SettingsError, match="cannot write"):
        new_plugin("hello", tmp_path / "file" / "below")


def test_the_command_tells_what_comes_next(tmp_path: Path) -> None:
    done = CliRunner().invoke(plugin, ["new", "hello", "--dir", str(tmp_path / "there")])
    assert done.exit_code == 0
    assert f"pip install -e {tmp_path / 'there'} && pytest {tmp_path / 'there'}" in done.output
    assert (tmp_path / "there" / "skep_hello.py").is_file()


@pytest.mark.timeout(120)
def test_the_wheel_brings_the_template(tmp_path: Path) -> None:
    pip = (
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    )
    run(*pip, "-w", str(tmp_path), str(ROOT), folder=tmp_path)
    (wheel,) = tmp_path.glob("skep-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if "_template/" in name} == {
        f"skep/plugins/_template/{file.name}"
        for file in (ROOT / "contrib" / "plugin-template").iterdir()
        if file.is_file()
    }
    assert "skep/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "contrib/", "config/"))]
