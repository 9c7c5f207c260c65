"""Each plugin's sample.toml and README name every setting, and no other, with the defaults that the code has."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from skep import parse_settings
from skep.plugins import installed
from skep.settings import OWNED, describe, parse_plugin_settings

NAMES = sorted(path.name.removeprefix("skep_") for path in Path(__file__).parents[2].glob("plugins/skep_*"))
KEY = re.compile(r"#(?P<key>[a-z0-9_]+) = (?P<value>.+)")
HEADER = re.compile(r"#?\[plugins\.(?P<table>[a-zA-Z_.]+)\]")
ROW = re.compile(r"\| `(?P<key>[a-zA-Z0-9_.]+)` \| (?P<default>.+?) \| .+ \|")


def load(name: str) -> tuple[Any, Path]:
    """The plugin's class of settings, and its folder."""
    package = importlib.import_module(f"skep_{name}")
    assert package.__file__ is not None
    return installed()[name].load().Settings, Path(package.__file__).parent


def sample_of(folder: Path, name: str) -> dict[str, list[str]]:
    """The sample's keys, dotted, each with the values that it shows."""
    found: dict[str, list[str]] = {}
    table = ""
    for line in (folder / "sample.toml").read_text().splitlines():
        if header := HEADER.fullmatch(line):
            table = header["table"].removeprefix(name).removeprefix(".")
        elif entry := KEY.fullmatch(line):
            found.setdefault(f"{table}.{entry['key']}".removeprefix("."), []).append(entry["value"])
    return found


def readme_of(folder: Path, name: str) -> dict[str, str]:
    """The README's keys and defaults: the rows below `| `[plugins.NAME]` | default | |`."""
    _, _, rest = (folder / "README.md").read_text().partition(f"| `[plugins.{name}]` | default | |\n|---|---|---|\n")
    rows = rest.partition("\n\n")[0].splitlines()
    found = [(row, ROW.fullmatch(row)) for row in rows]
    assert not [row for row, match in found if match is None], "a row is not of the form | `key` | default | text |"
    return {match["key"]: match["default"] for _, match in found if match is not None}


@pytest.mark.parametrize("name", NAMES)
def test_the_sample_shows_each_key_switched_off(name: str) -> None:
    kind, folder = load(name)
    shown = sample_of(folder, name)
    assert set(shown) - OWNED == {row.key for row in describe(kind)}
    settings = parse_settings(tomllib.loads((folder / "sample.toml").read_text()))
    assert list(settings.plugins) == [name]
    assert parse_plugin_settings(kind, settings.plugins[name], name, "sample") == kind()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pick", [0, -1], ids=["first", "last"])
def test_the_sample_with_each_key_switched_on_is_accepted(name: str, pick: int) -> None:
    """Of several values for a key, the first, or the last."""
    kind, folder = load(name)
    flags = [f"plugins.{name}.{key}={values[pick]}" for key, values in sample_of(folder, name).items()]
    settings = parse_settings({"plugins": {name: {}}}, flags=flags)
    parse_plugin_settings(kind, settings.plugins[name], name, "sample")


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_has_each_key_with_its_default(name: str) -> None:
    kind, folder = load(name)
    told = readme_of(folder, name)
    assert set(told) - OWNED == {row.key for row in describe(kind)}
    for row in describe(kind):
        assert not row.default or told[row.key] == f"`{row.default}`", row.key
