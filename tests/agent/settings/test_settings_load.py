from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skep import PluginSettings, Seconds, SettingsError, load_settings, parse_settings
from skep.settings import PluginTable, overlay, parse_plugin_settings


class OwnSettings(PluginSettings, frozen=True, kw_only=True):
    """For these tests."""

    delay: Seconds = 1.0
    """A duration."""
    words: tuple[str, ...] = ()
    """Some words."""
    secret: str = ""
    """A secret."""
    folder: Path = Path("/tmp")
    """Where."""
    least: int = 0
    """A number."""

    def __post_init__(self) -> None:
        if self.least > 9:
            raise ValueError("least: expected at most 9")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"cluster": {"hartbeat": 1}}, "settings: cluster.hartbeat: unknown key: did you mean heartbeat?"),
        ({"clutser": {}}, "settings: clutser: unknown key: did you mean cluster?"),
        ({"source": "x"}, "settings: source: unknown key: known are cluster, http, log, placement, plugins"),
        ({"origins": {}}, "settings: origins: unknown key: known are cluster, http, log, placement, plugins"),
        ({"cluster": 3}, "settings: cluster: expected a table, [cluster], got 3"),
        (
            {"cluster": {"heartbeat": -1}},
            'cluster.heartbeat: expected seconds, more than 0, such as 2.5, "10s" or "1m", got -1',
        ),
        ({"cluster": {"heartbeat": "soon"}}, '"1m", got "soon"'),
        ({"cluster": {"heartbeat": "0s"}}, '"1m", got "0s"'),
        ({"cluster": {"heartbeat": float("inf")}}, "got inf"),
        ({"cluster": {"overcommit": float("nan")}}, "cluster.overcommit: expected a number, more than -1, got nan"),
        ({"cluster": {"heartbeat": True}}, "got true"),
        ({"cluster": {"engines": "tcp://a:1"}}, "cluster.engines: expected a list of texts in quotes, got a text"),
        ({"cluster": {"engines": ["a", 3]}}, "cluster.engines[1]: expected a text in quotes, got 3"),
        ({"cluster": {"tls": {"crt": "x"}}}, "cluster.tls.crt: unknown key: did you mean cert?"),
        ({"log": {"level": "inof"}}, 'log.level: expected one of "debug", "info", "warning", "error", got "inof"'),
        ({"plugins": 3}, "plugins: expected tables, [plugins.NAME]"),
        ({"plugins": {"a": 3}}, "plugins.a: expected a table, [plugins.a]"),
        ({"plugins": {"a": {"enabled": "no"}}}, "plugins.a.enabled: expected true or false, got a text"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(data: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(data)
    assert told in str(caught.value)


def test_a_file_is_named_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "skep.toml"
    file.write_text('[cluster]\nengines = []\n\n[plugins.nginx]\ntimeout = "soon"\n')
    with pytest.raises(SettingsError, match=f"^{file}, line 5: plugins.nginx.timeout: expected seconds"):
        load_settings(file, environ={})
    file.write_text("[cluster\n")
    with pytest.raises(SettingsError, match=f"^{file} is not TOML: .*line 1"):
        load_settings(file, environ={})
    with pytest.raises(SettingsError, match=r"cannot read the settings file /nowhere/skep.toml: No such file"):
        load_settings(Path("/nowhere/skep.toml"), environ={})


def test_the_environment_goes_over_the_file_and_flags_over_both(tmp_path: Path) -> None:
    file = tmp_path / "skep.toml"
    file.write_text("[cluster]\nheartbeat = 1\nping_timeout = 1\nping_interval = 1\n[plugins.a]\n[plugins.b]\nx = 1\n")
    environ = {
        "SKEP_CLUSTER__HEARTBEAT": "2m",
        "SKEP_CLUSTER__PING_TIMEOUT": "2",
        "HOME": "/",
        "SKEP_CONFIG": "not ours",
    }
    settings = load_settings(
        file, environ=environ, flags=["cluster.ping_timeout=3", "plugins.b.x=hello", "plugins.c.y=[1]"]
    )
    assert settings.cluster.heartbeat == 120
    assert settings.cluster.ping_timeout == 3
    assert settings.cluster.ping_interval == 1
    assert list(settings.plugins) == ["a", "b", "c"]
    assert settings.plugins["b"].own["x"] == "hello"
    with pytest.raises(SettingsError, match=r"^SKEP_CLUSTR__X: clustr: unknown key"):
        load_settings(file, environ={"SKEP_CLUSTR__X": "1"})
    with pytest.raises(SettingsError, match=r"^--set cluster.heartbeat: cluster.heartbeat: expected seconds"):
        load_settings(file, environ={}, flags=["cluster.heartbeat=never"])
    with pytest.raises(SettingsError, match="expected KEY=VALUE"):
        load_settings(file, environ={}, flags=["cluster.heartbeat"])


def test_the_emergency_switch_chooses_plugins_and_their_order() -> None:
    data = {"plugins": {"a": {"timeout": 3}, "b": {}, "c": {"enabled": False}}}
    settings = parse_settings(data, environ={"SKEP_PLUGINS": "c, a,new", "SKEP_PLUGINS__B__TIMEOUT": "5s"})
    assert [name for name, table in settings.plugins.items() if table.enabled] == ["c", "a", "new"]
    assert settings.plugins["a"].timeout == 3
    assert not settings.plugins["b"].enabled
    none = parse_settings(data, environ={"SKEP_PLUGINS": ""})
    assert not any(table.enabled for table in none.plugins.values())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5", 5),
        ("true", True),
        ('["a", "b"]', ["a", "b"]),
        ("plain text", "plain text"),
        ('"quoted"', "quoted"),
        ("1\ny = 2", "1\ny = 2"),
    ],
)
def test_a_value_is_toml_where_it_is_and_text_else(value: str, expected: object) -> None:
    data = overlay({"plugins": {"x": {"old": 1}}}, "plugins.x.new", value)
    assert data["plugins"]["x"]["old"] == 1
    assert data["plugins"]["x"]["new"].toml() == expected


