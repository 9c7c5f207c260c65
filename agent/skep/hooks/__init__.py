"""What a plugin may implement."""

from skep.hooks.api import ApiAnswered, ApiRequest, Client
from skep.hooks.marker import hookimpl
from skep.hooks.plugin import Plugin
from skep.hooks.requests import (
    ContainerCreating,
    ContainerStopping,
    CustomResource,
    CustomResourceRequest,
    DiscoveryBackend,
    Lookup,
    Metric,
    Values,
)

__all__ = [
    "ApiAnswered",
    "ApiRequest",
    "Client",
    "ContainerCreating",
    "ContainerStopping",
    "CustomResource",
    "CustomResourceRequest",
    "DiscoveryBackend",
    "Lookup",
    "Metric",
    "Plugin",
    "Values",
    "hookimpl",
]
