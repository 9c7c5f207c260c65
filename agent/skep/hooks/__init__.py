"""What a plugin may implement."""

from skep.hooks.marker import hookimpl
from skep.hooks.plugin import Plugin
from skep.hooks.requests import ContainerCreating, ContainerStopping, DiscoveryBackend, Lookup, Metric, Values

__all__ = [
    "ContainerCreating",
    "ContainerStopping",
    "DiscoveryBackend",
    "Lookup",
    "Metric",
    "Plugin",
    "Values",
    "hookimpl",
]
