"""Settings: typed, from a TOML file, the environment and flags, checked before anything starts."""

from skep.settings.check import nearest
from skep.settings.describe import Setting, describe, reference
from skep.settings.layers import overlay
from skep.settings.load import OWNED, load_settings, parse_plugin_settings, parse_settings
from skep.settings.model import (
    ClusterSettings,
    HttpSettings,
    LogSettings,
    PlacementSettings,
    PluginSettings,
    PluginTable,
    Seconds,
    ServerTlsSettings,
    Settings,
    TlsSettings,
)

__all__ = [
    "OWNED",
    "ClusterSettings",
    "HttpSettings",
    "LogSettings",
    "PlacementSettings",
    "PluginSettings",
    "PluginTable",
    "Seconds",
    "ServerTlsSettings",
    "Setting",
    "Settings",
    "TlsSettings",
    "describe",
    "load_settings",
    "nearest",
    "overlay",
    "parse_plugin_settings",
    "parse_settings",
    "reference",
]
