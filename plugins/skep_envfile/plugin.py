"""The plugin: what its hooks do."""

from __future__ import annotations

from skep import Plugin
from skep_envfile.settings import EnvFileSettings

__all__ = ["EnvFilePlugin"]


class EnvFilePlugin(Plugin):
    """Keeps env files in step with what lookups find, and gives containers the looked-up values that they ask for."""

    Settings = EnvFileSettings
    settings: EnvFileSettings
    name = "envfile"
