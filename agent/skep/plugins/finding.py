"""Finds plugins: installed ones by their entry points, others by a file's path. Only what the settings name is imported."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

from skep.errors import PluginError
from skep.hooks import Plugin
from skep.settings import PluginTable, nearest

__all__ = ["Found", "find", "installed", "origin_of"]

GROUP = "skep"


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin that can be imported: `origin` says where it comes from, for people."""

    name: str
    origin: str
    entry: EntryPoint | None = None
    path: Path | None = None

    def load(self) -> Any:
        """Import it: a class deriving from Plugin, or an object or a module with hooks. Raises PluginError, whatever it does."""
        try:
            loaded = self.entry.load() if self.entry is not None else self._load_file()
            return _chosen(loaded, self.name) if isinstance(loaded, ModuleType) else loaded
        except (PluginError, KeyboardInterrupt):
            raise
        except ImportError as error:
            raise PluginError(
                f"plugin {self.name}: cannot be imported: {error}{self._advice(error)}{_place(error)}"
            ) from error
        except SystemExit as error:
            raise PluginError(
                f"plugin {self.name}: cannot be imported: it ends the program (sys.exit){_place(error)}"
            ) from error
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
            raise PluginError(f"plugin {self.name}: cannot be imported: {text}{_place(error)}") from error

    def _load_file(self) -> ModuleType:
        assert self.path is not None
        module_name = f"skep_file_{self.name}"
        spec = importlib.util.spec_from_file_location(module_name, self.path)
        if spec is None or spec.loader is None:
            raise PluginError(f"plugin {self.name}: {self.path} is not a Python file (.py)")
        module = importlib.util.module_from_spec(spec)
        previous = sys.modules.get(module_name)
        sys.modules[module_name] = module  # its own classes look themselves up there
        try:
            spec.loader.exec_module(module)
        except BaseException:
            if previous is not None:
                sys.modules[module_name] = previous
            else:
                del sys.modules[module_name]
            raise
        return module

    def _advice(self, error: ImportError) -> str:
        """How to install what is missing, where the distribution has an extra for it."""
        dist = self.entry.dist if self.entry is not None else None
        if dist is None or not isinstance(error, ModuleNotFoundError):
            return ""
        extras = dist.metadata.get_all("Provides-Extra") or []
        if self.name in extras:
            return f"; pip install '{dist.name}[{self.name}]' installs what it needs"
        return ""


def _place(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return ""  # says so itself
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    own = [frame for frame in frames if frame.filename != __file__]
    return f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""


def _chosen(module: ModuleType, name: str) -> Any:
    """The plugin in a module: its class, or itself where it has marked functions."""
    found = [each for each in vars(module).values() if inspect.isclass(each) and issubclass(each, Plugin)]
    classes = [each for each in dict.fromkeys(found) if f"{each.__module__}.".startswith(f"{module.__name__}.")]
    if any(hasattr(value, "skep_impl") for value in vars(module).values() if inspect.isfunction(value)):
        return module
    if len(classes) == 1:
        return classes[0]
    if classes:
        names = ", ".join(each.__name__ for each in classes)
        raise PluginError(f"plugin {name}: {module.__name__} has several plugins ({names}): expected one")
    raise PluginError(
        f"plugin {name}: {getattr(module, '__file__', module.__name__)} has no class that derives from skep.Plugin, and no "
        "function that is marked @skep.hookimpl"
    )


def installed() -> dict[str, Found]:
    """The installed plugins, by name; none is imported."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in importlib.metadata.entry_points(group=GROUP):
        found.setdefault(entry.name, []).append(entry)
    return {
        name: Found(name, " and ".join(dict.fromkeys(map(_origin, found[name]))), found[name][0])
        for name in sorted(found)
    }


def _origin(entry: EntryPoint) -> str:
    dist: Distribution | None = entry.dist
    return f"{dist.name} {dist.version}" if dist is not None else entry.value


def find(name: str, table: PluginTable, source: str, known: Mapping[str, Found]) -> Found:
    """The plugin of a table of the settings that came from the file `source`, by its path or among the installed. Raises PluginError."""
    if table.path:
        path = Path(source).parent / Path(table.path).expanduser()
        if not path.is_file():
            raise PluginError(f"plugin {name}: there is no file {path}")
        return Found(name, str(path), path=path)
    if name not in known:
        raise PluginError(f"plugin {name}: not installed, and its table has no path: {nearest(name, known)}")
    if " and " in known[name].origin:
        raise PluginError(f"plugin {name}: several packages bring it ({known[name].origin}): uninstall all but one")
    return known[name]


def origin_of(plugin: object) -> str:
    """Where a plugin that was handed over comes from."""
    return (
        plugin.__name__ if isinstance(plugin, ModuleType) else f"{type(plugin).__module__}.{type(plugin).__qualname__}"
    )