@pytest.mark.parametrize("key", ["", "a..b", ".a", "a."])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(SettingsError, match="is not a key"):
        overlay({}, key, "1")


def test_overlay_changes_nothing_that_it_is_given() -> None:
    data = {"cluster": {"heartbeat": 1}}
    overlay(data, "cluster.heartbeat", "2")
    assert data == {"cluster": {"heartbeat": 1}}
    with pytest.raises(SettingsError, match="heartbeat is a value, not a table"):
        overlay(data, "cluster.heartbeat.x", "2")


def own(**keys: Any) -> PluginSettings:
    flags = [f"plugins.p.{key}={value}" for key, value in keys.items()]
    settings = parse_settings({}, flags=flags)
    return parse_plugin_settings(OwnSettings, settings.plugins["p"], "p", "file", settings.origins)


def test_a_plugins_own_settings_are_checked_by_its_class() -> None:
    assert own(delay="2m", words='["x"]', secret="12", folder="/var", least=3) == OwnSettings(
        delay=120.0, words=("x",), secret="12", folder=Path("/var"), least=3
    )
    with pytest.raises(
        SettingsError, match=r"^--set plugins.p.dely: plugins.p.dely: unknown key: did you mean delay\?"
    ):
        own(dely=1)
    with pytest.raises(SettingsError, match="did you mean timeout"):
        own(timeuot=1)
    with pytest.raises(SettingsError, match=r"plugins.p: least: expected at most 9"):
        own(least=10)
    with pytest.raises(SettingsError, match=r"expected a whole number, got 1.5"):
        own(least=1.5)


def test_secrets_are_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        own(least='"hunter2"')
    assert "hunter2" not in str(caught.value)
    assert "expected a whole number, got a text" in str(caught.value)


def test_a_plugin_cannot_take_the_cores_keys() -> None:
    class Taking(PluginSettings, frozen=True, kw_only=True):
        timeout: float = 1.0

    with pytest.raises(SettingsError, match="plugin p: its settings cannot have timeout: skep owns these keys"):
        parse_plugin_settings(Taking, PluginTable(), "p", "file")


def test_what_is_required_and_missing_is_named() -> None:
    class Required(PluginSettings, frozen=True, kw_only=True):
        url: str

    with pytest.raises(SettingsError, match=r"file: plugins.p.url: missing: expected a text in quotes"):
        parse_plugin_settings(Required, PluginTable(), "p", "file")
