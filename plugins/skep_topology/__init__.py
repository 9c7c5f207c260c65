"""The plugin `topology`."""

from __future__ import annotations

from skep import Plugin

__all__ = ["TopologyPlugin"]


class TopologyPlugin(Plugin):
    """See README.md."""

    name = "topology"
