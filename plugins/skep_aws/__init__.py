"""The plugin `aws`."""

from __future__ import annotations

from skep import Plugin

__all__ = ["AwsPlugin"]


class AwsPlugin(Plugin):
    """See README.md."""

    name = "aws"
