"""The plugin `whitelist`."""

from __future__ import annotations

from skep import Plugin

__all__ = ["WhitelistPlugin"]


class WhitelistPlugin(Plugin):
    """See README.md."""

    name = "whitelist"
