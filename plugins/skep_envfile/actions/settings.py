"""The settings of `on_change`."""

from __future__ import annotations

from skep import PluginSettings

__all__ = ["ActionSettings"]


class ActionSettings(PluginSettings, frozen=True, kw_only=True):
    """One thing to do when a file has changed."""
