"""The plugin `random`."""

from __future__ import annotations

from skep import Plugin

__all__ = ["RandomPlugin"]


class RandomPlugin(Plugin):
    """See README.md."""

    name = "random"
