"""Finds, makes, registers and calls plugins."""

from skep.plugins.manager import PluginManager

__all__ = ["PluginManager"]
