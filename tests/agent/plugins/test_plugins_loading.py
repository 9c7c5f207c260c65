"""Finding, importing, making and registering plugins: what is wrong with one is named, and costs nobody else anything."""

from __future__ import annotations

import logging
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from skep import Agent, ContainerCreating, Plugin, PluginError, PluginSettings, SettingsError, hookimpl, parse_settings
from skep.plugins import PluginManager, PluginState

FILES = {
    "raises": ("x = 1\nraise RuntimeError('no luck')\n", r"cannot be imported: RuntimeError: no luck \(.*raises.py, line 2\)"),
    "exits": ("import sys\nsys.exit(3)\n", r"cannot be imported: it ends the program \(sys.exit\) \(.*exits.py, line 2\)"),
    "syntax": ("def x(:\n", r"cannot be imported: SyntaxError: .*syntax.py, line 1"),
    "missing": ("import no_such_module_at_all\n", r"cannot be imported: No module named 'no_such_module_at_all'"),
    "empty": ("x = 1\n", r"empty.py has no class that derives from skep.Plugin, and no function that is marked @skep.hookimpl"),
    "several": (
        "from skep import Plugin\nclass A(Plugin): pass\nclass B(Plugin): pass\n",
        r"has several plugins \(A, B\): expected one",
    ),
    "init": ("from skep import Plugin\nclass A(Plugin):\n    def __init__(self, s): 1 / 0\n", "cannot be made: ZeroDivisionError"),
    "init_exits": ("from skep import Plugin\nclass A(Plugin):\n    def __init__(self, s): exit(1)\n", "cannot be made: SystemExit"),
    "unknown_hook": (
        "import skep\n@skep.hookimpl\nasync def node_joind(event): pass\n",
        "there is no hook node_joind: did you mean node_joined?",
    ),
    "argument": ("from skep import Plugin\nclass A(Plugin):\n    async def node_joined(self, other): pass\n",
        r"expected node_joined\(event\), got node_joined\(other\)",
    ),
    "sync": (
        "from skep import Plugin\nclass A(Plugin):\n    async def filter_nodes(self, query): pass\n",
        "filter_nodes is not awaited: expected def, got async def",
    ),
    "wrapper": ("import skep\n@skep.hookimpl(wrapper=True)\ndef metrics():\n    return (yield)\n", "metrics cannot be a wrapper"),
}  # fmt: skip


def settings_of(tmp_path: Path, name: str, text: str, **options: Any) -> Any:
    (tmp_path / f"{name}.py").write_text(text)
    data = {"plugins": {name: {"path": f"{name}.py", **options}}}
    return parse_settings(data, source=str(tmp_path / "skep.toml"))


@pytest.mark.parametrize("name", FILES)
def test_a_bad_plugin_is_named_with_the_reason(tmp_path: Path, name: str) -> None:
    text, told = FILES[name]
    with pytest.raises(PluginError, match=f"^plugin {name}: .*{told.replace('?', '.')}"):
        PluginManager(settings_of(tmp_path, name, text))
    assert f"skep_file_{name}" not in sys.modules or name not in ("raises", "exits", "syntax", "missing")


@pytest.mark.parametrize("name", FILES)
async def test_a_bad_plugin_may_be_ignored_and_is_told_as_broken(tmp_path: Path, name: str) -> None:
    settings = settings_of(tmp_path, name, FILES[name][0], startup_error="ignore")
    async with Agent(settings) as agent:
        (status,) = [each for each in agent.plugins.statuses() if each.name == name]
        assert status.state is PluginState.BROKEN
        assert status.why.startswith(f"plugin {name}: ")
        assert name not in agent.plugins.plugins


def test_retry_does_not_help_what_cannot_be_imported(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="no luck"):
        PluginManager(settings_of(tmp_path, "raises", FILES["raises"][0], startup_error="retry"))


def test_a_lister_of_plugins_is_told_instead_of_raised_at(tmp_path: Path) -> None:
    manager = PluginManager(settings_of(tmp_path, "raises", FILES["raises"][0]), strict=False)
    assert manager.statuses()[0].state is PluginState.BROKEN


def test_a_plugin_that_is_not_installed_is_named_with_the_nearest() -> None:
    with pytest.raises(
        PluginError, match=r"^plugin spraed: not installed, and its table has no path: did you mean spread\?"
    ):
        PluginManager(parse_settings({"plugins": {"spraed": {}}}))
    with pytest.raises(PluginError, match="plugin x: there is no file"):
        PluginManager(parse_settings({"plugins": {"x": {"path": "/nowhere.py"}}}))


def test_wrong_settings_of_a_plugin_are_named() -> None:
    with pytest.raises(SettingsError, match=r"settings: plugins.docker_api.lsiten: unknown key: did you mean listen\?"):
        PluginManager(parse_settings({"plugins": {"docker_api": {"lsiten": []}}}))


