"""The plugin `maintenance`."""

from __future__ import annotations

from skep import Plugin

__all__ = ["MaintenancePlugin"]


class MaintenancePlugin(Plugin):
    """See README.md."""

    name = "maintenance"
