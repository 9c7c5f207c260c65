"""Who may do what through the Docker API."""

from __future__ import annotations

from skep import Plugin

__all__ = ["PolicyPlugin"]


class PolicyPlugin(Plugin):
    """Decides who may do what."""

    name = "policy"
