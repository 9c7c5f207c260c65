"""The plugin `slots`."""

from __future__ import annotations

from skep import Plugin

__all__ = ["SlotsPlugin"]


class SlotsPlugin(Plugin):
    """See README.md."""

    name = "slots"
