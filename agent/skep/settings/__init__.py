"""Settings: typed, from a TOML file, the environment and flags, checked before anything starts."""

from skep.settings.load import load_settings, parse_plugin_settings, parse_settings
from skep.settings.model import (
    ClusterSettings,
    HttpSettings,
    LogSettings,
    PluginSettings,
    PluginTable,
    Settings,
    TlsSettings,
)

__all__ = [
    "ClusterSettings",
    "HttpSettings",
    "LogSettings",
    "PluginSettings",
    "PluginTable",
    "Settings",
    "TlsSettings",
    "load_settings",
    "parse_plugin_settings",
    "parse_settings",
]
