"""Env files of looked-up values, kept true."""

from __future__ import annotations

from skep import Plugin

__all__ = ["EnvFilePlugin"]


class EnvFilePlugin(Plugin):
    """Keeps env files in step with what lookups find."""

    name = "envfile"
