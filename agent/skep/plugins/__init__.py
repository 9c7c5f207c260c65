"""Finds, makes, registers and calls plugins."""

from skep.plugins.finding import installed
from skep.plugins.lookups import Lookups
from skep.plugins.manager import PluginManager
from skep.plugins.record import HookCounters, PluginState, PluginStatus

__all__ = ["HookCounters", "Lookups", "PluginManager", "PluginState", "PluginStatus", "installed"]
