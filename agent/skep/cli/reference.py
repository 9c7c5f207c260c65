"""A commented reference of all settings, made from the settings' own types and documentation."""

from __future__ import annotations

from collections.abc import Collection

from skep.cli.checks import plugin_settings_class
from skep.cli.entry import installed
from skep.errors import PluginError
from skep.settings import Settings
from skep.settings import reference as described

__all__ = ["reference"]

_HEAD = """\
# Every setting of skep, with its default; all are off here. This file is made by: skep config reference
#
# A setting may also come from the environment (SKEP_CLUSTER__HEARTBEAT=5s) or a flag (skep run --set cluster.heartbeat=5s), which
# count more than the file. Plugins run because they are named here, in this order.
"""


def reference(plugins: Collection[str] | None = None) -> str:
    """The reference as TOML that `skep config check` accepts. plugins: names to import; None is those that come with skep.

    Raises PluginError naming a broken one.
    """
    parts = [_HEAD, _off(described(Settings), 1)]
    for name, entry in installed().items():
        own = entry.dist is not None and entry.dist.name == "skep"
        if own if plugins is None else name in plugins:
            try:
                kind = plugin_settings_class(entry.load())
            except Exception as error:
                raise PluginError(f"plugin {name} is broken: {type(error).__name__}: {error}") from error
            parts.append(_off(described(kind, f"plugins.{name}"), 2))
    return "\n".join(parts)


def _off(text: str, depth: int) -> str:
    """Switch the headers of tables off that lie deeper: an empty one may mean something, TLS without a certificate."""
    lines = text.splitlines(keepends=True)
    return "".join(f"#{line}" if line.startswith("[") and line.count(".") >= depth else line for line in lines)