def test_an_extra_of_the_plugins_name_is_advised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "thing-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0\nProvides-Extra: cloud\n")
    (info / "entry_points.txt").write_text("[skep]\ncloud = skep_cloud_x:CloudPlugin\n")
    (tmp_path / "skep_cloud_x.py").write_text("import no_such_cloud_library\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    told = r"plugin cloud: cannot be imported: .*no_such_cloud_library'; pip install 'thing\[cloud\]' installs what it needs"
    with pytest.raises(PluginError, match=told):
        PluginManager(parse_settings({"plugins": {"cloud": {}}}))
    manager = PluginManager(parse_settings({"plugins": {"cloud": {"enabled": False}}}))
    status = {each.name: each for each in manager.statuses()}["cloud"]
    assert (status.state, status.origin) == (PluginState.DISABLED, "thing 1.0")
    again = tmp_path / "other-2.0.dist-info"
    again.mkdir()
    (again / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 2.0\n")
    (again / "entry_points.txt").write_text("[skep]\ncloud = skep_cloud_x:CloudPlugin\n")
    with pytest.raises(PluginError, match=r"several packages bring it .*: uninstall all but one"):
        PluginManager(parse_settings({"plugins": {"cloud": {}}}))


def test_only_what_is_enabled_is_imported() -> None:
    code = (
        "import sys; from skep.plugins import PluginManager; from skep import parse_settings\n"
        "m = PluginManager(parse_settings({'plugins': {'port': {}, 'nginx': {'enabled': False}}}))\n"
        "states = {s.name: str(s.state) for s in m.statuses()}\n"
        "assert states['port'] == 'enabled' and states['nginx'] == 'disabled' and states['docker_api'] == 'installed', states\n"
        "loaded = sorted(n for n in sys.modules if n.startswith('skep_') and '.' not in n)\n"
        "assert loaded == ['skep_port'], loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_module_with_marked_functions_is_a_plugin(tmp_path: Path) -> None:
    text = "import skep\n@skep.hookimpl\ndef lookups():\n    return {'x': len}\n"
    manager = PluginManager(settings_of(tmp_path, "one", text))
    assert list(manager.contributions("lookups")) == [("one", {"x": len})]
    with pytest.raises(PluginError, match="plugin one: takes no settings, but its table has colour"):
        PluginManager(settings_of(tmp_path, "one", text, colour="red"))


def test_classes_objects_and_modules_are_taken_and_named() -> None:
    class HelloWorldPlugin(Plugin):
        def lookups(self) -> Any:
            return {self.name: len}

    module = types.ModuleType("skep_modular")

    @hookimpl
    def lookups() -> Any:
        return {"modular": len}

    vars(module)["lookups"] = lookups
    other = HelloWorldPlugin()
    other.name = "other"
    manager = PluginManager(parse_settings({}), [HelloWorldPlugin, other, module])
    assert [name for name, _ in manager.contributions("lookups")] == ["hello_world", "other", "modular"]
    with pytest.raises(PluginError, match="plugin hello_world: two plugins have this name"):
        PluginManager(parse_settings({}), [HelloWorldPlugin, HelloWorldPlugin])


def test_the_order_is_that_of_the_settings_and_the_table_is_the_classs_own() -> None:
    class Own(PluginSettings, frozen=True, kw_only=True):
        word: str = ""

    class A(Plugin):
        Settings = Own

        def lookups(self) -> Any:
            assert isinstance(self.settings, Own)
            return {self.settings.word: len}

    class B(A):
        pass

    class First(A):
        @hookimpl(tryfirst=True)
        def lookups(self) -> Any:
            return super().lookups()

    data = {"plugins": {"b": {"word": "bee"}, "a": {"word": "ay"}, "first": {}}}
    manager = PluginManager(parse_settings(data), [A, First, B])
    assert list(manager.contributions("lookups")) == [("first", {"": len}), ("b", {"bee": len}), ("a", {"ay": len})]


def test_a_misspelt_hook_is_told(caplog: pytest.LogCaptureFixture) -> None:
    class Slip(Plugin):
        def filter_node(self, query: object) -> None:
            """Meant as filter_nodes."""

        def helper(self) -> None:
            """No hook, and none is meant."""

    manager = PluginManager(parse_settings({}), [Slip])
    with caplog.at_level(logging.WARNING):
        assert manager.statuses()[0].warnings == ("filter_node is no hook; did you mean filter_nodes?",)


def test_no_property_is_read_and_no_op_methods_are_not_called() -> None:
    class Careful(Plugin):
        @property
        def node_count(self) -> int:
            raise AssertionError("read")

    manager = PluginManager(parse_settings({}), [Careful])
    assert list(manager.implementing("filter_nodes")) == []
    assert manager.rules("filter_nodes") == []


async def test_unchanged_hooks_of_the_base_do_nothing() -> None:
    plugin = Plugin()
    creating: Any = object()
    assert await plugin.container_creating(creating) is None
    assert list(plugin.metrics()) == []
    assert isinstance(ContainerCreating, type)
