from __future__ import annotations

import importlib
import inspect
import tomllib

import pytest

from skep import Settings
from skep.plugins import installed
from skep.settings import PluginTable, describe, parse_settings, reference


def test_every_setting_of_the_core_is_documented() -> None:
    undocumented = [row.key for row in describe(Settings) if not row.doc]
    assert not undocumented
    assert {"cluster.heartbeat", "cluster.tls.ca", "plugins.NAME.startup_error"} <= {
        row.key for row in describe(Settings)
    }


@pytest.mark.parametrize("name", installed())
def test_every_setting_of_an_installed_plugin_is_documented(name: str) -> None:
    kind = installed()[name].load()
    assert not [row.key for row in describe(kind.Settings, f"plugins.{name}") if not row.doc]


def test_a_row_says_type_default_and_text() -> None:
    rows = {row.key: row for row in describe(Settings)}
    row = rows["cluster.heartbeat"]
    assert row.type.startswith("seconds, more than 0")
    assert row.default == "60.0"
    assert row.doc == "How often discovery is asked."
    assert rows["log.level"].default == '"info"'


def test_the_reference_is_toml_also_with_every_key_switched_on() -> None:
    text = reference(Settings)
    assert tomllib.loads(text) == {
        "cluster": {"tls": {}},
        "http": {"tls": {}},
        "placement": {},
        "log": {},
        "plugins": {"NAME": {}},
    }
    lines = [
        line.removeprefix("#") if line.startswith("#") and not line.startswith("# ") else line
        for line in text.splitlines()
    ]
    on = tomllib.loads("\n".join(lines))
    assert parse_settings(on).cluster == parse_settings({"cluster": {"tls": {}}}).cluster


def test_the_cores_keys_of_a_plugin_are_those_of_its_table() -> None:
    assert [row.key for row in describe(PluginTable, "plugins.x")][:2] == ["plugins.x.enabled", "plugins.x.path"]


def test_public_names_are_sorted_complete_and_documented() -> None:
    import skep
    import skep.testing

    for module in (skep, skep.testing):
        assert module.__all__ == sorted(
            module.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
        )
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                assert inspect.getdoc(value), f"{name} has no docstring"
    homes = {name for names in skep._HOMES.values() for name in names.split()}
    assert homes | {"__version__"} == set(skep.__all__)
    for module_name in skep._HOMES:
        assert set(skep._HOMES[module_name].split()) <= set(vars(importlib.import_module(f"skep.{module_name}")))
