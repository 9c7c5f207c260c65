"""The plugin `custom_resource`."""

from __future__ import annotations

from skep import Plugin

__all__ = ["CustomResourcePlugin"]


class CustomResourcePlugin(Plugin):
    """See README.md."""

    name = "custom_resource"
