"""The plugin `envfile`."""

from __future__ import annotations

from skep import Plugin

__all__ = ["EnvfilePlugin"]


class EnvfilePlugin(Plugin):
    """See README.md."""

    name = "envfile"
