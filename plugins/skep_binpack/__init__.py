"""The plugin `binpack`."""

from __future__ import annotations

from skep import Plugin

__all__ = ["BinpackPlugin"]


class BinpackPlugin(Plugin):
    """See README.md."""

    name = "binpack"
